//! Looks at dead letters, in the order of their topic. Keys and values are a patient's, and are told only when asked for.

use std::collections::BTreeMap;

use super::filter::Filter;
use super::header;
use super::letter::Letter;
use super::marks::Marks;
use super::{DeadLetterError, read_all};
use crate::config::KafkaConfig;
use crate::kafka::records::Records;
use crate::kafka::topics::DEAD_LETTERS;

/// How many letters there were, and of what kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// By stage, reason and topic; what is not said is `?`.
    pub(crate) kinds: BTreeMap<[String; 3], u64>,
    pub(crate) letters: u64,
    /// Of these, how many have been sent again.
    pub(crate) resent: u64,
}

impl Tally {
    fn add(&mut self, letter: &Letter, resent: bool) {
        let said = |name| letter.header(name).unwrap_or("?").to_owned();
        let kind = [header::STAGE, header::REASON, header::TOPIC].map(said);
        *self.kinds.entry(kind).or_default() += 1;
        self.letters += 1;
        self.resent += u64::from(resent);
    }
}

/// Gives each letter that the filter takes to `tell`, and whether it has been sent again.
pub(crate) fn show(
    config: &KafkaConfig,
    filter: &Filter,
    mut tell: impl FnMut(&Letter, bool) -> std::io::Result<()>,
) -> Result<Tally, DeadLetterError> {
    let records = Records::new(config)?;
    let marks = Marks::read(&records)?;
    let mut tally = Tally::default();
    read_all(&records, DEAD_LETTERS, |message| {
        let letter = Letter::new(message);
        if filter.takes(&letter) {
            let resent = marks.has(&letter);
            tally.add(&letter, resent);
            tell(&letter, resent)?;
        }
        Ok(())
    })?;
    Ok(tally)
}
