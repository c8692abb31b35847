//! What the plain interpreter says must be there, against what is there: byte by byte, by topic, partition and order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use triage::models::Place;
use triage::rules::RuleFiles;
use triage_core::program::Limits;
use triage_core::reading::Record;
use triage_core::source::FileId;
use triage_core::syntax;

use crate::interpreter::oracle::{Destination, Event, Oracle, Sent};
use crate::journal::{self, Entry, Word};
use crate::topics::{Read, Written};

/// The engine's own defaults.
const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: Some(300_000) };

/// A record as the interpreter says it, in the form in which it is compared.
type Wanted = (Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>, BTreeMap<String, String>);

/// Topic, then partition, then order.
pub(crate) struct Expected(BTreeMap<String, Vec<Vec<Wanted>>>);

impl Expected {
    /// Interprets the stream with what happened between its readings as the journal has it: every partition by itself, for
    /// they know nothing of one another, and all at once.
    pub(crate) fn of(rules: &Path, stream: &[Vec<Read>], journal: &[Vec<Read>]) -> Self {
        let compiled = RuleFiles::read(rules).compile().unwrap_or_else(|_| panic!("the rules do not compile"));
        let parsed = compiled.files.iter().enumerate();
        let trees: Vec<_> = parsed.map(|(at, file)| syntax::parse(FileId(at as u32), &file.text).unwrap()).collect();
        let models = Place::Set(compiled.models);
        let oracle = || {
            let mut oracle = Oracle::new(&trees, compiled.program.version(), &models.reader());
            oracle.width = stream.len() as i32;
            oracle
        };
        let mut topics: BTreeMap<String, Vec<Vec<Wanted>>> = BTreeMap::new();
        let derived: Vec<String> = oracle().topic_names().into_iter().map(str::to_owned).collect();
        let alerts =
            derived.iter().filter(|topic| has_alerts(&compiled.files, topic)).map(|topic| format!("alerts.{topic}"));
        for topic in derived.iter().cloned().chain(alerts).chain(["dead-letters".to_owned()]) {
            topics.insert(topic, vec![Vec::new(); stream.len()]);
        }
        let all = std::thread::scope(|scope| {
            let interpreted =
                |partition: usize| interpreted(oracle(), partition, &stream[partition], &journal[partition]);
            let running: Vec<_> =
                (0..stream.len()).map(|partition| scope.spawn(move || interpreted(partition))).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (partition, sent) in all.into_iter().enumerate() {
            for (topic, wanted) in sent {
                topics.get_mut(&topic).unwrap_or_else(|| panic!("no topic {topic}"))[partition].push(wanted);
            }
        }
        Self(topics)
    }

    /// The first difference of a partition, if there is any.
    pub(crate) fn difference(&self, topic: &str, partition: usize, found: &[Read]) -> Option<String> {
        let found: Vec<Wanted> = found.iter().map(got).collect();
        first_difference(&format!("{topic}/{partition}"), &self.0[topic][partition], &found)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = String> + '_ {
        self.0.keys().cloned()
    }
}

/// What a partition's records and the entries between them bring about: topics, and what goes there.
fn interpreted(mut oracle: Oracle, partition: usize, records: &[Read], journal: &[Read]) -> Vec<(String, Wanted)> {
    let mut all = Vec::new();
    let mut happen = |event: Event<'_>, record: Option<(&str, &Record<'_>)>| {
        all.extend(oracle.step(0, &event, &LIMITS).iter().map(|sent| wanted(sent, record)));
    };
    let mut entries = journal.iter().map(Entry::of).peekable();
    for read in records {
        while let Some(entry) = entries.next_if(|entry| entry.before <= read.offset) {
            between(&entry, partition as i32, &mut happen);
        }
        let record = record(partition, read);
        happen(Event::Record(record), Some(("research", &record)));
    }
    for entry in entries {
        between(&entry, partition as i32, &mut happen);
    }
    all
}

/// Whether the files have a rule of that topic with an alert; the engine makes no other alert topics.
fn has_alerts(files: &[triage_core::source::SourceFile], topic: &str) -> bool {
    let trees = files.iter().map(|file| syntax::parse(FileId(0), &file.text).unwrap());
    trees.flat_map(|tree| tree.items).any(|item| match item {
        syntax::ast::Item::Rule(rule) => {
            let alert = |clause: &syntax::ast::RuleClause| matches!(clause, syntax::ast::RuleClause::Alert(..));
            rule.topic.node == topic && rule.clauses.iter().any(|clause| alert(&clause.node))
        }
        _ => false,
    })
}

/// Happens between two readings. The engines' order of what is not in the stream is taken for granted, and nothing else.
fn between(entry: &Entry, partition: i32, happen: &mut impl FnMut(Event<'_>, Option<(&str, &Record<'_>)>)) {
    if let Some(to) = entry.event["advance"]["to"].as_i64() {
        return happen(Event::Advance { partition, to }, None);
    }
    if entry.event["basis"].is_object() {
        // One rule set judges all of it.
        return;
    }
    let Word { offset, timestamp, key, value } = entry.word().unwrap();
    let record = Record { key: key.as_deref(), value: value.as_deref(), timestamp, partition, offset };
    happen(Event::Acknowledgement(record), Some(("acknowledgements", &record)));
}

