//! `triage demo` and `triage gateway` as a person starts them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/hospital.rs"]
mod hospital;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn triage(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
    command.current_dir(project()).args(arguments).env_remove("TRIAGE_CONFIG");
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = triage(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Records or documents as the summary tells them.
fn counts_after<'a>(stdout: &'a str, title: &str) -> Vec<(&'a str, u64)> {
    let lines = stdout.lines().skip_while(|line| *line != title).skip(1).take_while(|line| line.starts_with("  "));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap(), words.next().unwrap().parse().unwrap())
        })
        .collect()
}

#[test]
fn once_sends_ten_patients_through_every_department() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (code, stdout, stderr) = run(&["demo", "--once", "--every", "10ms", "--listen", "127.0.0.1:0", "--data", data]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    let alert =
        "HIGH    p1    BP 200 mmHg, ECG lv_hypertrophy, chest pain asymptomatic: treat as hypertensive emergency";
    assert!(stdout.contains(alert), "{stdout}");
    assert!(stdout.contains("MEDIUM  p2    heart score 0.85: coronary disease is likely"), "{stdout}");
    assert!(!stdout.contains('\x1b'), "colours without a terminal");
    let topics = [
        ("alerts.stroke", 7),
        ("alerts.vitals", 3),
        ("cardiology", 10),
        ("diabete", 3),
        ("dyslipidemia", 8),
        ("research", 10),
        ("stroke", 7),
        ("vitals", 10),
    ];
    assert_eq!(counts_after(&stdout, "records by topic:"), topics);
    let collections = [
        ("abnormal_vitals", 10),
        ("abnormal_vitals_alerts", 3),
        ("cardio_patients", 10),
        ("diabete_patients", 3),
        ("dyslipidemia_patients", 8),
        ("patients_record", 10),
        ("stroke", 7),
        ("stroke_alerts", 7),
    ];
    assert_eq!(counts_after(&stdout, "documents by collection:"), collections);
    let stored = rusqlite::Connection::open(folder.path().join("ehealth.sqlite")).unwrap();
    for (collection, count) in collections {
        let select =
            format!("SELECT count(*) FROM {collection} WHERE document ->> '_id' = _id AND json_valid(document)");
        let found: i64 = stored.query_row(&select, [], |row| row.get(0)).unwrap();
        assert_eq!(found.unsigned_abs(), count, "{collection}");
    }
    let crisis = "SELECT document ->> 'message' FROM stroke_alerts WHERE document ->> 'priority' = 'high'";
    let message: String = stored.query_row(crisis, [], |row| row.get(0)).unwrap();
    assert!(message.starts_with("BP 200 mmHg"), "{message}");
    let digits = "SELECT document FROM patients_record WHERE document ->> 'patient' = 'p8'";
    let reading: String = stored.query_row(digits, [], |row| row.get(0)).unwrap();
    assert!(reading.contains("\"Temp\":37.5,\"chol\":199,"), "{reading}");
}

/// The lines that a process prints, as they come.
fn lines(child: &mut std::process::Child) -> Receiver<String> {
    let stdout = child.stdout.take().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn wait_for(lines: &Receiver<String>, wanted: &str) -> String {
    let deadline = Instant::now() + Duration::from_mins(3);
    let mut seen = String::new();
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if line.contains(wanted) {
            return line;
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    panic!("`{wanted}` was not printed:\n{seen}");
}

#[test]
fn an_edit_is_taken_up_a_broken_one_is_refused_and_ctrl_c_ends_cleanly() {
    let copy = tempfile::tempdir().unwrap();
    let rules = hospital::copied_to(copy.path());
    let folder = rules.to_str().unwrap();
    let mut demo = triage(&["demo", "--every", "20ms", "--listen", "127.0.0.1:0", "--rules", folder])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let printed = lines(&mut demo);
    wait_for(&printed, "HIGH    p1");
    let edited = rules.join("extra.rules");
    let write = |text: &str| {
        let new = edited.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &edited).unwrap();
    };

    write(
        "vitals.warm when Temp > 36 'Cel'\n  alert low \"warm {Temp}\" each reading\ntest \"t\" { given { Temp: 37 } expect vitals.warm }\n",
    );
    wait_for(&printed, "rules applied: ");
    wait_for(&printed, "added: vitals.warm");
    wait_for(&printed, "warm 36.6");
    write("vitals.warm when Tmp > 36\n");
    assert!(wait_for(&printed, "rules refused, ").contains(" stays:"));
    wait_for(&printed, "did you mean `Temp`?");
    wait_for(&printed, "warm 36.6");

    let interrupted = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    wait_for(&printed, "documents by collection:");
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}

#[test]
fn a_missing_rules_folder_is_told() {
    let (code, _, stderr) = run(&["demo", "--once", "--rules", "no/such"]);
    assert_eq!(code, Some(3));
    assert_eq!(stderr, "triage: there is no rules folder `no/such`; name one with `--rules FOLDER`\n");
}

#[test]
fn broken_rules_end_the_demo_with_their_diagnostics() {
    let rules = tempfile::tempdir().unwrap();
    std::fs::write(rules.path().join("a.rules"), "stream s { a: int }\ns.x when b > 1\n").unwrap();
    let (code, _, stderr) =
        run(&["demo", "--once", "--listen", "127.0.0.1:0", "--rules", rules.path().to_str().unwrap()]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("a.rules:2:"), "{stderr}");
}

#[test]
fn a_table_that_is_none_ends_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ward.csv");
    std::fs::write(&path, "age,sex\n63,1\n64\n").unwrap();
    let (code, _, stderr) = run(&["gateway", path.to_str().unwrap()]);
    assert_eq!(code, Some(3));
    assert_eq!(stderr, format!("triage: {}:3: 1 cells, the header has 2\n", path.display()));
}

