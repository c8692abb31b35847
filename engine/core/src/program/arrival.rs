//! Where each reading of a batch stands in time: what it moves, whether it is late, whose state it is seen by. Worked out
//! before the batch is judged, so that conditions can be judged column by column; nothing is fired or told here.

use super::Limits;
use crate::operator::{Cell, CellKind, Yield};
use crate::reading::{Batch, Record};
use crate::state::{Ahead, Layout, Partition, States};

/// Where one reading stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// The position of its partition in the states.
    pub(super) partition: usize,
    /// The stream's time that it brings about, if it moves it.
    pub(super) moves_to: Option<i64>,
    pub(super) standing: Standing,
}

/// Which state a reading is seen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its patient's.
    InOrder {
        slot: u32,
        /// Whether the patient has been forgotten since the last reading, or was never heard of.
        fresh: bool,
    },
    /// None: it is older than its patient's clock.
    Late,
    /// None: it has no patient, or lies where its patient's readings do not.
    Apart,
}

/// Places the readings of a batch; `bytes` are those of the rows. Patients who are new get a slot.
pub(super) fn place(
    batch: &Batch,
    records: &[Record<'_>],
    bytes: &[&[u8]],
    limits: &Limits,
    layout: &Layout,
    states: &mut States,
    arrivals: &mut Vec<Arrival>,
) {
    arrivals.clear();
    // All partitions first: making one moves the others.
    let record = |row: usize| &records[batch.records[row] as usize];
    for row in 0..batch.rows() {
        states.position(record(row).partition);
    }
    let mut now: Vec<Option<i64>> = states.all().iter().map(Partition::time).collect();
    for (row, bytes) in bytes.iter().enumerate() {
        let partition = states.position(record(row).partition);
        let time = batch.times[row];
        let arrived = record(row).timestamp.filter(|_| limits.skew_ms.is_some()).unwrap_or(time);
        let reached = time.min(arrived);
        let moves_to = now[partition].is_none_or(|now| now < reached).then_some(reached);
        now[partition] = now[partition].max(Some(reached));
        let patient = batch.patients[row].filter(|_| !batch.misplaced[row]);
        let patient = patient.and_then(|slice| std::str::from_utf8(batch.bytes(slice, bytes)).ok());
        let standing = match (patient, states.at(partition), now[partition]) {
            (Some(patient), Some(partition), Some(now)) => stand(partition, patient, time, now, row, layout),
            _ => Standing::Apart,
        };
        arrivals.push(Arrival { partition, moves_to, standing });
    }
}

/// Where the first reading of somebody stands, in states without any.
pub(super) fn first(layout: &Layout, states: &mut States) -> Arrival {
    let partition = states.position(0);
    let slot = states.at(partition).map_or(0, |partition| partition.enter("", layout));
    Arrival { partition, moves_to: None, standing: Standing::InOrder { slot, fresh: true } }
}

/// Where a reading with a patient stands; `now` is the stream's time with it.
fn stand(partition: &mut Partition, patient: &str, time: i64, now: i64, row: usize, layout: &Layout) -> Standing {
    let slot = partition.enter(patient, layout);
    let Some(patient) = partition.patient_mut(slot) else { return Standing::Apart };
    // The stream's time has moved since the patient was last heard, and past the moment of forgetting.
    let clock = patient.clock().filter(|(clock, heard_at)| {
        let forgotten = *heard_at < now && clock.saturating_add(layout.forget) < now;
        !forgotten
    });
    if clock.is_some_and(|(clock, _)| time < clock) {
        return Standing::Late;
    }
    patient.ahead = Some(Ahead { clock: time, heard_at: now, last_row: row });
    Standing::InOrder { slot, fresh: clock.is_none() }
}

/// The batch has been written: nothing is ahead any more.
pub(super) fn settle(arrivals: &[Arrival], states: &mut States) {
    for arrival in arrivals {
        if let (Standing::InOrder { slot, .. }, Some(partition)) = (arrival.standing, states.at(arrival.partition))
            && let Some(patient) = partition.patient_mut(slot)
        {
            patient.ahead = None;
        }
    }
}

/// The cells of the patients of a batch's readings.
pub(crate) struct History<'a> {
    arrivals: &'a [Arrival],
    states: Option<&'a mut States>,
    /// The most values of one window.
    room: usize,
    /// How often a window was full.
    pub(super) full: u64,
}

impl<'a> History<'a> {
    pub(super) fn new(arrivals: &'a [Arrival], states: &'a mut States, layout: &Layout) -> Self {
        Self { arrivals, states: Some(states), room: layout.window_room(), full: 0 }
    }

    /// Of readings that no state is kept of.
    pub(super) fn none() -> Self {
        Self { arrivals: &[], states: None, room: 0, full: 0 }
    }

    /// The cell that a reading is seen by, if any.
    fn cell(&mut self, row: usize, index: u32) -> Option<&mut Cell> {
        let arrival = self.arrivals.get(row)?;
        let Standing::InOrder { slot, fresh } = arrival.standing else { return None };
        let patient = self.states.as_mut()?.at(arrival.partition)?.patient_mut(slot)?;
        let cell = patient.cells.get_mut(index as usize)?;
        if fresh {
            cell.clear();
        }
        Some(cell)
    }

    /// What the cell makes of a number; NaN is unknown.
    pub(super) fn number(&mut self, row: usize, time: i64, index: u32, kind: CellKind, value: f64) -> f64 {
        let room = self.room;
        let full = match (self.cell(row, index), kind) {
            (Some(Cell::Window(window)), CellKind::Window(plan)) => match window.step(plan, room, time, value) {
                Yield::Value(value) => return value,
                Yield::Full => true,
            },
            (Some(Cell::Previous(last)), CellKind::Previous) => {
                let before = last.unwrap_or(f64::NAN);
                *last = if value.is_nan() { *last } else { Some(value) };
                return before;
            }
            _ => false,
        };
        self.full += u64::from(full);
        f64::NAN
    }

    /// What the cell of a condition says of a reading, of which `truth` is that of the condition that it remembers; `None`
    /// for a reading that no state sees.
    pub(super) fn track(&mut self, row: usize, time: i64, index: u32, truth: Option<bool>) -> Option<Track> {
        match self.cell(row, index)? {
            Cell::Run(run) => {
                run.step(time, truth);
                let (since, readings) = run.open.map_or((None, 0), |(since, readings)| (Some(since), readings));
                Some(Track { elapsed: since.map(|since| time.saturating_sub(since)), readings })
            }
            Cell::Sequence(sequence) => {
                let before = sequence.step(time, truth);
                Some(Track { elapsed: before.map(|before| time.saturating_sub(before)), readings: 0 })
            }
            Cell::Window(_) | Cell::Previous(_) => None,
        }
    }
}

/// What the cell of a condition says of a reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Track {
    /// Milliseconds since the run began, or since the first condition was true.
    pub(super) elapsed: Option<i64>,
    /// True readings in the run.
    pub(super) readings: u64,
}