fn record(partition: usize, read: &Read) -> Record<'_> {
    Record {
        key: read.key.as_deref(),
        value: read.value.as_deref(),
        timestamp: read.timestamp,
        partition: partition as i32,
        offset: read.offset,
    }
}

/// `record` is what a dead letter is of, and its topic.
fn wanted(sent: &Sent, record: Option<(&str, &Record<'_>)>) -> (String, Wanted) {
    let bytes = |text: String| Some(text.into_bytes());
    let whole = |topic: String| {
        (topic, (sent.key.clone().and_then(bytes), bytes(sent.value.clone()), sent.timestamp, BTreeMap::new()))
    };
    match &sent.to {
        Destination::Topic(topic) => whole(topic.clone()),
        Destination::Alert(topic) => whole(format!("alerts.{topic}")),
        Destination::DeadLetter { stage, reason } => {
            let (topic, record) = record.unwrap();
            let headers = [
                ("stage", (*stage).to_owned()),
                ("reason", (*reason).to_owned()),
                ("topic", topic.to_owned()),
                ("partition", record.partition.to_string()),
                ("offset", record.offset.to_string()),
                ("timestamp", record.timestamp.unwrap().to_string()),
            ];
            let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
            let copy = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            ("dead-letters".to_owned(), (copy(record.key), copy(record.value), record.timestamp, headers))
        }
    }
}

/// As it is compared: the sentence of a dead letter is for people, and not the interpreter's.
fn got(read: &Read) -> Wanted {
    let mut headers = read.headers.clone();
    headers.remove("sentence");
    // Judged by the wall clock when it was sent.
    headers.remove("delayed");
    headers.remove("age_seconds");
    (read.key.clone(), read.value.clone(), read.timestamp, headers)
}

/// Per topic how many records there are, and the first difference of each partition.
pub(crate) struct Verdict {
    counts: BTreeMap<String, (usize, usize)>,
    differences: Vec<String>,
}

impl Verdict {
    pub(crate) fn of(expected: &Expected, written: &Written) -> Self {
        let mut verdict = Self { counts: BTreeMap::new(), differences: Vec::new() };
        for (topic, partitions) in &expected.0 {
            for (partition, wanted) in partitions.iter().enumerate() {
                let found = &written.0[topic][partition];
                let counts = verdict.counts.entry(topic.clone()).or_default();
                *counts = (counts.0 + wanted.len(), counts.1 + found.len());
                verdict.differences.extend(expected.difference(topic, partition, found));
            }
        }
        verdict
    }

    /// Judges what the engines have heard, too: by partition all that was said, and their journal.
    pub(crate) fn hear(&mut self, said: &[Vec<Read>], journal: &[Vec<Read>]) {
        let counts = self.counts.entry("acknowledgements".to_owned()).or_default();
        for (partition, (said, journal)) in said.iter().zip(journal).enumerate() {
            *counts = (counts.0 + said.len(), counts.1 + journal::count(journal));
            self.differences.extend(journal::differences(partition, said, journal));
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.differences.is_empty()
    }
}

fn first_difference(place: &str, wanted: &[Wanted], found: &[Wanted]) -> Option<String> {
    let at = (0..wanted.len().max(found.len())).find(|at| wanted.get(*at) != found.get(*at))?;
    let show = |record: Option<&Wanted>| {
        record.map_or("nothing".to_owned(), |(key, value, time, headers)| {
            let text =
                |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            format!("{:?} {:?} {time:?} {headers:?}", text(key), text(value))
        })
    };
    Some(format!(
        "{place}: record {at}: wanted {}\n  found {}\n  then {}",
        show(wanted.get(at)),
        show(found.get(at)),
        show(found.get(at + 1))
    ))
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (topic, (wanted, found)) in &self.counts {
            writeln!(formatter, "{topic:24} wanted {wanted:8}  found {found:8}")?;
        }
        for difference in &self.differences {
            writeln!(formatter, "{difference}")?;
        }
        Ok(())
    }
}
