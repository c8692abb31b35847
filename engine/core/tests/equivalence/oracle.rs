//! A plain interpreter of the rules language, to hold the compiled program correct.
//!
//! It is written from the language page alone and shares nothing with the compiler but the syntax tree: no speed, no
//! batches, no sharing of conditions between rules, one recursion over the tree for each rule and reading. It trusts
//! that the rule set is well typed.

mod condition;
mod field;
mod json;
mod message;
mod output;
mod reading;
mod time;
mod unit;

use std::collections::BTreeMap;

use triage_core::program::{Counts, Limits, Reason};
use triage_core::reading::Record;
use triage_core::syntax::ast::{
    Expr, Field, Fields, File, Item, Priority, Rule as RuleItem, RuleClause, RuleCondition, Stream, TopicClause,
};

use condition::Judge;
use reading::Reading;

pub(crate) use json::quote;
pub(crate) use unit::convert;

/// Something sent, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Which record of the whole run it comes from.
    pub(crate) row: usize,
    /// The Kafka topic, or the reason of a dead letter.
    pub(crate) to: Destination,
    /// The key; none for a dead letter, whose key is the record's.
    pub(crate) key: Option<String>,
    /// The value; empty for a dead letter.
    pub(crate) value: String,
}

/// Where something is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A derived record's topic.
    Topic(String),
    /// The topic whose alert it is.
    Alert(String),
    /// Not a reading.
    DeadLetter(Reason),
}

/// A rule set, ready to be interpreted.
pub(crate) struct Oracle {
    stream: Stream,
    lets: BTreeMap<String, Expr>,
    topics: Vec<Topic>,
    rules: Vec<Rule>,
    ruleset: String,
    /// What was counted so far.
    pub(crate) counts: Counts,
}

struct Topic {
    name: String,
    fields: Fields,
    notify: Option<String>,
}

struct Rule {
    name: String,
    topic: String,
    condition: Expr,
    alert: Option<(Priority, String)>,
}

impl Oracle {
    /// The rule set of these files, which are in path order; `ruleset` is its version.
    pub(crate) fn new(files: &[File], ruleset: &str) -> Self {
        let items = || files.iter().flat_map(|file| &file.items);
        let stream = items().find_map(|item| if let Item::Stream(stream) = item { Some(stream.clone()) } else { None });
        let rules = name_rules(items().filter_map(|item| if let Item::Rule(rule) = item { Some(rule) } else { None }));
        let mut lets = BTreeMap::new();
        let mut topics = Vec::new();
        for item in items() {
            match item {
                Item::Let(named) => drop(lets.insert(named.name.node.clone(), named.value.clone())),
                Item::Topic(topic) => topics.push(declared_topic(&topic.name.node, &topic.clauses)),
                _ => {}
            }
        }
        let mut undeclared: Vec<&str> = rules.iter().map(|rule| rule.topic.as_str()).collect();
        undeclared.retain(|name| !topics.iter().any(|topic: &Topic| topic.name == *name));
        undeclared.sort_unstable();
        undeclared.dedup();
        let undeclared =
            undeclared.into_iter().map(|name| Topic { name: name.into(), fields: Fields::All, notify: None });
        topics.extend(undeclared.collect::<Vec<_>>());
        Self {
            stream: stream.expect("a rule set has a stream"),
            lets,
            topics,
            rules,
            ruleset: ruleset.into(),
            counts: Counts::default(),
        }
    }

