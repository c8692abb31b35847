//! Takes a partition over: snapshots and mark, then the readings and journal entries since, judged again in silence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use triage_core::program::{Limits, Outputs, Program, States};

use super::again::{Again, AgainError, Arrived, Part};
use super::entry::{Entry, Event};
use super::keeper::Beginning;
use super::orphan::{Orphan, Orphans};
use super::record::{Basis, FormError, Key, Mark, Own, Place, Snapshot};
use crate::clock::now;
use crate::config::Config;
use crate::kafka::records::{ReadError, Records};
use crate::kafka::topics::{ACKNOWLEDGEMENTS, JOURNAL, SNAPSHOTS, alerts_of};
use crate::published::{self, PublishError};

/// Why a partition cannot be taken over. None of these is repaired by guessing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("its state cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error(
        "a record of `{topic}` at {offset} cannot be read: {error}; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Form { topic: &'static str, offset: i64, error: FormError },
    #[error("{0}; to go on without state, start once with `engine.fresh_state = true`")]
    Again(#[from] AgainError),
    #[error("its state is of the rule set {version}, which another process runs already, and this one does not yet")]
    Behind { version: String },
    #[error(
        "readings up to {needed} are needed to restore its state, and the stream ends at {last}: it is not the one that the state \
         was kept of; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Short { needed: i64, last: i64 },
    #[error(
        "its state is of {mark}, which is past {next}, the next reading: the stream or the group's offsets are not those that it was \
         kept of; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Ahead { mark: i64, next: i64 },
    #[error(
        "readings from {mark} on are needed to restore its state, and the stream begins at {first}: its retention is too short; to \
         go on without state, start once with `engine.fresh_state = true`"
    )]
    Gone { mark: i64, first: i64 },
    #[error(
        "entry {expected} of `{JOURNAL}` is missing; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Gap { expected: u64 },
    #[error(
        "entry {found} of `{JOURNAL}` is past {noted}, the last that the group's offsets know of: they were set by hand; to go on \
             without state, start once with `engine.fresh_state = true`"
    )]
    Unnoted { noted: u64, found: u64 },
    #[error(
        "its state is of rule set {version}, which {reason}; to go on without state, start once with `engine.fresh_state = true`"
    )]
    RuleSet { version: String, reason: &'static str },
    #[error("its state is of rule set {version}, and the published rule sets cannot be read: {error}")]
    Published { version: String, error: PublishError },
    #[error(
        "state was kept up to entry {entry} of `{JOURNAL}`, and `{SNAPSHOTS}` has nothing of it: it was deleted or made anew; to go on \
         without state, start once with `engine.fresh_state = true`"
    )]
    Lost { entry: u64 },
    #[error("its state is not wanted any more")]
    Unwanted,
}

impl RestoreError {
    /// Whether a transaction has to end first, which it does by itself.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Read(ReadError::Unsettled { .. }))
    }

    /// Whether it stays so, whatever the broker and other processes do.
    fn is_final(&self) -> bool {
        match self {
            Self::Read(_) | Self::Published { .. } | Self::Behind { .. } | Self::Unwanted => false,
            Self::Form { .. }
            | Self::Again(_)
            | Self::Short { .. }
            | Self::Ahead { .. }
            | Self::Gone { .. }
            | Self::Gap { .. }
            | Self::Unnoted { .. }
            | Self::RuleSet { .. }
            | Self::Lost { .. } => true,
        }
    }
}

/// How the journal is read by who begins without state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journal {
    /// What cannot be read is refused.
    Whole,
    /// What cannot be read is passed over.
    AsFarAsItCanBeRead,
}

/// A partition as it was when its last transaction committed.
pub(crate) struct Restored {
    pub(crate) states: States,
    pub(crate) beginning: Beginning,
    /// What the change of rule set since has to say, if there was one, and the rule set before it.
    pub(crate) farewell: Option<(Arc<Program>, Outputs)>,
    /// The ends of alerts that are open, and of which the state knows nothing.
    pub(crate) orphans: Vec<Orphan>,
}

/// What to take over, and under which rule set.
pub(crate) struct Restorer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) records: &'a Records,
    pub(crate) program: &'a Program,
    pub(crate) limits: Limits,
    pub(crate) partition: i32,
    /// The stream's.
    pub(crate) partitions: i32,
    /// Whether to begin without the state that is kept if that cannot be had.
    pub(crate) may_begin_afresh: bool,
    /// False once nobody wants it any more.
    pub(crate) wanted: &'a AtomicBool,
}

/// What the group has committed.
#[derive(Debug, PartialEq, Eq)]
struct Committed {
    next: Option<i64>,
    /// The number of the last journal entry, if it is noted.
    entry: Option<u64>,
    acknowledged: Option<i64>,
}

