//! Rule sets to bench: generated ones of any size, and the ten that the ceiling has by hand.

use std::fmt::Write as _;

use triage_core::compile::compile;
use triage_core::diagnostic::{Style, render};
use triage_core::program::Program;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

use crate::random::Random;
use crate::readings::{MEASURES, Measure};

/// Ten rules of a ward, one topic each; [`crate::ceiling::judge`] is the same by hand.
pub const WARD: [&str; 10] = [
    "trestbps > 190 and cp = 3",
    "Temp > 39.2 and thalach > 150",
    "SpO2 < 87 and age > 60",
    "chol > 540 and fbs = 1 and age > 50",
    "thalach > 190 and oldpeak > 3.0",
    "trestbps < 100 and thalach > 170 and sex = 1",
    "oldpeak > 5.8 and slope = 2 or oldpeak > 6.0 and exang = 1",
    "ca > 3 and thal = 2 and chol > 400 and age > 65",
    "Temp < 35.7 and trestbps < 110",
    "restecg = 2 and thalach > 195",
];

/// The program of the ten rules.
pub fn ward() -> Program {
    let mut text = stream();
    for (index, condition) in WARD.iter().enumerate() {
        let _ = writeln!(text, "topic ward{index} {{ fields age, trestbps, Temp }}\nward{index} when {condition}");
    }
    program(text)
}

/// A program of `count` rules of 1 to 4 comparisons joined by `and` and `or`. Their thresholds lie past what readings
/// bring: nothing matches, so that nothing is encoded.
pub fn quiet(count: usize) -> Program {
    let mut random = Random::new(0x7275_6c65);
    let mut text = stream();
    text.push_str("topic quiet { fields age }\n");
    for index in 0..count {
        let _ = writeln!(text, "quiet.r{index} when {}", condition(&mut random));
    }
    program(text)
}

/// A program whose rules match every reading, into four topics of five fields, with or without an alert each.
pub fn loud(alerts: bool) -> Program {
    let mut text = stream();
    for index in 0..4 {
        let _ = writeln!(text, "topic loud{index} {{ fields age, sex, trestbps, cp, restecg notify \"nurse\" }}");
        let _ = writeln!(text, "loud{index}.always when age > {index}");
        if alerts {
            text.push_str("  alert high \"BP {trestbps} at {age}\" each reading\n");
        }
    }
    program(text)
}

/// A program of sixteen rules with an alert each that remember: twelve windows and four runs of every patient.
pub fn remembering(threshold: u32, minutes: u32) -> Program {
    let mut text = stream();
    text.push_str("topic ward { fields trestbps  notify \"nurse\" }\n");
    for (index, (field, above)) in
        [("trestbps", threshold), ("thalach", threshold), ("SpO2", 99), ("Temp", 41)].into_iter().enumerate()
    {
        for function in ["avg", "max", "stddev"] {
            let condition = format!("{function}({field}, {minutes}m) > {above}");
            let _ = writeln!(text, "ward.{function}{index} when {condition}\n  alert low \"{{{field}}}\"");
        }
        let _ = writeln!(text, "ward.run{index} when {field} > {above} for {minutes}m\n  alert low \"{{{field}}}\"");
    }
    program(text)
}

fn stream() -> String {
    let mut text = "stream research {\n  patient: text key\n  ts: time event\n".to_owned();
    for measure in &MEASURES {
        let _ = writeln!(text, "  {}: {}..{}", measure.name, measure.declared, measure.plausible);
    }
    text.push_str("}\n");
    text
}

fn condition(random: &mut Random) -> String {
    let mut condition = comparison(random);
    for _ in 1..random.between(1, 4) {
        condition.push_str(if random.below(3) == 0 { " or " } else { " and " });
        condition.push_str(&comparison(random));
    }
    condition
}

/// One of the fields with room above what arrives, against one of 60 plausible thresholds there.
fn comparison(random: &mut Random) -> String {
    let roomy: Vec<&Measure> = MEASURES.iter().filter(|measure| measure.room() > 1.0).collect();
    let measure = roomy[random.below(roomy.len() as u64) as usize];
    let threshold = measure.most() + measure.room() * random.between(1, 60) as f64 / 61.0;
    let op = [">", ">="][random.below(2) as usize];
    format!("{} {op} {threshold:.2}", measure.name)
}

/// Compiles a text that has to be right.
///
/// # Panics
/// With the diagnostics if it is not.
#[expect(clippy::panic, reason = "a bench without its program has nothing to measure")]
fn program(text: String) -> Program {
    let files = [SourceFile { path: "bench.rules".into(), text }];
    match compile(&files, &NoModels) {
        Ok((program, _)) => program,
        Err(mistakes) => panic!("{}", render(&files, &mistakes, Style::Plain)),
    }
}
