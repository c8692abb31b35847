//! Every model answers as onnxruntime does, to within 1e-6. `TRIAGE_PARITY=FOLDER` takes models and rows from a folder that
//! `make parity` has filled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::path::PathBuf;

use common::{Rows, fixtures, model};
use serde::Deserialize;
use triage_model::Model;

const TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Entry {
    name: String,
    made_by: String,
    operators: Vec<String>,
    inputs: usize,
}

fn folder() -> PathBuf {
    std::env::var_os("TRIAGE_PARITY").map_or_else(fixtures, PathBuf::from)
}

#[test]
fn every_model_answers_as_onnxruntime_does() {
    let folder = folder();
    let entries: Vec<Entry> = serde_json::from_slice(&std::fs::read(folder.join("models.json")).unwrap()).unwrap();
    assert!(entries.len() >= 20, "{} models are too few", entries.len());
    println!("| model | written by | operators | run by | rows | largest difference |");
    println!("|---|---|---|---|--:|--:|");
    let failures: Vec<String> = entries.iter().filter_map(|entry| check(&folder, entry).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(folder: &std::path::Path, entry: &Entry) -> Result<(), String> {
    let name = &entry.name;
    let model = Model::read(&model(folder, name)).map_err(|error| format!("{name}: {error}"))?;
    let rows = Rows::read(folder, name);
    assert_eq!((model.inputs(), rows.inputs), (entry.inputs, entry.inputs), "{name}");
    let mut scores = vec![0.0; rows.count()];
    model.score(&rows.given, &mut scores);
    let mut largest = 0.0_f32;
    for (row, (score, answer)) in scores.iter().zip(rows.positive()).enumerate() {
        let differs = if score.is_nan() && answer.is_nan() { 0.0 } else { (score - answer).abs() };
        // NaN on one side only is a difference too.
        if differs.is_nan() || differs > TOLERANCE {
            return Err(format!("{name}: row {row} has the score {score}, and onnxruntime says {answer}"));
        }
        largest = largest.max(differs);
    }
    let operators = summary(&entry.operators);
    println!("| {name} | {} | {operators} | {} | {} | {largest:.1e} |", entry.made_by, model.engine(), scores.len());
    alone(&model, name, &rows, &scores)
}

/// The operators, the same one once.
fn summary(operators: &[String]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for operator in operators {
        if !names.contains(&operator.as_str()) {
            names.push(operator);
        }
    }
    names.join(", ")
}

/// A row's score is the same bits alone, among a few and among many.
fn alone(model: &Model, name: &str, rows: &Rows, scores: &[f32]) -> Result<(), String> {
    for size in [1, 7, 50] {
        let mut again = vec![0.0; scores.len().min(300)];
        for (out, given) in again.chunks_mut(size).zip(rows.given.chunks(size * rows.inputs)) {
            model.score(&given[..out.len() * rows.inputs], out);
        }
        let differ = again.iter().zip(scores).position(|(one, other)| one.to_bits() != other.to_bits());
        if let Some(row) = differ {
            return Err(format!("{name}: row {row} has another score in a batch of {size}"));
        }
    }
    Ok(())
}
