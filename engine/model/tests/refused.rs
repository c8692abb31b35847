//! What is no score of 13 inputs is told as such. `UPDATE_SNAPSHOTS=1` writes what is told first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::fmt::Write;
use std::fs;

use common::fixtures;
use triage_model::Model;

/// What a rule file would be told of a score with so many inputs, none of them needed.
fn reason(bytes: &[u8], inputs: usize) -> String {
    let model = match Model::read(bytes) {
        Ok(model) => model,
        Err(error) => return error.to_string(),
    };
    let mut score = [0.5];
    model.score(&vec![f32::NAN; model.inputs()], &mut score);
    match score {
        _ if model.inputs() != inputs => format!("(reads: {} inputs)", model.inputs()),
        [score] if score.is_nan() => "(reads: NaN where all is missing)".to_owned(),
        _ => "(reads)".to_owned(),
    }
}

#[test]
fn what_is_no_score_is_told_why() {
    let folder = fixtures().join("refused");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    files.sort();
    let mut told = String::new();
    for path in &files {
        let name = path.file_stem().unwrap().to_string_lossy();
        writeln!(told, "{name}: {}", reason(&fs::read(path).unwrap(), 13)).unwrap();
    }
    assert!(!told.contains("(reads)"), "{told}");
    let snapshot = folder.join("told.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(snapshot).unwrap());
}
