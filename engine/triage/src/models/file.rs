//! A model's file on disk: read within bounds, and looked at again for changes.

use std::fs::{File, metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::MOST_BYTES;

/// A file as it was when it was looked at, be it that it was not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    path: PathBuf,
    seen: Option<(u64, Option<SystemTime>)>,
}

impl Look {
    pub(crate) fn at(path: &Path) -> Self {
        let seen = metadata(path).ok().map(|found| (found.len(), found.modified().ok()));
        Self { path: path.to_owned(), seen }
    }

    /// The same file as it is now.
    pub(crate) fn again(&self) -> Self {
        Self::at(&self.path)
    }

    /// Whether the file is another now.
    pub(crate) fn is_outdated(&self) -> bool {
        self.again() != *self
    }
}

/// Reads a file that has at most so many bytes.
///
/// # Errors
/// Why it cannot be read, in one lowercase sentence without a period.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    // Opening what is no file may wait for ever.
    if !metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        let path = path.display();
        return Err(format!("`{path}` is too large: the models of a rule set may have {MOST_BYTES} bytes together"));
    }
    Ok(bytes)
}
