//! Any bytes as the value of a record are a reading or a dead letter, and never a panic.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use triage_core::compile::compile;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

const RULES: &str = r#"
stream research {
  patient: text key
  ts: time event
  age: int 0..120 'a'
  sex: enum { female = 0, male = 1 }
  Temp: float 25..45 'Cel' missing 0
  fbs: bool
  note: text missing "n/a"
  store readings
}
topic stroke { fields all store strokes notify "doctor" }
stroke when age > 40 and (sex = male or fbs) or Temp in 38..40 and note != "x"
stroke.old when max(age, 3) / 2 >= 40 or Temp is invalid
"#;

static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let file = SourceFile { path: "fuzz.rules".to_owned(), text: RULES.to_owned() };
    compile(&[file], &NoModels).expect("the fixed rules compile").0
});

fuzz_target!(|value: &[u8]| {
    let record =
        Record { key: Some(b"7"), value: Some(value), timestamp: Some(1_700_000_000_000), partition: 0, offset: 1 };
    let mut outputs = Outputs::default();
    PROGRAM.step(&[record], &Limits::default(), &mut States::new(1), &mut Workspace::default(), &mut outputs);
});
