//! Benches of Triage.
