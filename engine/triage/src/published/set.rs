//! The records of the topic `rule-sets`: a rule set in parts, and a pointer to the one that all processes run. Pure; the
//! format is in `docs/rule-sets.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use triage_core::source::SourceFile;

use super::base64;
use crate::models::{ModelFile, Place};
use crate::rules::RuleFiles;

/// The form of a set without models, which engines before there were any read too.
const PLAIN: u32 = 1;

/// The form of a set with models.
const WITH_MODELS: u32 = 2;

/// Bytes of a part before it is escaped, which at most doubles it: below every broker's limit for a record.
pub(crate) const PART_BYTES: usize = 256 * 1024;

/// Key and value.
pub(crate) type Record = (Vec<u8>, Vec<u8>);

/// The files of a rule set, by their names in the folder, and its models, by what the rules call them. Whatever else a later
/// engine puts in is refused: half a rule set must not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSet {
    format: u32,
    files: Vec<RuleFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    models: Vec<Model>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    path: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    path: String,
    #[serde(with = "base64")]
    onnx: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inputs: Option<String>,
}

impl From<&ModelFile> for Model {
    fn from(file: &ModelFile) -> Self {
        Self { path: file.path.clone(), onnx: file.bytes.clone(), inputs: file.inputs.clone() }
    }
}

impl From<&Model> for ModelFile {
    fn from(model: &Model) -> Self {
        Self { path: model.path.clone(), bytes: model.onnx.clone(), inputs: model.inputs.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    sha256: String,
    #[serde(rename = "part")]
    number: usize,
    parts: usize,
    text: String,
}

/// Says which set all processes of a group run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pointer {
    pub(crate) version: String,
    sha256: String,
    parts: usize,
    /// The machine that published it.
    pub(crate) by: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
}

/// A set that is complete, and the place of its pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) offset: i64,
    pub(crate) pointer: Pointer,
    pub(crate) set: RuleSet,
}

/// Why a record of the topic is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetError {
    #[error("the record at {0} cannot be read: {1}")]
    Record(i64, String),
    #[error("rule set {version} at {offset} has no part {part} of {parts}")]
    Incomplete { offset: i64, version: String, part: usize, parts: usize },
    #[error("rule set {version} at {offset} is not what was published: its hash is another")]
    Damaged { offset: i64, version: String },
    #[error("rule set {version} at {offset} is of a form that this engine does not know: {reason}")]
    Form { offset: i64, version: String, reason: String },
}

/// A key: the group, the version or `current`, and the part's number.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Part(String, String, usize),
    Current(String, String),
}

const CURRENT: &str = "current";

impl RuleSet {
    pub(crate) fn new(files: &[SourceFile], models: &[ModelFile]) -> Self {
        let format = if models.is_empty() { PLAIN } else { WITH_MODELS };
        let files = files.iter().map(|file| RuleFile { path: name_of(&file.path), text: file.text.clone() });
        Self { format, files: files.collect(), models: models.iter().map(Model::from).collect() }
    }

    /// As they were read from the folder that was published.
    pub(crate) fn files(&self) -> RuleFiles {
        let files = self.files.iter().map(|file| SourceFile { path: file.path.clone(), text: file.text.clone() });
        let models = self.models.iter().map(ModelFile::from).collect();
        RuleFiles { files: files.collect(), problems: Vec::new(), models: Place::Set(models) }
    }

    /// The records that publish it, the pointer last.
    pub(crate) fn records(
        &self,
        group: &str,
        (version, by, at): (&str, String, u64),
        part_bytes: usize,
    ) -> Result<Vec<Record>, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        let sha256 = hash(&text);
        let chunks = split(&text, part_bytes);
        let parts = chunks.len();
        let mut records = Vec::with_capacity(parts + 1);
        for (part, chunk) in chunks.into_iter().enumerate() {
            let key = Key::Part(group.to_owned(), version.to_owned(), part);
            let value = Part { sha256: sha256.clone(), number: part, parts, text: chunk.to_owned() };
            records.push((serde_json::to_vec(&key)?, serde_json::to_vec(&value)?));
        }
        let key = Key::Current(group.to_owned(), CURRENT.to_owned());
        let pointer = Pointer { version: version.to_owned(), sha256, parts, by, at };
        records.push((serde_json::to_vec(&key)?, serde_json::to_vec(&pointer)?));
        Ok(records)
    }
}

