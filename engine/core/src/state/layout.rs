//! What a program keeps of each patient: which cells, which silences, which episodes.

use crate::graph::CellName;
use crate::operator::episode::Terms;
use crate::operator::{Cell, CellKind};
use crate::types::FieldId;

/// The most values that one window keeps of one patient.
const WINDOW_ROOM: usize = 20_000;

/// The most values that all windows together keep of one patient. A value takes at most 14 bytes when it is encoded: so a
/// patient's windows stay below 840,000 bytes, and the patient within one Kafka record.
const PATIENT_ROOM: usize = 60_000;

/// The most values that one of so many windows keeps of one patient.
pub(crate) fn window_room(windows: usize) -> usize {
    WINDOW_ROOM.min(PATIENT_ROOM / windows.max(1)).max(1)
}

/// What a program keeps of each patient.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) cells: Vec<CellPlan>,
    pub(crate) silences: Vec<SilencePlan>,
    /// By rule.
    pub(crate) rules: Vec<RuleLayout>,
    /// The rules in order of their names.
    pub(crate) by_name: Vec<u32>,
    /// After how many milliseconds without a reading a patient is forgotten.
    pub(crate) forget: i64,
    /// Whether anything is kept at all: a program with neither time operators nor episodes has no clocks.
    pub(crate) keeps_state: bool,
}

/// A cell that every patient has.
#[derive(Debug, Clone)]
pub(crate) struct CellPlan {
    pub(crate) kind: CellKind,
    /// The expression, whatever it is written like.
    pub(crate) name: CellName,
    /// The expression as a person reads it.
    pub(crate) text: String,
}

/// A silence that some rules wait for.
#[derive(Debug, Clone)]
pub(crate) struct SilencePlan {
    pub(crate) name: CellName,
    pub(crate) text: String,
    /// The field that must be known, or any reading.
    pub(crate) field: Option<FieldId>,
    /// For how many milliseconds.
    pub(crate) hold: i64,
    /// The rules, in order.
    pub(crate) rules: Vec<u32>,
}

/// What a rule keeps.
#[derive(Debug, Clone)]
pub(crate) struct RuleLayout {
    pub(crate) name: String,
    /// What its condition is called: equal conditions have one name.
    pub(crate) condition: CellName,
    /// What it asks of its episodes, if its alerts are episodes.
    pub(crate) episodes: Option<Terms>,
}

impl Layout {
    /// With these rules.
    pub(crate) fn of_rules(rules: Vec<RuleLayout>) -> Self {
        let mut by_name: Vec<u32> = (0..rules.len() as u32).collect();
        by_name.sort_unstable_by_key(|rule| &rules[*rule as usize].name);
        Self { rules, by_name, ..Self::default() }
    }

    /// The most values that one window keeps of one patient.
    pub(crate) fn window_room(&self) -> usize {
        let windows = self.cells.iter().filter(|cell| matches!(cell.kind, CellKind::Window(_))).count();
        window_room(windows)
    }

    /// The cells of a patient who is heard of for the first time.
    pub(crate) fn fresh_cells(&self) -> Vec<Cell> {
        self.cells.iter().map(|cell| cell.kind.fresh()).collect()
    }

    /// What a rule asks of its episodes.
    pub(crate) fn terms(&self, rule: u32) -> Option<&Terms> {
        self.rules.get(rule as usize)?.episodes.as_ref()
    }

    /// The rule of that name.
    pub(crate) fn rule(&self, name: &str) -> Option<u32> {
        let found = self.by_name.binary_search_by_key(&name, |rule| &self.rules[*rule as usize].name);
        found.ok().map(|index| self.by_name[index])
    }
}
