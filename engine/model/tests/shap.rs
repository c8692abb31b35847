//! What moved a heart score is what the package `shap` says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{fixtures, model};
use serde::Deserialize;
use triage_model::Model;

/// Both sides form sums of `f32` somewhere.
const TOLERANCE: f64 = 2e-6;

#[derive(Deserialize)]
struct Patient {
    inputs: Vec<Option<f32>>,
    values: Vec<f64>,
    expected: f64,
}

#[test]
fn contributions_are_those_of_the_package_shap() {
    let model = Model::read(&model(&fixtures(), "cardio")).unwrap();
    let patients: Vec<Patient> =
        serde_json::from_slice(&std::fs::read(fixtures().join("cardio.shap.json")).unwrap()).unwrap();
    assert_eq!(patients.len(), 36);
    for patient in patients {
        let row: Vec<f32> = patient.inputs.iter().map(|input| input.unwrap_or(f32::NAN)).collect();
        let explanation = model.explain(&row).unwrap();
        assert!((explanation.base - patient.expected).abs() <= TOLERANCE, "{}", explanation.base);
        for (ours, theirs) in explanation.contributions.iter().zip(&patient.values) {
            assert!((ours - theirs).abs() <= TOLERANCE, "{ours} {theirs} {row:?}");
        }
        let margin = explanation.base + explanation.contributions.iter().sum::<f64>();
        let mut score = [0.0];
        model.score(&row, &mut score);
        assert!((1.0 / (1.0 + (-margin).exp()) - f64::from(score[0])).abs() <= 1e-6, "{row:?}");
    }
}

#[test]
fn a_file_without_covers_explains_nothing() {
    for name in ["xgboost", "gradient_boosting", "hist_gradient_boosting", "random_forest", "neural_network"] {
        let model = Model::read(&model(&fixtures(), name)).unwrap();
        assert_eq!(model.explain(&vec![1.0; model.inputs()]), None, "{name}");
    }
}
