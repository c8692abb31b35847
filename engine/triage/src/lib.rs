//! Triage's world: Kafka, files, HTTP, signals and the command line around [`triage_core`]. A library only so that the
//! binary's tests can run an engine in process; nothing here is promised to others.

mod access;
pub(crate) mod alerts;
pub mod cli;
mod clock;
pub mod config;
pub(crate) mod dead_letters;
pub mod embedded;
pub mod engine;
mod erase;
pub mod gateway;
pub mod http;
mod kafka;
mod logging;
pub mod metrics;
pub mod models;
pub(crate) mod published;
pub mod reload;
pub mod rules;
mod scores;
mod shared;
pub mod shutdown;
pub mod sink;
mod state;
mod store;
mod technical;
mod terminal;
pub mod tls;
mod webhook;
mod worker;
