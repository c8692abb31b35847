//! The rule set that a subcommand works on: a folder, or one file of it.

use std::path::{Path, PathBuf};

use triage_core::compile::{Compiled, compile_all};
use triage_core::diagnostic::{Diagnostic, Severity, Style, render};
use triage_core::source::SourceFile;

use super::Failure;
use super::run::Settings;
use crate::rules::RuleFiles;

/// Which rules.
pub(crate) struct Source {
    /// The folder that is compiled.
    pub(crate) folder: PathBuf,
    /// The one file that is reported on.
    pub(crate) only: Option<PathBuf>,
}

impl Source {
    /// `path`, or the configured folder; for a file, its folder.
    pub(crate) fn new(path: Option<PathBuf>, settings: &Settings) -> Result<Self, Failure> {
        let path = match path {
            Some(path) => path,
            None => settings.read().map_err(|error| Failure::Usage(error.to_string()))?.rules.path,
        };
        if !path.exists() {
            return Err(Failure::World(format!("`{}` does not exist", path.display())));
        }
        if path.is_dir() {
            return Ok(Self { folder: path, only: None });
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let only = folder.join(path.file_name().unwrap_or_default());
        Ok(Self { folder, only: Some(only) })
    }

    /// Whether a file is reported on.
    pub(crate) fn covers(&self, file: &SourceFile) -> bool {
        self.only.as_deref().is_none_or(|only| Path::new(&file.path) == only)
    }

    /// Compiles the rule set.
    pub(crate) fn load(&self) -> Loaded {
        let RuleFiles { files, problems } = RuleFiles::read(&self.folder);
        let mut diagnostics = problems;
        let mut compiled = None;
        if !files.is_empty() {
            match compile_all(&files) {
                Ok(mut all) => {
                    diagnostics.append(&mut all.warnings);
                    compiled = Some(all).filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
                }
                Err(found) => diagnostics.extend(found),
            }
        }
        let covered = |diagnostic: &Diagnostic| match &diagnostic.primary {
            Some(label) => files.get(label.span.file.0 as usize).is_none_or(|file| self.covers(file)),
            None => true,
        };
        diagnostics.retain(covered);
        Loaded { files, diagnostics, compiled }
    }

    /// Compiles the rule set for a subcommand that needs one without errors; warnings are nobody's concern there.
    pub(crate) fn compile(&self) -> Result<(Compiled, Vec<SourceFile>), Failure> {
        let Loaded { files, diagnostics, compiled } = self.load();
        match compiled {
            Some(compiled) => Ok((compiled, files)),
            None => {
                let rendered = render(&files, &diagnostics, style());
                Err(Failure::Rules(format!("{rendered}\n\n{}", summary(&diagnostics))))
            }
        }
    }
}

/// A rule set, whatever came of compiling it.
pub(crate) struct Loaded {
    pub(crate) files: Vec<SourceFile>,
    /// Those of the files that are reported on.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The program, if there was no error.
    pub(crate) compiled: Option<Compiled>,
}

/// Colours if standard error is a terminal that wants them.
pub(crate) fn style() -> Style {
    use std::io::IsTerminal as _;
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain }
}

/// `2 errors, 1 warning`
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    format!("{}, {}", count(errors, "error"), count(diagnostics.len() - errors, "warning"))
}
