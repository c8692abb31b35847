//! State that outlives its process. A partition's state is a fold over its readings, so it is not written for each of them:
//! now and then the patients that have changed are, all at one place, in the transaction whose offsets that place is
//! (`triage-snapshots`). What is not among the readings (acknowledgements, steps of an idle stream) is written as it happens
//! (`triage-journal`). Whoever takes the partition over reads both and judges the readings since that place again, in silence.

mod keeper;
pub(crate) mod record;
mod restore;

pub(crate) use keeper::{Change, Keeper};
pub(crate) use restore::{RestoreError, Restored, Restorer};
