//! Sends dead letters again, each to the stage that refused it: a reading to the stream, a document to the store, an alert to
//! its webhook. What is sent and the mark that it was go in one transaction, so that no letter is sent twice, whoever asks and whatever fails.
//! A reading keeps its partition, key and Kafka time; letters of one partition keep their order.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::message::OwnedHeaders;
use triage_core::diagnostic::Style;
use triage_core::program::Program;

use super::filter::Filter;
use super::header;
use super::letter::{Letter, Place};
use super::marks::{Marks, mark};
use super::{DeadLetterError, LARGEST, Stage, read_all};
use crate::config::Config;
use crate::erase::erased::Erased;
use crate::kafka::properties;
use crate::kafka::records::Records;
use crate::kafka::topics::{
    DEAD_LETTERS, DEAD_LETTERS_RESENT, RESENT_ALERTS, RESENT_DOCUMENTS, RULE_SETS, Topics, topic_of_alerts,
};
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::published;

/// The most letters, and bytes, of one transaction.
const MOST_LETTERS: usize = 500;
const MOST_BYTES: usize = 16 << 20;

/// How long taking over the transactional id may take.
const OPENING: Duration = Duration::from_secs(30);

/// What became of the letters that the filter took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Sent, by Kafka topic.
    pub(crate) sent: BTreeMap<String, u64>,
    /// Sent at an earlier time.
    pub(crate) before: u64,
    /// Not to be sent at all, by reason.
    pub(crate) never: BTreeMap<String, u64>,
    /// Refused by the broker; they may be sent another time.
    pub(crate) refused: Vec<(Place, String)>,
}

/// Sends what the filter takes. `progress` is told the report after each transaction. With `dry_run` nothing is sent and no
/// topic is made; the report says what would be.
pub(crate) fn resend(
    config: &Config,
    filter: &Filter,
    dry_run: bool,
    mut progress: impl FnMut(&Report),
) -> Result<Report, DeadLetterError> {
    let records = Records::new(&config.kafka)?;
    let program = program(config, &records)?;
    let stream = program.stream().to_owned();
    if records.partitions(DEAD_LETTERS)? == 0 {
        return Ok(Report::default());
    }
    let transactions = if dry_run { None } else { Some(open(config, records.partitions(&stream)?)?) };
    // After the id is taken over: nobody else can send and mark any more.
    let (marks, erased) = (Marks::read(&records)?, Erased::read(&records)?);
    let field = program.key_field().unwrap_or("patient");
    let mut resend = Resend { stream, transactions, report: Report::default(), waiting: Vec::new(), bytes: 0 };
    read_all(&records, DEAD_LETTERS, |message| {
        let letter = Letter::new(message);
        if !filter.takes(&letter) {
            return Ok(());
        }
        if marks.has(&letter) {
            resend.report.before += 1;
            return Ok(());
        }
        let value = letter.value.as_deref().unwrap_or_default();
        let (key, time) = (letter.key.as_deref(), letter.timestamp);
        if [field, "patient"].iter().any(|field| erased.covers(field, key, value, time)) {
            *resend.report.never.entry("the patient has been erased since".to_owned()).or_default() += 1;
            return Ok(());
        }
        if resend.take(letter)? {
            progress(&resend.report);
        }
        Ok(())
    })?;
    resend.flush()?;
    Ok(resend.report)
}

/// The stream is what the published rules say, not what a letter says.
fn program(config: &Config, records: &Records) -> Result<Program, DeadLetterError> {
    let none = || DeadLetterError::NoRules(config.kafka.group.clone());
    if records.partitions(RULE_SETS)? == 0 {
        return Err(none());
    }
    let published = published::latest(config)?.ok_or_else(none)?;
    let compiled = published.compile().map_err(|rejected| DeadLetterError::Rules(rejected.render(Style::Plain)))?;
    Ok(compiled.program)
}

fn open(config: &Config, partitions: i32) -> Result<Transactions, DeadLetterError> {
    Topics::new(&config.kafka)?.ensure_resent(config, partitions)?;
    // One for all who resend: the later takes over, and the earlier one ends with an error.
    let id = format!("{}-{DEAD_LETTERS}", config.kafka.group);
    Ok(Transactions::open(&properties::producer(&config.kafka, &id, LARGEST), OPENING)?)
}

/// Who is given a letter back.
#[derive(Debug, Clone, Copy)]
enum Target {
    Stream,
    Store,
    Webhook,
}