impl Restorer<'_> {
    pub(crate) fn restore(&self) -> Result<Restored, RestoreError> {
        // First: everything that is read after it is at least as late.
        let committed = self.committed()?;
        match self.of_what_is_kept(&committed) {
            // Not if somebody has committed meanwhile: then it may only seem so.
            Err(error) if self.may_begin_afresh && error.is_final() && self.committed()? == committed => {
                let (partition, next) = (self.partition, committed.next);
                tracing::warn!(%error, partition, next, "a partition begins without the state that was kept of it");
                self.begin(&committed, Journal::AsFarAsItCanBeRead)
            }
            restored => restored,
        }
    }

    fn of_what_is_kept(&self, committed: &Committed) -> Result<Restored, RestoreError> {
        let snapshots = self.snapshots()?;
        let Some(mark) = snapshots.mark.clone() else {
            if let Some(entry) = committed.entry
                && self.bounds(SNAPSHOTS)?.1 == 0
            {
                return Err(RestoreError::Lost { entry });
            }
            // A rule set that keeps state leaves a mark with the first reading that it judges.
            if let Some(next) = committed.next {
                let partition = self.partition;
                tracing::warn!(partition, next, "no state was kept of the readings before this place; it begins here");
            }
            return self.begin(committed, Journal::Whole);
        };
        self.of_snapshots(snapshots, mark, committed)
    }

    fn committed(&self) -> Result<Committed, RestoreError> {
        let committed = |topic| self.records.committed(topic, self.partition);
        let (stream, acknowledged) = (committed(self.program.stream())?, committed(ACKNOWLEDGEMENTS)?);
        let entry = stream.as_ref().and_then(|(_, noted)| noted.parse().ok());
        Ok(Committed { next: stream.map(|(next, _)| next), entry, acknowledged: acknowledged.map(|(next, _)| next) })
    }

    /// No state at all. Entries of the journal that are there already keep their numbers, patients of earlier snapshots are
    /// forgotten with the next ones, and what a later restore reads begins behind all that is there. Alerts that a group has left
    /// open which was never here may be another's.
    fn begin(&self, committed: &Committed, journal: Journal) -> Result<Restored, RestoreError> {
        let (last, journal) = self.last_entry(journal)?;
        let last = last.max(committed.entry.unwrap_or(0));
        let mut dirty = BTreeSet::new();
        let since = self.read(SNAPSHOTS, Offset::Beginning, |message| {
            let key = Key::read(message.key().unwrap_or_default(), &self.config.kafka.group);
            match (key, message.payload()) {
                (Ok(Some(Key::Patient(id))), Some(_)) => drop(dirty.insert(id)),
                (Ok(Some(Key::Patient(id))), None) => drop(dirty.remove(&id)),
                _ => {}
            }
            Ok(())
        })?;
        let first = self.bounds(self.program.stream())?.0;
        let place = Place { next: committed.next.unwrap_or(first), entry: last };
        let (acknowledgement, basis) = (self.acknowledgement(0, committed)?, Basis::new(self.program, &self.limits));
        let mark = Mark {
            format: Mark::FORMAT,
            since,
            place,
            acknowledgement,
            journal,
            basis: basis.clone(),
            own: Own::default(),
            latest: None,
        };
        let beginning = Beginning { place, acknowledgement, mark, basis, journal, dirty };
        let orphans = if committed.next.is_some() { self.orphans()? } else { Vec::new() };
        Ok(Restored { states: States::new(self.partitions), beginning, farewell: None, orphans })
    }

    /// Where acknowledgements go on: what the group has committed, or the state has seen, whichever is later.
    fn acknowledgement(&self, seen: i64, committed: &Committed) -> Result<i64, RestoreError> {
        let next = committed.acknowledged.unwrap_or(0).max(seen);
        let (first, end) = self.bounds(ACKNOWLEDGEMENTS)?;
        if next > end {
            tracing::error!(
                partition = self.partition,
                next,
                end,
                "`acknowledgements` ends before what was judged of it: it was made anew, and is read from its beginning"
            );
            return Ok(first);
        }
        Ok(next)
    }

    fn of_snapshots(&self, found: Snapshots, mark: Mark, committed: &Committed) -> Result<Restored, RestoreError> {
        let (partition, next) = (self.partition, committed.next.unwrap_or(0));
        if mark.place.next > next {
            return Err(RestoreError::Ahead { mark: mark.place.next, next });
        }
        let (entries, journal) = self.entries_after(mark.place.entry, Offset::Offset(mark.journal))?;
        let last = mark.place.entry + entries.len() as u64;
        match committed.entry {
            Some(noted) if noted > last => return Err(RestoreError::Gap { expected: last + 1 }),
            Some(noted) if noted < last => return Err(RestoreError::Unnoted { noted, found: last }),
            _ => {}
        }
        let seen =
            entries.iter().filter_map(Entry::acknowledgement).max().map_or(mark.acknowledgement, |offset| offset + 1);
        let earlier = self.earlier_programs(&mark, &entries)?;
        let mut programs: BTreeMap<String, &Program> =
            earlier.iter().map(|(version, program)| (version.clone(), &**program)).collect();
        programs.insert(self.program.version().to_owned(), self.program);
        let parts = found.parts(&mark)?;
        let again = Again::begin(&programs, (partition, self.partitions), (mark.place, &mark.basis), parts, entries)?;
        let Arrived { mut states, basis, mut dirty } = self.step(mark.place.next, next, again)?;
        let farewell = earlier.get(&basis.ruleset).map(|before| {
            let mut outputs = Outputs::default();
            self.program.take_over(before, &mut states, &mut outputs);
            // All are changed by it.
            dirty.extend(states.patients(partition).into_iter().map(str::to_owned));
            (Arc::clone(before), outputs)
        });
        let place = Place { next, entry: last };
        let acknowledgement = self.acknowledgement(seen, committed)?;
        let beginning = Beginning { place, acknowledgement, mark, basis, journal, dirty };
        Ok(Restored { states, beginning, farewell, orphans: Vec::new() })
    }

    /// The last snapshot of each patient, and the mark. What cannot be read is refused, unless it is of a state that was given
    /// up.
    fn snapshots(&self) -> Result<Snapshots, RestoreError> {
        let mut found = Snapshots::default();
        let mut unreadable = None;
        self.read(SNAPSHOTS, Offset::Beginning, |message| {
            if let Err(error) = found.take(message, &self.config.kafka.group) {
                unreadable = Some((message.offset(), error));
            }
            Ok(())
        })?;
        let since = found.mark.as_ref().map(|mark| mark.since);
        match unreadable {
            Some((offset, error)) if since.is_none_or(|since| offset >= since) => Err(form(SNAPSHOTS, offset, error)),
            Some((offset, _)) => {
                let partition = self.partition;
                tracing::warn!(
                    partition,
                    offset,
                    since,
                    "a record of a state that was given up cannot be read, and need not be"
                );
                Ok(found)
            }
            None => Ok(found),
        }
    }

    /// The ends of the alerts of our topics that are open.
    fn orphans(&self) -> Result<Vec<Orphan>, RestoreError> {
        let mut open = Orphans::default();
        let topics = self.program.topics().iter().filter(|topic| topic.alerts);
        for topic in topics.map(|topic| topic.name.as_str()) {
            let kafka = alerts_of(topic);
            if self.records.partitions(&kafka)? <= self.partition {
                continue;
            }
            self.read(&kafka, Offset::Beginning, |message| {
                if let Err(foreign) = open.take((topic, self.partition), message.key(), message.payload()) {
                    let (partition, offset) = (self.partition, message.offset());
                    tracing::warn!(topic = kafka, partition, offset, %foreign, "a record among the alerts is none");
                }
                Ok(())
            })?;
        }
        Ok(open.ends(now()))
    }

    /// The number of our group's last entry, and where the journal ends. Who begins afresh needs nothing else of it.
    fn last_entry(&self, journal: Journal) -> Result<(u64, i64), RestoreError> {
        if journal == Journal::Whole {
            let (entries, end) = self.entries_after(0, Offset::Beginning)?;
            return Ok((entries.back().map_or(0, |entry| entry.number), end));
        }
        let mut last = 0;
        let end = self.read(JOURNAL, Offset::Beginning, |message| {
            let entry = Entry::read_after(message.payload().unwrap_or_default(), &self.config.kafka.group, 0);
            last = entry.ok().flatten().map_or(last, |entry| entry.number.max(last));
            Ok(())
        })?;
        Ok((last, end))
    }

    /// The entries of our group after the one with that number, and where the journal ends. They are looked for from `from` on.
    fn entries_after(&self, last: u64, from: Offset) -> Result<(VecDeque<Entry>, i64), RestoreError> {
        let mut entries = VecDeque::new();
        let end = self.read(JOURNAL, from, |message| {
            let entry = Entry::read_after(message.payload().unwrap_or_default(), &self.config.kafka.group, last);
            entries.extend(entry.map_err(|error| form(JOURNAL, message.offset(), error))?);
            Ok(())
        })?;
        // From the first there is on: what came before may have been deleted, and nobody needs it.
        let first = if last == 0 { entries.front().map_or(1, |entry: &Entry| entry.number) } else { last + 1 };
        for (entry, expected) in entries.iter().zip(first..) {
            if entry.number != expected {
                return Err(RestoreError::Gap { expected });
            }
        }
        Ok((entries, end))
    }

    /// All of a topic's partition that is committed, from `from` on, if nothing of it is open; and where it ends.
    fn read(
        &self,
        topic: &str,
        from: Offset,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), RestoreError>,
    ) -> Result<i64, RestoreError> {
        let end = self.records.settled_end(topic, self.partition)?;
        self.records.read((topic, self.partition), from, end, &mut |message| self.while_wanted(|| take(message)))?;
        Ok(end)
    }

    fn while_wanted(&self, step: impl FnOnce() -> Result<(), RestoreError>) -> Result<(), RestoreError> {
        if self.wanted.load(Ordering::Relaxed) { step() } else { Err(RestoreError::Unwanted) }
    }

    /// Judges the readings from `from` to `to` again.
    fn step(&self, from: i64, to: i64, mut again: Again<'_>) -> Result<Arrived, RestoreError> {
        let stream = self.program.stream();
        if from < to {
            let (first, last) = self.bounds(stream)?;
            if first > from {
                return Err(RestoreError::Gone { mark: from, first });
            }
            if last < to {
                return Err(RestoreError::Short { needed: to, last });
            }
            self.records.read((stream, self.partition), Offset::Offset(from), to, &mut |message| {
                self.while_wanted(|| Ok(again.reading(message.detach(), message.offset())?))
            })?;
        }
        Ok(again.end(to)?)
    }

    /// The rule sets other than ours by which readings since the mark were judged, by version.
    fn earlier_programs(
        &self,
        mark: &Mark,
        entries: &VecDeque<Entry>,
    ) -> Result<BTreeMap<String, Arc<Program>>, RestoreError> {
        let later = entries.iter().filter_map(|entry| match &entry.event {
            Event::Basis(basis) => Some(basis),
            Event::Acknowledgement { .. } | Event::Advance { .. } => None,
        });
        let versions: BTreeSet<&str> = later.chain([&mark.basis]).map(|basis| basis.ruleset.as_str()).collect();
        let earlier = versions.into_iter().filter(|version| *version != self.program.version());
        earlier.map(|version| Ok((version.to_owned(), self.rule_set(version)?))).collect()
    }

    /// A rule set that is not ours.
    fn rule_set(&self, version: &str) -> Result<Arc<Program>, RestoreError> {
        let refused = |reason| RestoreError::RuleSet { version: version.to_owned(), reason };
        let failed = |error| RestoreError::Published { version: version.to_owned(), error };
        let latest = published::latest(self.config).map_err(failed)?;
        if latest.is_some_and(|latest| latest.pointer.version == version) {
            return Err(RestoreError::Behind { version: version.to_owned() });
        }
        let found = published::of_version(self.config, version).map_err(failed)?;
        let found = found.ok_or_else(|| refused("is not on `rule-sets`"))?;
        let compiled = found.compile().map_err(|_| refused("cannot be compiled here"))?;
        Ok(Arc::new(compiled.program))
    }

    fn bounds(&self, topic: &str) -> Result<(i64, i64), RestoreError> {
        Ok(self.records.bounds(topic, self.partition)?)
    }
}

