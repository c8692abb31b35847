//! One alert, tried until it is taken, refused, or given up.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attempt::{Page, Verdict, request};
use super::connection::Connector;
use crate::clock::now;
use crate::shared::Shared;
use crate::shutdown::Backoff;

/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause of our own; the other side may ask for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a pause is looked up from, whether to stop.
const LOOKING_UP: Duration = Duration::from_millis(100);

/// Delivers the alerts of one topic.
pub(super) struct Delivery {
    pub(super) shared: Arc<Shared>,
    pub(super) topic: String,
    pub(super) connector: Connector,
    /// What deliveries are signed with.
    pub(super) key: Vec<u8>,
    pub(super) timeout: Duration,
    pub(super) give_up_after: Duration,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// It is a dead letter now: a short code, and a sentence without any value of a patient.
    GivenUp {
        reason: &'static str,
        sentence: String,
    },
    /// The shutdown was asked for: the next process delivers it.
    Stopped,
}

impl Delivery {
    /// Tries until it is over; `came` is when the alert was read. There is always one attempt.
    pub(super) async fn deliver(&self, page: &Page, came: Instant) -> Outcome {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (why, asked) = match self.attempt(page).await {
                Verdict::Delivered => {
                    self.shared.metrics.webhook_delivered(&self.topic);
                    self.shared.webhooks.delivered(&self.topic);
                    tracing::debug!(topic = self.topic, alert = page.name, attempts, "an alert is delivered");
                    return Outcome::Delivered;
                }
                Verdict::Refused(sentence) => {
                    self.failed(&sentence, page);
                    return Outcome::GivenUp { reason: "refused", sentence };
                }
                Verdict::Failed { why, pause } => (why, pause),
            };
            self.failed(&why, page);
            let left = self.give_up_after.saturating_sub(came.elapsed());
            if left.is_zero() {
                let sentence = format!("given up after {attempts} attempts, of which the last failed: {why}");
                return Outcome::GivenUp { reason: "unavailable", sentence };
            }
            // The last attempt is when the time is over, however long a pause the other side asks for.
            let pause = jittered(backoff.take()).max(asked.unwrap_or(Duration::ZERO)).min(left);
            if self.pause(pause).await {
                return Outcome::Stopped;
            }
            self.shared.metrics.webhook_retried(&self.topic);
        }
    }

    async fn attempt(&self, page: &Page) -> Verdict {
        let to = (self.connector.url(), self.key.as_slice());
        let request = match request(page, to, now(), self.shared.config.alerts.delayed_after) {
            Ok(request) => request,
            Err(error) => return Verdict::Refused(format!("no request can be made of it: {error}")),
        };
        match tokio::time::timeout(self.timeout, self.connector.ask(request)).await {
            Ok(answer) => Verdict::of(&answer),
            Err(_) => Verdict::Failed { why: format!("no answer within {:?}", self.timeout), pause: None },
        }
    }

    fn failed(&self, why: &str, page: &Page) {
        let to = self.connector.url();
        tracing::warn!(topic = self.topic, alert = page.name, %to, why, "an attempt at a webhook failed");
        self.shared.metrics.webhook_failed(&self.topic);
        self.shared.webhooks.failed(&self.topic, why.to_owned());
    }

    /// Whether the shutdown was asked for meanwhile.
    async fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while !self.shared.shutdown.is_asked() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            tokio::time::sleep(left.min(LOOKING_UP)).await;
        }
        true
    }
}

/// Between a half and the whole, so that those who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_bounds_and_differs() {
        let pauses: Vec<Duration> = (0..100).map(|_| jittered(Duration::from_secs(2))).collect();
        assert!(pauses.iter().all(|pause| (1_000..=2_000).contains(&pause.as_millis())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
