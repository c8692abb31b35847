//! A copy of the hospital's rules, with the models where they look for them.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the rules, below `folder`.
pub(crate) fn copied_to(folder: &Path) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for part in ["rules/hospital", "datasets"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        for entry in fs::read_dir(project.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, folder.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    folder.join("rules/hospital")
}