fn form(topic: &'static str, offset: i64, error: FormError) -> RestoreError {
    RestoreError::Form { topic, offset, error }
}

/// What stands on `triage-snapshots`.
#[derive(Default)]
pub(super) struct Snapshots {
    /// With their places on the topic.
    pub(super) patients: BTreeMap<String, (i64, Snapshot)>,
    pub(super) mark: Option<Mark>,
    pub(super) mark_offset: i64,
}

impl Snapshots {
    fn take(&mut self, message: &BorrowedMessage<'_>, group: &str) -> Result<(), FormError> {
        match (Key::read(message.key().unwrap_or_default(), group)?, message.payload()) {
            (Some(Key::Patient(id)), Some(state)) => {
                self.patients.insert(id, (message.offset(), Snapshot::read(state)?));
            }
            (Some(Key::Patient(id)), None) => drop(self.patients.remove(&id)),
            (Some(Key::Partition), state) => {
                self.mark = state.map(Mark::read).transpose()?;
                self.mark_offset = message.offset();
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// What there is to take in, in no order.
    pub(super) fn parts(self, mark: &Mark) -> Result<Vec<Part>, RestoreError> {
        let own = |own: &Own| own.read().map_err(|error| form(SNAPSHOTS, self.mark_offset, error));
        let mut owns = vec![(mark.place, own(&mark.own)?)];
        if let Some(latest) = &mark.latest {
            owns.push((latest.place, own(&latest.own)?));
        }
        let owns = owns.into_iter().filter(|(_, own)| !own.is_empty()).map(|(place, own)| Part::own(place, own));
        let since = |(id, (offset, snapshot))| (offset >= mark.since).then(|| Part::patient(id, snapshot));
        Ok(self.patients.into_iter().filter_map(since).chain(owns).collect())
    }
}
