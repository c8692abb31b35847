//! What `deploy` names of the program is there: metrics in alert rules and on the dashboard, and the alerts' sections of the
//! runbook. What needs other tools is checked by `make deploy-check`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use triage::metrics::Metrics;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The words of a text that begin as our metrics do.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    words.filter(|word| word.starts_with("triage_")).collect()
}

/// As Prometheus sees them: a histogram is three.
fn is_declared(name: &str, declared: &BTreeSet<&str>) -> bool {
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
    declared.contains(name) || part.is_some_and(|whole| whole.ends_with("_seconds") && declared.contains(whole))
}

#[test]
fn every_metric_that_is_named_exists() {
    let metrics = Metrics::new().unwrap();
    let declared: BTreeSet<&str> = metrics.names().iter().map(String::as_str).collect();
    for folder in ["deploy/prometheus", "deploy/grafana", "docs/operations.md"] {
        let path = root().join(folder);
        let mut named = 0;
        for file in if path.is_dir() { files(&path) } else { vec![path] } {
            let text = fs::read_to_string(&file).unwrap();
            for name in metrics_in(&text) {
                assert!(is_declared(name, &declared), "{}: there is no metric `{name}`", file.display());
                named += 1;
            }
        }
        assert!(named > 3, "{folder} names {named} metrics");
    }
}

/// The alerts of the rules, and for each what its `runbook` says.
fn alerts(rules: &str) -> Vec<(&str, &str)> {
    let after = |line: &'static str| rules.lines().filter_map(move |it| it.trim_start().strip_prefix(line));
    let (names, runbooks) = (after("- alert: "), after("runbook: docs/operations.md#"));
    assert_eq!(names.clone().count(), runbooks.clone().count());
    names.zip(runbooks).collect()
}

#[test]
fn every_alert_has_its_section_of_the_runbook_and_a_test() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (rules, tests) = (read("deploy/prometheus/triage.rules.yml"), read("deploy/prometheus/triage.rules.test.yml"));
    let page = read("docs/operations.md");
    let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts = alerts(&rules);
    for (name, runbook) in &alerts {
        assert_eq!(name.to_lowercase(), *runbook);
        assert!(sections.contains(name), "docs/operations.md has no section `{name}`");
        let raised = format!("alertname: {name}\n        exp_alerts:");
        assert!(tests.contains(&raised), "no test raises `{name}`");
    }
    let names: Vec<&str> = alerts.iter().map(|(name, _)| *name).collect();
    for section in sections {
        assert!(names.contains(&section), "docs/operations.md: there is no alert `{section}`");
    }
}
