//! A compiled rule set, and what it makes of readings. The hot path knows this alone.

mod acknowledge;
pub(crate) mod alert;
pub(crate) mod arrival;
mod keep;
mod migrate;
pub(crate) mod nodes;
mod output;
mod record;
mod step;
mod stored;
mod succession;
mod teller;
mod timers;

pub use acknowledge::{Acknowledgement, MOST_PAUSES, TECHNICAL_IDS, read_acknowledgement, read_erasure, read_pause};
use alert::AlertPlan;
pub use migrate::Migration;
use nodes::{NodeId, Nodes};
pub use output::{Output, OutputKind, Outputs};
pub use step::Workspace;
pub use succession::Succession;

use crate::reading::Decoder;
pub use crate::reading::{DeadLetter, Limits, Reason, Stage};
use crate::score::{Input, Score};
use crate::state::Layout;
pub use crate::state::{Pause, Scope, StateError, States};
pub use crate::syntax::ast::Priority;
use crate::types::{Schema, Subject};

/// A topic, by position in [`Program::topics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u32);

/// A topic that rules write to: the declared in their order, then the undeclared by name.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The Kafka topic.
    pub name: String,
    /// The collection for its records; alerts go to `<store>_alerts`.
    pub store: Option<String>,
    /// Whom its alerts are for.
    pub notify: Option<String>,
    /// Whether some rule of it has an alert.
    pub alerts: bool,
}

/// What a rule is called and where it writes.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `stroke.crisis`, `stroke`, or `stroke#2`.
    pub name: String,
    /// Its topic.
    pub topic: TopicId,
    /// Its canonical text with everything it depends on: equal texts decide and say the same.
    pub text: String,
}

/// A compiled rule set. Immutable; share it in an `Arc`.
#[derive(Debug)]
pub struct Program {
    pub(crate) version: String,
    pub(crate) decoder: Decoder,
    pub(crate) topics: Vec<Topic>,
    pub(crate) listing: Vec<Rule>,
    pub(crate) nodes: Nodes,
    pub(crate) rules: Vec<RuleInfo>,
    pub(crate) plans: Vec<TopicPlan>,
    /// Per field its name as JSON, quotes included.
    pub(crate) field_names: Vec<Vec<u8>>,
    /// Per score its name as JSON, quotes included.
    pub(crate) score_names: Vec<Vec<u8>>,
    pub(crate) origin: OriginPlan,
    /// What is kept of each patient.
    pub(crate) layout: Layout,
}

/// A rule as steps need it.
#[derive(Debug)]
pub(crate) struct RuleInfo {
    pub(crate) name: String,
    /// The name as JSON, quotes included.
    pub(crate) quoted: Vec<u8>,
    pub(crate) topic: TopicId,
    pub(crate) when: When,
    pub(crate) alert: Option<AlertPlan>,
}

/// When a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At a reading for which this is true.
    Reading(NodeId),
    /// When this silence, by position in the layout, has lasted.
    Silence(u32),
}

/// What a topic's records carry.
#[derive(Debug)]
pub(crate) struct TopicPlan {
    /// Without patient and time, which stand first in every record.
    pub(crate) subjects: Vec<Subject>,
    /// Whether the undeclared fields follow.
    pub(crate) undeclared: bool,
}

/// The parts of `"origin":{"topic":…,"partition":…,"offset":…,"ruleset":…}` that never change, and the closing brace of
/// the record.
#[derive(Debug)]
pub(crate) struct OriginPlan {
    pub(crate) before_partition: Vec<u8>,
    pub(crate) after_offset: Vec<u8>,
}

