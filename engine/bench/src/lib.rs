//! What the benches of Triage judge: seeded readings, generated rule sets, and the hand-written ceiling.

pub mod ceiling;
mod random;
pub mod readings;
pub mod rules;
pub mod used;
