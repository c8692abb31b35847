//! What is wrong with the engine's own parts, by what its threads say on the board. Pure: who asks brings the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use triage_core::monitor::{Finding, Findings};
use triage_core::syntax::ast::Priority;

use super::board::Deleted;
use super::failures::Failures;
use crate::config::TechnicalConfig;
use crate::scores::Totals;

/// A worker that does not judge for so long does not do so in passing: joining a group takes some seconds.
const NOT_JUDGING: Duration = Duration::from_secs(30);

/// So long the folder may differ from what runs: a change goes from process to process.
const DIFFERS: Duration = Duration::from_secs(30);

/// How long it is told of that readings were deleted before they were judged.
const DELETED_LASTS: Duration = Duration::from_hours(1);

/// The most of somebody else's words that an alert repeats.
const WORDS: usize = 300;

/// How the engine is at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Readings that were committed since the start.
    pub(super) readings: u64,
    /// Whether this process has partitions of the stream.
    pub(super) has_partitions: bool,
    /// One past the last record of the stream, over all partitions, if that was asked.
    pub(super) stream_end: Option<i64>,
    /// By partition: readings that were deleted before they were judged.
    pub(super) deleted: BTreeMap<i32, Deleted>,
    /// By worker: why it does not judge, if it does not.
    pub(super) workers: BTreeMap<usize, Option<String>>,
    /// Records that are not stored, beyond what one write takes.
    pub(super) store_behind: Option<i64>,
    pub(super) store_fails: bool,
    pub(super) refused_reload: Option<String>,
    /// Why the published rules do not run here.
    pub(super) published_trouble: Option<String>,
    pub(super) folder_differs: bool,
    /// By topic: why the webhook's deliveries have been given up since the last that arrived.
    pub(super) webhooks: BTreeMap<String, String>,
    /// By score: how it has fared since the start.
    pub(super) scores: BTreeMap<String, Totals>,
    /// By how many milliseconds this machine's clock is behind the broker's, at least.
    pub(super) behind_broker: Option<i64>,
}

/// What has been wrong since when.
#[derive(Debug)]
pub(super) struct Conditions {
    config: TechnicalConfig,
    readings: u64,
    stream_end: Option<i64>,
    /// When something of the stream was last seen.
    heard: Instant,
    /// Since when each condition has held.
    since: BTreeMap<String, Instant>,
    failures: Failures,
}

impl Conditions {
    pub(super) fn new(config: &TechnicalConfig, now: Instant) -> Self {
        Self {
            config: config.clone(),
            readings: 0,
            stream_end: None,
            heard: now,
            since: BTreeMap::new(),
            failures: Failures::default(),
        }
    }

