//! The models that rules name: found beside the rules or in a published set, and read once however often they are asked
//! for. What a model is made of is `triage_model`'s to know, what goes into it core's.

mod file;
mod inputs;
mod loaded;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use triage_core::score::{Models, Scorer};

pub use file::Look;

/// The most bytes of all models of a rule set together: they travel with the rules to every process.
pub(crate) const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// A model's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// As the rules name it.
    pub path: String,
    /// All of it.
    pub bytes: Vec<u8>,
    /// What stands beside it, as `X.inputs.json` beside `X.onnx`: how its inputs looked in the data that it learnt from.
    /// It changes no score.
    pub inputs: Option<String>,
}

impl ModelFile {
    fn size(&self) -> u64 {
        (self.bytes.len() + self.inputs.as_ref().map_or(0, String::len)) as u64
    }
}

/// Where the models of a rule set are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In files; rules name them by their paths from this folder.
    Folder(PathBuf),
    /// Published with the rules.
    Set(Vec<ModelFile>),
}

impl Place {
    /// For one run of the compiler.
    pub fn reader(&self) -> Reader<'_> {
        Reader { place: self, files: RefCell::default(), looks: RefCell::default() }
    }
}

impl Default for Place {
    /// No models.
    fn default() -> Self {
        Self::Set(Vec::new())
    }
}

/// Gives the compiler the models that it asks for, and remembers them.
#[derive(Debug)]
pub struct Reader<'a> {
    place: &'a Place,
    files: RefCell<Vec<ModelFile>>,
    looks: RefCell<Vec<Look>>,
}

impl Reader<'_> {
    /// The models that were found, and the files that were looked for.
    pub(crate) fn into_found(self) -> (Vec<ModelFile>, Vec<Look>) {
        (self.files.into_inner(), self.looks.into_inner())
    }

    fn find(&self, path: &str) -> Result<ModelFile, String> {
        if let Some(file) = self.files.borrow().iter().find(|file| file.path == path) {
            return Ok(file.clone());
        }
        match self.place {
            Place::Folder(folder) => self.read(folder, path),
            Place::Set(files) => {
                let file = files.iter().find(|file| file.path == path);
                file.cloned().ok_or_else(|| format!("`{path}` was not published with the rules"))
            }
        }
    }

    fn read(&self, folder: &Path, path: &str) -> Result<ModelFile, String> {
        let (model, inputs) = (folder.join(path), folder.join(beside(path)));
        self.looks.borrow_mut().extend([Look::at(&model), Look::at(&inputs)]);
        let others: u64 = self.files.borrow().iter().map(ModelFile::size).sum();
        let most = MOST_BYTES.saturating_sub(others);
        let bytes = file::read(&model, most)?;
        let inputs = if inputs.exists() { Some(file::read(&inputs, most - bytes.len() as u64)?) } else { None };
        let inputs = inputs.map(String::from_utf8).transpose();
        let inputs = inputs.map_err(|_| format!("`{}` is not UTF-8", beside(path)))?;
        Ok(ModelFile { path: path.to_owned(), bytes, inputs })
    }
}

impl Models for Reader<'_> {
    fn model(&self, path: &str) -> Result<Arc<dyn Scorer>, String> {
        let file = self.find(path)?;
        let loaded = loaded::load(&file)?;
        let mut files = self.files.borrow_mut();
        if !files.iter().any(|file| file.path == path) {
            files.push(file);
        }
        Ok(loaded)
    }
}

/// What is beside a model: `X.inputs.json` beside `X.onnx`.
fn beside(path: &str) -> String {
    Path::new(path).with_extension("inputs.json").display().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const CARDIO: &[u8] = include_bytes!("../../../datasets/cardio.onnx");
    const INPUTS: &str = include_str!("../../../datasets/cardio.inputs.json");

    fn folder(bytes: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.onnx"), bytes).unwrap();
        folder
    }

    #[test]
    fn a_file_is_found_by_its_path_from_the_folder_and_remembered_once() {
        let folder = folder(CARDIO);
        let rules = folder.path().join("rules/ward");
        std::fs::create_dir_all(&rules).unwrap();
        let place = Place::Folder(rules);
        let reader = place.reader();
        let model = reader.model("../../m.onnx").unwrap();
        assert_eq!(model.inputs(), 13);
        assert!(Arc::ptr_eq(&model, &reader.model("../../m.onnx").unwrap()), "the same bytes are read once");
        let (files, looks) = reader.into_found();
        let expected = ModelFile { path: "../../m.onnx".to_owned(), bytes: CARDIO.to_vec(), inputs: None };
        assert_eq!((files.as_slice(), looks.len()), ([expected].as_slice(), 2));
        let set = Place::Set(files);
        assert_eq!(set.reader().model("../../m.onnx").unwrap().hash(), model.hash());
        let absent = set.reader().model("m.onnx").unwrap_err();
        assert_eq!(absent, "`m.onnx` was not published with the rules");
    }

    #[test]
    fn a_file_that_is_missing_no_file_torn_or_too_large_is_named() {
        let refused = |folder: &std::path::Path, path: &str| {
            let place = Place::Folder(folder.to_owned());
            place.reader().model(path).unwrap_err().replace(&folder.display().to_string(), "ward")
        };
        let torn = folder(&CARDIO[..CARDIO.len() / 2]);
        std::fs::write(torn.path().join("large.onnx"), vec![0; MOST_BYTES as usize + 1]).unwrap();
        assert_eq!(
            refused(torn.path(), "n.onnx"),
            "`ward/n.onnx` cannot be read: No such file or directory (os error 2)"
        );
        assert_eq!(refused(torn.path(), ".."), "`ward/..` is no file");
        assert_eq!(
            refused(torn.path(), "m.onnx"),
            "`m.onnx` is no score: the file is no ONNX model, or a part of it is missing"
        );
        assert_eq!(
            refused(torn.path(), "large.onnx"),
            "`ward/large.onnx` is too large: the models of a rule set may have 8388608 bytes together"
        );
    }

    #[test]
    fn what_the_inputs_looked_like_stands_beside_the_model_and_makes_no_other_of_it() {
        let folder = folder(CARDIO);
        let place = Place::Folder(folder.path().to_owned());
        let alone = place.reader().model("m.onnx").unwrap();
        assert!(alone.learnt_from().is_empty());
        std::fs::write(folder.path().join("m.inputs.json"), INPUTS).unwrap();
        let reader = place.reader();
        let model = reader.model("m.onnx").unwrap();
        assert_eq!(model.learnt_from().len(), 13);
        assert_eq!(model.hash(), alone.hash());
        assert_ne!(model.hash_of_all(), alone.hash_of_all());
        assert_eq!(reader.into_found().0[0].inputs.as_deref(), Some(INPUTS));
        std::fs::write(folder.path().join("m.inputs.json"), b"{\xff").unwrap();
        let refused = place.reader().model("m.onnx").unwrap_err();
        assert_eq!(refused, "`m.inputs.json` is not UTF-8");
    }

    #[test]
    fn a_look_is_outdated_when_the_file_changes_goes_or_comes() {
        let folder = folder(CARDIO);
        let (there, absent) = (folder.path().join("m.onnx"), folder.path().join("n.onnx"));
        let looks = [Look::at(&there), Look::at(&absent)];
        assert!(!looks.iter().any(Look::is_outdated));
        std::fs::write(&there, b"other").unwrap();
        std::fs::write(&absent, CARDIO).unwrap();
        assert!(looks.iter().all(Look::is_outdated));
        let look = Look::at(&there);
        std::fs::remove_file(&there).unwrap();
        assert!(look.is_outdated());
    }
}
