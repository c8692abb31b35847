//! What is suspicious in a rule set that means something all the same.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::{CheckedExpected, CheckedRules};
use crate::diagnostic::{Code, Diagnostic};
use crate::state::window_room;
use crate::syntax::ast::{Let, Name, Rule, Score};

/// How often a reading of a patient is taken to come, in milliseconds: what monitors usually send, and our gateway.
const PACE: i64 = 5_000;

/// Adds the warnings about the rule set as a whole.
pub(super) fn check(lets: &[&Let], scores: &[&Score], rules: &[&Rule], checked: &mut CheckedRules) {
    let names = lets.iter().map(|item| &item.name).chain(scores.iter().map(|score| &score.name));
    let mut warnings = unused_names(names, checked);
    warnings.extend(unused_topics(rules, checked));
    warnings.extend(untested(checked));
    warnings.extend(same_conditions(checked));
    warnings.extend(crowded_window(checked));
    checked.lowering.diagnostics.extend(warnings);
}

fn unused_names<'a>(names: impl Iterator<Item = &'a Name>, checked: &CheckedRules) -> Vec<Diagnostic> {
    let unused = names.filter(|name| !checked.lowering.names.used.contains(&name.node));
    let warning = |name: &Name| {
        let message = format!("nothing uses `{}`", name.node);
        Diagnostic::new(Code::Unused, name.span, message, "not used").help("use it in a rule, or take it out")
    };
    unused.map(warning).collect()
}

fn unused_topics(rules: &[&Rule], checked: &CheckedRules) -> Vec<Diagnostic> {
    let written: HashSet<&str> = rules.iter().map(|rule| rule.topic.node.as_str()).collect();
    let unused = checked.topics.iter().filter(|topic| !written.contains(topic.name.as_str()));
    let warning = |(name, span): (&str, _)| {
        let diagnostic = Diagnostic::new(Code::Unused, span, format!("no rule writes to `{name}`"), "not used");
        diagnostic.help(format!("write a rule of it, such as `{name} when …`, or take it out"))
    };
    unused.filter_map(|topic| Some((topic.name.as_str(), topic.declared?))).map(warning).collect()
}

fn untested(checked: &CheckedRules) -> Vec<Diagnostic> {
    let expectations = checked.tests.iter().flat_map(|test| &test.steps).flat_map(|step| &step.expectations);
    let mentioned: HashSet<&CheckedExpected> = expectations.map(|expectation| &expectation.what).collect();
    let is_tested = |rule: &super::CheckedRule| {
        let expected = if rule.named {
            CheckedExpected::Rule(rule.name.clone())
        } else {
            CheckedExpected::Topic(rule.topic.clone())
        };
        mentioned.contains(&expected)
    };
    let untested = checked.rules.iter().filter(|rule| !is_tested(rule));
    let warning = |rule: &super::CheckedRule| {
        let message = format!("no test mentions the rule `{}`", rule.name);
        let help = format!(
            "add one: `test \"…\" {{ given {{ … }} expect {} }}`",
            if rule.named { &rule.name } else { &rule.topic }
        );
        Diagnostic::new(Code::Untested, rule.span, message, "untested").help(help)
    };
    untested.map(warning).collect()
}

fn same_conditions(checked: &CheckedRules) -> Vec<Diagnostic> {
    let mut first = HashMap::new();
    let mut warnings = Vec::new();
    for rule in &checked.rules {
        let other: &super::CheckedRule = first.entry((rule.topic.as_str(), rule.condition)).or_insert(rule);
        if other.name != rule.name {
            let message = format!("`{}` and `{}` have the same condition", other.name, rule.name);
            let diagnostic =
                Diagnostic::new(Code::SameCondition, rule.span, message, "always matches together with the other");
            warnings.push(diagnostic.also(other.span, "the other"));
        }
    }
    warnings
}

/// The longest window that has more values than are kept, at a reading every [`PACE`]. Of a few windows each has room for more than a
/// day; many share it.
fn crowded_window(checked: &CheckedRules) -> Option<Diagnostic> {
    let windows = &checked.lowering.windows;
    let room = window_room(windows.len());
    let values = |over: i64| usize::try_from(over / PACE).unwrap_or(usize::MAX);
    let crowded = windows.values().filter(|(function, over)| function.keeps_all() && values(over.node) > room);
    let longest = crowded.clone().map(|(_, over)| over).max_by_key(|over| (over.node, Reverse(over.span.start)))?;
    let others = match crowded.count() - 1 {
        0 => String::new(),
        1 => "; another window does not fit either".to_owned(),
        others => format!("; {others} other windows do not fit either"),
    };
    let message = format!(
        "with a reading every {} s this window has {} values, and {room} are kept",
        PACE / 1_000,
        values(longest.node)
    );
    let help = match windows.len() {
        1 => "let it be shorter".to_owned(),
        windows => format!("the {windows} windows of a rule set share room: let them be fewer or shorter{others}"),
    };
    Some(Diagnostic::new(Code::CrowdedWindow, longest.span, message, "unknown while it is full").help(help))
}
