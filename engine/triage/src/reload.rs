//! A new rule set while readings flow: all of it or none. Compiled aside, its topics made, then taken up by each worker
//! between two of its transactions.

mod outcome;
mod report;
pub(crate) mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use triage_core::compile::Changes;
use triage_core::diagnostic::Style;
use triage_core::program::Program;

use crate::kafka::topics::TopicError;
use crate::models::Look;
use crate::published::{RuleSet, publish};
use crate::rules::{Compiled, Rejected, RuleFiles};
use crate::shared::Shared;
pub use outcome::{Difference, Finding, Refusal, ReloadOutcome};
pub use report::{Cells, Episodes, Expressions, Moved, Resolved};

/// How long the answer waits for workers; they take the rule set up afterwards all the same.
const TAKING_UP: Duration = Duration::from_secs(30);

/// How long a reload that is asked for at once after the start waits for it.
const SETTLING: Duration = Duration::from_secs(5);

/// Reloads, one at a time.
#[derive(Debug)]
pub(crate) struct Reloads {
    shared: Arc<Shared>,
    last: Mutex<(u64, Option<ReloadOutcome>)>,
    /// The files of models as they were when the folder was last compiled.
    looks: Mutex<Vec<Look>>,
    one_at_a_time: Mutex<()>,
}

impl Reloads {
    /// `looks` are those of the folder as it was compiled at start.
    pub(crate) fn new(shared: Arc<Shared>, looks: Vec<Look>) -> Self {
        Self { shared, last: Mutex::default(), looks: Mutex::new(looks), one_at_a_time: Mutex::default() }
    }

