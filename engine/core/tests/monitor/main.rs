//! The monitor over hand-made wards: what it must find, when, and what it must not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod ward;

use triage_core::syntax::ast::Priority;
use ward::{DAY_S, Fault, Found, Ward};

/// The fault begins after the first day, which the monitor learns.
const BEGINS_S: i64 = DAY_S + 2 * 3_600;

fn found(fault: Fault) -> Vec<Found> {
    Ward::new(7).run(BEGINS_S + 2 * 3_600, BEGINS_S, fault)
}

/// The finding of that rule, and after how many seconds it came.
fn the<'a>(found: &'a [Found], rule: &str) -> (&'a Found, i64) {
    let one = found.iter().find(|found| found.rule == rule).unwrap_or_else(|| panic!("no {rule} in {found:#?}"));
    (one, one.at_s - BEGINS_S)
}

#[test]
fn a_ward_without_faults_raises_nothing() {
    assert_eq!(found(Fault::None), []);
}

#[test]
fn a_renamed_field_is_named_with_its_new_name_and_the_rules_that_need_it() {
    let found = found(Fault::Renamed);
    let (finding, after_s) = the(&found, "technical.field_missing");
    assert!(after_s <= 1_210, "{after_s}");
    assert_eq!((finding.subject.as_str(), finding.priority), ("bp", Priority::High));
    for part in ["`bp` is missing: 20 of 20 patients", "`pressure` has begun", "alerts that need it: vitals.high_bp"] {
        assert!(finding.message.contains(part), "{}", finding.message);
    }
    assert_eq!(the(&found, "technical.undeclared_field").0.subject, "pressure");
    assert_eq!(the(&found, "technical.not_evaluable").0.subject, "vitals.high_bp");
    assert!(found.iter().all(|found| found.resolved_s.is_none()), "{found:#?}");
}

#[test]
fn another_unit_is_a_field_that_is_never_plausible() {
    let found = found(Fault::OtherUnit);
    let (finding, after_s) = the(&found, "technical.field_invalid");
    assert!(after_s <= 1_210 && finding.message.contains("`chol` arrives and is never plausible"), "{finding:?}");
}

/// Two stretches of 120 readings of each device, at one every 30 s.
#[test]
fn lost_records_are_noticed() {
    let found = Ward::new(7).run(BEGINS_S + 3 * 3_600, BEGINS_S, Fault::Lost);
    let (finding, after_s) = the(&found, "technical.records_lost");
    assert!(after_s <= 2 * 120 * 30 + 600 && finding.message.contains("records are lost"), "{after_s} {finding:?}");
}

#[test]
fn a_stuck_device_names_its_patient_and_is_over_when_it_moves() {
    let found = found(Fault::Stuck { for_s: 3_600 });
    let (finding, after_s) = the(&found, "technical.stuck_value");
    assert!(after_s <= 1_200, "{after_s}");
    assert_eq!(finding.subject, "p3");
    assert!(finding.message.contains("`bp` does not move"), "{}", finding.message);
    assert!(finding.resolved_s.is_some_and(|at| at - BEGINS_S - 3_600 < 600), "{finding:?}");
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn what_was_found_of_a_patient_who_is_erased_is_gone_and_does_not_come_back() {
    let erased_s = BEGINS_S + 1_500;
    let ward = Ward::new(7).erasing_at(erased_s, "p3");
    let found = ward.run(BEGINS_S + 2 * 3_600, BEGINS_S, Fault::Stuck { for_s: 1_600 });
    let (finding, after_s) = the(&found, "technical.stuck_value");
    assert!(finding.subject == "p3" && after_s <= 1_200, "{finding:?}");
    assert_eq!((finding.resolved_s, found.len()), (Some(erased_s), 1), "{found:#?}");
    let ward = Ward::new(7).erasing_at(erased_s, "p0");
    let found = ward.run(erased_s + 30, BEGINS_S, Fault::Clocks { patients: 1, by_s: -90 });
    assert_eq!(the(&found, "technical.clock_skew").0.resolved_s, Some(erased_s));
}

#[test]
fn a_sensor_that_is_off_is_no_fault_of_the_system() {
    assert_eq!(found(Fault::SensorsOff { patients: 3 }), []);
}

#[test]
fn clocks_are_found_one_by_one_and_all_together() {
    let found_one = found(Fault::Clocks { patients: 1, by_s: -90 });
    let (one, _) = the(&found_one, "technical.clock_skew");
    assert!(one.subject == "p0" && one.message.contains("90 s ahead of"), "{one:?}");
    let found_all = found(Fault::Clocks { patients: 20, by_s: 90 });
    let (all, _) = the(&found_all, "technical.clock_skew");
    assert!(all.subject == "readings" && all.message.contains("20 of 20 patients"), "{all:?}");
    assert_eq!((found_one.len(), found_all.len()), (1, 1));
}

#[test]
fn a_clock_that_runs_far_ahead_has_its_readings_refused() {
    let found = found(Fault::Clocks { patients: 1, by_s: -400 });
    let (refused, _) = the(&found, "technical.records_refused");
    assert_eq!(refused.subject, "too-far-ahead");
}

#[test]
fn records_that_are_no_readings_are_told() {
    let found = found(Fault::Broken);
    let (refused, _) = the(&found, "technical.records_refused");
    assert_eq!(refused.subject, "not-json");
}

#[test]
fn a_rule_that_suddenly_matches_everybody_is_told_for_a_day() {
    let found = Ward::new(7).run(BEGINS_S + 2 * DAY_S, BEGINS_S, Fault::Raised);
    let (finding, after_s) = the(&found, "technical.match_rate");
    assert_eq!((finding.subject.as_str(), finding.priority), ("vitals.high_bp", Priority::High));
    assert!(after_s <= 1_210 && finding.message.contains("far more often"), "{finding:?}");
    let over_after = finding.resolved_s.unwrap() - finding.at_s;
    assert!(over_after <= DAY_S, "{over_after}");
}

#[test]
fn a_rule_that_matches_no_longer_is_told() {
    let found = Ward::new(7).run(14 * DAY_S, 5 * DAY_S, Fault::Calm);
    let (finding, _) = the(&found, "technical.match_rate");
    assert!(finding.message.contains("matches no longer"), "{finding:?}");
    assert_eq!(finding.subject, "vitals.high_bp");
}

#[test]
fn a_rule_that_matches_for_far_fewer_patients_is_told() {
    let found = Ward::new(7).run(28 * DAY_S, 14 * DAY_S, Fault::Calmer);
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((finding.rule, finding.subject.as_str()), ("technical.match_rate", "vitals.high_bp"));
    assert!(finding.message.contains("matches far less often than it did"), "{finding:?}");
    assert!(finding.at_s > 14 * DAY_S, "{finding:?}");
}

#[test]
fn two_workers_see_what_one_sees() {
    let one = Ward::new(3).run(BEGINS_S + 3_600, BEGINS_S, Fault::Renamed);
    let two = Ward::new(3).with_workers(2).run(BEGINS_S + 3_600, BEGINS_S, Fault::Renamed);
    let words = |found: &[Found]| found.iter().map(|one| (one.rule, one.message.clone())).collect::<Vec<_>>();
    assert_eq!(words(&one)[1..], words(&two)[1..]);
}

#[test]
fn what_is_learnt_outlives_a_reload() {
    let found = Ward::new(7).reloading_at(BEGINS_S - 3_600).run(BEGINS_S + 3_600, BEGINS_S, Fault::Renamed);
    the(&found, "technical.field_missing");
}
