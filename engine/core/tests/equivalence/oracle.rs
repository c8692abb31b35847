//! A plain interpreter of the rules language, to hold the compiled program correct.
//!
//! It is written from the language page alone and shares nothing with the compiler but the syntax tree and the models: no
//! speed, no batches, no sharing of conditions between rules, one recursion over the tree for each rule and reading. A
//! patient's readings are kept whole, and read again for every time operator; timers are looked for among all patients
//! whenever the stream's time comes to a moment at which one may be due. It trusts that the rule set is well typed.

mod acknowledgement;
mod canonical;
mod condition;
mod episode;
mod exact;
mod field;
mod history;
mod json;
mod message;
mod output;
mod partition;
mod reading;
mod reload;
mod rule;
mod score;
mod time;
mod timer;
mod unit;

use std::collections::BTreeMap;

use triage_core::program::{Counts, Limits};
use triage_core::reading::Record;
use triage_core::score::Models;
use triage_core::syntax::ast::{Expr, Field, Fields, File, Item, Stream, TopicClause};

use condition::Judge;
use partition::Partition;
use reading::Reading;
use rule::{Condition, Rule};
use score::Score;

pub(crate) use json::{only_member, quote};
pub(crate) use unit::convert;

/// 30 days: how long a patient is remembered if the stream does not say.
const FORGET_AFTER: i64 = 30 * 86_400_000;

/// What happens, in the order of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'a> {
    /// A record of the stream.
    Record(Record<'a>),
    /// A record of the topic `acknowledgements`, of the same partition.
    Acknowledgement(Record<'a>),
    /// The stream's time moves although nothing arrives.
    Advance {
        /// Whose time it is.
        partition: i32,
        /// To which moment, in epoch milliseconds.
        to: i64,
    },
}

impl<'a> Event<'a> {
    /// The record of the stream that it is.
    pub(crate) fn record(&self) -> Option<Record<'a>> {
        if let Event::Record(record) = self { Some(*record) } else { None }
    }
}

/// Something sent, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Which event of the whole run it comes from.
    pub(crate) row: usize,
    /// Where it goes.
    pub(crate) to: Destination,
    /// The key; none for a dead letter, whose key is the record's.
    pub(crate) key: Option<String>,
    /// The value; empty for a dead letter.
    pub(crate) value: String,
    /// The partition it goes to: that of the event.
    pub(crate) partition: i32,
    /// The Kafka timestamp it bears: that of the event's record, or the moment of an idle step.
    pub(crate) timestamp: Option<i64>,
}

/// Where something is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A derived record's topic.
    Topic(String),
    /// The topic whose alert it is.
    Alert(String),
    /// Refused.
    DeadLetter {
        /// `reading` or `acknowledgement`.
        stage: &'static str,
        /// The short code.
        reason: &'static str,
    },
}

/// Something on its way: where to, with which key, and the value.
type Sending = (Destination, Option<String>, String);

/// A rule set, ready to be interpreted.
pub(crate) struct Oracle {
    stream: Stream,
    lets: BTreeMap<String, Expr>,
    scores: Vec<Score>,
    topics: Vec<Topic>,
    rules: Vec<Rule>,
    /// Which of them wait for silence.
    silences: Vec<usize>,
    ruleset: String,
    forget: i64,
    stateful: bool,
    partitions: BTreeMap<i32, Partition>,
    /// How many partitions the stream has.
    pub(crate) width: i32,
    /// Whether a reading's own time moves the stream's, as in `triage replay`, whatever Kafka's timestamp is.
    pub(crate) replays: bool,
    /// What was counted so far.
    pub(crate) counts: Counts,
    /// The time of the last event, if that was a reading that changed no state where there is one.
    pub(crate) onlooker: Option<i64>,
}

struct Topic {
    name: String,
    fields: Fields,
    notify: Option<String>,
}

