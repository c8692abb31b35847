//! Random rule sets over random records.

use proptest::collection::vec;
use proptest::prelude::*;
use triage_core::program::{Limits, Workspace};
use triage_core::reading::Record;
use triage_core::source::SourceFile;

use crate::drive::Manner;
use crate::generate::{Arrived, RuleSet, Tape, record, rule_set};
use crate::run::{first_difference, oracle, program, run_oracle, run_program};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn program_equals_interpreter(
        choices in vec(any::<u16>(), 0..400),
        seeds in vec(any::<u64>(), 1..160),
        sizes in vec(1..=300usize, 1..4),
        value_bytes in prop_oneof![9 => Just(1_000_000usize), 1 => Just(200usize)],
    ) {
        let rules = rule_set(&mut Tape::of(choices));
        let limits = Limits { value_bytes, ..Limits::default() };
        prop_assume!(program(&rules.files).is_ok());
        let difference = difference(&rules, &seeds, &limits, Manner { sizes, tape: Tape::seeded(seeds[0]) });
        prop_assert!(difference.is_none(), "{}\n{}", text(&rules.files), difference.unwrap_or_default());
    }
}

/// Rows of a full batch are joined by a way of their own; 961 readings fill as many words.
#[test]
fn full_batches() {
    let seeds: Vec<u64> = (0..2_100).collect();
    for seed in 0..25 {
        let rules = rule_set(&mut Tape::seeded(seed));
        if program(&rules.files).is_ok() {
            let difference = difference(&rules, &seeds, &Limits::default(), Manner::batches(&[1024, 961, 115]));
            assert!(difference.is_none(), "{}\n{}", text(&rules.files), difference.unwrap_or_default());
        }
    }
}

#[test]
fn most_random_rule_sets_compile() {
    let mut refused = Vec::new();
    for seed in 0..200 {
        let rules = rule_set(&mut Tape::seeded(seed));
        refused.extend(program(&rules.files).err().map(|mistakes| format!("{mistakes}\n{}", text(&rules.files))));
    }
    assert!(refused.len() <= 80, "{} of 200 were refused, such as\n{}", refused.len(), refused[..3].join("\n\n"));
}

/// The first thing in which the two differ.
fn difference(rules: &RuleSet, seeds: &[u64], limits: &Limits, manner: Manner) -> Option<String> {
    let program = program(&rules.files).unwrap();
    let mut oracle = oracle(&rules.files, program.version());
    let names: Vec<&str> = program.rules().iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, oracle.rule_names(), "{}", text(&rules.files));
    let topics: Vec<&str> = program.topics().iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(topics, oracle.topic_names(), "{}", text(&rules.files));
    let arrived: Vec<Arrived> =
        seeds.iter().zip(0..).map(|(seed, offset)| record(&mut Tape::seeded(*seed), &rules.fields, offset)).collect();
    let records: Vec<Record<'_>> = arrived.iter().map(Arrived::record).collect();
    let got = run_program(&program, &records, limits, manner);
    let expected = run_oracle(&mut oracle, &records, limits);
    for (arrived, record) in arrived.iter().zip(&records) {
        let mut document = b"left over".to_vec();
        let id = program.store_reading(record, limits, &mut Workspace::default(), &mut document);
        let got = id.map(|id| (id, String::from_utf8_lossy(&document).into_owned()));
        let expected = oracle.stored(record, limits);
        if got != expected {
            return Some(format!("{}\nstored by interpreter {expected:#?}\nby program {got:#?}", arrived.show()));
        }
    }
    first_difference(&got, &expected, |row| arrived[row].show())
}

fn text(files: &[SourceFile]) -> String {
    files.iter().map(|file| format!("# {}\n{}", file.path, file.text)).collect()
}

#[test]
fn random_rule_sets_parse() {
    for seed in 0..300 {
        for file in rule_set(&mut Tape::seeded(seed)).files {
            if let Err(mistake) = triage_core::syntax::parse(triage_core::source::FileId(0), &file.text) {
                panic!(
                    "{}",
                    triage_core::diagnostic::render(&[file], &[mistake], triage_core::diagnostic::Style::Plain)
                );
            }
        }
    }
}
