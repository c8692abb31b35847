//! What is counted of alerts on their way to people: those that are open, and deliveries to webhooks.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use super::{Maker, Metrics};
use crate::alerts::alert::Priority;

#[derive(Debug)]
pub(super) struct AlertMetrics {
    open: IntGaugeVec,
    pauses: IntGaugeVec,
    foreign: IntCounter,
    tombstones: IntCounter,
    deliveries: IntCounterVec,
    failures: IntCounterVec,
    retries: IntCounterVec,
    dead_letters: IntCounterVec,
    lag: IntGaugeVec,
}

impl AlertMetrics {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            open: make.gauges("triage_open_alerts", "episodes open in all processes, by priority", &["priority"])?,
            pauses: make.gauges("triage_pauses", "pauses in force in all processes, by what they are of", &["kind"])?,
            foreign: make.counter("triage_foreign_alerts_total", "records in topics of alerts that are no alerts")?,
            tombstones: make.counter("triage_alert_tombstones_total", "alerts let go that were closed long ago")?,
            deliveries: make.counters(
                "triage_webhook_deliveries_total",
                "alerts that a webhook has taken, by topic",
                &["topic"],
            )?,
            failures: make.counters(
                "triage_webhook_failures_total",
                "attempts at a webhook that failed",
                &["topic"],
            )?,
            retries: make.counters(
                "triage_webhook_retries_total",
                "attempts at a webhook after the first",
                &["topic"],
            )?,
            dead_letters: make.counters(
                "triage_webhook_dead_letters_total",
                "alerts that a webhook did not take and are dead letters now, by reason",
                &["topic", "reason"],
            )?,
            lag: make.gauges(
                "triage_webhook_lag_records",
                "alerts not yet delivered, by topic and partition",
                &["topic", "partition"],
            )?,
        })
    }
}

impl Metrics {
    /// How many alerts are open, by priority.
    pub(crate) fn open_alerts(&self, counts: [usize; Priority::ALL.len()]) {
        for (priority, count) in Priority::ALL.into_iter().zip(counts) {
            self.alerts.open.with_label_values(&[priority.as_str()]).set(count as i64);
        }
    }

    /// How many pauses are in force, by kind.
    pub(crate) fn pauses(&self, counts: [(&'static str, usize); 2]) {
        for (kind, count) in counts {
            self.alerts.pauses.with_label_values(&[kind]).set(count as i64);
        }
    }

    /// A record among the alerts is none.
    pub(crate) fn foreign_alert(&self) {
        self.alerts.foreign.inc();
    }

    /// Alerts that were closed long ago are let go.
    pub(crate) fn tombstones(&self, count: u64) {
        self.alerts.tombstones.inc_by(count);
    }

    /// A webhook has taken an alert.
    pub(crate) fn webhook_delivered(&self, topic: &str) {
        self.alerts.deliveries.with_label_values(&[topic]).inc();
    }

    /// An attempt failed.
    pub(crate) fn webhook_failed(&self, topic: &str) {
        self.alerts.failures.with_label_values(&[topic]).inc();
    }

    /// An alert is tried again.
    pub(crate) fn webhook_retried(&self, topic: &str) {
        self.alerts.retries.with_label_values(&[topic]).inc();
    }

    /// An alert that a webhook did not take is a dead letter.
    pub(crate) fn webhook_dead_letter(&self, topic: &str, reason: &str) {
        self.alerts.dead_letters.with_label_values(&[topic, reason]).inc();
    }

    /// How far a webhook is behind on a partition.
    pub(crate) fn webhook_lag(&self, topic: &str, partition: i32, records: i64) {
        self.alerts.lag.with_label_values(&[topic, partition.to_string().as_str()]).set(records.max(0));
    }
}
