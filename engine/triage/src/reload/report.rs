//! What a reload does to what is remembered of patients: state by the expressions that it belongs to, episodes by their
//! rules. Names no patient, and is of bounded length however large the rule sets are.

use std::fmt;

use serde::{Deserialize, Serialize};
use triage_core::compile::Changes;
use triage_core::program::Migration;

/// So many expressions are named; the others are counted.
const NAMED: usize = 20;

/// So many characters of an expression are shown.
const SHOWN: usize = 120;

/// What becomes of the state of each expression that remembers something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// It goes on.
    pub kept: Expressions,
    /// It begins afresh.
    pub started: Expressions,
    /// No rule uses it any more.
    pub dropped: Expressions,
}

/// Expressions as a person reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expressions {
    /// How many there are.
    pub count: usize,
    /// The first of them, in the order in which rules use them.
    pub first: Vec<String>,
}

/// What became of open episodes, as far as the workers of this process had them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episodes {
    /// Rules that were renamed.
    pub moved: Vec<Moved>,
    /// Rules that are gone, or have no episodes any more.
    pub resolved: Vec<Resolved>,
}

/// A rule that goes by another name, and its open episodes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The name it had.
    pub from: String,
    /// The name it has.
    pub to: String,
    /// How many were open.
    pub episodes: u64,
}

/// A rule whose episodes are over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Its name.
    pub rule: String,
    /// How many were resolved.
    pub episodes: u64,
}

impl From<&Changes> for Cells {
    fn from(changes: &Changes) -> Self {
        let [kept, started, dropped] =
            [&changes.kept, &changes.started, &changes.dropped].map(|all| Expressions::of(all));
        Self { kept, started, dropped }
    }
}

impl Expressions {
    fn of(all: &[String]) -> Self {
        Self { count: all.len(), first: all.iter().take(NAMED).map(|text| shortened(text)).collect() }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl From<Migration> for Episodes {
    fn from(migration: Migration) -> Self {
        let moved = migration.moved.into_iter().map(|((from, to), episodes)| Moved { from, to, episodes });
        let resolved = migration.resolved.into_iter().map(|(rule, episodes)| Resolved { rule, episodes });
        Self { moved: moved.collect(), resolved: resolved.collect() }
    }
}

impl fmt::Display for Cells {
    /// A line for each list that is not empty.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, expressions) in [("kept", &self.kept), ("started", &self.started), ("dropped", &self.dropped)] {
            if expressions.count > 0 {
                writeln!(formatter, "  state {what}: {expressions}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Expressions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.count, self.first.join("; "))?;
        match self.count.saturating_sub(self.first.len()) {
            0 => Ok(()),
            more => write!(formatter, "; and {more} more"),
        }
    }
}

impl fmt::Display for Episodes {
    /// A line for each rule.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Moved { from, to, episodes } in &self.moved {
            writeln!(formatter, "  episodes moved: {from} -> {to}: {episodes}")?;
        }
        for Resolved { rule, episodes } in &self.resolved {
            writeln!(formatter, "  episodes resolved: {rule}: {episodes}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_short_however_much_there_is() {
        let started = (0..10_000).map(|at| format!("avg(x + {at}, {}s)", "1".repeat(500))).collect();
        let cells = Cells::from(&Changes { started, ..Changes::default() });
        let text = cells.to_string();
        assert!(text.starts_with("  state started: 10000: avg(x + 0, 111"), "{text}");
        assert!(text.ends_with("…; and 9980 more\n"), "{text}");
        assert!(text.chars().count() < NAMED * (SHOWN + 10));
    }
}
