//! The thread that looks whether the files of the web side's tokens have other ones, and takes them up: a token is changed without
//! a restart. What cannot be used is told and counted, and those before go on.

use std::thread::JoinHandle;

use crate::config::{HeldTokens, TokenError, Tokens};
use crate::shutdown::Shutdown;
use crate::tls::LOOK;

/// Starts the thread, which looks until the shutdown is asked for, and tells after each look whether what is in the files is refused;
/// none if there are no files.
pub(crate) fn watch(
    tokens: Tokens,
    shutdown: Shutdown,
    tell: impl Fn(bool) + Send + 'static,
) -> Result<Option<JoinHandle<()>>, std::io::Error> {
    if !tokens.has_files() {
        return Ok(None);
    }
    let mut watched = Watched { tokens, last: None, refused: None };
    let body = move || {
        loop {
            watched.look();
            tell(watched.refused.is_some());
            if shutdown.sleep(LOOK) {
                return;
            }
        }
    };
    std::thread::Builder::new().name("tokens".to_owned()).spawn(body).map(Some)
}

/// The files, as they were seen.
struct Watched {
    tokens: Tokens,
    last: Option<Sight>,
    /// What is in the files and cannot be used; told once.
    refused: Option<Sight>,
}

/// What the files were at a look.
type Sight = Result<HeldTokens, TokenError>;

impl Watched {
    /// A file is written in steps, and files one by one: they are taken up when two looks find the same.
    fn look(&mut self) {
        let sight = self.tokens.read();
        if sight.as_ref().is_ok_and(|held| self.tokens.are(held)) {
            if self.refused.take().is_some() {
                tracing::info!("the files have the tokens again that are in use");
            }
        } else if self.last.as_ref() == Some(&sight) && self.refused.as_ref() != Some(&sight) {
            match sight.clone().and_then(|held| self.tokens.take_up(held)) {
                Ok(()) => {
                    self.refused = None;
                    tracing::info!("new tokens of the web side are taken up");
                }
                Err(error) => {
                    self.refused = Some(sight.clone());
                    tracing::error!(%error, "new tokens of the web side cannot be used, those before go on");
                }
            }
        }
        self.last = Some(sight);
    }
}