/// Puts the sets of one group together, record by record.
#[derive(Debug)]
pub(crate) struct Assembly {
    group: String,
    parts: BTreeMap<(String, usize), Part>,
    latest: Option<Publication>,
    wanted: Option<String>,
    found: Option<RuleSet>,
    problem: Option<(i64, SetError)>,
}

impl Assembly {
    pub(crate) fn new(group: &str) -> Self {
        Self { group: group.to_owned(), parts: BTreeMap::new(), latest: None, wanted: None, found: None, problem: None }
    }

    /// The last set that was complete.
    pub(crate) fn latest(&self) -> Option<&Publication> {
        self.latest.as_ref()
    }

    /// Keeps the set of that version too, whatever is published later: the keys of its parts bear the version.
    pub(crate) fn looking_for(group: &str, version: &str) -> Self {
        Self { wanted: Some(version.to_owned()), ..Self::new(group) }
    }

    /// The set that was looked for, if all of it is there.
    pub(crate) fn found(&self) -> Option<&RuleSet> {
        self.found.as_ref()
    }

    /// What is wrong with a publication after it; earlier problems do not matter, compaction makes them.
    pub(crate) fn problem(&self) -> Option<&(i64, SetError)> {
        self.problem.as_ref()
    }

    pub(crate) fn take(&mut self, offset: i64, key: &[u8], value: Option<&[u8]>) {
        if let Err(error) = self.attempt(offset, key, value) {
            self.problem = Some((offset, error));
        }
    }

