//! What the commands that need no broker print, and how they exit: each `.console` under `fixtures/cli` is a session in
//! a folder of its own, with the fixtures in it. `UPDATE_SNAPSHOTS=1` writes what was seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cli")
}

#[test]
fn sessions_go_as_written() {
    let mut wrong = Vec::new();
    for session in entries(&fixtures()).into_iter().filter(|path| path.extension().is_some_and(|it| it == "console")) {
        let written = fs::read_to_string(&session).unwrap();
        let folder = sandbox();
        let commands = written.lines().filter_map(|line| line.strip_prefix("$ "));
        let seen: Vec<String> = commands.map(|command| run(command, folder.path())).collect();
        let seen = seen.join("\n");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&session, &seen).unwrap();
        } else if seen != written {
            wrong.push(format!("{}: now\n{seen}was\n{written}", session.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A folder with the fixtures, and with what a repository does not keep well.
fn sandbox() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path();
    for path in entries(&fixtures()).into_iter().filter(|path| path.is_dir()) {
        let copy = into.join(path.file_name().unwrap());
        fs::create_dir(&copy).unwrap();
        for file in entries(&path) {
            fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
        }
    }
    fs::copy(fixtures().join("readings.jsonl"), into.join("readings.jsonl")).unwrap();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cardio = fs::read(project.join("datasets/cardio.onnx")).unwrap();
    fs::write(into.join("scored/cardio.onnx"), &cardio).unwrap();
    fs::write(into.join("misordered/cardio.onnx"), &cardio).unwrap();
    fs::write(into.join("no_model/cardio.onnx"), &cardio).unwrap();
    fs::write(into.join("no_model/torn.onnx"), &cardio[..cardio.len() / 2]).unwrap();
    let fixtures = project.join("engine/model/tests/fixtures");
    fs::copy(fixtures.join("xgboost.onnx"), into.join("no_model/other.onnx")).unwrap();
    for model in ["explained/random_forest.onnx", "xgboost.onnx"] {
        let model = Path::new(model);
        fs::copy(fixtures.join(model), into.join("unexplained").join(model.file_name().unwrap())).unwrap();
    }
    for beside in ["misordered/cardio.inputs.json", "no_model/other.inputs.json", "scored/cardio.inputs.json"] {
        fs::copy(project.join("datasets/cardio.inputs.json"), into.join(beside)).unwrap();
    }
    let unknown = "unknown_operator.onnx";
    fs::copy(fixtures.join("refused").join(unknown), into.join("no_model").join(unknown)).unwrap();
    fs::create_dir(into.join("empty")).unwrap();
    fs::create_dir(into.join("unread/folder.rules")).unwrap();
    fs::write(into.join("unread/latin.rules"), b"# What arrives\nstream research { trestbps: int } # caf\xe9\n")
        .unwrap();
    std::os::unix::fs::symlink("nowhere", into.join("unread/missing.rules")).unwrap();
    folder
}

/// A command and what came of it.
fn run(line: &str, folder: &Path) -> String {
    if let Some(file) = line.strip_prefix("cat ") {
        return format!("$ {line}\n{}", fs::read_to_string(folder.join(file)).unwrap());
    }
    let (command, input) = line.split_once(" < ").unwrap_or((line, ""));
    let mut words = words(command).into_iter();
    assert_eq!(words.next().as_deref(), Some("triage"), "{line}");
    let mut command = Command::cargo_bin("triage").unwrap();
    command.args(words).current_dir(folder).env_clear();
    if !input.is_empty() {
        command.write_stdin(fs::read(folder.join(input)).unwrap());
    }
    let output = command.output().unwrap();
    let (printed, complained) = (text(&output.stdout), text(&output.stderr));
    let complained = if complained.is_empty() { complained } else { format!("[standard error]\n{complained}") };
    let code = output.status.code().unwrap();
    let code = if code == 0 { String::new() } else { format!("[exit code {code}]\n") };
    format!("$ {line}\n{printed}{complained}{code}")
}

/// Lines without the spaces behind them, which no editor keeps.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
}

/// Words as a shell splits them; single quotes join.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = Command::cargo_bin("triage").unwrap().arg("--version").output().unwrap();
    assert_eq!(text(&output.stdout), format!("triage {}\n", env!("CARGO_PKG_VERSION")));
}

/// Formatting a second time changes nothing, whatever file it is.
#[test]
fn fmt_is_idempotent() {
    let folder = sandbox();
    run("triage fmt untidy", folder.path());
    let once = fs::read(folder.path().join("untidy/a.rules")).unwrap();
    assert_eq!(run("triage fmt untidy", folder.path()), "$ triage fmt untidy\n");
    assert_eq!(fs::read(folder.path().join("untidy/a.rules")).unwrap(), once);
}
