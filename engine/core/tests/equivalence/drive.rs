//! The compiled program over what happens, in a manner drawn from a tape: how records are batched, whether a transaction
//! is undone and done again, whether all state is written and read back in between, or taken over by the same rules. None of
//! it may show.

use triage_core::program::{Limits, OutputKind, Outputs, Program, States, TopicId, Workspace};
use triage_core::reading::Record;

use crate::generate::Tape;
use crate::oracle::{Destination, Event, Sent};
use crate::run::{Ran, fill_up};

/// How a program is driven.
pub(crate) struct Manner {
    /// The most records of each batch, over and over.
    pub(crate) sizes: Vec<usize>,
    /// What decides the rest; one of no choices undoes nothing and reads nothing back.
    pub(crate) tape: Tape,
}

impl Manner {
    /// Batches of these sizes, and nothing else.
    pub(crate) fn batches(sizes: &[usize]) -> Self {
        Self { sizes: sizes.to_vec(), tape: Tape::of(Vec::new()) }
    }

    /// Anything.
    pub(crate) fn seeded(seed: u64) -> Self {
        let mut tape = Tape::seeded(seed);
        let most = if tape.chance(20) { 3_000 } else { 40 };
        let sizes = (0..3).map(|_| 1 + tape.pick(most)).collect();
        Self { sizes, tape }
    }
}

