//! Fields that patients have had and have no longer, and undeclared ones that begin to arrive: together, a renamed field.

use std::collections::BTreeMap;

use super::DAY;
use super::finding::{Finding, Findings};
use super::series::{Series, Turn};
use super::tally::{Count, Tally};
use crate::program::Program;
use crate::syntax::ast::Priority;
use crate::types::Subject;

/// A declared field arrives no longer.
const MISSING: &str = "technical.field_missing";

/// A declared field arrives, and is never plausible.
const INVALID: &str = "technical.field_invalid";

/// A field arrives that is not declared.
const UNDECLARED: &str = "technical.undeclared_field";

/// Undeclared fields that are remembered; more are not looked at.
const NAMES: usize = 256;

/// An undeclared field that is seen fewer times in a block is one record's oddity.
const SIGHTINGS: u32 = 5;

/// A field that has not been seen for so many blocks arrives no longer.
const UNSEEN: i64 = 6;

/// A field that began so many blocks before another went may be the same.
const TOGETHER: i64 = 2;

/// Rules that are named in one message.
const NAMED: usize = 5;

/// The fields of a stream.
#[derive(Debug, Default)]
pub(super) struct Fields {
    declared: Vec<Field>,
    names: BTreeMap<String, Seen>,
    /// The blocks that were judged.
    blocks: i64,
}

#[derive(Debug, Default)]
struct Field {
    name: String,
    /// Rules with alerts that need it.
    rules: Vec<String>,
    priority: Option<Priority>,
    series: Series,
}

/// In which blocks an undeclared field was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    first: i64,
    last: i64,
    /// Whether it was there before there was a past.
    usual: bool,
}

impl Fields {
    pub(super) fn new(program: &Program) -> Self {
        let schema = program.decoder.schema();
        let field = |(index, field): (usize, &crate::types::Field)| {
            let alerts = || program.rules.iter().filter_map(|rule| Some((rule, rule.alert.as_ref()?)));
            let is_in = |subject: &Subject| match subject {
                Subject::Field(field) => field.index() == index,
                Subject::Score(score) => {
                    program.nodes.scores[score.index()].score.needs.iter().any(|field| field.index() == index)
                }
            };
            let needs = || alerts().filter(|(_, alert)| alert.values.iter().any(is_in));
            Field {
                name: field.name.clone(),
                rules: needs().map(|(rule, _)| rule.name.clone()).collect(),
                priority: needs().map(|(_, alert)| alert.priority).find(|priority| *priority == Priority::High),
                series: Series::default(),
            }
        };
        Self { declared: schema.fields.iter().enumerate().map(field).collect(), ..Self::default() }
    }

    pub(super) fn take_up(&mut self, program: &Program, findings: &mut Findings) {
        let before = std::mem::replace(self, Self::new(program));
        for old in before.declared {
            if let Some(field) = self.declared.iter_mut().find(|field| field.name == old.name) {
                field.series = old.series;
            }
        }
        (self.names, self.blocks) = (before.names, before.blocks);
        let declared = |name: &str| self.declared.iter().any(|field| field.name == name);
        self.names.retain(|name, _| !declared(name));
        findings.retain(UNDECLARED, |name| !declared(name));
        findings.retain(MISSING, declared);
        findings.retain(INVALID, declared);
    }

    pub(super) fn judge(&mut self, tally: &Tally, findings: &mut Findings) {
        self.blocks += 1;
        self.judge_names(tally, findings);
        for index in 0..self.declared.len() {
            let Some(gone) = tally.gone.get(index) else { continue };
            let field = &mut self.declared[index];
            match field.series.step(tally.block, *gone) {
                Turn::Left => self.gone(index, *gone, tally, findings),
                Turn::Back => {
                    findings.close(MISSING, &field.name);
                    findings.close(INVALID, &field.name);
                }
                Turn::None => {}
            }
        }
    }

    fn gone(&self, index: usize, gone: Count, tally: &Tally, findings: &mut Findings) {
        let field = &self.declared[index];
        let (missing, invalid) = (tally.missing[index], tally.invalid[index]);
        let (rule, what) =
            if invalid > missing { (INVALID, "arrives and is never plausible") } else { (MISSING, "is missing") };
        let mut message = format!(
            "`{}` {what}: {} of {} patients who had it have not had it for 10 minutes, usual are at most {:.0} %",
            field.name,
            gone.some,
            gone.of,
            100.0 * field.series.past.rate()
        );
        let renamed = self.names.iter().filter(|(_, seen)| !seen.usual && tally.block - seen.first <= TOGETHER);
        let renamed: Vec<String> = renamed.map(|(name, _)| format!("`{name}`")).take(NAMED).collect();
        if rule == MISSING && !renamed.is_empty() {
            message = format!("{message}; {} has begun to arrive: renamed?", renamed.join(", "));
        }
        if !field.rules.is_empty() {
            let more = field.rules.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let rules: Vec<&str> = field.rules.iter().map(String::as_str).take(NAMED).collect();
            message = format!("{message}; alerts that need it: {}{more}", rules.join(", "));
        }
        let values = vec![
            ("patients_without", f64::from(gone.some)),
            ("patients", f64::from(gone.of)),
            ("usual_share", field.series.past.rate()),
        ];
        let priority = field.priority.unwrap_or(Priority::Medium);
        findings.open(rule, &field.name, Finding { priority, patient: None, message, values });
    }

    /// An undeclared field that was not there on the first day is news for a day.
    fn judge_names(&mut self, tally: &Tally, findings: &mut Findings) {
        for (name, times) in tally.names.iter().filter(|(_, times)| **times >= SIGHTINGS) {
            if let Some(seen) = self.names.get_mut(name) {
                seen.last = tally.block;
                continue;
            }
            if self.names.len() >= NAMES {
                continue;
            }
            let usual = self.blocks <= DAY;
            self.names.insert(name.clone(), Seen { first: tally.block, last: tally.block, usual });
            if !usual {
                let message = format!("`{name}` arrives and is not declared; nothing like it came before");
                let values = vec![("sightings", f64::from(*times))];
                let finding = Finding { priority: Priority::Low, patient: None, message, values };
                findings.open(UNDECLARED, name, finding);
            }
        }
        for (name, seen) in &mut self.names {
            if tally.block - seen.first >= DAY {
                seen.usual = true;
            }
            if seen.usual || tally.block - seen.last >= UNSEEN {
                findings.close(UNDECLARED, name);
            }
        }
        self.names.retain(|_, seen| tally.block - seen.last < 7 * DAY);
    }
}
