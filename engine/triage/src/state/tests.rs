//! What is written down and read back is what it was: a partition goes on over crashes, wherever they come, as one that knew
//! none. Snapshots are taken a few at a time, transactions are aborted, rules change, patients are forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use triage_core::compile::compile;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

use super::again::{Again, Arrived};
use super::entry::{Entry, Event};
use super::keeper::{Beginning, Change, Keeper};
use super::record::{Basis, Key, Latest, Mark, Own, Place, Snapshot, bytes, hex, json};
use super::restore::Snapshots;
use crate::kafka::records::record;

const STREAM: &str = "stream r { patient: text key  ts: time event  x: int 0..100  forget after 9s }\n";

const RULES: [&str; 2] = [
    "t.mean when avg(x, 5s) > 50\n  alert low \"{x} {mean:.2}\"\n  repeat every 1s\nlet mean = avg(x, 5s)\n\
     t.held when x > 50 for 2s\n  alert high \"{x}\"\n  escalate to \"b\" after 3s\n  latch\n\
     t.silent when no reading for 4s\n  alert low \"silent\"\n",
    "t.mean when avg(x, 5s) > 40\n  alert low \"{x}\"\n\
     t.kept when x > 50 for 2s\n  alert high \"{x}\"\n  escalate to \"b\" after 3s\n  latch\n\
     t.up when rise(x, 4s) > 20\n  alert low \"up\"\n",
];

const LIMITS: Limits = Limits { value_bytes: 1_000, skew_ms: None };

const GROUP: &str = "g";