/// Drives the program over events of a stream of so many partitions.
pub(crate) fn run_program(
    program: &Program,
    events: &[Event<'_>],
    partitions: i32,
    limits: &Limits,
    manner: Manner,
) -> Ran {
    run_programs(&[(program, events)], partitions, limits, manner).remove(0)
}

/// Drives one program after the other, each over its events; what each sends and counts. What the change to a program sends
/// comes before what it sends itself.
pub(crate) fn run_programs(
    programs: &[(&Program, &[Event<'_>])],
    partitions: i32,
    limits: &Limits,
    mut manner: Manner,
) -> Vec<Ran> {
    let Some((first, _)) = programs.first() else { return Vec::new() };
    let states = States::new(partitions);
    let (workspace, outputs) = (Workspace::default(), Outputs::default());
    let mut drive = Drive { program: first, limits, states, workspace, outputs, partitions };
    let mut ran = Vec::new();
    let mut row = 0;
    for (at, (program, events)) in programs.iter().enumerate() {
        let mut sent = if at > 0 { drive.reload(program, row) } else { Vec::new() };
        sent.extend(drive.events(events, row, &mut manner));
        row += events.len();
        let mut counts = std::mem::take(&mut drive.workspace.counts);
        let lengths = [program.rules().len(), program.field_names().count(), program.scores().count()];
        fill_up(&mut counts, lengths);
        ran.push(Ran { sent, counts });
    }
    ran
}

/// What one call of the program takes: its first event's place, and the events; several only if all are records.
type Step<'e, 'r> = (usize, &'e [Event<'r>]);

fn steps<'e, 'r>(events: &'e [Event<'r>], row: usize, sizes: &[usize]) -> Vec<Step<'e, 'r>> {
    let mut steps = Vec::new();
    let mut at = 0;
    for size in sizes.iter().cycle() {
        if at == events.len() {
            break;
        }
        let records = events[at..].iter().take_while(|event| matches!(event, Event::Record(_))).count();
        let step = &events[at..at + records.min(*size).max(1)];
        steps.push((row + at, step));
        at += step.len();
    }
    steps
}

struct Drive<'p> {
    program: &'p Program,
    limits: &'p Limits,
    states: States,
    workspace: Workspace,
    outputs: Outputs,
    partitions: i32,
}

impl<'p> Drive<'p> {
    /// All events, the first of which is number `row` of the run.
    fn events(&mut self, events: &[Event<'_>], row: usize, manner: &mut Manner) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut steps = steps(events, row, &manner.sizes).into_iter().peekable();
        while steps.peek().is_some() {
            let transaction: Vec<_> = steps.by_ref().take(1 + manner.tape.pick(5)).collect();
            sent.extend(self.transaction(&transaction, &mut manner.tape));
            match manner.tape.pick(20) {
                17 => self.take_over(),
                18.. => self.read_back(),
                _ => {}
            }
        }
        sent
    }

    /// Goes on with another program. Without state there is nothing to go on with, neither before nor after.
    fn reload(&mut self, next: &'p Program, row: usize) -> Vec<Sent> {
        let old = std::mem::replace(&mut self.program, next);
        self.outputs.clear();
        next.take_over(old, &mut self.states, &mut self.outputs);
        if !old.keeps_state() || !next.keeps_state() {
            self.states = States::new(self.partitions);
        }
        self.workspace = Workspace::default();
        sent(old, &self.outputs, row)
    }

    /// Steps that are committed together; some of them may have been begun one by one and undone before.
    fn transaction(&mut self, steps: &[Step<'_, '_>], tape: &mut Tape) -> Vec<Sent> {
        let undone = tape.chance(25).then(|| {
            let counts = self.workspace.counts.clone();
            let begun = &steps[..=tape.pick(steps.len())];
            let one_by_one = begun.iter().flat_map(|(at, events)| (*at..).zip(events.chunks(1)));
            let sent: Vec<Sent> = one_by_one.flat_map(|(at, event)| self.step(at, event)).collect();
            self.states.rollback();
            self.workspace.counts = counts;
            sent
        });
        let sent: Vec<Sent> = steps.iter().flat_map(|(at, events)| self.step(*at, events)).collect();
        self.states.commit();
        if let Some(undone) = undone {
            assert_eq!(undone, sent[..undone.len()], "what is undone is done again");
        }
        sent
    }

    fn step(&mut self, at: usize, events: &[Event<'_>]) -> Vec<Sent> {
        let Self { program, limits, states, workspace, outputs, .. } = self;
        outputs.clear();
        match &events[0] {
            Event::Record(_) => {
                let records: Vec<Record<'_>> = events.iter().filter_map(Event::record).collect();
                program.step(&records, limits, states, workspace, outputs);
            }
            Event::Acknowledgement(record) => program.acknowledge(record, limits, states, workspace, outputs),
            Event::Advance { partition, to } => program.advance(*partition, *to, states, workspace, outputs),
        }
        sent(program, outputs, at)
    }

    /// A reload of the same rules.
    fn take_over(&mut self) {
        self.outputs.clear();
        self.program.take_over(self.program, &mut self.states, &mut self.outputs);
        assert!(self.outputs.is_empty(), "nothing is over");
    }

    /// All state, from its bytes.
    fn read_back(&mut self) {
        let Self { program, states, .. } = self;
        let mut restored = States::new(self.partitions);
        for partition in states.partitions() {
            let own = program.encode_partition(states, partition).unwrap();
            program.decode_partition(&mut restored, partition, &own).unwrap();
            for patient in states.patients(partition) {
                let bytes = program.encode_patient(states, partition, patient).unwrap();
                program.decode_patient(&mut restored, partition, patient, &bytes).unwrap();
                assert_eq!(program.encode_patient(&restored, partition, patient).unwrap(), bytes);
            }
            assert_eq!(program.encode_partition(&restored, partition).unwrap(), own);
        }
        *states = restored;
    }
}

fn sent(program: &Program, outputs: &Outputs, at: usize) -> Vec<Sent> {
    let topic = |id: &TopicId| program.topic(*id).name.clone();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let sent = outputs.iter().map(|output| Sent {
        row: at + output.row,
        to: match &output.kind {
            OutputKind::Derived(id) => Destination::Topic(topic(id)),
            OutputKind::Alert(id) => Destination::Alert(topic(id)),
            OutputKind::DeadLetter(letter) => {
                Destination::DeadLetter { stage: letter.stage.as_str(), reason: letter.reason.as_str() }
            }
        },
        key: outputs.key(output).map(text),
        value: text(outputs.value(output)),
        partition: output.partition,
        timestamp: output.timestamp,
    });
    sent.collect()
}
