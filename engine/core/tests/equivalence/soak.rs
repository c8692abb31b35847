//! A million readings: random wards one after the other until there were so many, the program held to the interpreter over
//! each. And ten thousand edits of such wards while readings come. `make soak` runs both; `SOAK_SEED` repeats a run,
//! `SOAK_READINGS` and `SOAK_EDITS` shorten it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::drive::Manner;
use crate::generate::Tape;
use crate::over_time::run;
use crate::reloads::reloads;

#[test]
#[ignore = "takes minutes: make soak"]
fn a_million_readings() {
    let first = first_seed();
    let readings = set("SOAK_READINGS").unwrap_or(1_000_000);
    let started = Instant::now();
    let mut judging = Duration::ZERO;
    let (mut done, mut sent, mut wards, mut shown) = (0, 0, 0, 0);
    while done < readings {
        let seed = first + wards;
        let mut tape = Tape::seeded(seed);
        // The interpreter reads a history again for each operator and each reading: not longer ones.
        let happenings = [120, 300, 500][tape.pick(3)];
        let run = run(&mut tape, happenings);
        let began = Instant::now();
        let difference = run.difference(Manner::seeded(seed));
        judging += began.elapsed();
        if let Some(difference) = difference {
            panic!("SOAK_SEED={seed} SOAK_READINGS=1\n{difference}");
        }
        wards += 1;
        done += run.interpreted.counts.readings;
        sent += run.interpreted.sent.len();
        if done / 50_000 > shown {
            shown = done / 50_000;
            eprintln!("{done} readings, {sent} sent, {wards} wards, {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    eprintln!("no difference: {done} readings, {sent} sent, {wards} wards");
    let [all, judging] = [started.elapsed(), judging].map(|time| time.as_secs_f64());
    eprintln!("{all:.0} s, {judging:.0} s of them in the program");
}

#[test]
#[ignore = "takes a minute: make soak"]
fn ten_thousand_edits() {
    let first = first_seed();
    let edits = set("SOAK_EDITS").unwrap_or(10_000);
    let (mut done, mut refused, mut readings, mut wards) = (0, 0, 0, 0);
    while done < edits {
        let seed = first + wards;
        let mut tape = Tape::seeded(seed);
        let (count, most) = [(20, 24), (8, 80), (40, 4)][tape.pick(3)];
        let reloads = reloads(&mut tape, count, most);
        if let Some(difference) = reloads.difference(Manner::seeded(seed)) {
            panic!("SOAK_SEED={seed} SOAK_EDITS=1\n{difference}");
        }
        wards += 1;
        done += 1 + count as u64;
        refused += reloads.refused;
        readings += reloads.readings();
    }
    eprintln!("no difference: {done} edits, {refused} of them refused, {readings} readings, {wards} wards");
}

fn first_seed() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let first = set("SOAK_SEED").unwrap_or(clock);
    eprintln!("SOAK_SEED={first}");
    first
}

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}