    /// Whether a model that the folder's rules name is another file than it was, or comes or goes.
    pub(crate) fn is_a_model_outdated(&self) -> bool {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).iter().any(Look::is_outdated)
    }

    /// The models that the folder's rules name, as their files are now.
    pub(crate) fn look_at_models(&self) -> Vec<Look> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Look::again).collect()
    }

    /// The outcome of the last reload, if there was one.
    pub(crate) fn last(&self) -> Option<ReloadOutcome> {
        self.last_numbered().1
    }

    /// The same, with how many there have been, so that two equal ones can be told apart.
    pub(crate) fn last_numbered(&self) -> (u64, Option<ReloadOutcome>) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the folder again and takes it up, or says why not. Blocks until every worker has it.
    pub(crate) fn reload(&self, asked_by: &str) -> ReloadOutcome {
        let _turn = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.attempt().unwrap_or_else(|refusal| self.refused(refusal));
        self.report(asked_by, &outcome);
        self.shared.compare_folder();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (last.0 + 1, Some(outcome.clone()));
        drop(last);
        outcome
    }

    /// Reads the folder and says what a reload would do; does none of it. Topics that are missing are not looked for.
    pub(crate) fn check(&self) -> ReloadOutcome {
        let outcome = RuleFiles::read(&self.shared.config.rules.path).compile_aside().map_err(Refusal::from);
        let outcome = outcome.and_then(|compiled| {
            let old = self.shared.current.load_full();
            same_stream(&old.program, &compiled.program)?;
            Ok(match difference(&old.program, &compiled) {
                Difference { before, after, warnings, .. } if before == after => {
                    ReloadOutcome::Unchanged { version: after, warnings }
                }
                difference => ReloadOutcome::Checked { difference },
            })
        });
        outcome.unwrap_or_else(|refusal| self.refused(refusal))
    }

    fn refused(&self, refusal: Refusal) -> ReloadOutcome {
        let version = self.shared.current.load().program.version().to_owned();
        ReloadOutcome::Refused { version, refusal }
    }

    fn attempt(&self) -> Result<ReloadOutcome, Refusal> {
        let compiled = RuleFiles::read(&self.shared.config.rules.path).compile_aside();
        let looks = compiled.as_ref().map_or_else(|rejected| &rejected.looks, |compiled| &compiled.looks);
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone_from(looks);
        let folder = compiled.as_ref().ok().map(|compiled| compiled.program.version().to_owned());
        self.shared.published.set_folder(folder);
        let compiled = compiled?;
        let old = self.shared.current.load_full();
        let version = compiled.program.version();
        let Some(known) = self.shared.published.wait(0, SETTLING) else {
            return Err(Refusal::Publish { error: "it is not known yet which rules are published".to_owned() });
        };
        if version == old.program.version() && known.version.as_deref() == Some(version) {
            let warnings = Finding::all(&compiled.files, &compiled.warnings);
            return Ok(ReloadOutcome::Unchanged { version: version.to_owned(), warnings });
        }
        same_stream(&old.program, &compiled.program)?;
        self.shared.topics.ensure(&self.shared.config, &compiled.program)?;
        let difference = difference(&old.program, &compiled);
        let behind = self.publish(compiled)?;
        Ok(ReloadOutcome::Applied { difference, episodes: self.shared.board.episodes().into(), behind })
    }

    /// Publishes, and waits until the follower has made it the current one and every worker has taken it up; the workers
    /// that have not.
    fn publish(&self, compiled: Compiled) -> Result<Vec<usize>, Refusal> {
        let set = RuleSet::new(&compiled.files, &compiled.models);
        let version = compiled.program.version().to_owned();
        self.shared.published.set_aside(set.clone(), compiled.program);
        let refused = |error: String| Refusal::Publish { error };
        let published = publish(&self.shared.config.kafka, &set, &version, false);
        let offset = published.map_err(|error| refused(error.to_string()))?;
        let Some(known) = self.shared.published.wait(offset.unwrap_or_default(), TAKING_UP) else {
            return Ok((0..self.shared.config.workers()).collect());
        };
        match known.trouble {
            Some(error) if known.offset == offset => Err(refused(error)),
            _ => Ok(self.shared.board.taken_up(self.shared.current.load().generation, TAKING_UP)),
        }
    }

    fn report(&self, asked_by: &str, outcome: &ReloadOutcome) {
        self.shared.metrics.reloaded(outcome.name(), matches!(outcome, ReloadOutcome::Refused { .. }));
        self.shared.technical.reload_ended(match outcome {
            ReloadOutcome::Refused { refusal, .. } => Some(refusal.to_string()),
            _ => None,
        });
        match outcome {
            ReloadOutcome::Applied { difference, episodes, behind } => {
                let Difference { before, after, added, changed, removed, cells, .. } = difference;
                tracing::info!(asked_by, before, after, ?added, ?changed, ?removed, "rules reloaded");
                let Cells { kept, started, dropped } = cells;
                let Episodes { moved, resolved } = episodes;
                tracing::info!(%kept, %started, %dropped, ?moved, ?resolved, "what is remembered goes on under the new rules");
                if !behind.is_empty() {
                    tracing::error!(workers = ?behind, "workers have not taken the rules up yet");
                }
            }
            ReloadOutcome::Checked { .. } => {}
            ReloadOutcome::Unchanged { version, .. } => tracing::info!(asked_by, version, "rules unchanged"),
            ReloadOutcome::Refused { version, refusal } => {
                tracing::error!(asked_by, version, %refusal, "reload refused, the old rules stay");
            }
        }
    }
}

fn same_stream(old: &Program, new: &Program) -> Result<(), Refusal> {
    if old.stream() == new.stream() {
        return Ok(());
    }
    Err(Refusal::OtherStream { runs: old.stream().to_owned(), asked: new.stream().to_owned() })
}

fn difference(old: &Program, compiled: &Compiled) -> Difference {
    let changes = Changes::between(old, &compiled.program);
    Difference {
        before: old.version().to_owned(),
        after: compiled.program.version().to_owned(),
        cells: Cells::from(&changes),
        added: changes.added,
        changed: changes.changed,
        removed: changes.removed,
        warnings: Finding::all(&compiled.files, &compiled.warnings),
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        let rendered = rejected.render(Style::Plain);
        Refusal::Rules { findings: Finding::all(&rejected.files, &rejected.diagnostics), rendered }
    }
}

impl From<TopicError> for Refusal {
    fn from(error: TopicError) -> Self {
        Refusal::Topics { error: error.to_string() }
    }
}
