//! Every metric: its name, its help, and who counts what. `docs/metrics.md` says the same; a test holds the two together.
//!
//! Counters of rules, fields and topics that a reload removed stay as they are until the process ends: a counter that
//! vanishes looks like a reset, and what happened has happened.

mod alerts;
mod certificates;
mod scores;

use std::cell::RefCell;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use triage_core::program::{Counts, Program, Reason};

use crate::kafka::topics::{DEAD_LETTERS, alerts_of};
use crate::worker::SentCounts;
use alerts::AlertMetrics;
use certificates::CertificateMetrics;
use scores::ScoreMetrics;

/// Beyond this many rules they are counted by topic.
const RULES_COUNTED_ALONE: usize = 1_000;

/// Batches and commits: from half a millisecond to half a minute.
const DURATIONS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// From a reading's Kafka time to its commit; a backlog may be a day old.
const LATENCIES: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 60.0, 600.0, 3_600.0, 86_400.0];

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    names: Vec<String>,
    readings: IntCounter,
    outputs: IntCounterVec,
    matches: IntCounterVec,
    not_evaluable: IntCounterVec,
    field_problems: IntCounterVec,
    undeclared: IntCounter,
    reserved: IntCounter,
    misplaced: IntCounter,
    late: IntCounter,
    windows_full: IntCounter,
    forgotten: IntCounter,
    idle_acknowledgements: IntCounter,
    dead_letters: IntCounterVec,
    batch_seconds: Histogram,
    commit_seconds: Histogram,
    latency_seconds: Histogram,
    lag: IntGaugeVec,
    aborts: IntCounter,
    restarts: IntCounter,
    reloads: IntCounterVec,
    ruleset: IntGaugeVec,
    last_reload: Gauge,
    folder_differs: Gauge,
    technical: TechnicalMetrics,
    store: StoreMetrics,
    alerts: AlertMetrics,
    certificates: CertificateMetrics,
    scores: ScoreMetrics,
}

/// What one committed transaction did beyond [`Counts`].
pub(crate) struct Committed<'a> {
    /// Outputs by topic, dead letters by reason.
    pub(crate) sent: &'a SentCounts,
    /// From the first record judged to the commit.
    pub(crate) batch_seconds: f64,
    /// From the last record sent to the commit.
    pub(crate) commit_seconds: f64,
    /// From each record's Kafka time to the commit.
    pub(crate) latencies: &'a mut dyn Iterator<Item = f64>,
}

/// What the engine says of itself.
#[derive(Debug)]
struct TechnicalMetrics {
    open: IntGaugeVec,
    heartbeat: Gauge,
    readings_deleted: IntCounter,
}

impl TechnicalMetrics {
    fn new(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            open: make.gauges(
                "triage_technical_alerts_open",
                "technical alerts of this process that are open, by rule and priority",
                &["rule", "priority"],
            )?,
            heartbeat: make.gauge(
                "triage_heartbeat_timestamp_seconds",
                "when this process last sent a heartbeat, in seconds since 1970",
            )?,
            readings_deleted: make.counter(
                "triage_readings_deleted_total",
                "readings that the broker deleted before they were judged, at most",
            )?,
        })
    }
}

/// What the store counts.
#[derive(Debug)]
struct StoreMetrics {
    written: IntCounterVec,
    retries: IntCounter,
    failures: IntCounter,
    dead_letters: IntCounterVec,
    waiting: IntGaugeVec,
    lag: IntGaugeVec,
}

impl StoreMetrics {
    fn new(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            written: make.counters(
                "triage_store_documents_total",
                "documents written to the store, by collection",
                &["collection"],
            )?,
            retries: make.counter("triage_store_retries_total", "writes to the store that were tried again")?,
            failures: make.counter("triage_store_failures_total", "writes to the store that failed")?,
            dead_letters: make.counters(
                "triage_store_dead_letters_total",
                "records that could not be stored and are dead letters now, by reason",
                &["reason"],
            )?,
            waiting: make.gauges(
                "triage_store_collection_waits",
                "1 while nothing can be written to a collection of the store, though it can be to others",
                &["collection"],
            )?,
            lag: make.gauges(
                "triage_store_lag_records",
                "records not yet stored, by topic and partition",
                &["topic", "partition"],
            )?,
        })
    }
}

