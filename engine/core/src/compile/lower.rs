//! The checked rules' graph to a program's nodes: negation pushed into the predicates, only what is asked for.

use std::collections::HashMap;

use super::layout::{self, Silences};
use super::version;
use crate::check::{CheckedAlert, CheckedCondition, CheckedFields, CheckedRules, CheckedTopic, Piece};
use crate::graph::{Condition, ConditionId, Graph, Predicate, Value, ValueId};
use crate::json::quoted;
use crate::operator::{CellKind, WindowPlan};
use crate::program::alert::{AlertPlan, Part};
use crate::program::nodes::{Node, NodeId, Nodes, Number, NumberId, Scored};
use crate::program::{OriginPlan, Program, Rule, RuleInfo, Topic, TopicId, TopicPlan, When};
use crate::reading::Decoder;
use crate::score::Score;
use crate::syntax::ast::{Comparison, File, Status};
use crate::types::{FieldId, Schema, ScoreId, Subject};

/// A condition and whether it is negated.
type Signed = (ConditionId, bool);

/// Puts parts of the graph into nodes, each once.
#[derive(Debug)]
pub(crate) struct Lower {
    pub(crate) nodes: Nodes,
    numbers: HashMap<ValueId, NumberId>,
    conditions: HashMap<Signed, NodeId>,
    /// Nodes by what they are: `not (a > 1)` and `a <= 1` are one.
    by_node: HashMap<Node, NodeId>,
    /// What the cells are of, and their kinds.
    pub(crate) cells: Vec<(Remembered, CellKind)>,
    by_expression: HashMap<Remembered, u32>,
}

/// An expression that has a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Remembered {
    /// A window or `previous`.
    Value(ValueId),
    /// The run of a condition, whatever its length.
    Run(ConditionId),
    /// `then … within`
    Then(ConditionId),
}

impl Lower {
    /// Nothing but the scores, for which nobody asks yet.
    pub(crate) fn new(scores: &[Score]) -> Self {
        let scored = |score: &Score| Scored { score: score.clone(), asked: false };
        Self {
            nodes: Nodes { scores: scores.iter().map(scored).collect(), ..Nodes::default() },
            numbers: HashMap::new(),
            conditions: HashMap::new(),
            by_node: HashMap::new(),
            cells: Vec::new(),
            by_expression: HashMap::new(),
        }
    }

    /// Lets a score be worked out.
    fn ask(&mut self, score: ScoreId) -> ScoreId {
        self.nodes.scores[score.index()].asked = true;
        score
    }

    /// The same of whatever is asked for; fields are there anyway.
    pub(crate) fn ask_for(&mut self, subject: Subject) {
        if let Subject::Score(score) = subject {
            self.ask(score);
        }
    }

    /// The node of a condition; parts first, without recursion.
    pub(crate) fn condition(&mut self, graph: &Graph, root: Signed) -> NodeId {
        let mut stack = vec![(root, false)];
        while let Some((signed, parts_done)) = stack.pop() {
            if self.conditions.contains_key(&signed) {
                continue;
            }
            let parts = parts(graph, signed);
            if !parts_done && !parts.is_empty() {
                stack.push((signed, true));
                stack.extend(parts.into_iter().rev().map(|part| (part, false)));
                continue;
            }
            let id = self.finish(graph, signed, &parts);
            self.conditions.insert(signed, id);
        }
        self.conditions[&root]
    }

    /// A condition whose parts are there.
    fn finish(&mut self, graph: &Graph, (id, negated): Signed, parts: &[Signed]) -> NodeId {
        let parts: Vec<NodeId> = parts.iter().map(|part| self.conditions[part]).collect();
        let node = match graph.conditions.get(id.0) {
            Condition::Not(_) => return parts[0],
            Condition::And(_) if negated => Node::Or(parts),
            Condition::Or(_) if negated => Node::And(parts),
            Condition::And(_) => Node::And(parts),
            Condition::Or(_) => Node::Or(parts),
            Condition::Predicate(predicate) => self.predicate(graph, predicate, negated),
            Condition::Held(of, hold) => {
                let cell = self.cell(Remembered::Run(*of), CellKind::Run);
                Node::Held { cell, of: parts[0], hold: *hold, negated }
            }
            Condition::Then(_, _, within) => {
                let cell = self.cell(Remembered::Then(id), CellKind::Sequence);
                Node::Then { cell, first: parts[0], second: parts[1], within: *within, negated }
            }
        };
        self.add(node)
    }

    /// The cell of an expression; each has one.
    fn cell(&mut self, of: Remembered, kind: CellKind) -> u32 {
        let new = self.cells.len() as u32;
        let cell = *self.by_expression.entry(of).or_insert(new);
        if cell == new {
            self.cells.push((of, kind));
        }
        cell
    }

