//! What conditions and values mean, after names are resolved: one node for each distinct sub-expression, however many
//! rules and `let`s use it. Nodes stand behind those they are made of.

mod name;

use std::collections::HashMap;
use std::hash::Hash;

pub(crate) use name::{CellName, Described, Naming, duration};

use crate::function::{Function, Windowed};
use crate::syntax::ast::{Comparison, Status};
use crate::types::{FieldId, ScoreId, Subject};

/// A node of [`Graph::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ValueId(pub(crate) u32);

/// A node of [`Graph::conditions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConditionId(pub(crate) u32);

/// An f64 that can be a key: equal when the bits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Exact(u64);

impl Exact {
    pub(crate) fn new(value: f64) -> Self {
        Self(value.to_bits())
    }

    pub(crate) fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A number, enum code, truth value or time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Field(FieldId),
    Score(ScoreId),
    Constant(Exact),
    Negative(ValueId),
    Arithmetic(ValueId, Arithmetic, ValueId),
    Call(Function, Vec<ValueId>),
    /// The function over the value's known values of the last so many milliseconds.
    Window(Windowed, ValueId, i64),
    /// The last known value at an earlier reading.
    Previous(ValueId),
}

/// The four operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// A three-valued condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Condition {
    And(Vec<ConditionId>),
    Or(Vec<ConditionId>),
    Not(ConditionId),
    Predicate(Predicate),
    /// The condition has held for so long.
    Held(ConditionId, Hold),
    /// The second is true, and the first was at most so many milliseconds before.
    Then(ConditionId, ConditionId, i64),
}

/// How long a condition must have held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Hold {
    /// Since so many milliseconds.
    Since(i64),
    /// At so many true readings.
    Readings(u64),
}

/// A condition that has no conditions in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Predicate {
    Compare(ValueId, Comparison, ValueId),
    /// The text field says exactly this.
    Says(FieldId, String),
    /// The two text fields say the same.
    SaysSame(FieldId, FieldId),
    Is(Subject, Status),
}

/// All nodes of a rule set.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) values: Interned<Value>,
    pub(crate) conditions: Interned<Condition>,
}

/// Nodes, each once, in order of first mention.
#[derive(Debug)]
pub(crate) struct Interned<T> {
    nodes: Vec<T>,
    ids: HashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), ids: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// The position of `node`, which is added if it is new.
    pub(crate) fn intern(&mut self, node: T) -> u32 {
        if let Some(id) = self.ids.get(&node) {
            return *id;
        }
        let id = self.nodes.len() as u32;
        self.nodes.push(node.clone());
        self.ids.insert(node, id);
        id
    }

    pub(crate) fn get(&self, id: u32) -> &T {
        &self.nodes[id as usize]
    }

    /// All of them, parts before wholes.
    pub(crate) fn all(&self) -> &[T] {
        &self.nodes
    }
}

impl Graph {
    pub(crate) fn value(&mut self, value: Value) -> ValueId {
        ValueId(self.values.intern(value))
    }

    pub(crate) fn condition(&mut self, condition: Condition) -> ConditionId {
        ConditionId(self.conditions.intern(condition))
    }

    /// The fields and scores of a condition in order of first mention.
    pub(crate) fn subjects_of(&self, root: ConditionId) -> Vec<Subject> {
        let mut subjects = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.conditions.get(id.0) {
                Condition::And(parts) | Condition::Or(parts) => stack.extend(parts.iter().rev()),
                Condition::Not(part) | Condition::Held(part, _) => stack.push(*part),
                Condition::Then(first, second, _) => stack.extend([*second, *first]),
                Condition::Predicate(predicate) => self.subjects_of_predicate(predicate, &mut subjects),
            }
        }
        subjects
    }

    fn subjects_of_predicate(&self, predicate: &Predicate, subjects: &mut Vec<Subject>) {
        match predicate {
            Predicate::Compare(left, _, right) => self.subjects_of_values(&[*left, *right], subjects),
            Predicate::Says(field, _) => mention(Subject::Field(*field), subjects),
            Predicate::Is(subject, _) => mention(*subject, subjects),
            Predicate::SaysSame(left, right) => {
                mention(Subject::Field(*left), subjects);
                mention(Subject::Field(*right), subjects);
            }
        }
    }

    /// Adds the fields and scores of the values, in order of first mention.
    pub(crate) fn subjects_of_values(&self, roots: &[ValueId], subjects: &mut Vec<Subject>) {
        let mut seen = std::collections::HashSet::new();
        let mut stack: Vec<ValueId> = roots.iter().rev().copied().collect();
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.values.get(id.0) {
                Value::Field(field) => mention(Subject::Field(*field), subjects),
                Value::Score(score) => mention(Subject::Score(*score), subjects),
                Value::Constant(_) => {}
                Value::Negative(inner) | Value::Window(_, inner, _) | Value::Previous(inner) => stack.push(*inner),
                Value::Arithmetic(left, _, right) => stack.extend([*right, *left]),
                Value::Call(_, arguments) => stack.extend(arguments.iter().rev()),
            }
        }
    }

    /// Whether a comparison has a window or `previous` in it.
    pub(crate) fn looks_back(&self, id: ConditionId) -> bool {
        match self.conditions.get(id.0) {
            Condition::Predicate(Predicate::Compare(left, _, right)) => self.remembers(*left) || self.remembers(*right),
            _ => false,
        }
    }

    /// Whether a window or `previous` stands in the value.
    pub(crate) fn remembers(&self, root: ValueId) -> bool {
        self.any(root, |value| matches!(value, Value::Window(..) | Value::Previous(_)))
    }

    /// Whether the value, or a part of it that is not only counted, is such a one.
    pub(crate) fn any(&self, root: ValueId, is: impl Fn(&Value) -> bool) -> bool {
        let mut seen = std::collections::HashSet::new();
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            let value = self.values.get(id.0);
            if is(value) {
                return true;
            }
            match value {
                Value::Field(_) | Value::Score(_) | Value::Constant(_) | Value::Window(Windowed::Count, ..) => {}
                Value::Negative(inner) | Value::Window(_, inner, _) | Value::Previous(inner) => stack.push(*inner),
                Value::Arithmetic(left, _, right) => stack.extend([*right, *left]),
                Value::Call(_, arguments) => stack.extend(arguments),
            }
        }
        false
    }
}

fn mention(subject: Subject, subjects: &mut Vec<Subject>) {
    if !subjects.contains(&subject) {
        subjects.push(subject);
    }
}
