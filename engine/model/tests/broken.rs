//! Whatever the bytes are, reading them ends, without a panic, and so does scoring with what was read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{fixtures, model};
use proptest::prelude::{any, proptest};
use proptest::test_runner::Config;
use triage_model::Model;

const MODELS: [&str; 5] = ["leaf", "decision_tree", "xgboost_regressor", "logistic_regression", "neural_network"];

fn read(bytes: &[u8]) {
    let Ok(model) = Model::read(bytes) else { return };
    let mut scores = [0.0; 3];
    let rows: Vec<f32> = (0..3 * model.inputs()).map(|at| [0.5, f32::NAN, 1e30][at % 3]).collect();
    model.score(&rows, &mut scores);
    assert!(scores.iter().all(|score| score.is_nan() || (0.0..=1.0).contains(score)), "{scores:?}");
    if let Ok(explanation) = model.explain(&rows[..model.inputs()]) {
        assert_eq!(explanation.contributions.len(), model.inputs());
    }
}

#[test]
fn a_file_that_ends_anywhere() {
    for name in MODELS {
        let whole = model(&fixtures(), name);
        for end in (0..whole.len()).step_by((whole.len() / 150).max(1)) {
            read(&whole[..end]);
        }
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(100) })]

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        read(&bytes);
    }

    #[test]
    fn a_file_with_other_bytes_in_it(which in 0..MODELS.len(), changes: Vec<(u16, u8)>, far in any::<u16>()) {
        let mut bytes = model(&fixtures(), MODELS[which]);
        let length = bytes.len();
        for (place, byte) in changes.into_iter().take(4) {
            bytes[(usize::from(place) + usize::from(far)) % length] = byte;
        }
        read(&bytes);
    }
}