#[derive(Debug, Clone)]
enum Step {
    /// Patient, milliseconds since the one before (late if negative), value; and whether the transaction is aborted first.
    Readings(Vec<(u8, i64, u8)>, bool),
    /// The stream's time passes.
    Advance(i64),
    /// Of the episodes told of, this one is acknowledged.
    Acknowledge(usize),
    /// For so many milliseconds, of a patient or of a rule.
    Pause(i64, bool),
    /// So many times before the next transaction, which comes at once.
    Reload(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reading = (0..7_u8, -2_500..2_500_i64, 0..100_u8);
    let step = prop_oneof![
        6 => (prop::collection::vec(reading, 0..12), any::<bool>()).prop_map(|(readings, abort)| Step::Readings(readings, abort)),
        1 => (0..6_000_i64).prop_map(Step::Advance),
        1 => any::<usize>().prop_map(Step::Acknowledge),
        1 => (0..8_000_i64, any::<bool>()).prop_map(|(lasting, rule)| Step::Pause(lasting, rule)),
        1 => (1..4_u8).prop_map(Step::Reload),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// What Kafka keeps of one partition.
struct Topics {
    stream: Vec<OwnedMessage>,
    journal: Vec<Vec<u8>>,
    snapshots: BTreeMap<Vec<u8>, (i64, Vec<u8>)>,
    written: i64,
    committed: Place,
}

/// A worker with its partition.
struct Worker {
    program: usize,
    states: States,
    keeper: Keeper,
}

struct World {
    programs: [Program; 2],
    topics: Topics,
    most_bytes: usize,
    now: i64,
    told: Vec<String>,
}

impl World {
    fn new(most_bytes: usize) -> Self {
        let program = |rules| {
            compile(&[SourceFile { path: "a.rules".into(), text: format!("{STREAM}{rules}") }], &NoModels).unwrap().0
        };
        let committed = Place { next: 0, entry: 0 };
        let topics =
            Topics { stream: Vec::new(), journal: Vec::new(), snapshots: BTreeMap::new(), written: 0, committed };
        Self { programs: RULES.map(program), topics, most_bytes, now: 1_000_000, told: Vec::new() }
    }

    fn basis(&self, program: usize) -> Basis {
        Basis::new(&self.programs[program], &LIMITS)
    }

    fn worker(&self, program: usize, states: States, beginning: Beginning) -> Worker {
        let mut keeper = Keeper::new(GROUP, Duration::ZERO).with_most_bytes(self.most_bytes);
        keeper.begin(0, beginning, [self.basis(program)]);
        Worker { program, states, keeper }
    }

    fn begin(&self, program: usize) -> Worker {
        self.worker(program, States::new(1), self.beginning(program))
    }

    fn beginning(&self, program: usize) -> Beginning {
        let (place, basis) = (self.topics.committed, self.basis(program));
        let mark = Mark {
            format: Mark::FORMAT,
            since: 0,
            place,
            acknowledgement: 0,
            journal: 0,
            basis: basis.clone(),
            own: Own::default(),
            latest: None,
        };
        Beginning { place, acknowledgement: 0, mark, basis, journal: 0, dirty: [].into() }
    }

    fn restore(&self, program: usize) -> Worker {
        let mut found = Snapshots::default();
        for (key, (offset, value)) in &self.topics.snapshots {
            match Key::read(key, GROUP).unwrap().unwrap() {
                Key::Partition => found.mark = Some(Mark::read(value).unwrap()),
                Key::Patient(id) => drop(found.patients.insert(id, (*offset, Snapshot::read(value).unwrap()))),
            }
        }
        let Some(mark) = found.mark.clone() else { return self.begin(program) };
        let after = |bytes: &Vec<u8>| Entry::read_after(bytes, GROUP, mark.place.entry).unwrap();
        let entries = self.topics.journal.iter().filter_map(after).collect();
        let programs = self.programs.iter().map(|program| (program.version().to_owned(), program)).collect();
        let parts = found.parts(&mark).unwrap();
        let mut again = Again::begin(&programs, (0, 1), (mark.place, &mark.basis), parts, entries).unwrap();
        let next = self.topics.committed.next;
        for offset in mark.place.next..next {
            again.reading(self.topics.stream[offset as usize].clone(), offset).unwrap();
        }
        let Arrived { mut states, basis, mut dirty } = again.end(next).unwrap();
        let before = programs[&basis.ruleset];
        if before.version() != self.programs[program].version() {
            self.programs[program].take_over(before, &mut states, &mut Outputs::default());
            dirty.extend(states.patients(0).into_iter().map(str::to_owned));
        }
        let place = self.topics.committed;
        self.worker(program, states, Beginning { place, acknowledgement: 0, mark, basis, journal: 0, dirty })
    }

    /// One transaction of a worker; what it sends. Nothing stays of it if it is aborted.
    fn transact(
        &mut self,
        worker: &mut Worker,
        event: Option<&Event>,
        readings: &[OwnedMessage],
        abort: bool,
    ) -> Vec<String> {
        let place = worker.keeper.place(0).unwrap();
        let mut change = Change { ends: [(0, place.next + readings.len() as i64)].into(), ..Change::default() };
        let bases = worker.keeper.unsaid().into_iter().map(|(_, basis)| Event::Basis(basis));
        let mut entries = Vec::new();
        for event in bases.chain(event.cloned()) {
            entries.push(worker.keeper.entry(0, entries.len() as u64, event).unwrap());
        }
        change.entries.insert(0, entries.len() as u64);
        let sent = step(&self.programs[worker.program], &mut worker.states, event, readings);
        let written = worker.keeper.write(&self.programs[worker.program], &worker.states, &change);
        if abort {
            worker.states.rollback();
            return sent;
        }
        self.topics.journal.extend(entries.iter().map(json));
        for (key, value) in written.iter().flat_map(|written| &written.records) {
            self.topics.written += 1;
            match value {
                Some(value) => drop(self.topics.snapshots.insert(key.clone(), (self.topics.written, value.clone()))),
                None => drop(self.topics.snapshots.remove(key)),
            }
        }
        self.topics.committed = worker.keeper.place_after(0, &change).unwrap();
        worker.keeper.commit(&worker.states, &change, written);
        worker.states.commit();
        sent
    }

    fn reload(&self, worker: &mut Worker, truth: &mut States) {
        let (old, new) = (worker.program, 1 - worker.program);
        for states in [truth, &mut worker.states] {
            self.programs[new].take_over(&self.programs[old], states, &mut Outputs::default());
        }
        worker.program = new;
        worker.keeper.rules_changed(&self.basis(new), &worker.states);
    }

    fn readings(&mut self, readings: &[(u8, i64, u8)]) -> Vec<OwnedMessage> {
        let mut messages = Vec::new();
        for (patient, wait, x) in readings {
            self.now += (*wait).max(0);
            let (patient, ts) = (format!("p{patient}"), self.now + (*wait).min(0));
            let value = format!("{{\"patient\":\"{patient}\",\"ts\":{ts},\"x\":{x}}}");
            let offset = (self.topics.stream.len() + messages.len()) as i64;
            let (key, time) = (Some(patient.into_bytes()), Timestamp::CreateTime(self.now));
            messages.push(OwnedMessage::new(Some(value.into_bytes()), key, "r".to_owned(), time, 0, offset, None));
        }
        messages
    }

    /// What a person says, as the journal has it.
    fn word(&self, value: &str) -> Event {
        let (offset, timestamp) = (self.topics.journal.len() as i64, Some(self.now));
        Event::Acknowledgement { offset, timestamp, key: None, value: Some(hex(value.as_bytes())) }
    }

    fn event(&self, step: &Step, states: &States) -> Option<Event> {
        match step {
            Step::Advance(by) => states.stream_time(0).map(|time| Event::Advance { to: time + by }),
            Step::Acknowledge(which) if !self.told.is_empty() => {
                let id = &self.told[which % self.told.len()];
                Some(self.word(&format!("{{\"id\":\"{id}\",\"by\":\"eve\",\"ts\":{}}}", self.now)))
            }
            Step::Pause(lasting, of_rule) => {
                let of = if *of_rule { "\"rule\":\"t.mean\"" } else { "\"patient\":\"p1\"" };
                let until = self.now + lasting;
                Some(self.word(&format!("{{\"pause\":{{{of},\"by\":\"eve\",\"why\":\"w\",\"until\":{until}}}}}")))
            }
            _ => None,
        }
    }
}

/// What happens between readings, then the readings, and what is sent.
fn step(program: &Program, states: &mut States, event: Option<&Event>, readings: &[OwnedMessage]) -> Vec<String> {
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    let mut sent = Vec::new();
    let take = |outputs: &mut Outputs, sent: &mut Vec<String>| {
        sent.extend(outputs.iter().map(|output| String::from_utf8(outputs.value(output).to_vec()).unwrap()));
        outputs.clear();
    };
    match event {
        Some(Event::Advance { to }) => program.advance(0, *to, states, &mut workspace, &mut outputs),
        Some(Event::Acknowledgement { offset, timestamp, value, .. }) => {
            let value = value.as_deref().and_then(bytes);
            let word =
                Record { key: None, value: value.as_deref(), timestamp: *timestamp, partition: 0, offset: *offset };
            program.acknowledge(&word, &LIMITS, states, &mut workspace, &mut outputs);
        }
        Some(Event::Basis(_)) | None => {}
    }
    take(&mut outputs, &mut sent);
    let records: Vec<Record<'_>> = readings.iter().map(record).collect();
    program.step(&records, &LIMITS, states, &mut workspace, &mut outputs);
    take(&mut outputs, &mut sent);
    sent
}

fn ids(sent: &[String]) -> impl Iterator<Item = String> {
    let json = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap();
    sent.iter().filter_map(move |text| json(text)["id"].as_str().map(str::to_owned))
}

/// Whatever another one has to write: without a mark its first readings would be lost to the state.
#[test]
fn a_partition_leaves_a_mark_with_its_first_transaction() {
    let mut world = World::new(1);
    let mut worker = world.worker(0, States::new(2), world.beginning(0));
    worker.keeper.begin(1, world.beginning(0), [world.basis(0)]);
    let readings = world.readings(&[(1, 0, 5), (2, 0, 5)]);
    step(&world.programs[0], &mut worker.states, None, &readings);
    let change = Change { ends: [(0, 2), (1, 1)].into(), ..Change::default() };
    let written = worker.keeper.write(&world.programs[0], &worker.states, &change);
    let marked = written.iter().filter(|written| {
        let (key, mark) = written.records.last().unwrap();
        *key == worker.keeper.mark_key() && mark.is_some()
    });
    assert_eq!(marked.map(|written| (written.partition, written.records.len())).collect::<Vec<_>>(), [(0, 2), (1, 1)]);
}

/// Records that an earlier version has written are read by each later one: these are what format 2 is.
#[test]
fn a_snapshot_in_form_2_is_read() {
    let place = Place { next: 42, entry: 7 };
    let snapshot = Snapshot { place, state: vec![1, 0, 255] };
    let written = "02000000000000002a00000000000000070100ff";
    assert_eq!((hex(&snapshot.write()).as_str(), Snapshot::read(&bytes(written).unwrap())), (written, Ok(snapshot)));
}

#[test]
fn a_mark_in_form_2_is_read() {
    let place = Place { next: 42, entry: 7 };
    let basis = Basis { ruleset: "9f2c1a".to_owned(), value_bytes: 1_000_000, skew_ms: 300_000 };
    let latest = Latest { place: Place { next: 50, entry: 8 }, own: Own::default() };
    let (own, latest) = (Own::new(&[1, 0, 255]), Some(latest));
    let mark = Mark { format: 2, since: 5, place, acknowledgement: 3, journal: 9, basis, own, latest };
    let written = "{\"format\":2,\"since\":5,\"place\":{\"next\":42,\"entry\":7},\"acknowledgement\":3,\"journal\":9,\
        \"basis\":{\"ruleset\":\"9f2c1a\",\"value_bytes\":1000000,\"skew_ms\":300000},\"own\":\"0100ff\",\
        \"latest\":{\"place\":{\"next\":50,\"entry\":8},\"own\":\"\"}}";
    assert_eq!((json(&mark), Mark::read(written.as_bytes())), (written.as_bytes().to_vec(), Ok(mark)));
}

#[test]
fn entries_in_form_2_are_read() {
    let place = Place { next: 42, entry: 7 };
    let basis = Basis { ruleset: "9f2c1a".to_owned(), value_bytes: 1_000_000, skew_ms: 300_000 };
    let value = Some("7bff".to_owned());
    let events = [
        (
            Event::Acknowledgement { offset: 3, timestamp: Some(5), key: None, value },
            "{\"acknowledgement\":{\"offset\":3,\"timestamp\":5,\"key\":null,\"value\":\"7bff\"}}",
        ),
        (Event::Advance { to: 1_700_000_000_123 }, "{\"advance\":{\"to\":1700000000123}}"),
        (Event::Basis(basis), "{\"basis\":{\"ruleset\":\"9f2c1a\",\"value_bytes\":1000000,\"skew_ms\":300000}}"),
    ];
    for (event, text) in events {
        let entry = Entry::after(place, GROUP, event);
        let written =
            format!("{{\"format\":2,\"group\":\"g\",\"number\":8,\"before\":42,\"event\":{text}}}").into_bytes();
        assert_eq!((json(&entry), Entry::read_after(&written, GROUP, 7)), (written.clone(), Ok(Some(entry))));
        assert_eq!((Entry::read_after(&written, GROUP, 8), Entry::read_after(&written, "h", 0)), (Ok(None), Ok(None)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_partition_goes_on_over_crashes(steps in steps(), most_bytes in 1..900_usize) {
        let mut world = World::new(most_bytes);
        let mut worker = world.begin(0);
        let mut truth = States::new(1);
        for one in &steps {
            match one {
                Step::Crash => worker = world.restore(worker.program),
                Step::Reload(times) => {
                    for _ in 0..*times {
                        world.reload(&mut worker, &mut truth);
                    }
                    world.transact(&mut worker, None, &[], false);
                }
                _ => {
                    let (readings, abort) = match one {
                        Step::Readings(readings, abort) => (world.readings(readings), *abort),
                        _ => (Vec::new(), false),
                    };
                    let event = world.event(one, &truth);
                    let program = worker.program;
                    if abort {
                        world.transact(&mut worker, event.as_ref(), &readings, true);
                    }
                    world.topics.stream.extend(readings.iter().cloned());
                    let sent = world.transact(&mut worker, event.as_ref(), &readings, false);
                    let expected = step(&world.programs[program], &mut truth, event.as_ref(), &readings);
                    truth.commit();
                    prop_assert_eq!(&sent, &expected);
                    world.told.extend(ids(&sent));
                }
            }
        }
    }
}
