//! Simulated wards: what a seed gives, and what is in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use triage::gateway::simulation::{Episode, FaultKind, Kind, Simulation};
use triage::gateway::table::Table;

const EVERY: Duration = Duration::from_secs(5);
/// Readings of one patient.
const DAY: usize = 24 * 720;

fn ward(patients: usize, seed: u64) -> Simulation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/patients.csv");
    Simulation::new(&Table::open(&path).unwrap(), patients, seed, EVERY)
}

fn lines(simulation: &mut Simulation, count: usize) -> Vec<String> {
    simulation.take(count).map(|reading| reading.json()).collect()
}

fn values(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Every patient's readings in order of time, and what really happened.
struct Days {
    readings: BTreeMap<String, Vec<Value>>,
    episodes: Vec<Episode>,
}

/// Two days of twenty patients.
static DAYS: LazyLock<Days> = LazyLock::new(|| Days::of(ward(20, 7)));

impl Days {
    fn of(mut simulation: Simulation) -> Self {
        let end = simulation.begin() + 2 * 86_400_000;
        let mut readings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for reading in simulation.by_ref().take_while(|reading| reading.ts < end) {
            readings.entry(reading.patient.to_string()).or_default().push(values(&reading.json()));
        }
        Self { readings, episodes: simulation.episodes() }
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.readings.values().flatten()
    }

    /// The numbers of a field of a patient, in a time.
    fn numbers(&self, patient: &str, field: &str, (from, to): (i64, i64)) -> Vec<f64> {
        let readings = &self.readings[patient];
        let first = |ts: i64| readings.partition_point(|reading| reading["ts"].as_i64().unwrap() < ts);
        readings[first(from)..first(to)].iter().filter_map(|reading| reading[field].as_f64()).collect()
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[test]
fn a_seed_means_the_same_readings_in_every_version() {
    let readings = lines(&mut ward(20, 7), 100_000).join("\n");
    let mut digest = String::new();
    for byte in Sha256::digest(readings.as_bytes()) {
        write!(digest, "{byte:02x}").unwrap();
    }
    assert_eq!(digest, "2bd3be807015e10b69c701662b0e05910544c5c970a3cc2c4ebf73fdab07a244");
    assert_ne!(lines(&mut ward(20, 8), 1_000), lines(&mut ward(20, 7), 1_000));
}

#[test]
fn readings_come_in_order_of_time_and_depend_on_no_other_patient() {
    let many: Vec<_> = ward(20, 7).take(10_000).collect();
    assert!(many.is_sorted_by_key(|reading| reading.ts));
    assert_eq!(many[20].ts - many[0].ts, 5_000);
    let third = |patients| {
        let readings = ward(patients, 7).filter(|reading| &*reading.patient == "p3").take(400);
        readings.map(|reading| reading.json().split_once("\"age\"").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(third(3), third(20));
}

#[test]
fn another_beginning_changes_the_times_alone() {
    let (mut first, mut second) = (ward(4, 7), ward(4, 7));
    second.begin_at(first.begin() + 1_000);
    let first: Vec<_> = first.by_ref().take(100).collect();
    for (before, after) in first.iter().zip(second.by_ref()) {
        assert_eq!(after.ts - before.ts, 1_000);
        assert_eq!(after.json(), before.json().replace(&before.ts.to_string(), &after.ts.to_string()));
    }
}

#[test]
fn what_the_table_does_not_know_is_not_made_up() {
    let table = Table::parse(Path::new("ward.csv"), b"patient,ts,trestbps,chol,note\nanna,5,0,200,x\n").unwrap();
    let mut simulation = Simulation::new(&table, 2, 7, EVERY);
    let lines = lines(&mut simulation, 2);
    assert_eq!(lines[0], r#"{"patient":"anna","ts":1767254400000,"trestbps":0,"chol":200,"note":"x"}"#);
    assert_eq!(lines[1], r#"{"patient":"anna-2","ts":1767254402500,"trestbps":0,"chol":200,"note":"x"}"#);
}

/// Nobody walks off while nothing happens.
#[test]
fn signs_walk_and_stay_near_their_level() {
    let days = &*DAYS;
    for (patient, readings) in &days.readings {
        let begin = readings[0]["ts"].as_i64().unwrap();
        for hour in 0..24 {
            let time = (begin + hour * 3_600_000, begin + (hour + 1) * 3_600_000);
            let meets = |episode: &Episode| episode.start < time.1 && episode.end > time.0;
            if days.episodes.iter().any(|episode| episode.patient == *patient && meets(episode)) {
                continue;
            }
            let median = |field| median(days.numbers(patient, field, time));
            let (pressure, temperature, rate) = (median("trestbps"), median("Temp"), median("thalach"));
            assert!((85.0..185.0).contains(&pressure), "{patient} {hour} {pressure}");
            assert!((36.0..38.2).contains(&temperature), "{patient} {hour} {temperature}");
            assert!((55.0..130.0).contains(&rate), "{patient} {hour} {rate}");
        }
    }
}

#[test]
fn sensors_fall_off_and_devices_fall_silent() {
    let days = &*DAYS;
    let (all, sent) = (2 * 20 * DAY, days.all().count());
    assert!((1..all / 50).contains(&(all - sent)), "{sent} of {all}");
    for field in ["trestbps", "Temp", "thalach"] {
        let off = days.all().filter(|reading| reading[field].is_null()).count();
        assert!((1..all / 20).contains(&off), "{field} {off}");
    }
}

/// A flushed line shows itself by values off the scale; the value of an artefact is drawn afresh for each reading.
#[test]
fn artefacts_are_short() {
    let days = &*DAYS;
    let (mut flushes, mut longest) = (0, 0);
    for readings in days.readings.values() {
        let off_scale = |reading: &Value| reading["trestbps"].as_f64().is_some_and(|pressure| pressure > 300.0);
        for run in readings.chunk_by(|before, after| off_scale(before) == off_scale(after)) {
            if off_scale(&run[0]) {
                flushes += 1;
                longest = longest.max(run.len());
            }
        }
    }
    assert!((100..1_000).contains(&flushes), "{flushes}");
    assert!((2..=4).contains(&longest), "{longest} readings");
}

#[test]
fn an_episode_is_where_the_ground_truth_says() {
    let days = &*DAYS;
    let mut seen: BTreeMap<Kind, usize> = BTreeMap::new();
    for episode in &days.episodes {
        let there = (episode.established + 30_000, episode.established + 60_000);
        let during = |field| days.numbers(&episode.patient, field, there);
        // Past the end, or nothing was measured.
        if during("trestbps").len() < 4 || during("Temp").len() < 4 {
            continue;
        }
        *seen.entry(episode.kind).or_default() += 1;
        match episode.kind {
            Kind::HypertensiveCrisis => assert!(median(during("trestbps")) > 165.0, "{episode:?}"),
            Kind::Fever => assert!(median(during("Temp")) > 38.0, "{episode:?}"),
            Kind::Hypotension => assert!(median(during("trestbps")) < 110.0, "{episode:?}"),
            Kind::StrokeSequence => {
                assert!(median(during("trestbps")) > 165.0, "{episode:?}");
                let between = (episode.start, episode.end);
                assert!(days.numbers(&episode.patient, "restecg", between).iter().all(|code| *code == 2.0));
            }
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn the_ground_truth_is_a_line_of_json() {
    let mut simulation = ward(20, 7);
    simulation.by_ref().nth(20 * DAY).unwrap();
    let first = values(&simulation.episodes()[0].json());
    let expected = serde_json::json!({"patient": "p18", "kind": "hypotension", "start": 1_767_254_849_250_i64,
        "established": 1_767_254_875_147_i64, "end": 1_767_255_423_211_i64});
    assert_eq!(first, expected);
}

/// The readings from the 400th on, sound and with the fault.
fn pairs(kind: FaultKind) -> Vec<(String, String)> {
    let sound = lines(&mut ward(20, 7), 4_000);
    let faulty = lines(&mut ward(20, 7).with_fault(kind, 400), 4_000);
    assert_eq!(sound[..400], faulty[..400], "{kind:?} came too early");
    sound.into_iter().zip(faulty).skip(400).collect()
}

#[test]
fn a_renamed_field() {
    for (sound, faulty) in pairs(FaultKind::Renamed) {
        assert_eq!(faulty, sound.replace("\"trestbps\"", "\"sysBP\""));
    }
}

#[test]
fn another_unit_of_cholesterol() {
    for (sound, faulty) in pairs(FaultKind::Millimoles) {
        let (sound, faulty) = (values(&sound)["chol"].as_f64().unwrap(), values(&faulty)["chol"].as_f64().unwrap());
        assert!((sound / 38.665 - faulty).abs() <= 0.05, "{sound} {faulty}");
    }
}

#[test]
fn lost_readings() {
    let sound = lines(&mut ward(20, 7), 100_000);
    let faulty = lines(&mut ward(20, 7).with_fault(FaultKind::Lost, 0), 98_000);
    let last = sound.iter().position(|line| Some(line) == faulty.last()).unwrap();
    let lost = last + 1 - faulty.len();
    assert!((850..1_150).contains(&lost), "{lost} of {last}");
}

#[test]
fn a_stuck_device() {
    let shown = |line: &str| {
        let value = values(line);
        (value["trestbps"].clone(), value["Temp"].clone(), value["thalach"].clone())
    };
    let faulty: Vec<_> = pairs(FaultKind::Stuck);
    let mut stuck: Vec<_> =
        faulty.iter().filter(|(sound, _)| values(sound)["patient"] == "p1").map(|(_, line)| shown(line)).collect();
    assert!(stuck.len() > 100);
    stuck.dedup();
    assert_eq!(stuck.len(), 1);
    assert!(faulty.iter().filter(|(sound, _)| values(sound)["patient"] != "p1").all(|(sound, line)| sound == line));
}
