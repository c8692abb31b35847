//! `triage dead-letters` on the embedded broker: what it shows, and that whatever is sent again arrives once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use bed::{Bed, Seen, stop, wait_for};

/// A reading of 100 bytes and more.
fn long(number: usize) -> String {
    format!("{{\"v\":{number},\"note\":\"secret {}\"}}", "x".repeat(100))
}

fn command(bed: &Bed, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
    command.arg("dead-letters").args(arguments).args(["--bootstrap-servers", &bed.broker.to_string()]);
    command.current_dir(bed.rules.path()).env_remove("TRIAGE_CONFIG").env("USER", "eve");
    command
}

/// What was printed, and complained of; the exit code.
fn run(bed: &Bed, arguments: &[&str]) -> (String, String, i32) {
    let output = command(bed, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// Sends `readings` long ones, in partitions by turn, to an engine that takes only short ones.
fn refuse(bed: &Bed, readings: usize) {
    let engine = bed.start_with(bed.layers(1).flag("engine.max_record_bytes", "100"));
    wait_for("the engine to be ready", || engine.is_ready());
    let producer = bed.producer();
    for number in 0..readings {
        let partition = (number % bed.partitions as usize) as i32;
        producer.raw(partition, Some(format!("p{partition}").as_bytes()), Some(long(number).as_bytes()));
    }
    producer.flush();
    assert_eq!(bed.read("dead-letters", readings).len(), readings);
    stop(engine);
}

/// The numbers of the readings that arrived in `every`, with how often.
fn arrived(bed: &Bed, least: usize) -> BTreeMap<u64, usize> {
    let mut arrived = BTreeMap::new();
    for seen in bed.read("every", least) {
        *arrived.entry(seen.json()["v"].as_u64().unwrap()).or_default() += 1;
    }
    arrived
}

fn each_once(readings: usize) -> BTreeMap<u64, usize> {
    (0..readings as u64).map(|number| (number, 1)).collect()
}

#[test]
fn what_is_shown_is_redacted_unless_asked_and_can_be_narrowed() {
    let bed = Bed::new(2);
    refuse(&bed, 3);
    let producer = bed.producer();
    producer.raw(0, Some(b"p0"), Some(b"not JSON, secret"));
    producer.flush();
    let engine = bed.start(1);
    assert_eq!(bed.read("dead-letters", 4).len(), 4);
    stop(engine);

    let (shown, summary, code) = run(&bed, &["show"]);
    assert_eq!((shown.lines().count(), code), (4, 0), "{shown}{summary}");
    assert!(!shown.contains("secret") && !shown.contains("p0"), "{shown}");
    let first = shown.lines().next().unwrap();
    assert!(
        first.starts_with("dead-letters/0/0  20") && first.contains("  reading  too-large  research/0/0  1"),
        "{first}"
    );
    assert!(summary.starts_with("4 dead letters\n"), "{summary}");
    assert!(summary.contains("       3  reading  too-large  from research\n"), "{summary}");

    let (shown, _, _) = run(&bed, &["show", "--reason", "not-json", "--values"]);
    assert_eq!(shown.lines().skip(1).collect::<Vec<_>>(), ["    key   p0", "    value not JSON, secret"], "{shown}");
    for (filter, letters) in [
        (&["--topic", "research"][..], 4),
        (&["--topic", "vitals"], 0),
        (&["--stage", "document"], 0),
        (&["--since", "1h"], 4),
        (&["--until", "1h"], 0),
        (&["--at", "dead-letters/1/0", "--at", "dead-letters/0/0"], 2),
    ] {
        let (shown, _, code) = run(&bed, &[&["show"], filter].concat());
        assert_eq!((shown.lines().count(), code), (letters, 0), "{filter:?}");
    }

    let (shown, _, _) = run(&bed, &["show", "--format", "json", "--at", "dead-letters/0/0"]);
    let letter: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&letter["reason"], &letter["bytes"]), (&"too-large".into(), &(long(0).len() + 2).into()));
    assert!(letter.get("value").is_none() && letter["resent"] == false, "{letter}");
}

#[test]
fn a_broker_without_dead_letters_has_none() {
    let bed = Bed::new(1);
    let (shown, summary, code) = run(&bed, &["show"]);
    assert_eq!((shown.as_str(), summary.as_str(), code), ("", "0 dead letters\n", 0));
    let (_, complaint, code) = run(&bed, &["resend", "--all"]);
    assert_eq!(code, 3);
    assert!(complaint.contains("no rules are published for the group `triage`"), "{complaint}");
    let (_, complaint, code) = run(&bed, &["resend"]);
    assert_eq!(code, 2);
    assert!(complaint.contains("say which dead letters"), "{complaint}");
}

