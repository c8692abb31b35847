//! State that outlives its process. A partition's state is a fold over its readings, so it is not written for each of them:
//! little by little the patients that have changed are, each as of a place, in the transaction whose offsets that place is,
//! with a mark from which on the readings are needed (`triage-snapshots`). What is not among the readings (acknowledgements,
//! steps of an idle stream, a change of rules) is written as it happens (`triage-journal`). Whoever takes the partition over
//! reads both and judges the readings since the mark again, in silence.

mod again;
pub(crate) mod entry;
mod keeper;
mod orphan;
pub(crate) mod record;
mod restore;
mod restoring;
#[cfg(test)]
mod tests;

pub(crate) use keeper::{Change, Keeper, Written};
pub(crate) use orphan::Orphan;
pub(crate) use restore::{RestoreError, Restored};
pub(crate) use restoring::{Answer, BrokenOff, Restoring};
