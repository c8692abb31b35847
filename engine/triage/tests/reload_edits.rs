//! Edits of the rules folder under load, as people make them: thresholds, words, names, clauses, files that come, go and are
//! broken. Every reading is judged once, and what the engine sends is what its rule sets send one after the other.
//! `RELOADS=N` makes another number of edits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bed::{Bed, Seen, stop, wait_for};
use triage::reload::ReloadOutcome;
use triage::rules::RuleFiles;
use triage_core::program::{Limits, OutputKind, Outputs, Program, States, Workspace};
use triage_core::reading::Record;

const PARTITIONS: i32 = 2;

/// Writes the folder as edit `number` leaves it; whether it is a rule set.
fn edit(bed: &Bed, number: usize) -> bool {
    let folder = bed.rules.path();
    let (name, words) = (["fast", "rapid"][number / 5 % 2], ["up", "rising"][number / 3 % 2]);
    let (rise, held) = (number * 7 % 40, 3 + number % 4);
    let clause = ["", "latch", "repeat every 300ms", "clear when rise(v, 100ms) < 3"][number / 4 % 4];
    let comment = ["", "# as the ward has it\n"][number % 2];
    let rules = format!(
        "{comment}every.one when v is known\n\
         high.{name} when rise(v, 100ms) > {rise} for {held} readings alert low \"{words} {{v}}\" {clause}\n"
    );
    bed.write("b.rules", &rules);
    let others = [folder.join("c.rules"), folder.join("d.rules")];
    others.iter().filter(|path| path.exists()).for_each(|path| std::fs::remove_file(path).unwrap());
    let other = &others[number / 2 % 2];
    let limit = number / 9 * 10;
    match number % 6 {
        0 | 1 => {}
        5 => std::fs::write(other, "high.other when nothing > 3\n").unwrap(),
        _ => {
            let name = ["other", "another"][number / 6 % 2];
            let rule =
                format!("high.{name} when avg(v, 1s) > {limit} alert medium \"{{v}}\"\nlow.few when v < {number}\n");
            std::fs::write(other, rule).unwrap();
        }
    }
    number % 6 != 5
}

#[test]
fn edits_of_files_under_load_lose_double_and_change_nothing() {
    let bed = Bed::new(PARTITIONS);
    edit(&bed, 0);
    let engine = bed.start_ready(2);
    let mut programs = vec![compiled(bed.rules.path())];
    let enough = Arc::new(AtomicBool::new(false));
    let sending = bed.send_until(&enough, 20, Duration::from_millis(10));
    wait_for("readings of both partitions under the first rules", || engine.rulesets().len() == 2);
    let reloads = std::env::var("RELOADS").map_or(60, |text| text.parse().unwrap());
    for number in 1..=reloads {
        let whole = edit(&bed, number);
        match engine.reload("test") {
            ReloadOutcome::Applied { difference, behind, .. } => {
                assert!(whole && behind.is_empty(), "edit {number}");
                let program = compiled(bed.rules.path());
                assert_eq!(program.version(), difference.after);
                wait_for("readings of both partitions under the new rules", || {
                    engine.rulesets().values().all(|ruleset| *ruleset == difference.after)
                });
                programs.push(program);
            }
            ReloadOutcome::Refused { version, .. } => {
                assert!(!whole, "edit {number}");
                assert_eq!(version, programs.last().unwrap().version());
            }
            ReloadOutcome::Unchanged { .. } => assert!(whole, "edit {number}"),
            ReloadOutcome::Checked { .. } => panic!("edit {number} was only checked"),
        }
    }
    enough.store(true, Ordering::Relaxed);
    let sent = sending.join().unwrap();
    let records = bed.read("every", sent);
    assert_eq!(records.len(), sent);
    let alerts = bed.read("alerts.high", 1);
    assert!(alerts.iter().any(|alert| alert.json()["reason"] == "rule removed"));
    for partition in 0..PARTITIONS {
        let of_partition =
            |seen: &[Seen]| seen.iter().filter(|seen| seen.partition == partition).cloned().collect::<Vec<_>>();
        let expected = expected(&of_partition(&records), &programs);
        let got: Vec<String> = of_partition(&alerts).iter().map(text).collect();
        assert_eq!(got.len(), expected.len());
        let differs = got.iter().zip(&expected).find(|(got, expected)| got != expected);
        assert!(differs.is_none(), "partition {partition}: {differs:?}");
    }
    stop(engine);
}

fn compiled(folder: &Path) -> Program {
    RuleFiles::read(folder).compile().unwrap().program
}

/// The alerts of a partition's readings, whose records say which rule set judged each of them.
fn expected(records: &[Seen], programs: &[Program]) -> Vec<String> {
    let mut states = States::new(PARTITIONS);
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    let (mut at, mut sent) = (0, Vec::new());
    for (record, next) in records.iter().zip(0..) {
        assert_eq!(record.origin().1, next, "each reading once, and in order");
        let json = record.json();
        while programs[at].version() != json["origin"]["ruleset"] {
            assert!(at + 1 < programs.len(), "a rule set goes back, or is none that was applied: {json}");
            outputs.clear();
            programs[at + 1].take_over(&programs[at], &mut states, &mut outputs);
            sent.extend(alerts(&outputs));
            workspace = Workspace::default();
            at += 1;
        }
        let value = format!("{{\"v\":{}}}", json["v"]);
        let reading = Record {
            key: record.key.as_deref(),
            value: Some(value.as_bytes()),
            timestamp: record.timestamp,
            partition: record.partition,
            offset: next,
        };
        outputs.clear();
        programs[at].step(&[reading], &Limits::default(), &mut states, &mut workspace, &mut outputs);
        states.commit();
        sent.extend(alerts(&outputs));
    }
    sent
}

fn alerts(outputs: &Outputs) -> Vec<String> {
    let alerts = outputs.iter().filter(|output| matches!(output.kind, OutputKind::Alert(_)));
    alerts.map(|alert| without_time_of_reload(std::str::from_utf8(outputs.value(alert)).unwrap())).collect()
}

fn text(alert: &Seen) -> String {
    without_time_of_reload(std::str::from_utf8(alert.value.as_deref().unwrap()).unwrap())
}

/// An idle step before a reload, on a machine that is busy, moves the time at which it resolves an episode.
fn without_time_of_reload(alert: &str) -> String {
    if !alert.contains("\"reason\":\"rule removed\"") {
        return alert.to_owned();
    }
    let (before, rest) = alert.split_once("\"ts\":").unwrap();
    format!("{before}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}
