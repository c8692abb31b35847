//! The bearer tokens of the web side: one opens everything, and each right may have one of its own. Those in files are read again
//! while the engine runs; what was read last goes on while a file has none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Secret;
use super::value::secret_of;

/// What a token opens. Which pages that is, the web side says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Every page.
    Everything,
    /// Prometheus' page.
    Metrics,
    /// What can be looked at.
    Read,
    /// Acknowledging and pausing.
    Acknowledge,
    /// Reloading.
    Operate,
}

impl Right {
    /// As the access log has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Acknowledge => "acknowledge",
            Self::Operate => "operate",
        }
    }

    /// The key that names the file of its token.
    fn setting(self) -> &'static str {
        match self {
            Self::Everything => "http.token_file",
            Self::Metrics => "http.metrics_token_file",
            Self::Read => "http.read_token_file",
            Self::Acknowledge => "http.acknowledge_token_file",
            Self::Operate => "http.operate_token_file",
        }
    }
}

/// By what they open.
pub(crate) type Held = BTreeMap<Right, Secret>;

/// Why tokens cannot be used. Nothing of them is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// A file has none.
    #[error("`{0}` must be {1}")]
    File(&'static str, String),
    /// One that opens little would open everything, or nothing opens the rest.
    #[error("`{0}` needs another token beside it that opens the other pages, in `http.token_file`: {1}")]
    Together(&'static str, String),
}

/// The tokens. Clones share what was read.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    files: BTreeMap<Right, PathBuf>,
    held: Arc<ArcSwap<Held>>,
}

impl Tokens {
    /// One that opens everything.
    pub fn everything(token: Secret) -> Self {
        let mut tokens = Self::default();
        tokens.set(Right::Everything, Some(token));
        tokens
    }

    /// Sets one that is in no file, or none.
    pub(super) fn set(&mut self, right: Right, token: Option<Secret>) {
        self.files.remove(&right);
        let mut held = Held::clone(&self.held.load());
        held.remove(&right);
        held.extend(token.map(|token| (right, token)));
        self.held.store(Arc::new(held));
    }

    /// Names the file of one, and reads it; or says what should have been in it.
    pub(super) fn name(&mut self, right: Right, path: &str) -> Result<(), String> {
        let token = token_in(path)?;
        self.set(right, Some(token));
        self.files.insert(right, PathBuf::from(path));
        Ok(())
    }

    /// The one that opens that alone, or everything.
    pub fn of(&self, right: Right) -> Option<Secret> {
        self.held.load().get(&right).cloned()
    }

    /// Whether there is none: then every page is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.load().is_empty()
    }

    /// Whether some are in files.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// What somebody is let in for who shows that. The time that it takes does not depend on where tokens differ.
    pub(crate) fn right_of(&self, shown: &[u8]) -> Option<Right> {
        self.held.load().iter().filter(|(_, token)| is_same(shown, token)).map(|(right, _)| *right).next()
    }

    /// All of them, as they are in the files now.
    pub(crate) fn read(&self) -> Result<Held, TokenError> {
        let mut held = Held::clone(&self.held.load());
        for (right, path) in &self.files {
            let token =
                token_in(&path.to_string_lossy()).map_err(|expected| TokenError::File(right.setting(), expected))?;
            held.insert(*right, token);
        }
        Ok(held)
    }

    /// Whether these are in use.
    pub(crate) fn are(&self, held: &Held) -> bool {
        **self.held.load() == *held
    }

    /// Takes up what was read, if it may be together.
    pub(crate) fn take_up(&self, held: Held) -> Result<(), TokenError> {
        check(&held)?;
        self.held.store(Arc::new(held));
        Ok(())
    }

    /// Whether those that are set may be together.
    pub(super) fn check(&self) -> Result<(), TokenError> {
        check(&self.held.load())
    }
}

/// Who is let in for little is not to be let in for more.
fn check(held: &Held) -> Result<(), TokenError> {
    let together = |right: Right, why: String| Err(TokenError::Together(right.setting(), why));
    for (right, token) in held.iter().filter(|(right, _)| **right != Right::Everything) {
        if !held.contains_key(&Right::Everything) {
            return together(*right, "there is none, and every page would be open".to_owned());
        }
        match held.iter().find(|(other, same)| *other != right && *same == token) {
            Some((Right::Everything, _)) => return together(*right, "they are the same".to_owned()),
            Some((other, _)) => return together(*right, format!("it is that of `{}`", other.setting())),
            None => {}
        }
    }
    Ok(())
}

fn token_in(path: &str) -> Result<Secret, String> {
    let token = secret_of(path)?;
    if token.is_empty() {
        return Err("a text that is not empty".to_owned());
    }
    // A header takes nothing else, so that nobody could show it.
    if !token.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err("a file with one line of letters, digits and signs".to_owned());
    }
    Ok(Secret::new(token))
}

fn is_same(given: &[u8], token: &Secret) -> bool {
    let token = token.expose().as_bytes();
    let differing = given.iter().zip(token).fold(0_u8, |differing, (left, right)| differing | (left ^ right));
    given.len() == token.len() && std::hint::black_box(differing) == 0
}
