//! What makes two rule sets, or two rules, the same: canonical texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::check::CheckedRules;
use crate::score::Score;
use crate::syntax::ast::{File, Item};
use crate::syntax::format;

/// Hex digits of a version.
const DIGITS: usize = 12;

/// The rule-set version: the first 12 hex digits of the SHA-256 of the files' canonical texts, without comments and
/// tests, joined in path order, and of the hashes of the scores' models, in the order of the scores. What stands beside a
/// model is in it too: it changes no decision, but by the version processes know what they have to take up.
pub(super) fn of(trees: &[File], scores: &[Score]) -> String {
    let mut hash = Sha256::new();
    for tree in trees {
        hash.update(format::canonical(tree).as_bytes());
    }
    for score in scores {
        hash.update(score.scorer.hash_of_all());
    }
    let mut digits = hex(&hash.finalize());
    digits.truncate(DIGITS);
    digits
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Per rule its canonical text with those of everything it depends on: the topic, the stream, `let`s, scores and
/// their models.
pub(super) fn rule_texts(trees: &[File], checked: &CheckedRules) -> Vec<String> {
    let items = || trees.iter().flat_map(|tree| &tree.items);
    let mut stream = String::new();
    let mut topics = BTreeMap::new();
    let mut lets = BTreeMap::new();
    let scores: BTreeMap<&str, &Score> =
        checked.lowering.names.scores.iter().map(|score| (score.name.as_str(), score)).collect();
    let mut with_models = BTreeMap::new();
    for item in items() {
        match item {
            Item::Stream(_) => stream = print(item),
            Item::Topic(topic) => {
                topics.insert(topic.name.node.as_str(), print(item));
            }
            Item::Let(declared) => {
                lets.insert(declared.name.node.as_str(), print(item));
            }
            Item::Score(declared) => {
                let name = declared.name.node.as_str();
                let model = scores.get(name).map_or(String::new(), |score| hex(&score.scorer.hash()));
                with_models.insert(name, format!("{}{model}\n", print(item)));
            }
            Item::Rule(_) | Item::Test(_) => {}
        }
    }
    lets.extend(with_models.iter().map(|(name, text)| (*name, text.clone())));
    let is_rule = |item: &&Item| matches!(item, Item::Rule(_));
    let mut texts = Vec::new();
    for (item, rule) in items().filter(is_rule).zip(&checked.rules) {
        let own = print(item);
        let topic = topics.get(rule.topic.as_str()).map_or("", String::as_str);
        let mut text = format!("{own}{stream}{topic}");
        let mut names = used(&own, &lets);
        // What is carried is fields and scores; a `let` of such a name is not.
        names.extend(used(topic, &with_models));
        for name in names {
            text.push_str(&lets[name]);
        }
        texts.push(text);
    }
    texts
}

fn print(item: &Item) -> String {
    format::canonical(&File { items: vec![item.clone()] })
}

/// The `let`s and scores whose names stand in a text, and those that stand in theirs.
fn used<'a>(text: &str, lets: &BTreeMap<&'a str, String>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut due = vec![text];
    while let Some(text) = due.pop() {
        for word in text.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
            if let Some((name, meaning)) = lets.get_key_value(word)
                && found.insert(*name)
            {
                due.push(meaning);
            }
        }
    }
    found
}