    /// Whether nothing has been committed for so long that the whole stream is to be asked.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        now.duration_since(self.heard) >= self.config.no_readings
    }

    pub(super) fn judge(&mut self, facts: &Facts, now: Instant) -> Findings {
        let mut findings = Findings::default();
        self.judge_stream(facts, now, &mut findings);
        Self::judge_deleted(facts, now, &mut findings);
        self.judge_workers(facts, now, &mut findings);
        self.judge_store(facts, now, &mut findings);
        self.judge_rules(facts, now, &mut findings);
        for (score, Totals { asked, failed }) in self.failures.judge(&facts.scores, now) {
            let message = format!(
                "the model of `{score}` fails on readings: {failed} of {asked} in ten minutes have no score, and rules that \
                 ask for it are unknown"
            );
            let values = vec![("readings_failed", failed as f64), ("readings_asked", asked as f64)];
            findings.open("technical.scoring_failing", &score, finding(Priority::Medium, message, values));
        }
        for (topic, trouble) in &facts.webhooks {
            let message = format!("alerts of `{topic}` are given up by the webhook: {}", words(trouble));
            findings.open("technical.webhook", topic, finding(Priority::High, message, Vec::new()));
        }
        let limit = self.config.clock_skew.as_millis() as i64;
        if let Some(behind) = facts.behind_broker.filter(|behind| behind.abs() > limit) {
            let way = if behind > 0 { "behind" } else { "ahead of" };
            let message = format!("this machine's clock is {} s {way} the broker's", behind.abs() / 1_000);
            let values = vec![("seconds_behind", behind as f64 / 1_000.0)];
            findings.open("technical.clock_skew", "broker", finding(Priority::Medium, message, values));
        }
        findings
    }

    /// Nobody's silence is enough: with others in the group, their partitions count.
    fn judge_stream(&mut self, facts: &Facts, now: Instant, findings: &mut Findings) {
        let moved = facts.stream_end.is_some_and(|end| self.stream_end.is_some_and(|before| end > before));
        // Dead letters move the end of our own partitions, and are no readings.
        if facts.readings > self.readings || !facts.has_partitions || moved {
            self.heard = now;
        }
        self.readings = facts.readings;
        self.stream_end = facts.stream_end.or(self.stream_end);
        if self.is_silent(now) {
            let seconds = now.duration_since(self.heard).as_secs();
            let message = format!("no readings at all for {}", humantime::format_duration(self.config.no_readings));
            let values = vec![("seconds", seconds as f64), ("readings_before", facts.readings as f64)];
            findings.open("technical.no_readings", "readings", finding(Priority::High, message, values));
        }
    }

    /// What is gone cannot come back: it is told of for a while.
    fn judge_deleted(facts: &Facts, now: Instant, findings: &mut Findings) {
        for (partition, Deleted { readings, at }) in &facts.deleted {
            if now.saturating_duration_since(*at) < DELETED_LASTS {
                let message = format!(
                    "up to {readings} readings of partition {partition} were deleted before they were judged: their alerts \
                     are missing; the stream's retention is too short, or nobody judged for too long"
                );
                let values = vec![("readings_deleted", *readings as f64)];
                let subject = format!("partition-{partition}");
                findings.open("technical.readings_deleted", &subject, finding(Priority::High, message, values));
            }
        }
    }

    fn judge_workers(&mut self, facts: &Facts, now: Instant, findings: &mut Findings) {
        for (worker, why) in &facts.workers {
            let subject = format!("worker-{worker}");
            if self.lasts(&subject, why.is_some(), NOT_JUDGING, now) {
                let why = words(why.as_deref().unwrap_or_default());
                let message = format!("readings are not judged as they should be: worker {worker}: {why}");
                findings.open("technical.not_judging", &subject, finding(Priority::High, message, Vec::new()));
            }
        }
    }

    fn judge_store(&mut self, facts: &Facts, now: Instant, findings: &mut Findings) {
        let is_behind = facts.store_fails || facts.store_behind.is_some();
        if self.lasts("store", is_behind, self.config.store_behind, now) {
            let records = facts.store_behind.unwrap_or_default();
            let what = if facts.store_fails { "cannot be written" } else { "is behind" };
            let message = format!(
                "the store {what} for {}: alerts are not delayed, documents are",
                humantime::format_duration(self.config.store_behind)
            );
            let values = vec![("records_behind", records as f64)];
            findings.open("technical.store_behind", "store", finding(Priority::High, message, values));
        }
    }

    fn judge_rules(&mut self, facts: &Facts, now: Instant, findings: &mut Findings) {
        let mut open = |subject: &str, priority, message: String| {
            findings.open("technical.rules_refused", subject, finding(priority, message, Vec::new()));
        };
        if let Some(why) = &facts.published_trouble {
            open("published", Priority::High, format!("the published rules do not run here: {}", words(why)));
        }
        if let Some(why) = &facts.refused_reload {
            open("reload", Priority::Medium, format!("a reload was refused, the old rules run: {}", words(why)));
        }
        // A refused reload has said so already.
        let differs = facts.folder_differs && facts.refused_reload.is_none();
        if self.lasts("folder", differs, DIFFERS, now) {
            open("folder", Priority::Medium, "the rules folder is broken, or is not what runs".to_owned());
        }
    }

    /// Whether it has been so for so long.
    fn lasts(&mut self, what: &str, is: bool, long: Duration, now: Instant) -> bool {
        if !is {
            self.since.remove(what);
            return false;
        }
        let since = *self.since.entry(what.to_owned()).or_insert(now);
        now.duration_since(since) >= long
    }
}

