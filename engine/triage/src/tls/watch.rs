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
        .map(|credentials| Watched { credentials, last: None, refused: None })
        .collect();
    std::thread::Builder::new().name("certificates".to_owned()).spawn(move || {
        loop {
            for watched in &mut watched {
                watched.look();
                tell(&watched.condition());
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
