//! What a program keeps of each patient, from the checked rules and the cells that their conditions came to.

use super::lower::Remembered;
use crate::check::{CheckedCondition, CheckedRules};
use crate::graph::{CellName, Described, Naming, duration};
use crate::operator::CellKind;
use crate::state::{CellPlan, Layout, RuleLayout, SilencePlan};
use crate::types::FieldId;

/// The silences that rules wait for, each once: the field, how long, and the rules in order.
#[derive(Debug, Default)]
pub(super) struct Silences(Vec<(Option<FieldId>, i64, Vec<u32>)>);

impl Silences {
    /// The position of a silence that `rule` waits for.
    pub(super) fn of(&mut self, field: Option<FieldId>, hold: i64, rule: u32) -> u32 {
        let found = self.0.iter().position(|(other, span, _)| *other == field && *span == hold);
        let index = found.unwrap_or(self.0.len());
        if found.is_none() {
            self.0.push((field, hold, Vec::new()));
        }
        self.0[index].2.push(rule);
        index as u32
    }
}

/// The layout of a program with these cells and silences.
pub(super) fn of(checked: &CheckedRules, cells: &[(Remembered, CellKind)], silences: &Silences) -> Layout {
    let schema = checked.schema();
    let has_episodes = |rule: &crate::check::CheckedRule| rule.alert.as_ref().is_some_and(|alert| !alert.each_reading);
    let keeps_state = !cells.is_empty() || !silences.0.is_empty() || checked.rules.iter().any(has_episodes);
    if !keeps_state {
        return Layout { forget: schema.forget, ..Layout::default() };
    }
    let graph = &checked.lowering.graph;
    let naming = Naming::of(graph, schema, &checked.lowering.names.scores);
    let described = Described { graph, schema, scores: &checked.lowering.names.scores };
    let cell = |(of, kind): &(Remembered, CellKind)| {
        let (name, text) = match of {
            Remembered::Value(id) => (naming.value(*id), described.value(*id)),
            Remembered::Run(id) => (naming.run(*id), format!("{} for …", described.condition(*id))),
            Remembered::Then(id) => (naming.condition(*id), described.condition(*id)),
        };
        CellPlan { kind: *kind, name, text }
    };
    let silence = |(field, hold, rules): &(Option<FieldId>, i64, Vec<u32>)| {
        let of = field.map_or("reading", |field| schema.field(field).name.as_str());
        let text = format!("no {of} for {}", duration(*hold));
        SilencePlan { name: naming.silence(*field, *hold), text, field: *field, hold: *hold, rules: rules.clone() }
    };
    let rule = |rule: &crate::check::CheckedRule| RuleLayout {
        name: rule.name.clone(),
        condition: condition(rule.condition, &naming),
        episodes: rule.alert.as_ref().filter(|alert| !alert.each_reading).map(|alert| alert.terms.clone()),
    };
    Layout {
        cells: cells.iter().map(cell).collect(),
        silences: silences.0.iter().map(silence).collect(),
        forget: schema.forget,
        keeps_state,
        ..Layout::of_rules(checked.rules.iter().map(rule).collect())
    }
}

/// The layout of conditions that belong to no rule.
pub(crate) fn cells_alone(cells: &[(Remembered, CellKind)]) -> Layout {
    let cell =
        |(_, kind): &(Remembered, CellKind)| CellPlan { kind: *kind, name: CellName([0; 16]), text: String::new() };
    Layout { cells: cells.iter().map(cell).collect(), forget: i64::MAX, keeps_state: true, ..Layout::default() }
}

fn condition(condition: CheckedCondition, naming: &Naming) -> CellName {
    match condition {
        CheckedCondition::Reading(condition) => naming.condition(condition),
        CheckedCondition::Silence(field, hold) => naming.silence(field, hold),
    }
}