fn finding(priority: Priority, message: String, values: Vec<(&'static str, f64)>) -> Finding {
    Finding { priority, patient: None, message, values }
}

/// The first line, and not too much of it.
fn words(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(WORDS).collect()
}

/// Looks whether every worker goes round, one look after another.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    before: Vec<u64>,
}

impl Rounds {
    /// The workers that have not gone round since the last look.
    pub(super) fn stuck(&mut self, rounds: Vec<u64>) -> BTreeSet<usize> {
        let stuck = rounds.iter().enumerate().filter(|(worker, rounds)| self.before.get(*worker) == Some(rounds));
        let stuck = stuck.map(|(worker, _)| worker).collect();
        self.before = rounds;
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    fn conditions() -> (Conditions, Instant) {
        let begun = Instant::now();
        let config = TechnicalConfig {
            notify: "clinical engineer".to_owned(),
            not_evaluable: 0.5,
            no_readings: Duration::from_mins(1),
            store_behind: Duration::from_mins(2),
            clock_skew: Duration::from_mins(1),
        };
        (Conditions::new(&config, begun), begun)
    }

    fn rules(findings: &Findings) -> Vec<(&str, String)> {
        findings.iter().map(|(rule, subject, _)| (rule, subject.to_owned())).collect()
    }

    #[test]
    fn silence_is_told_and_over_with_the_next_reading() {
        let (mut conditions, begun) = conditions();
        let facts = |readings| Facts { readings, has_partitions: true, ..Facts::default() };
        assert!(conditions.judge(&facts(5), at(begun, 50)).is_empty());
        assert!(conditions.judge(&facts(5), at(begun, 109)).is_empty());
        assert_eq!(rules(&conditions.judge(&facts(5), at(begun, 111))), [("technical.no_readings", "readings".into())]);
        assert!(conditions.judge(&facts(6), at(begun, 112)).is_empty());
    }

    #[test]
    fn readings_of_others_are_readings_and_who_has_no_partitions_is_not_silent() {
        let (mut conditions, begun) = conditions();
        let facts = |end| Facts { has_partitions: true, stream_end: Some(end), ..Facts::default() };
        assert_eq!(conditions.judge(&facts(7), at(begun, 61)).iter().count(), 1);
        assert!(conditions.judge(&facts(8), at(begun, 66)).is_empty());
        assert_eq!(conditions.judge(&facts(8), at(begun, 126)).iter().count(), 1);
        assert!(conditions.judge(&Facts::default(), at(begun, 300)).is_empty());
    }

    #[test]
    fn readings_that_were_deleted_unjudged_are_told_of_for_an_hour() {
        let (mut conditions, begun) = conditions();
        let deleted = BTreeMap::from([(3, Deleted { readings: 7, at: begun })]);
        let facts = Facts { deleted, ..Facts::default() };
        let found = conditions.judge(&facts, at(begun, 3_599));
        assert_eq!(rules(&found), [("technical.readings_deleted", "partition-3".into())]);
        assert!(
            found.iter().all(|(_, _, finding)| finding.message.starts_with("up to 7 readings of partition 3 were"))
        );
        assert!(conditions.judge(&facts, at(begun, 3_600)).is_empty());
    }

    #[test]
    fn a_worker_that_does_not_judge_is_told_after_half_a_minute() {
        let (mut conditions, begun) = conditions();
        let facts = |why: Option<&str>| Facts {
            workers: BTreeMap::from([(0, None), (1, why.map(str::to_owned))]),
            ..Facts::default()
        };
        assert!(conditions.judge(&facts(Some("the journal is torn")), begun).is_empty());
        assert!(conditions.judge(&facts(Some("the journal is torn")), at(begun, 29)).is_empty());
        let found = conditions.judge(&facts(Some("the journal is torn")), at(begun, 30));
        assert_eq!(rules(&found), [("technical.not_judging", "worker-1".into())]);
        assert!(found.iter().all(|(_, _, finding)| finding.message.ends_with("worker 1: the journal is torn")));
        assert!(conditions.judge(&facts(None), at(begun, 31)).is_empty());
        assert!(conditions.judge(&facts(Some("again")), at(begun, 32)).is_empty());
    }

    #[test]
    fn a_store_is_behind_when_it_does_not_catch_up() {
        let (mut conditions, begun) = conditions();
        let facts = |behind, fails| Facts { store_behind: behind, store_fails: fails, ..Facts::default() };
        assert!(conditions.judge(&facts(Some(5_000), false), begun).is_empty());
        assert!(conditions.judge(&facts(Some(9_000), true), at(begun, 119)).is_empty());
        let found = conditions.judge(&facts(Some(9_000), true), at(begun, 120));
        assert_eq!(rules(&found), [("technical.store_behind", "store".into())]);
        assert!(found.iter().all(|(_, _, finding)| finding.values == [("records_behind", 9_000.0)]));
        assert!(conditions.judge(&facts(None, false), at(begun, 121)).is_empty());
    }

    #[test]
    fn rules_that_are_refused_are_told_once() {
        let (mut conditions, begun) = conditions();
        let refused = Facts { refused_reload: Some("\nerror: x".into()), folder_differs: true, ..Facts::default() };
        let found = conditions.judge(&refused, begun);
        assert_eq!(rules(&found), [("technical.rules_refused", "reload".into())]);
        assert!(found.iter().all(|(_, _, finding)| finding.message.ends_with("error: x")));
        let differs = Facts { folder_differs: true, ..Facts::default() };
        assert!(conditions.judge(&differs, at(begun, 1)).is_empty());
        assert_eq!(rules(&conditions.judge(&differs, at(begun, 31))), [("technical.rules_refused", "folder".into())]);
        let trouble = Facts { published_trouble: Some("a newer engine's".into()), ..Facts::default() };
        assert_eq!(rules(&conditions.judge(&trouble, begun)), [("technical.rules_refused", "published".into())]);
    }

    #[test]
    fn our_own_clock_is_held_against_the_brokers() {
        let (mut conditions, begun) = conditions();
        let off = Facts { behind_broker: Some(-61_000), ..Facts::default() };
        let found = conditions.judge(&off, begun);
        assert_eq!(rules(&found), [("technical.clock_skew", "broker".into())]);
        assert!(found.iter().all(|(_, _, finding)| finding.message.ends_with("61 s ahead of the broker's")));
        let slight = Facts { behind_broker: Some(59_000), ..Facts::default() };
        assert!(conditions.judge(&slight, begun).is_empty());
    }

    #[test]
    fn a_webhook_that_gives_up_is_told_by_topic() {
        let (mut conditions, begun) = conditions();
        let webhooks = BTreeMap::from([("stroke".to_owned(), "410 Gone".to_owned())]);
        let found = conditions.judge(&Facts { webhooks, ..Facts::default() }, begun);
        assert_eq!(rules(&found), [("technical.webhook", "stroke".into())]);
        assert!(found.iter().all(|(_, _, finding)| finding.message.ends_with("by the webhook: 410 Gone")));
    }

    #[test]
    fn a_model_that_fails_is_told_by_its_score() {
        let (mut conditions, begun) = conditions();
        let scores = BTreeMap::from([("cardio".to_owned(), Totals { asked: 200, failed: 3 })]);
        let found = conditions.judge(&Facts { scores, ..Facts::default() }, begun);
        assert_eq!(rules(&found), [("technical.scoring_failing", "cardio".into())]);
        assert!(
            found.iter().all(|(_, _, finding)| finding.message.contains("`cardio` fails on readings: 3 of 200 in"))
        );
    }

    #[test]
    fn a_worker_that_does_not_go_round_is_stuck() {
        let mut rounds = Rounds::default();
        assert!(rounds.stuck(vec![0, 0]).is_empty());
        assert_eq!(rounds.stuck(vec![5, 0]), BTreeSet::from([1]));
        assert!(rounds.stuck(vec![6, 1]).is_empty());
    }
}
