//! Random rule sets over time and random traffic: what holds of everything that is sent, whoever sends it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use triage_core::program::{Limits, Program};
use triage_core::source::SourceFile;

use crate::drive::{self, Manner};
use crate::generate::{Tape, Traffic, Ward, ward};
use crate::happening::Happening;
use crate::oracle::{Destination, Event, Sent};
use crate::run::{Ran, counted, first_difference, oracle, program};

/// A rule set, its program, what happened to it, and what the interpreter made of that.
pub(crate) struct Run {
    ward: Ward,
    program: Program,
    happenings: Vec<Happening>,
    pub(crate) interpreted: Ran,
}

/// Draws a rule set and so many happenings.
pub(crate) fn run(tape: &mut Tape, happenings: usize) -> Run {
    let ward = ward(tape);
    let program = program(&ward.files()).unwrap_or_else(|mistakes| panic!("{mistakes}\n{}", text(&ward.files())));
    let mut oracle = oracle(&ward.files(), program.version());
    oracle.width = ward.partitions;
    let mut traffic = Traffic::new(tape, &ward);
    let mut all = Vec::new();
    let mut sent = Vec::new();
    for row in 0..happenings {
        let happening = traffic.next(tape);
        let step = oracle.step(row, &happening.event(), &Limits::default());
        learn(&mut traffic, &step);
        sent.extend(step);
        all.push(happening);
    }
    Run { ward, program, happenings: all, interpreted: Ran { sent, counts: counted(&mut oracle) } }
}

/// Whoever draws the traffic learns which alerts were sent.
pub(crate) fn learn(traffic: &mut Traffic, sent: &[Sent]) {
    for alert in sent.iter().filter(|sent| matches!(sent.to, Destination::Alert(_))) {
        let goes_on =
            ["\"state\":\"raised\"", "\"state\":\"repeated\""].iter().any(|state| alert.value.contains(state));
        let open = goes_on && !alert.value.contains("\"single\":true");
        traffic.learn(alert.key.as_deref().unwrap(), alert.partition, open);
    }
}

