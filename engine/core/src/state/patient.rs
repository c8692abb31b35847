//! What is remembered of one patient.

use super::Layout;
use crate::operator::Cell;
use crate::operator::episode::{Episode, Place};

/// One patient of one partition.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    pub(crate) id: Box<str>,
    /// The largest time of a reading, which is the last reading's; none before the first is judged.
    pub(crate) last: Option<Place>,
    /// The stream's time when that reading was judged, or when a rule set came that forgets sooner or later: a timer that is
    /// past when it is set waits for the next movement.
    pub(crate) heard_at: i64,
    /// By position in the layout.
    pub(crate) cells: Vec<Cell>,
    /// By position in the layout.
    pub(crate) silences: Vec<Silence>,
    /// The open episodes by rule, in rule order.
    pub(crate) episodes: Vec<(u32, Episode)>,
    /// The earliest moment at which the partition looks at this patient's timers.
    pub(crate) queued: Option<i64>,
    /// Whether there is an image of it from before this transaction.
    pub(crate) touched: bool,
    /// What the batch at hand has still to come to.
    pub(crate) ahead: Option<Ahead>,
}

/// How far the readings of a batch, which are placed in time before they are judged, have come with a patient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    pub(crate) clock: i64,
    pub(crate) heard_at: i64,
    /// The patient's last reading in the batch.
    pub(crate) last_row: usize,
}

/// What is waited for, and from when on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Silence {
    /// The last reading that broke it.
    pub(crate) since: Option<Place>,
    /// Whether it has fired since.
    pub(crate) fired: bool,
}

impl Patient {
    /// A patient who is heard of for the first time.
    pub(crate) fn new(id: &str, layout: &Layout) -> Self {
        Self {
            id: id.into(),
            last: None,
            heard_at: i64::MIN,
            cells: layout.fresh_cells(),
            silences: vec![Silence::default(); layout.silences.len()],
            episodes: Vec::new(),
            queued: None,
            touched: false,
            ahead: None,
        }
    }

    /// What the patient is before a transaction changes it; windows keep how to go back themselves.
    pub(crate) fn image(&mut self) -> Self {
        Self {
            id: self.id.clone(),
            cells: self.cells.iter_mut().map(Cell::image).collect(),
            silences: self.silences.clone(),
            episodes: self.episodes.clone(),
            touched: false,
            ahead: None,
            ..*self
        }
    }

    /// What the patient was when `image` was made.
    pub(crate) fn go_back(self, image: Self) -> Self {
        let cells = self.cells.into_iter().zip(image.cells);
        Self { cells: cells.map(|(cell, image)| cell.go_back(image)).collect(), ..image }
    }

    /// The transaction has become true.
    pub(crate) fn settle(&mut self) {
        self.touched = false;
        self.cells.iter_mut().for_each(Cell::settle);
    }

    /// The patient's clock, and the stream's time when it was set, as of the readings placed so far.
    pub(crate) fn clock(&self) -> Option<(i64, i64)> {
        match self.ahead {
            Some(ahead) => Some((ahead.clock, ahead.heard_at)),
            None => self.last.map(|last| (last.time, self.heard_at)),
        }
    }

    /// Takes a reading in: the patient's last, and the end of the silences that it breaks.
    pub(crate) fn heard(&mut self, place: Place, stream_time: i64, breaks: impl Fn(usize) -> bool) {
        self.last = Some(place);
        self.heard_at = stream_time;
        for (index, silence) in self.silences.iter_mut().enumerate() {
            if breaks(index) {
                *silence = Silence { since: Some(place), fired: false };
            }
        }
    }

    /// Leaves nothing but the name, and the cells if readings that come behind have begun them afresh already.
    pub(crate) fn forget(&mut self) {
        self.last = None;
        self.heard_at = i64::MIN;
        self.silences.fill(Silence::default());
        self.episodes.clear();
        self.queued = None;
    }

    pub(crate) fn episode(&mut self, rule: u32) -> Option<&mut Episode> {
        let index = self.episodes.binary_search_by_key(&rule, |(rule, _)| *rule).ok()?;
        Some(&mut self.episodes[index].1)
    }

    pub(crate) fn open(&mut self, rule: u32, episode: Episode) {
        if let Err(index) = self.episodes.binary_search_by_key(&rule, |(rule, _)| *rule) {
            self.episodes.insert(index, (rule, episode));
        }
    }

    pub(crate) fn close(&mut self, rule: u32) -> Option<Episode> {
        let index = self.episodes.binary_search_by_key(&rule, |(rule, _)| *rule).ok()?;
        Some(self.episodes.remove(index).1)
    }

    /// When the patient is forgotten.
    pub(crate) fn forgotten(&self, layout: &Layout) -> Option<i64> {
        Some(self.last?.time.saturating_add(layout.forget))
    }

    /// When a silence has lasted.
    pub(crate) fn silent(&self, index: usize, layout: &Layout) -> Option<i64> {
        let silence = self.silences.get(index).filter(|silence| !silence.fired)?;
        Some(silence.since?.time.saturating_add(layout.silences.get(index)?.hold))
    }

    /// The earliest moment of a timer.
    pub(crate) fn due(&self, layout: &Layout) -> Option<i64> {
        let silences = (0..self.silences.len()).filter_map(|index| self.silent(index, layout));
        let escalations = self.episodes.iter().filter_map(|(rule, episode)| episode.escalation(layout.terms(*rule)?));
        silences.chain(escalations).chain(self.forgotten(layout)).min()
    }
}
