//! The rules folder: its `*.rules` files, in path order, not those of sub-folders, compiled together with the models that they
//! name.

use std::path::{Path, PathBuf};

use triage_core::compile::compile;
use triage_core::diagnostic::{Code, Diagnostic, Style, render};
use triage_core::program::Program;
use triage_core::source::SourceFile;

use crate::models::{Look, ModelFile, Place};

/// How far a compiling thread stands back, of 19: behind whoever judges, and not last of all.
#[cfg(target_os = "linux")]
const BEHIND: i32 = 10;

/// The files of a folder, and what kept others from being read.
#[derive(Debug, Default)]
pub struct RuleFiles {
    /// In path order.
    pub files: Vec<SourceFile>,
    /// Not UTF-8, unreadable, a folder, or no file at all.
    pub problems: Vec<Diagnostic>,
    /// Where the models are that the files name.
    pub models: Place,
}

/// A rule set that compiled.
#[derive(Debug)]
pub struct Compiled {
    /// What runs.
    pub program: Program,
    /// The files it was made of.
    pub files: Vec<SourceFile>,
    /// The models that its scores are from.
    pub models: Vec<ModelFile>,
    /// The files of models that were looked for.
    pub looks: Vec<Look>,
    /// What is worth a look.
    pub warnings: Vec<Diagnostic>,
}

/// A rule set that did not.
#[derive(Debug)]
pub struct Rejected {
    /// The files that could be read.
    pub files: Vec<SourceFile>,
    /// The files of models that were looked for.
    pub looks: Vec<Look>,
    /// Everything that is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

impl Rejected {
    /// As a person reads it.
    pub fn render(&self, style: Style) -> String {
        render(&self.files, &self.diagnostics, style)
    }
}

impl RuleFiles {
    /// Reads the folder. What cannot be read is a problem of the rule set, not a failure of the run: all are reported
    /// together.
    pub fn read(folder: &Path) -> Self {
        let mut read = Self { models: Place::Folder(folder.to_owned()), ..Self::default() };
        let paths = match rule_paths(folder) {
            Ok(paths) => paths,
            Err(error) => {
                read.problems.push(unreadable(folder, &error));
                return read;
            }
        };
        for path in &paths {
            match read_file(path) {
                Ok(file) => read.files.push(file),
                Err(problem) => read.problems.push(problem),
            }
        }
        if paths.is_empty() {
            read.problems.push(nothing_in(folder));
        }
        read
    }

    /// Compiles the files; all or none.
    ///
    /// # Errors
    /// Every problem of reading, then every diagnostic of the compiler.
    pub fn compile(self) -> Result<Compiled, Rejected> {
        let Self { files, problems: mut diagnostics, models } = self;
        if files.is_empty() {
            return Err(Rejected { files, looks: Vec::new(), diagnostics });
        }
        let reader = models.reader();
        let compiled = compile(&files, &reader);
        let (models, looks) = reader.into_found();
        match compiled {
            Ok((program, warnings)) if diagnostics.is_empty() => {
                Ok(Compiled { program, files, models, looks, warnings })
            }
            Ok((_, found)) | Err(found) => {
                diagnostics.extend(beside_unread(found, &diagnostics));
                Err(Rejected { files, looks, diagnostics })
            }
        }
    }

    /// The same on a thread that gives way to those that judge: a large rule set takes longer, and no reading waits for it.
    ///
    /// # Errors
    /// As [`RuleFiles::compile`].
    pub(crate) fn compile_aside(self) -> Result<Compiled, Rejected> {
        let mut files = Some(self);
        let compiled = std::thread::scope(|scope| {
            let compile = || {
                give_way();
                files.take().map(Self::compile)
            };
            let thread = std::thread::Builder::new().name("compile".to_owned()).spawn_scoped(scope, compile);
            thread.ok().and_then(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        // Without a thread it is compiled all the same.
        compiled.unwrap_or_else(|| files.unwrap_or_default().compile())
    }
}

/// Lets other threads of the machine go first. Only a matter of speed: where it is refused, this one does not.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, BEHIND) {
        tracing::debug!(%error, "the compiling thread cannot give way");
    }
}

/// What the compiler `found`, without what says that something is nowhere: it may be in a file that could not be read.
/// A name that nothing declares is reported all the same, so that a run shows as much as it can.
pub(crate) fn beside_unread(mut found: Vec<Diagnostic>, unread: &[Diagnostic]) -> Vec<Diagnostic> {
    let absent = [Code::NoStream, Code::Empty, Code::UndeclaredTopic, Code::Unused, Code::Untested];
    found.retain(|diagnostic| unread.is_empty() || !absent.contains(&diagnostic.code));
    found
}

fn rule_paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rules") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_file(path: &Path) -> Result<SourceFile, Diagnostic> {
    if path.is_dir() {
        let message = format!("`{}` is a folder, not a rule file", path.display());
        return Err(Diagnostic::global(Code::Unreadable, message).help("give the folder a name without `.rules`"));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    Ok(SourceFile { path: path.display().to_string(), text })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::global(Code::Unreadable, format!("`{}` cannot be read: {error}", path.display()))
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Diagnostic {
    let at = error.utf8_error().valid_up_to();
    let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let message = format!("`{}` is not UTF-8: line {line} has a byte that is no character", path.display());
    Diagnostic::global(Code::NotUtf8, message).help("save the file as UTF-8")
}

fn nothing_in(folder: &Path) -> Diagnostic {
    Diagnostic::global(Code::Empty, format!("`{}` has no `*.rules` file", folder.display()))
        .help("name the folder with `rules.path` or `--rules`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn codes(prepare: impl FnOnce(&Path)) -> Vec<&'static str> {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let rejected = RuleFiles::read(folder.path()).compile().err();
        let diagnostics = rejected.map(|rejected| rejected.diagnostics).unwrap_or_default();
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.is_error())
            .map(|diagnostic| diagnostic.code.as_str())
            .collect()
    }

    fn stream(folder: &Path) {
        std::fs::write(folder.join("a.rules"), "stream s { v: int 0..9 }\nt when v > 3\n").unwrap();
    }

    #[test]
    fn files_that_cannot_be_read_are_reported_with_what_does_not_compile() {
        let found = codes(|folder| {
            stream(folder);
            std::fs::write(folder.join("b.rules"), b"# \xff\n").unwrap();
            std::fs::create_dir(folder.join("c.rules")).unwrap();
            std::os::unix::fs::symlink("nowhere", folder.join("d.rules")).unwrap();
            std::fs::write(folder.join("e.rules"), "t.x when w > 3\n").unwrap();
        });
        assert_eq!(found, ["E003", "E004", "E004", "E201"]);
    }

    #[test]
    fn a_folder_without_rules_is_an_error_and_sub_folders_do_not_count() {
        let nothing = codes(|folder| {
            std::fs::create_dir(folder.join("below")).unwrap();
            stream(&folder.join("below"));
        });
        assert_eq!(nothing, ["E005"]);
        assert_eq!(codes(|folder| std::fs::remove_dir(folder).unwrap()), ["E004"]);
        assert_eq!(codes(stream), Vec::<&str>::new());
    }
}