impl Metrics {
    /// A registry with every metric at zero.
    ///
    /// # Errors
    /// None while the names are right; a test holds it.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let make = Maker { registry: &registry, names: RefCell::default() };
        Ok(Self {
            readings: make.counter("triage_readings_total", "readings judged and committed")?,
            outputs: make.counters("triage_outputs_total", "records sent, by Kafka topic", &["topic"])?,
            matches: make.counters("triage_rule_matches_total", "readings that a rule matched", &["topic", "rule"])?,
            not_evaluable: make.counters(
                "triage_rule_not_evaluable_total",
                "readings for which a rule's condition was unknown",
                &["topic", "rule"],
            )?,
            field_problems: make.counters(
                "triage_field_problems_total",
                "readings in which a field was missing or invalid",
                &["field", "kind"],
            )?,
            undeclared: make.counter("triage_undeclared_fields_total", "fields that the stream does not declare")?,
            reserved: make.counter("triage_reserved_fields_total", "undeclared fields that bear a name of ours")?,
            misplaced: make
                .counter("triage_misplaced_readings_total", "readings whose Kafka key is another than their patient")?,
            late: make.counter("triage_late_readings_total", "readings older than their patient's clock")?,
            windows_full: make
                .counter("triage_windows_full_total", "times that a window held more values than there is room for")?,
            forgotten: make.counter("triage_forgotten_patients_total", "patients not heard of for too long")?,
            idle_acknowledgements: make
                .counter("triage_idle_acknowledgements_total", "acknowledgements and pauses of nothing that is open")?,
            dead_letters: make.counters("triage_dead_letters_total", "records that are no readings", &["reason"])?,
            batch_seconds: make.histogram("triage_batch_duration_seconds", "first record to commit", DURATIONS)?,
            commit_seconds: make.histogram(
                "triage_commit_duration_seconds",
                "last record sent to commit",
                DURATIONS,
            )?,
            latency_seconds: make.histogram(
                "triage_reading_latency_seconds",
                "a record's Kafka time to the commit of its outputs",
                LATENCIES,
            )?,
            lag: make.gauges(
                "triage_consumer_lag_records",
                "records not yet committed, by partition",
                &["partition"],
            )?,
            aborts: make.counter("triage_transaction_aborts_total", "transactions aborted and judged again")?,
            restarts: make.counter("triage_worker_restarts_total", "workers that made new clients after a failure")?,
            reloads: make.counters("triage_reloads_total", "reloads asked for, by outcome", &["outcome"])?,
            ruleset: make.gauges("triage_ruleset_info", "1 for the version of the rule set that runs", &["version"])?,
            last_reload: make.gauge("triage_last_reload_refused", "1 while the last reload was refused, else 0")?,
            folder_differs: make
                .gauge("triage_rules_folder_differs", "1 while the rules folder is broken or not what runs, else 0")?,
            technical: TechnicalMetrics::new(&make)?,
            store: StoreMetrics::new(&make)?,
            alerts: AlertMetrics::new(&make)?,
            certificates: CertificateMetrics::new(&make)?,
            scores: ScoreMetrics::new(&make)?,
            names: make.names.take(),
            registry,
        })
    }

    /// The name of every metric, in the order of declaration; those with labels are not in the text before they count.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// In the text form that Prometheus reads.
    ///
    /// # Errors
    /// The encoder's own.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// A transaction committed.
    pub(crate) fn committed(&self, program: &Program, counts: &Counts, committed: &mut Committed<'_>) {
        self.readings.inc_by(counts.readings);
        self.undeclared.inc_by(counts.undeclared);
        self.reserved.inc_by(counts.reserved);
        self.misplaced.inc_by(counts.misplaced);
        self.late.inc_by(counts.late);
        self.windows_full.inc_by(counts.windows_full);
        self.forgotten.inc_by(counts.forgotten);
        self.idle_acknowledgements.inc_by(counts.idle_acknowledgements);
        count_rules(&self.matches, program, &counts.matched);
        count_rules(&self.not_evaluable, program, &counts.not_evaluable);
        for (kind, problems) in [("missing", &counts.missing), ("invalid", &counts.invalid)] {
            for (field, count) in program.field_names().zip(problems).filter(|(_, count)| **count > 0) {
                self.field_problems.with_label_values(&[field, kind]).inc_by(*count);
            }
        }
        self.scores.committed(program, counts);
        for (topic, (derived, alerts)) in
            program.topics().iter().zip(committed.sent.derived.iter().zip(&committed.sent.alerts))
        {
            self.sent(&topic.name, *derived);
            self.sent(&alerts_of(&topic.name), *alerts);
        }
        for (topic, count) in &committed.sent.farewells {
            self.sent(topic, *count);
        }
        for (reason, count) in Reason::ALL.iter().zip(committed.sent.dead_letters).filter(|(_, count)| *count > 0) {
            self.dead_letters.with_label_values(&[reason.as_str()]).inc_by(count);
        }
        self.sent(DEAD_LETTERS, committed.sent.dead_letters.iter().sum());
        self.batch_seconds.observe(committed.batch_seconds);
        self.commit_seconds.observe(committed.commit_seconds);
        for seconds in &mut *committed.latencies {
            self.latency_seconds.observe(seconds);
        }
    }

    fn sent(&self, topic: &str, count: u64) {
        if count > 0 {
            self.outputs.with_label_values(&[topic]).inc_by(count);
        }
    }

    /// A transaction was aborted.
    pub(crate) fn aborted(&self) {
        self.aborts.inc();
    }

    /// Readings were deleted before they were judged.
    pub(crate) fn readings_deleted(&self, readings: u64) {
        self.technical.readings_deleted.inc_by(readings);
    }

    /// A worker makes new clients.
    pub(crate) fn restarted(&self) {
        self.restarts.inc();
    }

    /// How far a partition is behind.
    pub(crate) fn lag(&self, partition: i32, records: i64) {
        self.lag.with_label_values(&[partition.to_string().as_str()]).set(records.max(0));
    }

    /// A partition is no longer ours.
    pub(crate) fn partition_gone(&self, partition: i32) {
        // Nothing to remove is no mistake: its lag may never have been measured.
        let _ = self.lag.remove_label_values(&[partition.to_string().as_str()]);
    }

    /// A reload ended.
    pub(crate) fn reloaded(&self, outcome: &str, refused: bool) {
        self.reloads.with_label_values(&[outcome]).inc();
        self.last_reload.set(f64::from(u8::from(refused)));
    }

    /// The version that runs; the one before disappears.
    pub(crate) fn ruleset(&self, version: &str) {
        self.ruleset.reset();
        self.ruleset.with_label_values(&[version]).set(1);
    }

    /// Whether the folder is what runs.
    pub(crate) fn folder_differs(&self, differs: bool) {
        self.folder_differs.set(f64::from(u8::from(differs)));
    }

    /// How many technical alerts are open; a rule that was told of once stays.
    pub(crate) fn technical_open(&self, rule: &str, priority: &str, open: i64) {
        self.technical.open.with_label_values(&[rule, priority]).set(open);
    }

    /// A heartbeat was sent at `ts`, epoch milliseconds.
    pub(crate) fn heartbeat(&self, ts: i64) {
        self.technical.heartbeat.set(ts as f64 / 1_000.0);
    }

    /// Documents were written.
    pub(crate) fn store_written(&self, collection: &str, documents: u64) {
        self.store.written.with_label_values(&[collection]).inc_by(documents);
    }

    /// A write is tried again.
    pub(crate) fn store_retried(&self) {
        self.store.retries.inc();
    }

    /// A write failed.
    pub(crate) fn store_failed(&self) {
        self.store.failures.inc();
    }

    /// A record that could not be stored is a dead letter.
    pub(crate) fn store_dead_letter(&self, reason: &str) {
        self.store.dead_letters.with_label_values(&[reason]).inc();
    }

    /// Whether nothing can be written to a collection, though it can be to others.
    pub(crate) fn store_waits(&self, collection: &str, waits: bool) {
        self.store.waiting.with_label_values(&[collection]).set(waits.into());
    }

    /// How far the store is behind on a partition.
    pub(crate) fn store_lag(&self, topic: &str, partition: i32, records: i64) {
        self.store.lag.with_label_values(&[topic, partition.to_string().as_str()]).set(records.max(0));
    }
}

/// By rule, or by topic with an empty `rule` when there are too many.
fn count_rules(counters: &IntCounterVec, program: &Program, counts: &[u64]) {
    let alone = program.rules().len() <= RULES_COUNTED_ALONE;
    for (rule, count) in program.rules().iter().zip(counts).filter(|(_, count)| **count > 0) {
        let topic = program.topics().get(rule.topic.0 as usize).map_or("", |topic| topic.name.as_str());
        let name = if alone { rule.name.as_str() } else { "" };
        counters.with_label_values(&[topic, name]).inc_by(*count);
    }
}

/// Makes and registers.
struct Maker<'a> {
    registry: &'a Registry,
    names: RefCell<Vec<String>>,
}

impl Maker<'_> {
    fn register<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.names.borrow_mut().extend(metric.desc().iter().map(|description| description.fq_name.clone()));
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn shares(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        self.register(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
    }
}
