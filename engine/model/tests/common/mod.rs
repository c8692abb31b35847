//! Fixtures on disk.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of models, answers and refused files; `README.md` there states the formats.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The heart score stands where it is shipped, every other model in `folder`.
pub(crate) fn model(folder: &Path, name: &str) -> Vec<u8> {
    let heart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/cardio.onnx");
    let path = if name == "cardio" { heart } else { folder.join(format!("{name}.onnx")) };
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rows, and what onnxruntime answers to them.
pub(crate) struct Rows {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) given: Vec<f32>,
    pub(crate) answers: Vec<f32>,
}

impl Rows {
    pub(crate) fn read(folder: &Path, name: &str) -> Self {
        let bytes = fs::read(folder.join(format!("{name}.rows"))).unwrap();
        let (magic, rest) = bytes.split_at(8);
        assert_eq!(magic, b"onnxrows");
        let (head, numbers) = rest.split_at(12);
        let head: Vec<usize> = head.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes) as usize).collect();
        let numbers: Vec<f32> = numbers.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let [rows, inputs, outputs] = head[..] else { unreachable!("three numbers") };
        let (given, answers) = numbers.split_at(rows * inputs);
        assert_eq!(answers.len(), rows * outputs);
        Self { inputs, outputs, given: given.to_vec(), answers: answers.to_vec() }
    }

    pub(crate) fn count(&self) -> usize {
        self.answers.len() / self.outputs
    }

    /// The answers for the class labelled 1, which is the second of several columns in all fixtures.
    pub(crate) fn positive(&self) -> Vec<f32> {
        self.answers.chunks(self.outputs).map(|row| row[usize::from(self.outputs > 1)]).collect()
    }
}