/// What steps counted; indexes are those of [`Program::rules`], [`Program::field_names`] and [`Program::scores`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Records that were readings (dead letters are counted from the outputs).
    pub readings: u64,
    /// Per rule: readings it matched, and silences.
    pub matched: Vec<u64>,
    /// Per rule: readings for which its condition was unknown.
    pub not_evaluable: Vec<u64>,
    /// Per field: readings in which it was missing.
    pub missing: Vec<u64>,
    /// Per field: readings in which it was invalid.
    pub invalid: Vec<u64>,
    /// Per score: readings that its model was asked about.
    pub scored: Vec<u64>,
    /// Per score: known values that went into its model, by input and bin of its histogram,
    /// one input after the other.
    pub score_inputs: Vec<Vec<u64>>,
    /// Per score: known values that went into its model and are outside of what it has learnt from, by input.
    pub score_outside: Vec<Vec<u64>>,
    /// Per score: readings on which its model failed.
    pub score_failures: Vec<u64>,
    /// Fields that the stream does not declare and outputs may carry.
    pub undeclared: u64,
    /// Undeclared fields left out because they bear a name of our outputs.
    pub reserved: u64,
    /// Readings whose Kafka key is another than their patient.
    pub misplaced: u64,
    /// Readings older than their patient's clock.
    pub late: u64,
    /// Windows that held more values at a reading than there is room for.
    pub windows_full: u64,
    /// Acknowledgements and pauses of nothing: no such episode is open, it was acknowledged before, or the end is past. Those of
    /// technical alerts are not among them.
    pub idle_acknowledgements: u64,
    /// Patients who were forgotten.
    pub forgotten: u64,
}

impl Counts {
    /// Room for the program's rules and fields.
    fn fit(&mut self, program: &Program) {
        self.matched.resize(program.rules.len(), 0);
        self.not_evaluable.resize(program.rules.len(), 0);
        self.missing.resize(program.field_names.len(), 0);
        self.invalid.resize(program.field_names.len(), 0);
        self.scored.resize(program.score_names.len(), 0);
        self.score_inputs.resize(program.score_names.len(), Vec::new());
        self.score_outside.resize(program.score_names.len(), Vec::new());
        self.score_failures.resize(program.score_names.len(), 0);
    }
}

impl Program {
    /// The rule-set version: 12 hex digits.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The Kafka topic that readings arrive on.
    pub fn stream(&self) -> &str {
        &self.decoder.schema().stream
    }

    /// The collection for readings as they arrived.
    pub fn stream_store(&self) -> Option<&str> {
        self.decoder.schema().store.as_deref()
    }

    /// The topics that rules write to or that are declared.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The topic of an output.
    pub fn topic(&self, id: TopicId) -> &Topic {
        &self.topics[id.0 as usize]
    }

    /// Whether anything is remembered of patients: without time operators and episodes nothing is.
    pub fn keeps_state(&self) -> bool {
        self.layout.keeps_state
    }

    /// For how many milliseconds nothing has come when the rule of that name matches, if it waits for silence.
    pub fn silence(&self, rule: &str) -> Option<i64> {
        let rule = self.rules.iter().find(|info| info.name == rule)?;
        let When::Silence(index) = rule.when else { return None };
        Some(self.layout.silences.get(index as usize)?.hold)
    }

    /// The priority of the alerts of the rule of that name; none if it has no alert, or there is no such rule.
    pub fn priority(&self, rule: &str) -> Option<Priority> {
        let rule = self.rules.iter().find(|info| info.name == rule)?;
        rule.alert.as_ref().map(|alert| alert.priority)
    }

    /// The rules in rule order (path, then position).
    pub fn rules(&self) -> &[Rule] {
        &self.listing
    }

    /// The field that names the patient, if one does.
    pub fn key_field(&self) -> Option<&str> {
        let schema = self.decoder.schema();
        schema.key.map(|key| schema.field(key).name.as_str())
    }

    /// The declared fields' names in order.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.decoder.schema().fields.iter().map(|field| field.name.as_str())
    }

    /// The scores in the order of their declarations.
    pub fn scores(&self) -> impl Iterator<Item = ScoreView<'_>> {
        let schema = self.decoder.schema();
        self.nodes.scores.iter().map(move |scored| ScoreView { score: &scored.score, schema })
    }
}

/// A score of a program, for those who watch how it fares.
#[derive(Debug, Clone, Copy)]
pub struct ScoreView<'a> {
    score: &'a Score,
    schema: &'a Schema,
}

impl<'a> ScoreView<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        &self.score.name
    }

    /// The names of the fields that go in, in the model's order.
    pub fn inputs(self) -> impl Iterator<Item = &'a str> {
        self.score.inputs.iter().map(move |field| self.schema.field(*field).name.as_str())
    }

    /// What they looked like in the data that its model learnt from; nothing where nobody kept that.
    pub fn learnt_from(self) -> &'a [Input] {
        self.score.scorer.learnt_from()
    }
}