    fn predicate(&mut self, graph: &Graph, predicate: &Predicate, negated: bool) -> Node {
        match predicate {
            Predicate::Compare(left, op, right) => {
                let op = if negated { opposite(*op) } else { *op };
                Node::Compare(self.number(graph, *left), op, self.number(graph, *right))
            }
            Predicate::Says(field, text) => Node::Says { field: *field, text: text.clone(), negated },
            Predicate::SaysSame(left, right) => Node::SaysSame { left: *left, right: *right, negated },
            Predicate::Is(Subject::Field(field), status) => Node::Is { field: *field, status: *status, negated },
            Predicate::Is(Subject::Score(score), status) => self.score_is(*score, *status, negated),
        }
    }

    /// A score is known or missing; invalid is only what arrives.
    fn score_is(&mut self, score: ScoreId, status: Status, negated: bool) -> Node {
        match status {
            Status::Known => Node::IsKnown { score: self.ask(score), negated },
            Status::Missing => Node::IsKnown { score: self.ask(score), negated: !negated },
            Status::Invalid if negated => Node::And(Vec::new()),
            Status::Invalid => Node::Or(Vec::new()),
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.by_node.get(&node) {
            return *id;
        }
        let id = NodeId(self.nodes.nodes.len() as u32);
        self.nodes.nodes.push(node.clone());
        self.by_node.insert(node, id);
        id
    }

    /// The node of a value; parts first, without recursion.
    pub(crate) fn number(&mut self, graph: &Graph, root: ValueId) -> NumberId {
        let mut stack = vec![(root, false)];
        while let Some((id, parts_done)) = stack.pop() {
            if self.numbers.contains_key(&id) {
                continue;
            }
            let value = graph.values.get(id.0);
            let parts = operands(value);
            if !parts_done && !parts.is_empty() {
                stack.push((id, true));
                stack.extend(parts.into_iter().rev().map(|part| (part, false)));
                continue;
            }
            let number = self.number_of(id, value);
            let new = NumberId(self.nodes.numbers.len() as u32);
            self.nodes.numbers.push(number);
            self.numbers.insert(id, new);
        }
        self.numbers[&root]
    }

    fn number_of(&mut self, id: ValueId, value: &Value) -> Number {
        let numbers = &self.numbers;
        let of = |id: &ValueId| numbers[id];
        let (kind, of) = match value {
            Value::Field(field) => return Number::Field(*field),
            Value::Score(score) => return Number::Score(self.ask(*score)),
            Value::Constant(exact) => return Number::Constant(exact.get()),
            Value::Negative(inner) => return Number::Negative(of(inner)),
            Value::Arithmetic(left, operation, right) => return Number::Arithmetic(of(left), *operation, of(right)),
            Value::Call(function, arguments) => return Number::Call(*function, arguments.iter().map(of).collect()),
            Value::Window(function, inner, span) => {
                (CellKind::Window(WindowPlan { function: *function, span: *span }), of(inner))
            }
            Value::Previous(inner) => (CellKind::Previous, of(inner)),
        };
        Number::Cell { cell: self.cell(Remembered::Value(id), kind), kind, of }
    }

    fn alert(
        &mut self,
        graph: &Graph,
        alert: &CheckedAlert,
        condition: CheckedCondition,
        topic: &CheckedTopic,
    ) -> AlertPlan {
        let part = |piece: &Piece| match piece {
            Piece::Text(text) => Part::Text(text.clone()),
            Piece::Field(field) => Part::Field(*field),
            Piece::Score(score) => Part::Score(self.ask(*score)),
            Piece::Number(id) => Part::Number(self.number(graph, *id)),
            Piece::Decimals(id, decimals) => Part::Decimals(self.number(graph, *id), *decimals),
            Piece::Condition(id) => Part::Condition(self.condition(graph, (*id, false))),
        };
        let message = alert.message.iter().map(part).collect();
        let values: Vec<Subject> = match condition {
            CheckedCondition::Reading(condition) => graph.subjects_of(condition),
            CheckedCondition::Silence(field, _) => field.into_iter().map(Subject::Field).collect(),
        };
        for subject in &values {
            self.ask_for(*subject);
        }
        AlertPlan {
            priority: alert.priority,
            message,
            notify: topic.notify.as_deref().map(quoted),
            escalated: alert.terms.escalate.as_ref().map(|(role, _)| quoted(role)),
            values,
            clear: alert.clear.map(|clear| self.condition(graph, (clear, false))),
        }
    }
}

/// The conditions that a condition is made of, with their signs.
fn parts(graph: &Graph, (id, negated): Signed) -> Vec<Signed> {
    match graph.conditions.get(id.0) {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().map(|part| (*part, negated)).collect(),
        Condition::Not(part) => vec![(*part, !negated)],
        // What they keep of their parts does not depend on their own sign.
        Condition::Held(part, _) => vec![(*part, false)],
        Condition::Then(first, second, _) => vec![(*first, false), (*second, false)],
        Condition::Predicate(_) => Vec::new(),
    }
}

fn operands(value: &Value) -> Vec<ValueId> {
    match value {
        Value::Field(_) | Value::Score(_) | Value::Constant(_) => Vec::new(),
        Value::Negative(inner) | Value::Window(_, inner, _) | Value::Previous(inner) => vec![*inner],
        Value::Arithmetic(left, _, right) => vec![*left, *right],
        Value::Call(_, arguments) => arguments.clone(),
    }
}

/// The comparison that is true where this one is false.
fn opposite(op: Comparison) -> Comparison {
    match op {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

/// The program of checked rules without errors.
pub(super) fn program(checked: &CheckedRules, trees: &[File]) -> Program {
    let schema = checked.schema();
    let graph = &checked.lowering.graph;
    let scores = &checked.lowering.names.scores;
    let mut lower = Lower::new(scores);
    let texts = version::rule_texts(trees, checked);
    let version = version::of(trees, scores);
    let mut rules = Vec::new();
    let mut listing = Vec::new();
    let mut topics: Vec<Topic> = checked.topics.iter().map(topic).collect();
    let mut silences = Silences::default();
    let plans: Vec<TopicPlan> = checked.topics.iter().map(|topic| plan(topic, schema)).collect();
    for (rule, text) in checked.rules.iter().zip(texts) {
        let Some(index) = checked.topics.iter().position(|topic| topic.name == rule.topic) else { continue };
        let id = TopicId(index as u32);
        let when = match rule.condition {
            CheckedCondition::Reading(condition) => When::Reading(lower.condition(graph, (condition, false))),
            CheckedCondition::Silence(field, hold) => When::Silence(silences.of(field, hold, rules.len() as u32)),
        };
        let alert = rule.alert.as_ref().map(|alert| lower.alert(graph, alert, rule.condition, &checked.topics[index]));
        topics[index].alerts |= alert.is_some();
        listing.push(Rule { name: rule.name.clone(), topic: id, text });
        rules.push(RuleInfo { quoted: quoted(&rule.name), name: rule.name.clone(), topic: id, when, alert });
    }
    for (topic, plan) in checked.topics.iter().zip(&plans) {
        let is_written = checked.rules.iter().any(|rule| rule.topic == topic.name);
        plan.subjects.iter().filter(|_| is_written).for_each(|subject| lower.ask_for(*subject));
    }
    let mut program = Program {
        origin: origin(schema, &version),
        version,
        topics,
        listing,
        layout: layout::of(checked, &lower.cells, &silences),
        nodes: lower.nodes,
        rules,
        plans,
        field_names: schema.fields.iter().map(|field| quoted(&field.name)).collect(),
        score_names: scores.iter().map(|score| quoted(&score.name)).collect(),
        decoder: Decoder::new(schema.clone()),
    };
    program.settle_silences();
    program
}

fn topic(topic: &CheckedTopic) -> Topic {
    Topic { name: topic.name.clone(), store: topic.store.clone(), notify: topic.notify.clone(), alerts: false }
}

fn plan(topic: &CheckedTopic, schema: &Schema) -> TopicPlan {
    let (subjects, undeclared): (Vec<Subject>, bool) = match &topic.fields {
        CheckedFields::All => {
            ((0..schema.fields.len() as u32).map(|index| Subject::Field(FieldId(index))).collect(), true)
        }
        CheckedFields::Listed(subjects) => (subjects.clone(), false),
    };
    let stands_first = |subject: &Subject| match subject {
        Subject::Field(field) => matches!(schema.field(*field).name.as_str(), "patient" | "ts"),
        Subject::Score(_) => false,
    };
    TopicPlan { subjects: subjects.into_iter().filter(|subject| !stands_first(subject)).collect(), undeclared }
}

fn origin(schema: &Schema, version: &str) -> OriginPlan {
    let mut before_partition = b"\"origin\":{\"topic\":".to_vec();
    before_partition.extend(quoted(&schema.stream));
    before_partition.extend_from_slice(b",\"partition\":");
    let after_offset = format!(",\"ruleset\":\"{version}\"}}}}").into_bytes();
    OriginPlan { before_partition, after_offset }
}
