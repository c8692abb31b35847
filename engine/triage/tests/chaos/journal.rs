//! The engines' journal, against the topic `acknowledgements`: every word is there once, in order and as it was said, and
//! entries count up without a gap.

use serde_json::Value;

use crate::topics::Read;

/// The most bytes of a word's key and value together of which more than the place is kept.
const MOST_BYTES: usize = 2 * 1024;

/// An entry.
#[derive(Debug)]
pub(crate) struct Entry {
    number: u64,
    pub(crate) before: i64,
    pub(crate) event: Value,
}

impl Entry {
    pub(crate) fn of(read: &Read) -> Self {
        let mut json: Value = serde_json::from_slice(read.value.as_deref().unwrap()).unwrap();
        let (number, before) = (json["number"].as_u64().unwrap(), json["before"].as_i64().unwrap());
        Self { number, before, event: json["event"].take() }
    }

    /// What somebody has said, if it is that.
    pub(crate) fn word(&self) -> Option<Word> {
        let word = self.event.get("acknowledgement")?;
        let bytes = |name: &str| word[name].as_str().map(bytes);
        let (key, value, timestamp) = (bytes("key"), bytes("value"), word["timestamp"].as_i64());
        Some(Word { offset: word["offset"].as_i64().unwrap(), timestamp, key, value })
    }
}

/// A record of `acknowledgements` as the journal keeps it: one that is too large only by its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Word {
    fn kept(read: &Read) -> Self {
        let bytes = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let is_kept = bytes(&read.key) + bytes(&read.value) <= MOST_BYTES;
        let (key, value) = (read.key.clone().filter(|_| is_kept), read.value.clone().filter(|_| is_kept));
        Self { offset: read.offset, timestamp: read.timestamp, key, value }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// How many words a partition's journal has.
pub(crate) fn count(journal: &[Read]) -> usize {
    journal.iter().filter(|read| Entry::of(read).word().is_some()).count()
}

/// What is wrong with a partition's journal, given all that was said there: the first word that differs, and the first
/// number that does not follow the one before.
pub(crate) fn differences(partition: usize, said: &[Read], journal: &[Read]) -> Vec<String> {
    let entries: Vec<Entry> = journal.iter().map(Entry::of).collect();
    let found: Vec<Word> = entries.iter().filter_map(Entry::word).collect();
    let wanted: Vec<Word> = said.iter().map(Word::kept).collect();
    let at = (0..wanted.len().max(found.len())).find(|at| wanted.get(*at) != found.get(*at));
    let word = at.map(|at| {
        format!("acknowledgements/{partition}: word {at}: said {:?}\n  found {:?}", wanted.get(at), found.get(at))
    });
    let gap = (1..).zip(&entries).find(|(number, entry)| entry.number != *number);
    let entry =
        gap.map(|(number, entry)| format!("triage-journal/{partition}: wanted entry {number}\n  found {entry:?}"));
    word.into_iter().chain(entry).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(offset: i64, value: Vec<u8>) -> Read {
        let headers = std::collections::BTreeMap::new();
        Read { offset, key: Some(b"k".to_vec()), value: Some(value), timestamp: Some(1_000 + offset), headers }
    }

    /// Four words, the third of them too large.
    fn said() -> Vec<Read> {
        let value =
            |offset: i64| if offset == 2 { vec![b'x'; MOST_BYTES] } else { format!("word {offset}").into_bytes() };
        (0..4).map(|offset| read(offset, value(offset))).collect()
    }

    fn entry(number: u64, event: &str) -> Read {
        read(0, format!("{{\"format\":2,\"group\":\"g\",\"number\":{number},\"before\":7,\"event\":{event}}}").into())
    }

    fn event(word: &Read) -> String {
        let hex = |bytes: &Option<Vec<u8>>| match bytes.as_deref().filter(|_| word.offset != 2) {
            Some(bytes) => {
                let mut text = String::new();
                for byte in bytes {
                    write!(text, "{byte:02x}").unwrap();
                }
                format!("\"{text}\"")
            }
            None => "null".to_owned(),
        };
        let (key, value) = (hex(&word.key), hex(&word.value));
        let (offset, timestamp) = (word.offset, word.timestamp.unwrap());
        format!(
            "{{\"acknowledgement\":{{\"offset\":{offset},\"timestamp\":{timestamp},\"key\":{key},\"value\":{value}}}}}"
        )
    }

    /// A journal of these words, with a step of time before each.
    fn journal(words: &[Read]) -> Vec<Read> {
        let events = words.iter().flat_map(|word| ["{\"advance\":{\"to\":1}}".to_owned(), event(word)]);
        (1..).zip(events).map(|(number, event)| entry(number, &event)).collect()
    }

    type Change = fn(&mut Vec<Read>);

    /// What is wrong when the engines have heard something else than was said.
    fn heard(change: Change) -> Vec<String> {
        let mut words = said();
        change(&mut words);
        differences(3, &said(), &journal(&words))
    }

    #[test]
    fn a_journal_of_what_was_said_is_right() {
        assert_eq!(heard(|_| {}), [""; 0]);
        assert_eq!(count(&journal(&said())), 4);
    }

    #[test]
    fn a_lost_a_doubled_a_swapped_and_a_changed_word_are_noticed() {
        let changes: [(usize, Change); 7] = [
            (1, |words| drop(words.remove(1))),
            (2, |words| drop(words.remove(2))),
            (3, |words| drop(words.pop())),
            (2, |words| words.insert(1, words[1].clone())),
            (4, |words| words.push(words[3].clone())),
            (0, |words| words.swap(0, 1)),
            (3, |words| words[3].value = Some(b"another".to_vec())),
        ];
        for (at, change) in changes {
            let found = heard(change);
            assert!(found.len() == 1 && found[0].starts_with(&format!("acknowledgements/3: word {at}: ")), "{found:?}");
        }
    }

    #[test]
    fn a_number_that_is_left_out_or_comes_again_is_noticed() {
        let step = "{\"advance\":{\"to\":1}}";
        for (numbers, wanted) in [([1, 2, 4], 3), ([1, 2, 2], 3), ([2, 3, 4], 1), ([1, 3, 2], 2)] {
            let found = differences(0, &[], &numbers.map(|number| entry(number, step)));
            let place = format!("triage-journal/0: wanted entry {wanted}\n");
            assert!(found.len() == 1 && found[0].starts_with(&place), "{numbers:?}: {found:?}");
        }
    }
}
