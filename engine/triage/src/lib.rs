//! Triage's world: Kafka, files, HTTP, signals and the command line around [`triage_core`]. A library only so that the
//! binary's tests can run an engine in process; nothing here is promised to others.

pub mod cli;
pub(crate) mod gateway;
pub mod sink;