impl Oracle {
    /// The rule set of these files, which are in path order; `ruleset` is its version, and `models` has its models.
    pub(crate) fn new(files: &[File], ruleset: &str, models: &dyn Models) -> Self {
        let items = || files.iter().flat_map(|file| &file.items);
        let stream = items().find_map(|item| if let Item::Stream(stream) = item { Some(stream.clone()) } else { None });
        let stream = stream.expect("a rule set has a stream");
        let rules = rule::named(items().filter_map(|item| if let Item::Rule(rule) = item { Some(rule) } else { None }));
        let mut lets = BTreeMap::new();
        let (mut scores, mut topics) = (Vec::new(), Vec::new());
        for item in items() {
            match item {
                Item::Let(named) => drop(lets.insert(named.name.node.clone(), named.value.clone())),
                Item::Score(score) => scores.push(Score::of(score, models)),
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
        let is_silence = |at: &usize| matches!(rules[*at].condition, Condition::Silence { .. });
        let mut oracle = Self {
            silences: (0..rules.len()).filter(is_silence).collect(),
            forget: stream.forget.first().map_or(FORGET_AFTER, |after| time::duration(&after.node)),
            stateful: rules.iter().any(|rule| rule.is_stateful(&lets)),
            stream,
            lets,
            scores,
            topics,
            rules,
            ruleset: ruleset.into(),
            partitions: BTreeMap::new(),
            width: 1,
            replays: false,
            counts: Counts::default(),
            onlooker: None,
        };
        oracle.find_asked();
        oracle
    }

    /// The topics in the order of output.
    pub(crate) fn topic_names(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.name.as_str()).collect()
    }

    /// The rules' names in rule order.
    pub(crate) fn rule_names(&self) -> Vec<&str> {
        self.rules.iter().map(|rule| rule.name.as_str()).collect()
    }

    /// How many scores there are.
    pub(crate) fn scores(&self) -> usize {
        self.scores.len()
    }

    /// How many fields the stream declares.
    pub(crate) fn fields(&self) -> usize {
        self.stream.fields.len()
    }

    /// What one event makes the rule set send; `row` marks it.
    pub(crate) fn step(&mut self, row: usize, event: &Event<'_>, limits: &Limits) -> Vec<Sent> {
        let (number, timestamp) = match event {
            Event::Record(record) | Event::Acknowledgement(record) => (record.partition, record.timestamp),
            Event::Advance { partition, to } => (*partition, Some(*to)),
        };
        let mut partition = self.partitions.remove(&number).unwrap_or_default();
        let mut out = Vec::new();
        self.onlooker = None;
        match event {
            Event::Record(record) => self.record(&mut partition, record, limits, &mut out),
            Event::Acknowledgement(record) => self.acknowledgement(&mut partition, record, limits, &mut out),
            Event::Advance { to, .. } if partition.now.is_some() => self.advance(&mut partition, *to, &mut out),
            Event::Advance { .. } => {}
        }
        self.partitions.insert(number, partition);
        let sent = |(to, key, value)| Sent { row, to, key, value, partition: number, timestamp };
        out.into_iter().map(sent).collect()
    }

    /// The stored form of a reading: its `_id` and the document.
    pub(crate) fn stored(&self, record: &Record<'_>, limits: &Limits) -> Option<(String, String)> {
        let reading = Reading::read(&self.stream, self.width, record, limits).ok()?;
        Some(output::stored(&self.stream, &reading))
    }

    /// The time of a reading; none for a dead letter.
    pub(crate) fn time(&self, record: &Record<'_>, limits: &Limits) -> Option<i64> {
        Reading::read(&self.stream, self.width, record, limits).ok().map(|reading| reading.ts)
    }

    /// Whether the stream declares a field of that name.
    pub(crate) fn declares(&self, name: &str) -> bool {
        find(&self.stream.fields, name).is_some()
    }

    fn record(&mut self, partition: &mut Partition, record: &Record<'_>, limits: &Limits, out: &mut Vec<Sending>) {
        let mut reading = match Reading::read(&self.stream, self.width, record, limits) {
            Ok(reading) => reading,
            Err(reason) => return out.push(dead_letter("reading", reason.as_str())),
        };
        reading.said = self.ask(&reading.states);
        self.counts.misplaced += u64::from(reading.misplaced);
        reading.misplaced &= self.stateful;
        let kafka = record.timestamp.filter(|_| !self.replays);
        self.advance(partition, kafka.map_or(reading.ts, |kafka| reading.ts.min(kafka)), out);
        partition.wake_at(reading.ts.saturating_add(self.shortest()));
        let seen = self.stateful && partition.see(&mut reading);
        self.onlooker = Some(reading.ts).filter(|_| self.stateful && !seen);
        let judged = self.judge(partition, &reading, seen);
        for topic in &self.topics {
            out.extend(self.derived(topic, &reading, &judged));
        }
        for (at, judged) in judged.iter().enumerate() {
            self.decide(partition, at, &reading, seen, judged, out);
        }
        self.counts.late += u64::from(reading.late);
        self.count(&reading, &judged);
    }

    /// What every rule says to a reading; `seen` tells whether it has a place in its patient's history.
    fn judge(&self, partition: &Partition, reading: &Reading, seen: bool) -> Vec<Judged> {
        let patient = reading.patient.as_ref().filter(|_| seen).map(|patient| &partition.patients[patient]);
        let past = patient.map(|patient| &patient.seen[..]);
        let begun = patient.map(|patient| &patient.begun);
        let judge = Judge { past, begun, ..self.before(reading) };
        let judged = |rule: &Rule| {
            let (truth, values) = match &rule.condition {
                Condition::Expr(condition) => (judge.truth(condition), judge.mentioned(condition)),
                Condition::Silence { field, .. } => (broken(field.as_deref(), &judge).then_some(false), Vec::new()),
            };
            let clear = rule.alert.as_ref().and_then(|alert| alert.clear.as_ref());
            let alert = rule.alert.as_ref().filter(|_| truth == Some(true));
            Judged {
                truth,
                asks: clear.map_or(truth.map(|truth| !truth), |clear| judge.truth(clear)),
                message: alert.map(|alert| message::fill(&alert.template, &judge, &reading.states)).unwrap_or_default(),
                values: output::values(&values, &judge),
            }
        };
        self.rules.iter().map(judged).collect()
    }

    /// Who judges without any reading.
    fn beside_nothing(&self) -> Judge<'_> {
        let Self { stream, lets, scores, .. } = self;
        Judge { fields: &stream.fields, lets, scores, states: &[], said: &[], past: None, begun: None }
    }