    fn attempt(&mut self, offset: i64, key: &[u8], value: Option<&[u8]>) -> Result<(), SetError> {
        let unread = |error: serde_json::Error| SetError::Record(offset, error.to_string());
        match serde_json::from_slice(key).map_err(unread)? {
            Key::Part(group, version, part) if group == self.group => {
                match value {
                    Some(value) => {
                        let value: Part = serde_json::from_slice(value).map_err(unread)?;
                        let (sha256, parts) = (value.sha256.clone(), value.parts);
                        self.parts.insert((version.clone(), part), value);
                        if self.wanted.as_ref() == Some(&version) {
                            self.found = self.joined(offset, &version, &sha256, parts).ok();
                        }
                    }
                    None => drop(self.parts.remove(&(version, part))),
                }
                Ok(())
            }
            Key::Current(group, what) if group == self.group && what == CURRENT => {
                let Some(value) = value else {
                    self.latest = None;
                    return Ok(());
                };
                let pointer: Pointer = serde_json::from_slice(value).map_err(unread)?;
                let set = self.complete(offset, &pointer)?;
                self.parts.clear();
                self.problem = None;
                self.latest = Some(Publication { offset, pointer, set });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn complete(&self, offset: i64, pointer: &Pointer) -> Result<RuleSet, SetError> {
        self.joined(offset, &pointer.version, &pointer.sha256, pointer.parts)
    }

    fn joined(&self, offset: i64, version: &str, sha256: &str, parts: usize) -> Result<RuleSet, SetError> {
        let version = version.to_owned();
        let mut text = String::new();
        for part in 0..parts {
            match self.parts.get(&(version.clone(), part)) {
                Some(found) => text.push_str(&found.text),
                None => return Err(SetError::Incomplete { offset, version, part, parts }),
            }
        }
        if hash(&text) != sha256 {
            return Err(SetError::Damaged { offset, version });
        }
        match serde_json::from_str::<RuleSet>(&text) {
            Ok(set) if [PLAIN, WITH_MODELS].contains(&set.format) => Ok(set),
            Ok(set) => Err(SetError::Form { offset, version, reason: format!("form {}", set.format) }),
            Err(error) => Err(SetError::Form { offset, version, reason: error.to_string() }),
        }
    }
}

fn name_of(path: &str) -> String {
    std::path::Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn split(mut text: &str, bytes: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    while text.len() > bytes {
        let (part, rest) = text.split_at(text.floor_char_boundary(bytes.max(4)));
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn set(text: &str) -> RuleSet {
        RuleSet::new(&[SourceFile { path: "folder/a.rules".to_owned(), text: text.to_owned() }], &[])
    }

    fn records(set: &RuleSet, group: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        set.records(group, ("0123", "here".to_owned(), 7), 16).unwrap()
    }

    fn fill(assembly: &mut Assembly, records: &[(Vec<u8>, Vec<u8>)]) {
        for (offset, (key, value)) in (0..).zip(records) {
            assembly.take(offset, key, Some(value));
        }
    }

    #[test]
    fn a_set_in_many_parts_comes_back_whole() {
        let set = set("# größer 🛏 \"quoted\" \\ and\n\tmore than one part");
        let records = records(&set, "ward");
        assert!(records.len() > 4);
        let mut assembly = Assembly::new("ward");
        fill(&mut assembly, &records);
        let latest = assembly.latest().unwrap();
        assert_eq!((&latest.set, latest.offset, assembly.problem()), (&set, records.len() as i64 - 1, None));
        assert_eq!(latest.set.files().files[0].path, "a.rules");
    }

    #[test]
    fn models_come_back_byte_by_byte_and_sets_without_are_as_before_there_were_any() {
        let model =
            ModelFile { path: "../m.onnx".to_owned(), bytes: (0..=255).collect(), inputs: Some("{}".to_owned()) };
        let set = RuleSet::new(&[], std::slice::from_ref(&model));
        let mut assembly = Assembly::new("ward");
        fill(&mut assembly, &records(&set, "ward"));
        assert_eq!(assembly.latest().unwrap().set.files().models, Place::Set(vec![model]));
        let before = r#"{"format":1,"files":[{"path":"a.rules","text":"x"}]}"#;
        assert_eq!(serde_json::to_string(&self::set("x")).unwrap(), before);
        assert_eq!(serde_json::from_str::<RuleSet>(before).unwrap(), self::set("x"));
    }

    #[test]
    fn a_model_that_is_not_base64_is_refused() {
        let damaged = r#"{"format":2,"files":[],"models":[{"path":"m.onnx","onnx":"AAA"}]}"#;
        let error = serde_json::from_str::<RuleSet>(damaged).unwrap_err();
        assert!(error.to_string().contains("padding"), "{error}");
    }

    #[test]
    fn another_groups_set_is_not_taken() {
        let mut assembly = Assembly::new("ward");
        fill(&mut assembly, &records(&set("x"), "ward/a"));
        assert_eq!((assembly.latest(), assembly.problem()), (None, None));
    }

    #[test]
    fn what_is_incomplete_or_damaged_leaves_the_set_before() {
        let good = set("the first");
        let mut assembly = Assembly::new("ward");
        fill(&mut assembly, &records(&good, "ward"));
        let mut lacking = records(&set("the second, which lacks a part"), "ward");
        lacking.remove(1);
        fill(&mut assembly, &lacking);
        assert!(matches!(assembly.problem(), Some((_, SetError::Incomplete { part: 1, .. }))));
        let mut damaged = records(&set("the third, which is not whole"), "ward");
        damaged[0].1 = String::from_utf8(damaged[0].1.clone()).unwrap().replace("format", "formal").into_bytes();
        fill(&mut assembly, &damaged);
        assert!(matches!(assembly.problem(), Some((_, SetError::Damaged { .. }))));
        assert_eq!(assembly.latest().unwrap().set, good);
    }

    #[test]
    fn a_form_of_a_later_engine_is_refused() {
        let mut later = set("x");
        later.format = 3;
        let mut assembly = Assembly::new("ward");
        fill(&mut assembly, &records(&later, "ward"));
        assert!(matches!(assembly.problem(), Some((_, SetError::Form { .. }))));
        assert_eq!(assembly.latest(), None);
    }
}
