//! The checked rules' graph to a program's nodes: negation pushed into the predicates, only what is asked for.

use std::collections::HashMap;

use super::version;
use crate::check::{CheckedAlert, CheckedFields, CheckedRules, CheckedTopic, Piece};
use crate::graph::{Condition, ConditionId, Graph, Predicate, Value, ValueId};
use crate::json::quoted;
use crate::program::alert::{AlertPlan, Part};
use crate::program::nodes::{Node, NodeId, Nodes, Number, NumberId};
use crate::program::{OriginPlan, Program, Rule, RuleInfo, Topic, TopicId, TopicPlan};
use crate::reading::Decoder;
use crate::syntax::ast::{Comparison, File};
use crate::types::{FieldId, Schema};

/// A condition and whether it is negated.
type Signed = (ConditionId, bool);

/// Puts parts of the graph into nodes, each once.
#[derive(Debug, Default)]
pub(crate) struct Lower {
    pub(crate) nodes: Nodes,
    numbers: HashMap<ValueId, NumberId>,
    conditions: HashMap<Signed, NodeId>,
    /// Nodes by what they are: `not (a > 1)` and `a <= 1` are one.
    by_node: HashMap<Node, NodeId>,
}

impl Lower {
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
        };
        self.add(node)
    }

    fn predicate(&mut self, graph: &Graph, predicate: &Predicate, negated: bool) -> Node {
        match predicate {
            Predicate::Compare(left, op, right) => {
                let op = if negated { opposite(*op) } else { *op };
                Node::Compare(self.number(graph, *left), op, self.number(graph, *right))
            }
            Predicate::Says(field, text) => Node::Says { field: *field, text: text.clone(), negated },
            Predicate::SaysSame(left, right) => Node::SaysSame { left: *left, right: *right, negated },
            Predicate::Is(field, status) => Node::Is { field: *field, status: *status, negated },
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
            let number = self.number_of(value);
            let new = NumberId(self.nodes.numbers.len() as u32);
            self.nodes.numbers.push(number);
            self.numbers.insert(id, new);
        }
        self.numbers[&root]
    }

    fn number_of(&self, value: &Value) -> Number {
        let of = |id: &ValueId| self.numbers[id];
        match value {
            Value::Field(field) => Number::Field(*field),
            Value::Constant(exact) => Number::Constant(exact.get()),
            Value::Negative(inner) => Number::Negative(of(inner)),
            Value::Arithmetic(left, operation, right) => Number::Arithmetic(of(left), *operation, of(right)),
            Value::Call(function, arguments) => Number::Call(*function, arguments.iter().map(of).collect()),
        }
    }

    fn alert(
        &mut self,
        graph: &Graph,
        alert: &CheckedAlert,
        condition: ConditionId,
        topic: &CheckedTopic,
    ) -> AlertPlan {
        let part = |piece: &Piece| match piece {
            Piece::Text(text) => Part::Text(text.clone()),
            Piece::Field(field) => Part::Field(*field),
            Piece::Number(id) => Part::Number(self.number(graph, *id)),
            Piece::Decimals(id, decimals) => Part::Decimals(self.number(graph, *id), *decimals),
            Piece::Condition(id) => Part::Condition(self.condition(graph, (*id, false))),
        };
        AlertPlan {
            priority: alert.priority,
            message: alert.message.iter().map(part).collect(),
            notify: topic.notify.as_deref().map(quoted),
            values: graph.fields_of(condition),
        }
    }
}

/// The conditions that a condition is made of, with their signs.
fn parts(graph: &Graph, (id, negated): Signed) -> Vec<Signed> {
    match graph.conditions.get(id.0) {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().map(|part| (*part, negated)).collect(),
        Condition::Not(part) => vec![(*part, !negated)],
        Condition::Predicate(_) => Vec::new(),
    }
}

fn operands(value: &Value) -> Vec<ValueId> {
    match value {
        Value::Field(_) | Value::Constant(_) => Vec::new(),
        Value::Negative(inner) => vec![*inner],
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
    let mut lower = Lower::default();
    let texts = version::rule_texts(trees, checked);
    let version = version::of(trees);
    let mut rules = Vec::new();
    let mut listing = Vec::new();
    let mut topics: Vec<Topic> = checked.topics.iter().map(topic).collect();
    for (rule, text) in checked.rules.iter().zip(texts) {
        let Some(index) = checked.topics.iter().position(|topic| topic.name == rule.topic) else { continue };
        let id = TopicId(index as u32);
        let node = lower.condition(graph, (rule.condition, false));
        let alert = rule.alert.as_ref().map(|alert| lower.alert(graph, alert, rule.condition, &checked.topics[index]));
        topics[index].alerts |= alert.is_some();
        listing.push(Rule { name: rule.name.clone(), topic: id, text });
        rules.push(RuleInfo { quoted: quoted(&rule.name), name: rule.name.clone(), topic: id, node, alert });
    }
    Program {
        origin: origin(schema, &version),
        version,
        topics,
        listing,
        nodes: lower.nodes,
        rules,
        plans: checked.topics.iter().map(|topic| plan(topic, schema)).collect(),
        field_names: schema.fields.iter().map(|field| quoted(&field.name)).collect(),
        decoder: Decoder::new(schema.clone()),
    }
}

fn topic(topic: &CheckedTopic) -> Topic {
    Topic { name: topic.name.clone(), store: topic.store.clone(), notify: topic.notify.clone(), alerts: false }
}

fn plan(topic: &CheckedTopic, schema: &Schema) -> TopicPlan {
    let (fields, undeclared) = match &topic.fields {
        CheckedFields::All => ((0..schema.fields.len() as u32).map(FieldId).collect(), true),
        CheckedFields::Listed(fields) => (fields.clone(), false),
    };
    let stands_first = |field: &FieldId| matches!(schema.field(*field).name.as_str(), "patient" | "ts");
    TopicPlan { fields: fields.into_iter().filter(|field| !stands_first(field)).collect(), undeclared }
}

fn origin(schema: &Schema, version: &str) -> OriginPlan {
    let mut before_partition = b"\"origin\":{\"topic\":".to_vec();
    before_partition.extend(quoted(&schema.stream));
    before_partition.extend_from_slice(b",\"partition\":");
    let after_offset = format!(",\"ruleset\":\"{version}\"}}}}").into_bytes();
    OriginPlan { before_partition, after_offset }
}
