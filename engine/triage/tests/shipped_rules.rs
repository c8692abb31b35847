//! The rule sets that are shipped: without warnings, in canonical form, and true to their own tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use triage::models::Place;
use triage_core::compile::compile_all;
use triage_core::diagnostic::{Style, render};
use triage_core::program::{Limits, Outputs, States, Workspace};
use triage_core::reading::Record;
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax;

fn folder(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules").join(set)
}

fn files(set: &str) -> Vec<SourceFile> {
    let mut paths: Vec<_> = std::fs::read_dir(folder(set)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named = |path: &std::path::PathBuf| format!("rules/{set}/{}", path.file_name().unwrap().to_str().unwrap());
    paths.iter().map(|path| SourceFile { path: named(path), text: std::fs::read_to_string(path).unwrap() }).collect()
}

/// Everything that follows `expect`, an item each; an `expect` ends with its line.
fn expectations(files: &[SourceFile]) -> impl Iterator<Item = &str> {
    let lines = files.iter().flat_map(|file| file.text.lines());
    lines.filter_map(|line| line.split_once(" expect ")).flat_map(|(_, items)| items.split(',')).map(str::trim)
}

fn check(set: &str) {
    let files = files(set);
    let models = Place::Folder(folder(set));
    let compiled = compile_all(&files, &models.reader())
        .unwrap_or_else(|found| panic!("{}", render(&files, &found, Style::Plain)));
    assert!(compiled.warnings.is_empty(), "{}", render(&files, &compiled.warnings, Style::Plain));
    let outcomes = compiled.run_tests();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed()).collect();
    assert!(failed.is_empty() && !outcomes.is_empty(), "{failed:#?}");
    for rule in compiled.program.rules() {
        let (mut matching, mut not_matching) = (false, false);
        for expected in expectations(&files) {
            matching |= expected == rule.name;
            not_matching |= expected.strip_prefix("no ").is_some_and(|name| name.trim() == rule.name);
        }
        assert!(matching && not_matching, "`{}` needs a test that it matches and one that it does not", rule.name);
    }
    for (id, file) in files.iter().enumerate() {
        let tree = syntax::parse(FileId(id as u32), &file.text).unwrap();
        let formatted = syntax::format::format(&file.text, &tree).unwrap();
        assert!(formatted == file.text, "{} is not in canonical form:\n{formatted}", file.path);
    }
}

#[test]
fn hospital() {
    check("hospital");
}

#[test]
fn original() {
    check("original");
}

/// Readings of the heart table without the scan, so that there is no score: how many ill and healthy patients a rule takes.
fn taken_without_score(rule: &str) -> [usize; 2] {
    let models = Place::Folder(folder("hospital"));
    let program = compile_all(&files("hospital"), &models.reader()).unwrap().program;
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/heart.csv");
    let mut taken = [0, 0];
    for (number, row) in csv::Reader::from_path(table).unwrap().deserialize().enumerate() {
        let mut row: BTreeMap<String, Option<f64>> = row.unwrap();
        let ill = row.remove("disease") == Some(Some(1.0));
        row.retain(|field, value| value.is_some() && field != "thal");
        let mut reading = serde_json::to_value(row).unwrap();
        reading["patient"] = number.to_string().into();
        let value = reading.to_string();
        let record = Record {
            key: None,
            value: Some(value.as_bytes()),
            timestamp: Some(0),
            partition: 0,
            offset: number as i64,
        };
        let mut outputs = Outputs::default();
        let limits = Limits { value_bytes: 10_000, skew_ms: None };
        program.step(&[record], &limits, &mut States::new(1), &mut Workspace::default(), &mut outputs);
        let named = outputs.iter().any(|output| {
            let value: serde_json::Value = serde_json::from_slice(outputs.value(output)).unwrap();
            value["rules"].as_array().is_some_and(|rules| rules.contains(&rule.into()))
        });
        taken[usize::from(!ill)] += usize::from(named);
    }
    taken
}

#[test]
fn what_stands_in_for_a_missing_score_takes_as_many_as_its_comment_says() {
    assert_eq!(taken_without_score("cardiology.unscored"), [119, 99]);
    assert_eq!(taken_without_score("stroke.unscored"), [31, 1]);
}
