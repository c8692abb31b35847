//! Snapshots on disk: what a test saw is compared with the file; `UPDATE_SNAPSHOTS=1` writes the file first.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};

use triage_core::source::SourceFile;

/// A folder under `tests/fixtures`.
pub(crate) fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// What stands in a folder, in path order.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths
}

/// The rule files of a folder, in path order.
pub(crate) fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let files = entries(folder);
    files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rules")).collect()
}

/// A rule file under its bare name, so that a snapshot says nothing about the machine.
pub(crate) fn read(path: &Path) -> SourceFile {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    SourceFile { path: name, text: fs::read_to_string(path).unwrap() }
}

/// Compares `seen` with the snapshot.
pub(crate) fn compare(snapshot: &Path, seen: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(snapshot, seen).unwrap();
    }
    let expected = fs::read_to_string(snapshot).unwrap_or_default();
    if seen == expected { Ok(()) } else { Err(format!("{}: now\n{seen}was\n{expected}", snapshot.display())) }
}
