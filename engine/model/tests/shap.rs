//! What moved a score is what the package `shap` says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{fixtures, model};
use serde::Deserialize;
use triage_model::{Model, Scale, Unexplained};

/// Both sides form sums of `f32` somewhere.
const TOLERANCE: f64 = 2e-6;

#[derive(Deserialize)]
struct Patient {
    inputs: Vec<Option<f32>>,
    values: Vec<f64>,
    expected: f64,
}

#[test]
fn contributions_to_the_heart_score_are_those_of_the_package_shap() {
    let bytes = model(&fixtures(), "cardio");
    check("cardio", &bytes, Scale::LogOdds, 36);
}

#[test]
fn contributions_to_every_sum_are_those_of_the_package_shap() {
    let kinds = [
        ("random_forest", Scale::Probability),
        ("decision_tree", Scale::Probability),
        ("gradient_boosting", Scale::LogOdds),
        ("average", Scale::Probability),
        ("softmax", Scale::LogOdds),
    ];
    for (name, scale) in kinds {
        let name = format!("explained/{name}");
        check(&name, &model(&fixtures(), &name), scale, 12);
    }
}

fn check(name: &str, bytes: &[u8], scale: Scale, count: usize) {
    let model = Model::read(bytes).unwrap();
    let said = std::fs::read(fixtures().join(format!("{name}.shap.json"))).unwrap();
    let patients: Vec<Patient> = serde_json::from_slice(&said).unwrap();
    assert_eq!(patients.len(), count, "{name}");
    for patient in patients {
        let row: Vec<f32> = patient.inputs.iter().map(|input| input.unwrap_or(f32::NAN)).collect();
        let explanation = model.explain(&row).unwrap();
        assert_eq!(explanation.scale, scale, "{name}");
        assert!((explanation.base - patient.expected).abs() <= TOLERANCE, "{name}: {}", explanation.base);
        for (ours, theirs) in explanation.contributions.iter().zip(&patient.values) {
            assert!((ours - theirs).abs() <= TOLERANCE, "{name}: {ours} {theirs} {row:?}");
        }
        let sum = explanation.base + explanation.contributions.iter().sum::<f64>();
        let explained = match scale {
            Scale::LogOdds => 1.0 / (1.0 + (-sum).exp()),
            Scale::Probability => sum,
        };
        let mut score = [0.0];
        model.score(&row, &mut score);
        assert!((explained - f64::from(score[0])).abs() <= 1e-6, "{name}: {row:?}");
    }
}

#[test]
fn what_explains_nothing_says_why() {
    for (name, why) in [
        ("xgboost", Unexplained::NoCovers),
        ("gradient_boosting", Unexplained::NoCovers),
        ("hist_gradient_boosting", Unexplained::NoCovers),
        ("random_forest", Unexplained::NoCovers),
        ("random_forest_classes", Unexplained::NoCovers),
        ("branches_average", Unexplained::NoCovers),
        ("branches_min", Unexplained::NoSum),
        ("branches_max", Unexplained::NoSum),
        ("branches_softmax", Unexplained::Shares(3)),
        ("neural_network", Unexplained::NoTrees),
    ] {
        let model = Model::read(&model(&fixtures(), name)).unwrap();
        assert_eq!(model.explain(&vec![1.0; model.inputs()]), Err(why), "{name}");
    }
}
