//! The thread that looks at the files of every use, and takes up what has changed in them. What cannot be used is told and
//! counted, and what was read before goes on.

use std::thread::JoinHandle;
use std::time::Duration;

use super::Credentials;
use super::file::{Contents, Digest};
use crate::clock::now;
use crate::shutdown::Shutdown;

/// How often it looks.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// From so many seconds before its end on a certificate that expires is told, as Prometheus' rule does: who has no metrics has this.
const SOON: i64 = 14 * DAY_S;

const DAY_S: i64 = 86_400;

/// What the files were at a look: their contents, or why they cannot be read.
type Sight = Result<Digest, String>;

/// How the certificates of one use are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    /// What they are used for.
    pub(crate) used_for: String,
    /// Whether what is in the files now cannot be used.
    pub(crate) refused: bool,
    /// When our certificate, or one between it and its authority, expires, in seconds since 1970.
    pub(crate) certificate: Option<i64>,
    /// When the next of the authorities expires, in seconds since 1970.
    pub(crate) authority: Option<i64>,
}

/// The files of one use, as they were seen.
struct Watched {
    credentials: Credentials,
    last: Option<Sight>,
    /// What is in the files and cannot be used; told once.
    refused: Option<Sight>,
    /// When it was last told that something expires, in seconds since 1970.
    warned: Option<i64>,
}

/// Starts the thread, which looks until the shutdown is asked for, and tells after each look.
pub(crate) fn watch(
    credentials: Vec<Credentials>,
    shutdown: Shutdown,
    tell: impl Fn(&Condition) + Send + 'static,
) -> Result<JoinHandle<()>, std::io::Error> {
    let mut watched: Vec<Watched> = credentials
        .into_iter()
        .filter(|credentials| !credentials.is_empty())
        .map(|credentials| Watched { credentials, last: None, refused: None, warned: None })
        .collect();
    std::thread::Builder::new().name("certificates".to_owned()).spawn(move || {
        loop {
            for watched in &mut watched {
                watched.look();
                let condition = watched.condition();
                watched.warn(&condition, now() / 1_000);
                tell(&condition);
            }
            if shutdown.sleep(LOOK) {
                return;
            }
        }
    })
}

impl Watched {
    /// Files are replaced one by one, and not at once: they are taken up when two looks find the same.
    fn look(&mut self) {
        let found = self.credentials.read();
        let sight: Sight = found.as_ref().map(Contents::digest).map_err(ToString::to_string);
        let used_for = self.credentials.used_for().name();
        if sight.as_ref() == Ok(&self.credentials.digest()) {
            if self.refused.take().is_some() {
                tracing::info!(used_for, "the files have the certificates again that are in use");
            }
        } else if self.last.as_ref() == Some(&sight) && self.refused.as_ref() != Some(&sight) {
            match found.and_then(|contents| self.credentials.take_up(&contents)) {
                Ok(()) => {
                    self.refused = None;
                    tracing::info!(used_for, "new certificates are taken up");
                }
                Err(error) => {
                    self.refused = Some(sight.clone());
                    tracing::error!(used_for, %error, "new certificates cannot be used, those before go on");
                }
            }
        }
        self.last = Some(sight);
    }

    /// Tells once a day of what expires soon.
    fn warn(&mut self, condition: &Condition, now: i64) {
        if self.warned.is_some_and(|warned| now - warned < DAY_S) {
            return;
        }
        let Condition { used_for, certificate, authority, .. } = condition;
        for (kind, expiry) in [("certificate", certificate), ("authority", authority)] {
            let Some(left) = expiry.map(|expiry| expiry - now).filter(|left| *left < SOON) else { continue };
            self.warned = Some(now);
            tracing::warn!(used_for, kind, days = left.div_euclid(DAY_S), "a certificate expires soon");
        }
    }

    fn condition(&self) -> Condition {
        let material = self.credentials.material();
        Condition {
            used_for: self.credentials.used_for().name(),
            refused: self.refused.is_some(),
            certificate: material.certificate_expiry(),
            authority: material.authority_expiry(now() / 1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Use;

    #[test]
    fn what_expires_is_told_once_a_day_from_two_weeks_before() {
        let mut watched =
            Watched { credentials: Credentials::new(Use::Kafka), last: None, refused: None, warned: None };
        let expiry = 1_800_000_000;
        let condition = Condition {
            used_for: "kafka".to_owned(),
            refused: false,
            certificate: Some(expiry),
            authority: Some(expiry + 365 * DAY_S),
        };
        let mut told = |now: i64| {
            let before = watched.warned;
            watched.warn(&condition, now);
            watched.warned != before
        };
        assert!(!told(expiry - SOON));
        assert!(told(expiry - SOON + 1));
        assert!(!told(expiry - SOON + DAY_S));
        assert!(told(expiry - SOON + DAY_S + 1));
        assert!(told(expiry + 1), "one that has expired too");
    }
}
