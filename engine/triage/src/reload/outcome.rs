//! What came of a reload, as a type: for the log, the metrics, the web and `triage reload`.

use std::fmt;

use serde::{Deserialize, Serialize};
use triage_core::diagnostic::{Diagnostic, Severity};
use triage_core::source::SourceFile;

use super::report::{Cells, Episodes};

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ReloadOutcome {
    /// The new rule set runs.
    Applied {
        /// What is another than before.
        #[serde(flatten)]
        difference: Difference,
        /// What became of the open episodes.
        episodes: Episodes,
        /// Workers that had not taken it up when this answer was given; usually none.
        behind: Vec<usize>,
    },
    /// The new rule set would run: it was asked for a report, and nothing has changed.
    Checked {
        /// What would be another.
        #[serde(flatten)]
        difference: Difference,
    },
    /// The files mean what runs already.
    Unchanged {
        /// The version that runs.
        version: String,
        /// What is worth a look.
        warnings: Vec<Finding>,
    },
    /// Nothing has changed, and this is why.
    Refused {
        /// The version that still runs.
        version: String,
        /// Why.
        refusal: Refusal,
    },
}

/// Two rule sets side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The version that ran.
    pub before: String,
    /// The version that comes after it.
    pub after: String,
    /// Rules that were not there.
    pub added: Vec<String>,
    /// Rules whose text is another.
    pub changed: Vec<String>,
    /// Rules that are gone.
    pub removed: Vec<String>,
    /// What becomes of the state of expressions.
    pub cells: Cells,
    /// What is worth a look.
    pub warnings: Vec<Finding>,
}

/// Why a reload was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Refusal {
    /// The rules are wrong.
    Rules {
        /// Every diagnostic.
        findings: Vec<Finding>,
        /// All of them as a person reads them.
        rendered: String,
    },
    /// The stream is another one: its readings are somewhere else, so this needs a restart.
    OtherStream {
        /// The topic that is read.
        runs: String,
        /// The topic that the files name.
        asked: String,
    },
    /// It cannot be published, or what was published cannot run here.
    Publish {
        /// What is wrong.
        error: String,
    },
    /// A topic is missing or too narrow, or the broker does not answer.
    Topics {
        /// What is wrong.
        error: String,
    },
}

/// A diagnostic as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable code.
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// One sentence.
    pub message: String,
    /// The file, if it has a place.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What to do.
    pub help: Vec<String>,
}

impl ReloadOutcome {
    /// The word for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied { .. } => "applied",
            Self::Checked { .. } => "checked",
            Self::Unchanged { .. } => "unchanged",
            Self::Refused { .. } => "refused",
        }
    }
}

impl Finding {
    /// All of `diagnostics`, which are about `files`.
    pub fn all(files: &[SourceFile], diagnostics: &[Diagnostic]) -> Vec<Self> {
        let files: Vec<Lines<'_>> = files.iter().map(Lines::of).collect();
        diagnostics.iter().map(|diagnostic| Self::of(&files, diagnostic)).collect()
    }

    fn of(files: &[Lines<'_>], diagnostic: &Diagnostic) -> Self {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let place = diagnostic.primary.as_ref().and_then(|label| {
            let lines = files.get(label.span.file.0 as usize)?;
            Some((lines.file.path.clone(), lines.place(label.span.start as usize)?))
        });
        let (file, place) = place.unzip();
        let (line, column) = place.unzip();
        Self {
            code: diagnostic.code.as_str().to_owned(),
            severity: severity.to_owned(),
            message: diagnostic.message.clone(),
            file,
            line,
            column,
            help: diagnostic.help.clone(),
        }
    }
}

/// Where the lines of a file begin: looked for once, for there may be as many findings as lines.
struct Lines<'a> {
    file: &'a SourceFile,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(file: &'a SourceFile) -> Self {
        let ends = file.text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, begins: std::iter::once(0).chain(ends).collect() }
    }

    /// Line, and column in characters, of a byte; both from 1.
    fn place(&self, at: usize) -> Option<(usize, usize)> {
        let line = self.begins.partition_point(|begin| *begin <= at);
        let before = self.file.text.get(*self.begins.get(line.checked_sub(1)?)?..at)?;
        Some((line, before.chars().count() + 1))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules { rendered, .. } => formatter.write_str(rendered),
            Self::OtherStream { runs, asked } => {
                write!(
                    formatter,
                    "the engine reads `{runs}`, the rules declare the stream `{asked}`: restart to read another"
                )
            }
            Self::Publish { error } => write!(formatter, "the rules cannot be published: {error}"),
            Self::Topics { error } => formatter.write_str(error),
        }
    }
}

impl fmt::Display for ReloadOutcome {
    /// As `triage reload` prints it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied { difference, episodes, behind } => {
                write!(formatter, "applied: {difference}{episodes}")?;
                if !behind.is_empty() {
                    writeln!(formatter, "  workers that have not taken it up yet: {behind:?}")?;
                }
                write_findings(formatter, &difference.warnings)
            }
            Self::Checked { difference } => {
                write!(formatter, "would be applied: {difference}")?;
                write_findings(formatter, &difference.warnings)
            }
            Self::Unchanged { version, warnings } => {
                writeln!(formatter, "unchanged: {version}")?;
                write_findings(formatter, warnings)
            }
            Self::Refused { version, refusal } => writeln!(formatter, "refused, {version} stays:\n{refusal}"),
        }
    }
}

impl fmt::Display for Difference {
    /// All but the warnings.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} -> {}", self.before, self.after)?;
        for (what, rules) in [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)] {
            if !rules.is_empty() {
                writeln!(formatter, "  {what}: {}", rules.join(", "))?;
            }
        }
        self.cells.fmt(formatter)
    }
}

fn write_findings(formatter: &mut fmt::Formatter<'_>, findings: &[Finding]) -> fmt::Result {
    for finding in findings {
        let place = match (&finding.file, finding.line, finding.column) {
            (Some(file), Some(line), Some(column)) => format!(" ({file}:{line}:{column})"),
            _ => String::new(),
        };
        writeln!(formatter, "  {}[{}]: {}{place}", finding.severity, finding.code, finding.message)?;
    }
    Ok(())
}
