//! A ward as the gateway sends it: a table's rows in turn, or simulated patients.

use std::time::Duration;

use super::rows::Rows;
use super::simulation::{BEGIN, Episode, Reading, Simulation};

/// Which reading comes next, and when.
#[derive(Debug)]
pub(crate) enum Ward {
    /// The table's rows, as they are.
    Rows(Rows),
    /// Patients whose vital signs walk; with the reading that was looked at and not yet taken.
    Simulated(Simulation, Option<Reading>),
}

/// One reading, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The patient, which is the Kafka key.
    pub(crate) key: String,
    /// The reading as a JSON object.
    pub(crate) json: String,
}

/// How much of a ward is wanted; without either, it goes on until it is stopped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    /// So many readings.
    pub(crate) count: Option<u64>,
    /// Those of so much time from the first on.
    pub(crate) duration: Option<Duration>,
}

impl Extent {
    /// Whether after `sent` readings one that is due so long after the beginning is still wanted.
    pub(super) fn holds(&self, sent: u64, due: Duration) -> bool {
        self.count.is_none_or(|count| sent < count) && self.duration.is_none_or(|duration| due < duration)
    }
}

impl Ward {
    /// A simulated one.
    pub(crate) fn simulated(simulation: Simulation) -> Self {
        Self::Simulated(simulation, None)
    }

    /// How many patients there are.
    pub(crate) fn patients(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.patients(),
            Self::Simulated(simulation, _) => simulation.patients(),
        }
    }

    /// What has really happened to simulated patients.
    pub(crate) fn episodes(&self) -> Vec<Episode> {
        match self {
            Self::Rows(_) => Vec::new(),
            Self::Simulated(simulation, _) => simulation.episodes(),
        }
    }

    /// Says when the first reading is taken, epoch milliseconds, before any is.
    pub(super) fn begin_at(&mut self, begin: i64) {
        if let Self::Simulated(simulation, _) = self {
            simulation.begin_at(begin);
        }
    }

    /// When time begins where nobody waits for it, epoch milliseconds.
    pub(super) fn begin(&self) -> i64 {
        match self {
            Self::Rows(_) => BEGIN,
            Self::Simulated(simulation, _) => simulation.begin(),
        }
    }

    /// When the next reading is due, from the beginning; `None` if there is none.
    pub(super) fn next_due(&mut self) -> Option<Duration> {
        match self {
            Self::Rows(rows) => Some(rows.next_due()),
            Self::Simulated(simulation, ahead) => {
                *ahead = ahead.take().or_else(|| simulation.next());
                let since = ahead.as_ref()?.ts - simulation.begin();
                Some(Duration::from_millis(since.unsigned_abs()))
            }
        }
    }

    /// The next reading. Rows are taken at `now` (epoch milliseconds); simulated readings bear the time they are due.
    pub(super) fn next_sample(&mut self, now: i64) -> Option<Sample> {
        match self {
            Self::Rows(rows) => Some(rows.next_sample(now)),
            Self::Simulated(simulation, ahead) => {
                let reading = ahead.take().or_else(|| simulation.next())?;
                Some(Sample { key: reading.patient.to_string(), json: reading.json() })
            }
        }
    }
}
