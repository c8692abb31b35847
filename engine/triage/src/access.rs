//! The access log: who has looked at or changed what is a patient's, a line each of the target `access`. It goes to a file of its
//! own (`log.access_file`), or to the log at any level. No value of a patient is in it, and no id: a fingerprint in its place.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The target of its lines.
pub(crate) const TARGET: &str = "access";

/// How many bytes of a digest are shown: enough to tell the patients of a hospital apart.
const SHOWN: usize = 8;

/// One access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Who says so, or whose process it is; of a request without a name, how it was let in.
    pub(crate) who: String,
    /// What the token of a request opens; `none` without one.
    pub(crate) token: &'static str,
    /// `GET /alerts`, or a command.
    pub(crate) what: String,
    /// Of what: fingerprints of patients, ids of alerts, rules, names of filters.
    pub(crate) of: String,
    /// Where it was asked.
    pub(crate) from: String,
    /// What came of it: a status, or numbers.
    pub(crate) outcome: String,
}

impl Access {
    /// Writes it down.
    pub(crate) fn log(&self) {
        let Self { who, token, what, of, from, outcome } = self;
        tracing::info!(target: TARGET, who, token, what, of, from, outcome, "access");
    }

    /// The access of a command on this machine.
    pub(crate) fn of_command(what: &str, of: String) -> Self {
        let (what, from) = (format!("triage {what}"), "command line".to_owned());
        Self { who: operator(), token: "none", what, of, from, outcome: String::new() }
    }

    /// Writes down what came of it.
    pub(crate) fn ended(self, outcome: impl Into<String>) {
        Self { outcome: outcome.into(), ..self }.log();
    }
}

/// What stands for a patient: the first 16 digits of the SHA-256 of the id. Whoever knows the id finds its lines.
pub(crate) fn fingerprint(patient: &str) -> String {
    Sha256::digest(patient).iter().take(SHOWN).fold(String::with_capacity(2 * SHOWN), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whose process this is.
pub(crate) fn operator() -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    std::env::var("USER").map_or_else(|_| host.clone(), |user| format!("{user}@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf p1 | sha256sum`
    #[test]
    fn a_fingerprint_is_the_beginning_of_the_digest() {
        assert_eq!(fingerprint("p1"), "f64551fcd6f07823");
    }
}