impl Run {
    /// The first thing that the program does otherwise than the interpreter.
    pub(crate) fn difference(&self, manner: Manner) -> Option<String> {
        let events: Vec<Event<'_>> = self.happenings.iter().map(Happening::event).collect();
        let got = drive::run_program(&self.program, &events, self.ward.partitions, &Limits::default(), manner);
        let difference = first_difference(&got, &self.interpreted, |row| self.happenings[row].show())?;
        Some(format!("{}\n{difference}", text(&self.ward.files())))
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn program_equals_interpreter(choices in vec(any::<u16>(), 0..3000), count in 1..160usize, manner in any::<u64>()) {
        let difference = run(&mut Tape::of(choices), count).difference(Manner::seeded(manner));
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }

    #[test]
    fn what_changes_no_state_could_as_well_be_an_idle_step(choices in vec(any::<u16>(), 0..3000), count in 1..120usize) {
        let run = run(&mut Tape::of(choices), count);
        let difference = without_onlookers(&run);
        prop_assert!(difference.is_none(), "{}\n{}", text(&run.ward.files()), difference.unwrap_or_default());
    }
}

#[test]
fn random_wards_compile() {
    for seed in 0..400 {
        let ward = ward(&mut Tape::seeded(seed));
        assert_eq!(program(&ward.files()).err(), None, "seed {seed}\n{}", text(&ward.files()));
    }
}

/// Ten thousand readings: the program sends what the interpreter does, and every kind of output is among it, often enough
/// to matter.
#[test]
fn traffic_meets_everything() {
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..120 {
        let run = run(&mut Tape::seeded(seed), if seed % 10 == 0 { 500 } else { 90 });
        let counts = &run.interpreted.counts;
        *met.entry("ignored".into()).or_default() += counts.idle_acknowledgements as u32;
        *met.entry("failure of a score".into()).or_default() += counts.score_failures.iter().sum::<u64>() as u32;
        *met.entry("erasure".into()).or_default() += run.happenings.iter().filter(|one| is_erasure(one)).count() as u32;
        for sent in &run.interpreted.sent {
            for kind in kinds(sent, &run.happenings[sent.row]) {
                *met.entry(kind).or_default() += 1;
            }
        }
        if let Some(difference) = run.difference(Manner::seeded(seed)) {
            panic!("seed {seed}\n{difference}");
        }
        if let Some(difference) = without_onlookers(&run).or_else(|| unlawful(&run.interpreted.sent)) {
            panic!("seed {seed}\n{}\n{difference}", text(&run.ward.files()));
        }
    }
    for (kind, least) in [
        ("record", 3000),
        ("raised", 1000),
        ("repeated", 100),
        ("escalated", 100),
        ("acknowledged", 100),
        ("resolved", 400),
        ("resolved at once", 20),
        ("resolved forgotten", 20),
        ("raised late", 20),
        ("raised misplaced", 20),
        ("raised single", 100),
        ("raised of nobody", 20),
        ("raised by time", 50),
        ("raised by an idle step", 20),
        ("raised in the end of a pause", 20),
        ("acknowledged in the end of a pause", 10),
        ("record late", 50),
        ("record of time", 100),
        ("dead letter of reading", 100),
        ("dead letter of acknowledgement", 100),
        ("ignored", 100),
        ("erasure", 50),
        ("record with a score", 200),
        ("raised on a score", 100),
        ("failure of a score", 200),
    ] {
        assert!(met.get(kind).is_some_and(|count| *count >= least), "too few of `{kind}`: {met:#?}");
    }
}

fn is_erasure(happening: &Happening) -> bool {
    happening.show().contains("{\"erase\":{\"by\"")
}

/// What a test of this traffic would miss if it were not sent.
fn kinds(sent: &Sent, happening: &Happening) -> Vec<String> {
    let value: Value = serde_json::from_str(&sent.value).unwrap_or_default();
    let own = matches!(happening.event(), Event::Record(record) if value["origin"]["offset"] == record.offset);
    let kind = match &sent.to {
        Destination::DeadLetter { stage, .. } => return vec![format!("dead letter of {stage}")],
        Destination::Topic(_) if !own => return vec!["record".into(), "record of time".into()],
        Destination::Topic(_) => "record",
        Destination::Alert(_) => value["state"].as_str().unwrap(),
    };
    let mut kinds = vec![kind.to_owned()];
    let mut more = |is: bool, what: &str| kinds.extend(is.then(|| format!("{kind} {what}")));
    for mark in ["late", "misplaced", "single"] {
        more(value.get(mark).is_some(), mark);
    }
    more(value.get("reason").is_some(), "forgotten");
    // No other field is called so.
    more(value.get("hazard").is_some(), "with a score");
    more(value["values"].get("hazard").is_some(), "on a score");
    more(value.get("patient").is_none(), "of nobody");
    more(value["origin"]["topic"] == "acknowledgements", "at once");
    more(!own && value["ts"] == value["since"], "by time");
    more(matches!(happening, Happening::Advance { .. }), "by an idle step");
    more(kind == "raised" && value["ts"] != value["since"], "in the end of a pause");
    more(kind == "acknowledged" && value["origin"]["topic"] != "acknowledgements", "in the end of a pause");
    kinds
}

/// What is wrong with the life of some episode: raised first, acknowledged once, escalated once and not afterwards,
/// nothing after its end.
fn unlawful(sent: &[Sent]) -> Option<String> {
    let mut lives: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let alerts = sent.iter().filter(|sent| matches!(sent.to, Destination::Alert(_)));
    let values: Vec<(&str, Value)> =
        alerts.map(|sent| (sent.key.as_deref().unwrap(), serde_json::from_str(&sent.value).unwrap())).collect();
    for (id, value) in &values {
        lives.entry(id).or_default().push(value["state"].as_str().unwrap());
    }
    lives.into_iter().find(|(_, states)| !is_lawful(states)).map(|(id, states)| format!("{id}: {states:?}"))
}

fn is_lawful(states: &[&str]) -> bool {
    let first = |state: &str| states.iter().position(|other| *other == state);
    let times = |state: &str| states.iter().filter(|other| **other == state).count();
    let acknowledged = first("acknowledged").unwrap_or(states.len());
    first("raised") == Some(0)
        && ["raised", "escalated", "acknowledged", "resolved"].iter().all(|state| times(state) <= 1)
        && states.iter().skip(acknowledged + 1).all(|state| *state == "resolved")
        && first("resolved").is_none_or(|at| at + 1 == states.len())
}

/// Readings that change no state (late, misplaced, of nobody) move the stream's time and nothing else: with an idle step
/// in the place of each, everything but what they themselves send is sent as before.
fn without_onlookers(run: &Run) -> Option<String> {
    let mut all = oracle(&run.ward.files(), "");
    let mut without = oracle(&run.ward.files(), "");
    (all.width, without.width) = (run.ward.partitions, run.ward.partitions);
    let mut begun = BTreeSet::new();
    for (row, happening) in run.happenings.iter().enumerate() {
        let event = happening.event();
        let mut expected = all.step(row, &event, &Limits::default());
        // The first reading of a partition sets its time, which an idle step does not.
        let first = match event {
            Event::Record(record) if all.time(&record, &Limits::default()).is_some() => begun.insert(record.partition),
            _ => false,
        };
        let got = match (event, all.onlooker) {
            (Event::Record(record), Some(ts)) if !first => {
                let to = record.timestamp.map_or(ts, |timestamp| ts.min(timestamp));
                let own = format!("\"offset\":{},", record.offset);
                expected.retain(|sent| !sent.value.contains(&own));
                without.step(row, &Event::Advance { partition: record.partition, to }, &Limits::default())
            }
            _ => without.step(row, &event, &Limits::default()),
        };
        let values = |sent: &[Sent]| sent.iter().map(|sent| sent.value.clone()).collect::<Vec<_>>();
        if values(&got) != values(&expected) {
            return Some(format!("{}\nwith it {expected:#?}\nwithout {got:#?}", happening.show()));
        }
    }
    None
}

pub(crate) fn text(files: &[SourceFile]) -> String {
    files.iter().map(|file| format!("# {}\n{}", file.path, file.text)).collect()
}
