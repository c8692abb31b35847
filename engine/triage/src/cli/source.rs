//! The rule set that a subcommand works on: a folder, or one file of it.

use std::path::{Path, PathBuf};

use triage_core::compile::{Compiled, compile_all};
use triage_core::diagnostic::{Diagnostic, Severity, Style, render};
use triage_core::source::SourceFile;

use super::Failure;
use super::run::Settings;
use crate::rules::{RuleFiles, beside_unread};

/// Flags that say where the rules are.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The folder of rules [default: the configured folder]
    #[arg(long, value_name = "FOLDER")]
    rules: Option<String>,
    /// The configuration file [default: triage.toml, if there is one]
    #[arg(long, env = "TRIAGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which rules.
pub(crate) struct Source {
    /// The folder that is compiled.
    pub(crate) folder: PathBuf,
    /// The one file that is reported on.
    pub(crate) only: Option<PathBuf>,
}

impl Source {
    /// `path`, or what the flags name, or the configured folder; for a file, its folder.
    pub(crate) fn new(path: Option<PathBuf>, flags: Flags) -> Result<Self, Failure> {
        let path = match path.or_else(|| flags.rules.as_ref().map(PathBuf::from)) {
            Some(path) => path,
            None => configured(flags.config)?,
        };
        if !path.exists() {
            return Err(Failure::World(format!("`{}` does not exist", path.display())));
        }
        if path.is_dir() {
            return Ok(Self { folder: path, only: None });
        }
        if path.extension().is_none_or(|extension| extension != "rules") {
            return Err(Failure::Usage(format!("`{}` is neither a folder nor a `.rules` file", path.display())));
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
        let RuleFiles { files, problems, models } = RuleFiles::read(&self.folder);
        let mut diagnostics = problems;
        let mut compiled = None;
        if !files.is_empty() {
            match compile_all(&files, &models.reader()) {
                Ok(mut all) => {
                    diagnostics.append(&mut all.warnings);
                    compiled = Some(all).filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
                }
                Err(found) => {
                    let found = beside_unread(found, &diagnostics);
                    diagnostics.extend(found);
                }
            }
        }
        let found = diagnostics.len();
        diagnostics.retain(|diagnostic| self.concerns(diagnostic, &files));
        let elsewhere = found - diagnostics.len();
        Loaded { files, diagnostics, elsewhere, compiled }
    }

    /// Whether a diagnostic has a place in a file that is reported on, or none at all.
    fn concerns(&self, diagnostic: &Diagnostic, files: &[SourceFile]) -> bool {
        let mut places = diagnostic.primary.iter().chain(&diagnostic.secondary);
        let covers = |file: u32| files.get(file as usize).is_none_or(|file| self.covers(file));
        diagnostic.primary.is_none() || places.any(|label| covers(label.span.file.0))
    }

    /// Compiles the rule set for a subcommand that needs one without errors; warnings are nobody's concern there.
    pub(crate) fn compile(&self) -> Result<(Compiled, Vec<SourceFile>), Failure> {
        let loaded = self.load();
        let summary = loaded.summary(self);
        match loaded.compiled {
            Some(compiled) => Ok((compiled, loaded.files)),
            None if loaded.diagnostics.is_empty() => Err(Failure::Rules(summary)),
            None => {
                let rendered = render(&loaded.files, &loaded.diagnostics, style());
                Err(Failure::Rules(format!("{rendered}\n\n{summary}")))
            }
        }
    }
}

fn configured(config: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let settings = Settings::of_configuration(config);
    let config = settings.read().map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(config.rules.path)
}

/// A rule set, whatever came of compiling it.
pub(crate) struct Loaded {
    pub(crate) files: Vec<SourceFile>,
    /// Those of the files that are reported on.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How many there are in the folder's other files.
    pub(crate) elsewhere: usize,
    /// The program, if there was no error.
    pub(crate) compiled: Option<Compiled>,
}

impl Loaded {
    /// `2 errors, 1 warning`, and where the rest is that keeps a file without errors from running.
    pub(crate) fn summary(&self, source: &Source) -> String {
        let here = summary(&self.diagnostics);
        let blameless = self.compiled.is_none() && !self.diagnostics.iter().any(Diagnostic::is_error);
        match &source.only {
            Some(only) if blameless => format!(
                "{here} in `{}`, but the rule set has errors in other files: see `triage check {}`",
                only.display(),
                source.folder.display()
            ),
            Some(_) if self.elsewhere > 0 => format!("{here}; {} more in other files of the folder", self.elsewhere),
            _ => here,
        }
    }
}

/// Colours if standard error is a terminal that wants them.
pub(crate) fn style() -> Style {
    use std::io::IsTerminal as _;
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain }
}

/// `1 rule`, `2 rules`
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `2 errors, 1 warning`
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    format!("{}, {}", count(errors, "error"), count(diagnostics.len() - errors, "warning"))
}