struct Resend {
    stream: String,
    /// None in a dry run.
    transactions: Option<Transactions>,
    report: Report,
    waiting: Vec<(Letter, Target)>,
    bytes: usize,
}

impl Resend {
    /// Whether a transaction was committed.
    fn take(&mut self, letter: Letter) -> Result<bool, DeadLetterError> {
        match target_of(&letter, &self.stream) {
            Err(never) => {
                *self.report.never.entry(never).or_default() += 1;
                Ok(false)
            }
            Ok(target) => {
                self.bytes += letter.bytes();
                self.waiting.push((letter, target));
                let full = self.waiting.len() >= MOST_LETTERS || self.bytes >= MOST_BYTES;
                if full { self.flush().map(|()| true) } else { Ok(false) }
            }
        }
    }

    fn flush(&mut self) -> Result<(), DeadLetterError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        self.send(&waiting)
    }

    /// One transaction. A letter that the broker refuses is found by halves, so that the others are sent.
    fn send(&mut self, letters: &[(Letter, Target)]) -> Result<(), DeadLetterError> {
        if letters.is_empty() {
            return Ok(());
        }
        let error = match self.attempt(letters) {
            Ok(()) => {
                for (_, target) in letters {
                    *self.report.sent.entry(self.topic(*target).to_owned()).or_default() += 1;
                }
                return Ok(());
            }
            Err(error) if error.is_of_a_record() => error,
            Err(error) => return Err(error.into()),
        };
        if let [(letter, _)] = letters {
            self.report.refused.push((letter.place, error.to_string()));
            return Ok(());
        }
        let (first, second) = letters.split_at(letters.len() / 2);
        self.send(first)?;
        self.send(second)
    }

    fn attempt(&self, letters: &[(Letter, Target)]) -> Result<(), TransactionError> {
        let Some(transactions) = &self.transactions else { return Ok(()) };
        transactions.begin()?;
        let result = self.hand_over(letters, transactions);
        if matches!(result, Err(TransactionError::Abort(_) | TransactionError::Denied { .. })) {
            transactions.abort()?;
        }
        result
    }

    fn hand_over(&self, letters: &[(Letter, Target)], transactions: &Transactions) -> Result<(), TransactionError> {
        for (letter, target) in letters {
            let topic = self.topic(*target);
            transactions.send(again(letter, *target, topic))?;
            let (key, value) = (letter.mark(), mark(topic));
            transactions.send(Sent {
                topic: DEAD_LETTERS_RESENT,
                partition: 0,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                timestamp: None,
                headers: None,
            })?;
        }
        transactions.commit_without_offsets()
    }

    fn topic(&self, target: Target) -> &str {
        match target {
            Target::Stream => &self.stream,
            Target::Store => RESENT_DOCUMENTS,
            Target::Webhook => RESENT_ALERTS,
        }
    }
}

/// The record as it was refused; a document or an alert says in its headers where it came from.
fn again<'a>(letter: &'a Letter, target: Target, topic: &'a str) -> Sent<'a> {
    let origin = letter.origin();
    let headers = header::with(OwnedHeaders::new(), header::RESENT, &letter.mark());
    let headers = match (target, &origin) {
        (Target::Store | Target::Webhook, Some(origin)) => origin.write(headers),
        _ => headers,
    };
    Sent {
        topic,
        partition: origin.map_or(letter.place.partition, |origin| origin.partition),
        key: letter.key.as_deref(),
        value: letter.value.as_deref(),
        timestamp: letter.timestamp,
        headers: Some(headers),
    }
}

/// Where the letter goes; otherwise why it goes nowhere.
fn target_of(letter: &Letter, stream: &str) -> Result<Target, String> {
    let target = match letter.stage() {
        Some(Stage::Reading) => Target::Stream,
        Some(Stage::Document) => Target::Store,
        Some(Stage::Webhook) => Target::Webhook,
        Some(Stage::Acknowledgement) | None => {
            return Err(match letter.header(header::STAGE).unwrap_or_default() {
                "" => "no stage is said: it was written by somebody else".to_owned(),
                stage => format!("letters of the stage `{stage}` are never sent again"),
            });
        }
    };
    let Some(origin) = letter.origin() else {
        return Err("it is not said where the record came from".to_owned());
    };
    match target {
        Target::Stream if origin.topic != stream => {
            Err(format!("it came from `{}`, and the stream is `{stream}`", origin.topic))
        }
        Target::Webhook if topic_of_alerts(origin.topic).is_none() => {
            Err(format!("it came from `{}`, which has no alerts", origin.topic))
        }
        _ => Ok(target),
    }
}
