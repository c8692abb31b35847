//! Syntax trees to a checked rule set: names resolved, types and units agreed, every mistake of the run collected.

mod compare;
mod duration;
mod expr;
mod lets;
mod lint;
mod names;
mod ownership;
mod rule;
mod schema;
mod score;
mod template;
mod test;
mod topic;
mod typed;

use std::collections::BTreeSet;

pub(crate) use expr::Lowering;
pub(crate) use rule::{CheckedAlert, CheckedCondition, CheckedRule};
pub(crate) use template::Piece;

pub(crate) use test::{Arriving, CheckedEvent, CheckedExpectation, CheckedExpected, CheckedTest};
pub(crate) use topic::{CheckedFields, CheckedTopic};

use self::names::Names;
use self::ownership::Owned;
use self::rule::RuleNames;
use self::schema::duplicate;
use crate::diagnostic::{Code, Diagnostic};
use crate::score::Models;
use crate::syntax::ast::{self, File, Item, Name};
use crate::syntax::reserved::written;
use crate::types::Schema;

/// A rule set whose names, types and units agree.
#[derive(Debug)]
pub(crate) struct CheckedRules {
    /// The topics that rules write to or that are declared, in order of output.
    pub(crate) topics: Vec<CheckedTopic>,
    /// The rules in rule order.
    pub(crate) rules: Vec<CheckedRule>,
    pub(crate) tests: Vec<CheckedTest>,
    /// The schema, what names mean, the graph, and everything reported.
    pub(crate) lowering: Lowering,
}

/// The declarations of all files, by kind, in path order.
#[derive(Default)]
struct Declarations<'a> {
    streams: Vec<&'a ast::Stream>,
    topics: Vec<&'a ast::Topic>,
    scores: Vec<&'a ast::Score>,
    lets: Vec<&'a ast::Let>,
    rules: Vec<&'a ast::Rule>,
    tests: Vec<&'a ast::Test>,
}

impl<'a> Declarations<'a> {
    fn of(files: &'a [File]) -> Self {
        let mut all = Self::default();
        for item in files.iter().flat_map(|file| &file.items) {
            match item {
                Item::Stream(stream) => all.streams.push(stream),
                Item::Topic(topic) => all.topics.push(topic),
                Item::Score(score) => all.scores.push(score),
                Item::Let(item) => all.lets.push(item),
                Item::Rule(rule) => all.rules.push(rule),
                Item::Test(test) => all.tests.push(test),
            }
        }
        all
    }
}

/// Checks the files together.
///
/// # Errors
/// Only what leaves nothing to check against: no stream. Everything else is in the checked rules' diagnostics.
pub(crate) fn check(files: &[File], models: &dyn Models) -> Result<CheckedRules, Vec<Diagnostic>> {
    let all = Declarations::of(files);
    let mut diagnostics = Vec::new();
    let Some(stream) = all.streams.first() else {
        let help = "declare what arrives: `stream research { patient: text key  ts: time event  … }`";
        return Err(vec![Diagnostic::global(Code::NoStream, "no stream is declared").help(help)]);
    };
    for again in &all.streams[1..] {
        let message = "a second stream is declared";
        let diagnostic =
            Diagnostic::new(Code::TwoStreams, again.name.span, message, "expected one in all files together");
        diagnostics.push(diagnostic.also(stream.name.span, "first declared here"));
    }
    let mut owned = Owned::default();
    let schema = schema::check(stream, &mut owned, &mut diagnostics);
    let mut lowering = Lowering::new(Names::new(schema));
    lowering.diagnostics = diagnostics;
    declare_names(&all, stream, &mut lowering);
    all.scores.iter().for_each(|declared| score::check(declared, models, &mut lowering));
    lets::resolve(&all.lets, &mut lowering);
    let mut topics = topics(&all, &mut owned, &mut lowering);
    let mut names = RuleNames::default();
    let rules: Vec<CheckedRule> =
        all.rules.iter().filter_map(|rule| rule::check(rule, &mut names, &mut lowering)).collect();
    topics.extend(undeclared_topics(&all.rules, &topics, &owned, &mut lowering));
    // A rule with a mistake in it is still one that tests may name and that its topic is written to by.
    let named: Vec<String> = all.rules.iter().filter_map(|rule| rule::full_name(rule)).collect();
    let targets = test::Targets {
        topics: topics.iter().map(|topic| topic.name.as_str()).collect(),
        rules: named.iter().map(String::as_str).collect(),
    };
    let tests = all.tests.iter().map(|test| test::check(test, &targets, &mut lowering)).collect();
    let mut checked = CheckedRules { topics, rules, tests, lowering };
    lint::check(&all.lets, &all.scores, &all.rules, &mut checked);
    Ok(checked)
}

impl CheckedRules {
    pub(crate) fn schema(&self) -> &Schema {
        &self.lowering.names.schema
    }
}

/// `let`s and scores share their names with fields.
fn declare_names(all: &Declarations<'_>, stream: &ast::Stream, lowering: &mut Lowering) {
    let mut declared: Vec<&Name> = stream.fields.iter().map(|field| &field.name).collect();
    let lets = all.lets.iter().map(|item| &item.name);
    for name in lets.chain(all.scores.iter().map(|score| &score.name)) {
        if let Some(first) = declared.iter().find(|other| **other == name) {
            lowering.diagnostics.push(duplicate("name", name, first.span));
        }
        declared.push(name);
    }
    lowering.names.declared.extend(all.lets.iter().map(|item| item.name.node.clone()));
}

fn topics(all: &Declarations<'_>, owned: &mut Owned, lowering: &mut Lowering) -> Vec<CheckedTopic> {
    let mut topics = Vec::new();
    for (index, topic) in all.topics.iter().enumerate() {
        if let Some(first) = all.topics[..index].iter().find(|other| other.name == topic.name) {
            lowering.diagnostics.push(duplicate("topic", &topic.name, first.name.span));
            continue;
        }
        topics.push(topic::check(topic, owned, lowering));
    }
    topics
}

/// The topics that rules write to and nothing declares, by name.
fn undeclared_topics(
    rules: &[&ast::Rule],
    declared: &[CheckedTopic],
    owned: &Owned,
    lowering: &mut Lowering,
) -> Vec<CheckedTopic> {
    let mut found = BTreeSet::new();
    for rule in rules {
        let name = &rule.topic;
        if declared.iter().any(|topic| topic.name == name.node) || !found.insert(name.node.as_str()) {
            continue;
        }
        if !owned.topic(name, &mut lowering.diagnostics) {
            continue;
        }
        let message = format!("the topic `{}` is not declared", name.node);
        let label = "it carries every field and is stored nowhere";
        let known = declared.iter().map(|topic| topic.name.as_str());
        let diagnostic = Diagnostic::new(Code::UndeclaredTopic, name.span, message, label).suggest(&name.node, known);
        let help = format!("declare it: `topic {} {{ fields … store … notify \"…\" }}`", written(&name.node));
        lowering.diagnostics.push(diagnostic.help(help));
    }
    found.into_iter().map(topic::undeclared).collect()
}