#[test]
fn a_reading_goes_to_the_stream_once_with_its_key_partition_and_time() {
    let bed = Bed::new(2);
    refuse(&bed, 4);
    let letters = bed.read("dead-letters", 4);

    let (dry, _, _) = run(&bed, &["resend", "--all", "--dry-run"]);
    assert_eq!(dry, "4 readings would be resent to `research`\n");
    assert_eq!(bed.read("research", 4).len(), 4);
    let (sent, _, code) = run(&bed, &["resend", "--at", "dead-letters/1/0"]);
    assert_eq!((sent.as_str(), code), ("1 reading resent to `research`\n", 0));
    let (sent, _, _) = run(&bed, &["resend", "--stage", "reading"]);
    assert_eq!(sent, "3 readings resent to `research`\n1 dead letter left alone: resent before\n");
    let (sent, _, _) = run(&bed, &["resend", "--all"]);
    assert_eq!(sent, "4 dead letters left alone: resent before\n");

    let engine = bed.start(1);
    assert_eq!(arrived(&bed, 4), each_once(4));
    stop(engine);
    let resent: Vec<Seen> = bed.read("research", 8).into_iter().filter(|seen| !seen.headers.is_empty()).collect();
    let place = |letter: &Seen, offset: usize| {
        format!("dead-letters/{}/{offset}@{}", letter.partition, letter.timestamp.unwrap())
    };
    assert_eq!(resent.len(), 4);
    for partition in 0..2 {
        let of = |all: &[Seen]| all.iter().filter(|seen| seen.partition == partition).cloned().collect::<Vec<_>>();
        for (offset, (resent, letter)) in of(&resent).iter().zip(of(&letters)).enumerate() {
            assert_eq!((&resent.key, &resent.value), (&letter.key, &letter.value));
            assert_eq!(resent.timestamp, letter.timestamp);
            assert_eq!(resent.headers["resent"], place(&letter, offset));
        }
    }
    let (shown, summary, _) = run(&bed, &["show"]);
    assert!(shown.lines().all(|line| line.ends_with("(resent)")), "{shown}");
    assert!(summary.starts_with("4 dead letters, 4 of them resent\n"), "{summary}");
}

/// A letter that somebody else wrote never goes to a topic that it names.
#[test]
fn only_the_stream_takes_readings_and_other_stages_stay() {
    let bed = Bed::new(1);
    stop(bed.start_ready(1));
    let forged = [("reading", "rule-sets"), ("acknowledgement", "acknowledgements"), ("webhook", "x")];
    for (stage, topic) in forged {
        bed.send_with_headers(
            "dead-letters",
            &[("stage", stage), ("topic", topic), ("partition", "0"), ("offset", "1")],
        );
    }
    bed.send_with_headers("dead-letters", &[]);
    let before = bed.read("rule-sets", 1).len();
    let (sent, _, code) = run(&bed, &["resend", "--all"]);
    assert_eq!(code, 0);
    let expected = [
        "1 dead letter left alone: it came from `rule-sets`, and the stream is `research`",
        "1 dead letter left alone: it came from `x`, which has no alerts",
        "1 dead letter left alone: letters of the stage `acknowledgement` are never sent again",
        "1 dead letter left alone: no stage is said: it was written by somebody else",
    ];
    assert_eq!(sent.lines().collect::<Vec<_>>(), expected);
    assert_eq!(bed.read("rule-sets", before).len(), before);
}

/// Two at once, and one that is killed, again and again: in the end each letter was sent once.
#[test]
fn resends_that_collide_and_die_send_every_letter_once() {
    const LETTERS: usize = 3_000;
    let bed = Bed::new(2);
    refuse(&bed, LETTERS);
    for round in 0..4_u64 {
        let start = || command(&bed, &["resend", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (mut first, mut second) = (start(), start());
        std::thread::sleep(Duration::from_millis(60 + 90 * round));
        first.kill().unwrap();
        first.wait().unwrap();
        second.wait().unwrap();
    }
    let (_, complaint, code) = run(&bed, &["resend", "--all"]);
    assert_eq!(code, 0, "{complaint}");
    let engine = bed.start(1);
    assert_eq!(arrived(&bed, LETTERS), each_once(LETTERS));
    stop(engine);
}
