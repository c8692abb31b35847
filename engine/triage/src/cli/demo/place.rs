//! Where the demonstration keeps its store: a given folder, or one of its own that goes with it.

use std::path::{Path, PathBuf};

/// A folder for the store.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    ours: bool,
}

impl Place {
    /// `given`, or a temporary folder.
    pub(super) fn new(given: Option<&Path>) -> std::io::Result<Self> {
        let place = match given {
            Some(folder) => Self { folder: folder.to_owned(), ours: false },
            None => {
                Self { folder: std::env::temp_dir().join(format!("triage-demo-{}", std::process::id())), ours: true }
            }
        };
        std::fs::create_dir_all(&place.folder)?;
        Ok(place)
    }

    pub(super) fn sqlite(&self) -> PathBuf {
        self.folder.join("ehealth.sqlite")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.ours {
            // What cannot be removed is left to the system's own cleaning.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