    /// Who judges a reading that has no place in any history.
    fn before<'a>(&'a self, reading: &'a Reading) -> Judge<'a> {
        Judge { states: &reading.states, said: &reading.said, ..self.beside_nothing() }
    }

    fn derived(&self, topic: &Topic, reading: &Reading, judged: &[Judged]) -> Option<Sending> {
        let matched: Vec<&str> = self
            .rules
            .iter()
            .zip(judged)
            .filter(|(rule, judged)| rule.topic == topic.name && judged.truth == Some(true))
            .map(|(rule, _)| rule.name.as_str())
            .collect();
        if matched.is_empty() {
            return None;
        }
        let judge = self.before(reading);
        let value = output::derived(&self.stream, (reading, &judge), &topic.fields, &matched, &self.ruleset);
        Some((Destination::Topic(topic.name.clone()), reading.patient.clone(), value))
    }

    fn topic(&self, rule: &Rule) -> &Topic {
        self.topics.iter().find(|topic| topic.name == rule.topic).expect("every rule has a topic")
    }

    fn count(&mut self, reading: &Reading, judged: &[Judged]) {
        self.count_scores(reading);
        let counts = &mut self.counts;
        counts.readings += 1;
        counts.matched.resize(judged.len(), 0);
        counts.not_evaluable.resize(judged.len(), 0);
        counts.missing.resize(reading.states.len(), 0);
        counts.invalid.resize(reading.states.len(), 0);
        for (at, (rule, judged)) in self.rules.iter().zip(judged).enumerate() {
            let asked = matches!(rule.condition, Condition::Expr(_));
            counts.matched[at] += u64::from(judged.truth == Some(true));
            counts.not_evaluable[at] += u64::from(asked && judged.truth.is_none());
        }
        for (field, state) in reading.states.iter().enumerate() {
            counts.missing[field] += u64::from(matches!(state, field::State::Missing));
            counts.invalid[field] += u64::from(matches!(state, field::State::Invalid));
        }
        counts.undeclared += reading.undeclared;
        counts.reserved += reading.reserved;
    }
}

/// What a rule says to a reading.
struct Judged {
    /// Its condition; of a silence, false if the reading breaks it, and unknown otherwise.
    truth: Option<bool>,
    /// Whether it asks for the end of an open episode: only `clear when` decides, if there is one.
    asks: Option<bool>,
    /// What an alert would say; empty if the condition is not true.
    message: String,
    /// The known fields of the condition, as an object.
    values: String,
}

/// Whether a reading ends the silence of a field, or of everything.
fn broken(field: Option<&str>, judge: &Judge<'_>) -> bool {
    judge.past.is_some() && field.is_none_or(|field| judge.state(field).known().is_some())
}

fn dead_letter(stage: &'static str, reason: &'static str) -> Sending {
    (Destination::DeadLetter { stage, reason }, None, String::new())
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

/// The field of that name.
fn find<'a>(fields: &'a [Field], name: &str) -> Option<(usize, &'a Field)> {
    fields.iter().enumerate().find(|(_, field)| field.name.node == name)
}
