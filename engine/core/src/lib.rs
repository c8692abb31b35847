//! The Triage rules language: text -> [`Program`](program::Program) -> outputs.
//!
//! Everything that decides is here, and nothing that can fail for reasons of the world: no I/O, no async, no clock, no
//! threads. The same text, readings and state give the same bytes out.

mod check;
pub mod compile;
pub mod diagnostic;
pub mod explain;
pub mod function;
mod graph;
mod json;
pub mod monitor;
mod operator;
pub mod program;
pub mod reading;
pub mod scenario;
pub mod score;
pub mod source;
pub mod state;
pub mod syntax;
mod types;
mod unit;