#[test]
fn a_gateway_delivers_every_row_and_says_so() {
    let broker = triage::embedded::spawn("127.0.0.1:0").unwrap().to_string();
    let arguments =
        ["gateway", "datasets/patients.csv", "--rate", "1000", "--count", "250", "--patients", "40", "--seed", "7"];
    let (code, _, stderr) = run(&[&arguments[..], &["--bootstrap-servers", &broker]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("gateway: 250 readings delivered to research"), "{stderr}");
}

#[test]
fn a_gateway_waits_for_a_broker_that_is_away_until_it_is_stopped() {
    let arguments = ["gateway", "datasets/patients.csv", "--once", "--bootstrap-servers", "127.0.0.1:1"];
    let mut gateway = triage(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(gateway.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("the broker does not answer") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended without a word");
    }
    Command::new("kill").args(["-TERM", &gateway.id().to_string()]).status().unwrap();
    assert_eq!(gateway.wait().unwrap().code(), Some(3));
}

#[test]
fn a_simulated_ward_is_written_with_its_truth_and_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let [ward, truth] = ["ward.jsonl", "truth.jsonl"].map(|name| folder.path().join(name).display().to_string());
    let simulate = ["gateway", "datasets/patients.csv", "--patients", "20", "--seed", "7", "--each", "5s"];
    let written = ["--duration", "1h", "--output", &ward, "--truth", &truth];
    let (code, stdout, stderr) = run(&[&simulate[..], &written].concat());
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    let readings = std::fs::read_to_string(&ward).unwrap();
    assert_eq!(stderr, format!("gateway: {} readings written to {ward}\n", readings.lines().count()));
    assert!((14_000..=14_400).contains(&readings.lines().count()));
    let truth = std::fs::read_to_string(truth).unwrap();
    assert!(truth.starts_with(r#"{"patient":"p18","kind":"hypotension","start":1767254"#), "{truth}");

    let (code, stdout, stderr) = run(&["replay", "--rules", "rules/hospital", &ward]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stdout.contains("dead-letters"));
    assert!(stdout.contains(r#""topic":"alerts.vitals""#));

    let (code, stdout, _) = run(&[&simulate[..], &["--output", "-", "--count", "3"]].concat());
    assert_eq!((code, stdout), (Some(0), readings.lines().take(3).fold(String::new(), |all, line| all + line + "\n")));
}

#[test]
fn a_ward_without_an_end_is_not_written_and_one_without_time_not_simulated() {
    let (code, _, stderr) = run(&["gateway", "datasets/patients.csv", "--output", "-"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "triage: `--output` needs an end: `--duration`, `--count` or `--once`\n");
    let (code, _, stderr) = run(&["gateway", "datasets/patients.csv", "--seed", "7", "--every", "0s", "--once"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "triage: `--seed` needs time between readings, in which vital signs can walk\n");
    let (code, _, stderr) = run(&["gateway", "datasets/patients.csv", "--seed", "7", "--once", "--output", "no/such"]);
    assert_eq!(code, Some(3));
    assert!(stderr.starts_with("triage: `no/such` cannot be written: "), "{stderr}");
}