    /// The topics in the order of output.
    pub(crate) fn topic_names(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.name.as_str()).collect()
    }

    /// The rules' names in rule order.
    pub(crate) fn rule_names(&self) -> Vec<&str> {
        self.rules.iter().map(|rule| rule.name.as_str()).collect()
    }

    /// What one record makes the rule set send; `row` marks it.
    pub(crate) fn step(&mut self, row: usize, record: &Record<'_>, limits: &Limits) -> Vec<Sent> {
        let reading = match Reading::read(&self.stream, record, limits) {
            Ok(reading) => reading,
            Err(reason) => {
                return vec![Sent { row, to: Destination::DeadLetter(reason), key: None, value: String::new() }];
            }
        };
        let judge = Judge { fields: &self.stream.fields, lets: &self.lets, states: &reading.states };
        let truths: Vec<Option<bool>> = self.rules.iter().map(|rule| judge.truth(&rule.condition)).collect();
        let mut sent = Vec::new();
        for topic in &self.topics {
            if let Some(value) = self.derived(topic, &reading, &truths) {
                sent.push((Destination::Topic(topic.name.clone()), value));
            }
        }
        for (rule, _) in self.rules.iter().zip(&truths).filter(|(_, truth)| **truth == Some(true)) {
            if let Some(value) = self.alert(rule, &reading, &judge) {
                sent.push((Destination::Alert(rule.topic.clone()), value));
            }
        }
        let sent = sent.into_iter().map(|(to, (key, value))| Sent { row, to, key, value }).collect();
        self.count(&reading, &truths);
        sent
    }

    /// The stored form of a reading: its `_id` and the document.
    pub(crate) fn stored(&self, record: &Record<'_>, limits: &Limits) -> Option<(String, String)> {
        let reading = Reading::read(&self.stream, record, limits).ok()?;
        Some(output::stored(&self.stream, &reading))
    }

    /// The time of a reading; none for a dead letter.
    pub(crate) fn time(&self, record: &Record<'_>, limits: &Limits) -> Option<i64> {
        Reading::read(&self.stream, record, limits).ok().map(|reading| reading.ts)
    }

    fn derived(&self, topic: &Topic, reading: &Reading, truths: &[Option<bool>]) -> Option<(Option<String>, String)> {
        let matched: Vec<&str> = self
            .rules
            .iter()
            .zip(truths)
            .filter(|(rule, truth)| rule.topic == topic.name && **truth == Some(true))
            .map(|(rule, _)| rule.name.as_str())
            .collect();
        if matched.is_empty() {
            return None;
        }
        let value = output::derived(&self.stream, reading, &topic.fields, &matched, &self.ruleset);
        Some((reading.patient.clone(), value))
    }

    fn alert(&self, rule: &Rule, reading: &Reading, judge: &Judge<'_>) -> Option<(Option<String>, String)> {
        let (priority, template) = rule.alert.as_ref()?;
        let id = format!("{}/{}", reading.place(&self.stream), rule.name);
        let topic = self.topics.iter().find(|topic| topic.name == rule.topic).expect("every rule has a topic");
        let alert = output::Alert {
            id: &id,
            rule: &rule.name,
            priority: priority_name(*priority),
            message: &message::fill(template, judge),
            notify: topic.notify.as_deref(),
            values: judge.mentioned(&rule.condition),
        };
        Some((Some(id.clone()), output::alert(&self.stream, reading, &alert, &self.ruleset)))
    }

    fn count(&mut self, reading: &Reading, truths: &[Option<bool>]) {
        let counts = &mut self.counts;
        counts.readings += 1;
        counts.matched.resize(truths.len(), 0);
        counts.not_evaluable.resize(truths.len(), 0);
        counts.missing.resize(reading.states.len(), 0);
        counts.invalid.resize(reading.states.len(), 0);
        for (rule, truth) in truths.iter().enumerate() {
            counts.matched[rule] += u64::from(*truth == Some(true));
            counts.not_evaluable[rule] += u64::from(truth.is_none());
        }
        for (field, state) in reading.states.iter().enumerate() {
            counts.missing[field] += u64::from(matches!(state, field::State::Missing));
            counts.invalid[field] += u64::from(matches!(state, field::State::Invalid));
        }
        counts.undeclared += reading.undeclared;
        counts.reserved += reading.reserved;
        counts.misplaced += u64::from(reading.misplaced);
    }
}

fn declared_topic(name: &str, clauses: &[triage_core::source::Spanned<TopicClause>]) -> Topic {
    let mut topic = Topic { name: name.into(), fields: Fields::Listed(Vec::new()), notify: None };
    for clause in clauses {
        match &clause.node {
            TopicClause::Fields(fields) => topic.fields = fields.clone(),
            TopicClause::Notify(role) => topic.notify = Some(role.node.clone()),
            TopicClause::Store(_) | TopicClause::CoversAll => {}
        }
    }
    topic
}

fn name_rules<'a>(items: impl Iterator<Item = &'a RuleItem>) -> Vec<Rule> {
    let mut unnamed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut rules = Vec::new();
    for item in items {
        let topic = &item.topic.node;
        let name = if let Some(name) = &item.name {
            format!("{topic}.{}", name.node)
        } else {
            let number = unnamed.entry(topic).or_default();
            *number += 1;
            if *number == 1 { topic.clone() } else { format!("{topic}#{number}") }
        };
        let RuleCondition::Expr(condition) = &item.condition else { panic!("silence is of a later part") };
        let alert = item.clauses.iter().find_map(|clause| match &clause.node {
            RuleClause::Alert(priority, template) => Some((priority.node, template.node.clone())),
            _ => None,
        });
        rules.push(Rule { name, topic: topic.clone(), condition: condition.clone(), alert });
    }
    rules
}

fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Medium => "medium",
        Priority::Low => "low",
        Priority::Info => "info",
    }
}

/// The field of that name.
fn find<'a>(fields: &'a [Field], name: &str) -> Option<(usize, &'a Field)> {
    fields.iter().enumerate().find(|(_, field)| field.name.node == name)
}
