//! Models of a rule set: found beside the rules, all or none with them, and the same in every process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::fs;
use std::path::{Path, PathBuf};

use bed::{Bed, Seen, stop, wait_for};
use sha2::{Digest, Sha256};
use triage::engine::{Engine, StartError};
use triage::reload::{Cells, Refusal, ReloadOutcome};
use triage::shutdown::Shutdown;

const INPUTS: usize = 13;

fn project(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

fn cardio() -> Vec<u8> {
    project("datasets/cardio.onnx")
}

/// Another model of as many inputs.
fn other() -> Vec<u8> {
    project("engine/model/tests/fixtures/xgboost.onnx")
}

/// The heart score with a description of 7 MB, which is near what models may have.
fn large() -> Vec<u8> {
    const DESCRIBED: u8 = 6 << 3 | 2;
    let description = vec![b'x'; 7 << 20];
    let length = [0x80, 0x80, 0x80 | (7 << 20 >> 14 & 0x7f) as u8, (7 << 20 >> 21) as u8];
    [cardio(), vec![DESCRIBED], length.to_vec(), description].concat()
}

/// A folder of rules whose one score is from `models/heart.onnx` beside it.
struct Ward {
    bed: Bed,
    model: PathBuf,
}

impl Ward {
    fn new() -> Self {
        Self::on(Bed::new(1))
    }

    fn on(bed: Bed) -> Self {
        let models = bed.rules.path().join("models");
        fs::create_dir(&models).unwrap();
        let fields: Vec<String> = (0..INPUTS).map(|input| format!("i{input}")).collect();
        let declared: Vec<String> = fields.iter().map(|field| format!("  {field}: float")).collect();
        bed.write(
            "a.rules",
            &format!("stream research {{\n  patient: text key\n  ts: time event\n{}\n}}\n", declared.join("\n")),
        );
        bed.write(
            "b.rules",
            &format!(
                "topic likely {{ fields heart }}\nscore heart from \"models/heart.onnx\" on ({}) needs (i0)\n\
                 likely.scored when heart is known\n",
                fields.join(", ")
            ),
        );
        let ward = Self { model: models.join("heart.onnx"), bed };
        ward.put(&cardio());
        ward
    }

    fn put(&self, bytes: &[u8]) {
        bed::put(&self.model, bytes);
    }

    /// The scores of so many readings that have been judged, all of the same patient.
    fn scores(&self, readings: usize) -> Vec<f64> {
        let seen = self.bed.read("likely", readings);
        seen.iter().map(|record| record.json()["heart"].as_f64().unwrap()).collect()
    }

    fn send(&self) {
        self.bed.send_keyed("research", "p", &format!("{{{}}}", reading(56.0)));
    }
}

fn reading(age: f64) -> String {
    let rest = [1.0, 0.0, 130.0, 250.0, 0.0, 1.0, 150.0, 0.0, 1.0, 1.0, 0.0, 2.0];
    let numbers = [age].into_iter().chain(rest).enumerate();
    numbers.map(|(input, value)| format!("\"i{input}\":{value}")).collect::<Vec<_>>().join(",")
}

/// The value of a metric with its labels.
fn metric(engine: &Engine, name: &str) -> Option<f64> {
    let text = String::from_utf8(engine.metrics().render().unwrap()).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn refused(outcome: ReloadOutcome) -> String {
    match outcome {
        ReloadOutcome::Refused { refusal: Refusal::Rules { findings, rendered }, .. } => {
            assert_eq!(
                findings.iter().map(|finding| finding.code.as_str()).collect::<Vec<_>>(),
                ["E216"],
                "{rendered}"
            );
            findings[0].message.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_model_that_is_missing_torn_or_of_another_shape_refuses_the_reload_and_the_old_one_goes_on() {
    let ward = Ward::new();
    let engine = ward.bed.start_ready(1);
    let version = engine.version();
    ward.send();
    let score = ward.scores(1)[0];
    let folder = bed::path(ward.bed.rules.path());
    let reload = || refused(engine.reload("test")).replace(&folder, "rules");
    fs::remove_file(&ward.model).unwrap();
    assert_eq!(
        reload(),
        "the model cannot be used: `rules/models/heart.onnx` cannot be read: No such file or directory (os error 2)"
    );
    ward.put(&cardio()[..20_000]);
    assert_eq!(
        reload(),
        "the model cannot be used: `models/heart.onnx` is no score: the file is no ONNX model, or a part of it is missing"
    );
    ward.put(&project("engine/model/tests/fixtures/xgboost_classes.onnx"));
    assert_eq!(reload(), "the model takes 12 inputs, and is given 13");
    ward.put(&project("engine/model/tests/fixtures/refused/unknown_operator.onnx"));
    assert_eq!(
        reload(),
        "the model cannot be used: `models/heart.onnx` is no score: the operator `Augury` of `ai.onnx` is not known"
    );
    ward.send();
    assert_eq!(ward.scores(2), [score, score]);
    assert_eq!(engine.version(), version);
    ward.put(&other());
    let outcome = engine.reload("test");
    let ReloadOutcome::Applied { difference, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(difference.changed, ["likely.scored"], "a rule is another when its model is");
    ward.send();
    assert_ne!(ward.scores(3)[2], score);
    stop(engine);
}

#[test]
fn a_watched_model_is_taken_up_when_it_changes_and_when_it_comes() {
    let ward = Ward::new();
    let engine = ward.bed.start_with(ward.bed.layers(1).flag("rules.watch", "true"));
    wait_for("readiness", || engine.is_ready());
    let first = engine.version();
    ward.put(&other());
    wait_for("the other model", || engine.version() != first);
    fs::remove_file(&ward.model).unwrap();
    wait_for("the refusal", || matches!(engine.last_reload(), (_, Some(ReloadOutcome::Refused { .. }))));
    ward.put(&cardio());
    wait_for("the first model", || engine.version() == first);
    stop(engine);
}

#[test]
fn a_model_and_what_stands_beside_it_are_exchanged_one_after_the_other_without_a_refusal() {
    let ward = Ward::new();
    let beside = ward.model.with_extension("inputs.json");
    fs::write(&beside, project("datasets/cardio.inputs.json")).unwrap();
    let engine = ward.bed.start_with(ward.bed.layers(1).flag("rules.watch", "true"));
    wait_for("readiness", || engine.is_ready());
    let first = engine.version();
    let inputs = String::from_utf8(project("datasets/cardio.inputs.json")).unwrap();
    let hash = |bytes: &[u8]| {
        let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    let (model, inputs) = (other(), inputs.replace(&hash(&cardio()), &hash(&other())));
    ward.put(&model);
    bed::put(&beside, inputs);
    wait_for("a reload", || engine.last_reload().0 > 0);
    let (reloads, outcome) = engine.last_reload();
    assert!(matches!(outcome, Some(ReloadOutcome::Applied { .. })), "{outcome:?}");
    assert_eq!(reloads, 1, "nothing was refused in between");
    assert_ne!(engine.version(), first);
    stop(engine);
}

#[test]
fn a_process_without_the_model_runs_the_published_one() {
    let ward = Ward::new();
    ward.put(&large());
    let first = ward.bed.start_ready(1);
    let version = first.version();
    ward.send();
    let score = ward.scores(1)[0];
    stop(first);
    let elsewhere = Ward::on(ward.bed.another());
    fs::remove_file(&elsewhere.model).unwrap();
    let second = elsewhere.bed.start_ready(1);
    assert_eq!(second.version(), version);
    ward.send();
    assert_eq!(ward.scores(2), [score, score]);
    stop(second);
    elsewhere.put(&other());
    let third = elsewhere.bed.start_ready(1);
    assert_eq!(third.version(), version, "what is published runs, whatever the folder has");
    stop(third);
}

#[test]
fn a_model_that_is_missing_at_the_first_start_is_an_error() {
    let ward = Ward::new();
    fs::remove_file(&ward.model).unwrap();
    let started = Engine::start(ward.bed.layers(1).build().unwrap(), Shutdown::new());
    let Err(StartError::Rules(rejected)) = started else { panic!("{started:?}") };
    assert_eq!(rejected.diagnostics[0].code.as_str(), "E216");
}

#[test]
fn a_model_that_fails_is_counted_and_a_technical_alert() {
    let ward = Ward::new();
    ward.put(&project("engine/model/tests/fixtures/logistic_plain.onnx"));
    let engine = ward.bed.start_ready(1);
    ward.send();
    assert_eq!(ward.scores(1).len(), 1);
    let counted = || {
        let [scores, failures] =
            ["scores", "score_failures"].map(|name| format!("triage_{name}_total{{score=\"heart\"}}"));
        (metric(&engine, &scores), metric(&engine, &failures))
    };
    wait_for("the score", || counted() == (Some(1.0), Some(0.0)));
    for _ in 0..3 {
        // More than an `f32` holds.
        ward.bed.send_keyed("research", "p", &format!("{{{}}}", reading(1e39)));
    }
    wait_for("the failures", || counted() == (Some(4.0), Some(3.0)));
    let failing = |seen: &Seen| seen.value.is_some() && seen.json()["rule"] == "technical.scoring_failing";
    let mut alerts = Vec::new();
    wait_for("the alert", || {
        alerts = ward.bed.read("alerts.technical", 1).into_iter().filter(failing).collect();
        !alerts.is_empty()
    });
    let raised = alerts[0].json();
    assert_eq!((&raised["state"], &raised["priority"]), (&"raised".into(), &"medium".into()));
    let message = raised["message"].as_str().unwrap();
    assert!(message.starts_with("the model of `heart` fails on readings: 3 of 4 in ten minutes"), "{message}");
    stop(engine);
}

#[test]
fn values_outside_of_what_the_model_learnt_from_are_counted_by_field() {
    let ward = Ward::new();
    fs::write(ward.model.with_extension("inputs.json"), project("datasets/cardio.inputs.json")).unwrap();
    let engine = ward.bed.start_ready(1);
    let outside = |field: &str| {
        metric(&engine, &format!("triage_score_inputs_outside_total{{field=\"{field}\",score=\"heart\"}}"))
    };
    ward.send();
    ward.scores(1);
    wait_for("the counts", || (outside("i0"), outside("i1")) == (Some(0.0), Some(0.0)));
    ward.bed.send_keyed("research", "p", &format!("{{{}}}", reading(95.0)));
    wait_for("the patient of 95", || outside("i0") == Some(1.0));
    assert_eq!(outside("i1"), Some(0.0));
    stop(engine);
}

#[test]
fn an_edit_of_what_the_model_learnt_from_is_taken_up_and_keeps_windows_over_the_score() {
    let ward = Ward::new();
    ward.bed.write("c.rules", "likely.mean when avg(heart, 10m) >= 0\n");
    let beside = ward.model.with_extension("inputs.json");
    fs::write(&beside, project("datasets/cardio.inputs.json")).unwrap();
    let engine = ward.bed.start_ready(1);
    ward.send();
    ward.scores(1);
    let edited = String::from_utf8(project("datasets/cardio.inputs.json")).unwrap();
    fs::write(&beside, edited.replace("\"lowest\": 29.0", "\"lowest\": 18.0")).unwrap();
    let outcome = engine.reload("test");
    let ReloadOutcome::Applied { difference, .. } = outcome else { panic!("{outcome:?}") };
    assert_ne!(difference.before, difference.after);
    assert_eq!(difference.changed, Vec::<String>::new());
    let Cells { kept, started, dropped } = &difference.cells;
    assert_eq!((kept.count, started.count, dropped.count), (1, 0, 0));
    stop(engine);
}

#[test]
fn inputs_that_drift_are_told_by_field_and_a_broken_yardstick_is_refused() {
    let ward = Ward::new();
    let beside = ward.model.with_extension("inputs.json");
    fs::write(&beside, project("datasets/cardio.inputs.json")).unwrap();
    let engine = ward.bed.start_ready(1);
    let readings = ward.bed.producer();
    for _ in 0..1_000 {
        readings.raw(0, Some(b"p"), Some(format!("{{{}}}", reading(120.0)).as_bytes()));
    }
    readings.flush();
    let drift =
        |field: &str| metric(&engine, &format!("triage_score_input_drift{{field=\"{field}\",score=\"heart\"}}"));
    wait_for("the drift", || drift("i0").is_some());
    assert!(drift("i0").unwrap() > 1.0, "everybody is 120");
    fs::write(&beside, "{").unwrap();
    let message = refused(engine.reload("test"));
    assert!(message.starts_with("the model cannot be used: `models/heart.inputs.json` is broken: EOF"), "{message}");
    fs::remove_file(&beside).unwrap();
    let outcome = engine.reload("test");
    assert!(matches!(outcome, ReloadOutcome::Applied { .. }), "{outcome:?}");
    wait_for("the end of the drift", || drift("i0").is_none());
    stop(engine);
}
