//! Records into the columns of a batch, driven by the declared fields; or a dead letter with its reason.
//!
//! Records of one source mostly have their keys in one order, so the order of the reading before is tried first.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::instant::has_rfc3339;
use super::value::{Value, judge};
use super::{Batch, DeadLetter, Limits, Reason, Record, Slice, Stage, Undeclared};
use crate::json::{JsonError, Kind, Scanner, Token, quoted, unescape};
use crate::types::{FieldId, Schema, Type};

/// Names of our outputs that a field which the stream does not declare may not bear.
const RESERVED: [&str; 7] = ["_id", "patient", "ts", "rules", "origin", "late", "misplaced"];

/// The first millisecond after the year 2100.
pub(super) const END_OF_2100: i64 = 4_133_980_800_000;

/// Undeclared fields of one reading up to which names are compared pair by pair.
const FEW: usize = 8;

/// What decoding counted.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) undeclared: u64,
    pub(crate) reserved: u64,
    pub(crate) misplaced: u64,
}

/// Reads records of one schema.
#[derive(Debug)]
pub(crate) struct Decoder {
    schema: Schema,
    /// Per field its name as JSON, quotes included.
    names: Vec<Vec<u8>>,
    lookup: HashMap<String, FieldId, BuildHasherDefault<NameHasher>>,
}

/// FNV-1a: quick for short names. The map holds declared names alone, so that no record can fill it with collisions.
#[derive(Debug)]
struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What one decoder remembers from reading to reading.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The fields of the reading before, in order of arrival.
    order: Vec<Option<FieldId>>,
    /// Per field: the place of its value in this reading.
    tokens: Vec<Option<Token>>,
    pub(crate) seen: Seen,
    /// Whether the stream has several partitions: a record without a key may then lie in any of them.
    pub(crate) several: bool,
}

impl Memory {
    /// Per field: the place of its value in the last record, if it was there.
    pub(crate) fn tokens(&self) -> &[Option<Token>] {
        &self.tokens
    }
}

/// A member's name.
enum Name {
    Declared(FieldId),
    Undeclared(Slice),
    Reserved,
}

impl Decoder {
    pub(crate) fn new(schema: Schema) -> Self {
        let names = schema.fields.iter().map(|field| quoted(&field.name)).collect();
        let lookup = schema.fields.iter().enumerate().map(|(index, field)| (field.name.clone(), FieldId(index as u32)));
        Self { lookup: lookup.collect(), names, schema }
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Appends the reading in `record`, which is the step's `index`th, as a row of `batch`.
    pub(crate) fn decode(
        &self,
        index: u32,
        record: &Record<'_>,
        limits: &Limits,
        memory: &mut Memory,
        batch: &mut Batch,
    ) -> Result<(), DeadLetter> {
        let text = text(record, limits)?;
        let (first, before) = (batch.undeclared.len(), memory.seen);
        let result = self.members(text, memory, batch).and_then(|()| self.time(record, text, limits, memory));
        match result {
            Ok(time) => self.row(index, time, record, text, memory, batch),
            Err(dead) => {
                batch.undeclared.truncate(first);
                memory.seen = before;
                return Err(dead);
            }
        }
        supersede(&mut batch.undeclared[first..], text);
        Ok(())
    }

    /// Finds the members of the object; nothing of them is judged yet.
    fn members(&self, text: &str, memory: &mut Memory, batch: &mut Batch) -> Result<(), DeadLetter> {
        memory.tokens.clear();
        memory.tokens.resize(self.schema.fields.len(), None);
        let mut scanner = Scanner::new(text.as_bytes());
        if scanner.peek() != Ok(b'{') {
            return Err(not_an_object(scanner));
        }
        let twice = self.object(&mut scanner, text, memory, batch).map_err(not_json)?;
        if let Some(field) = twice {
            let name = &self.schema.field(field).name;
            return Err(dead(Reason::DuplicateField, format!("the field `{name}` stands twice in the record")));
        }
        Ok(())
    }

    /// The whole object; a declared field that stands twice, if any.
    fn object(
        &self,
        scanner: &mut Scanner<'_>,
        text: &str,
        memory: &mut Memory,
        batch: &mut Batch,
    ) -> Result<Option<FieldId>, JsonError> {
        scanner.expect(b'{')?;
        let mut twice = None;
        let mut position = 0;
        let mut more = scanner.peek()? != b'}';
        while more {
            let name = self.name(scanner, text, memory, position)?;
            scanner.expect(b':')?;
            let token = scanner.value(1)?;
            match name {
                Name::Declared(field) => {
                    let place = &mut memory.tokens[field.index()];
                    twice = twice.or(place.map(|_| field));
                    *place = Some(token);
                }
                Name::Undeclared(name) => {
                    let row = batch.rows() as u32;
                    batch.undeclared.push(Undeclared { row, name, value: whole(token), superseded: false });
                    memory.seen.undeclared += 1;
                }
                Name::Reserved => memory.seen.reserved += 1,
            }
            position += 1;
            more = scanner.peek()? == b',';
            if more {
                scanner.expect(b',')?;
            }
        }
        scanner.expect(b'}')?;
        if scanner.at_end() { Ok(twice) } else { Err(JsonError::Unexpected(scanner.position())) }
    }

    fn name(
        &self,
        scanner: &mut Scanner<'_>,
        text: &str,
        memory: &mut Memory,
        position: usize,
    ) -> Result<Name, JsonError> {
        if scanner.peek()? != b'"' {
            return Err(JsonError::Unexpected(scanner.position()));
        }
        if let Some(Some(field)) = memory.order.get(position)
            && scanner.take(&self.names[field.index()])
        {
            return Ok(Name::Declared(*field));
        }
        let start = scanner.position();
        let escaped = scanner.string()? == Kind::Escaped;
        let end = scanner.position();
        let name = unescape(&text[start + 1..end - 1], escaped);
        let field = self.lookup.get(name.as_ref()).copied();
        if memory.order.len() <= position && position < 4 * self.schema.fields.len() {
            memory.order.resize(position + 1, None);
        }
        if let Some(predicted) = memory.order.get_mut(position) {
            *predicted = field;
        }
        Ok(match field {
            Some(field) => Name::Declared(field),
            None if RESERVED.contains(&name.as_ref()) => Name::Reserved,
            None => Name::Undeclared(Slice { start: start as u32, end: end as u32, in_arena: false }),
        })
    }

    /// The reading's time in epoch milliseconds: the event field's, or else Kafka's.
    fn time(&self, record: &Record<'_>, text: &str, limits: &Limits, memory: &Memory) -> Result<i64, DeadLetter> {
        let own = self.schema.event.and_then(|event| Some((event, memory.tokens[event.index()]?)));
        let value = own.map_or(Value::Missing, |(event, token)| judge(self.schema.field(event), token, text));
        let time = match value {
            Value::Known(ms) => ms as i64,
            Value::Missing => record
                .timestamp
                .ok_or_else(|| dead(Reason::UnreadableTime, "the record has no time, and Kafka gave it none".into()))?,
            Value::Invalid => {
                let sentence = "the time is neither epoch milliseconds nor RFC 3339 text";
                return Err(dead(Reason::UnreadableTime, sentence.into()));
            }
        };
        if !(0..END_OF_2100).contains(&time) {
            return Err(dead(Reason::TimeOutOfRange, "the time is before 1970 or after 2100".into()));
        }
        match (limits.skew_ms, record.timestamp) {
            (Some(skew), Some(kafka)) if time > kafka.saturating_add(skew) => {
                let sentence = format!("the time is more than {skew} ms ahead of the record's arrival");
                Err(dead(Reason::TooFarAhead, sentence))
            }
            _ => Ok(time),
        }
    }

    /// Writes the row; nothing can be wrong with the record any more.
    fn row(&self, index: u32, time: i64, record: &Record<'_>, text: &str, memory: &mut Memory, batch: &mut Batch) {
        let row = batch.rows();
        batch.open_row();
        let patient = self.patient(record, text, batch, memory);
        batch.misplaced.push(patient.is_some_and(|patient| {
            let name = batch.bytes(patient, text.as_bytes());
            record.key.map_or(memory.several, |key| key != name)
        }));
        memory.seen.misplaced += u64::from(batch.misplaced[row]);
        for (field, token) in memory.tokens.iter().enumerate() {
            let field = FieldId(field as u32);
            if Some(field) == self.schema.key && patient.is_some() {
                continue;
            }
            if Some(field) == self.schema.event {
                batch.column_mut(field).values[row] = time as f64;
                continue;
            }
            self.cell(field, *token, text, row, batch);
        }
        batch.records.push(index);
        batch.times.push(time);
        batch.patients.push(patient);
    }

    fn cell(&self, id: FieldId, token: Option<Token>, text: &str, row: usize, batch: &mut Batch) {
        let field = self.schema.field(id);
        let column = &mut batch.columns[id.index()];
        let Some(token) = token else { return column.missing.set(row) };
        match judge(field, token, text) {
            Value::Missing => column.missing.set(row),
            Value::Invalid => column.invalid.set(row),
            Value::Known(value) if field.kind == Type::Time && !has_rfc3339(value) => column.invalid.set(row),
            Value::Known(value) => {
                column.values[row] = value;
                match field.kind {
                    Type::Int | Type::Float => {
                        let digits = inner(token, text, &mut batch.arena);
                        batch.set_raw(row, id, digits);
                    }
                    Type::Text => {
                        column.text[row] = inner(token, text, &mut batch.arena);
                        batch.set_raw(row, id, whole(token));
                    }
                    Type::Bool | Type::Time | Type::Enum(_) => {}
                }
            }
        }
    }

    /// The patient: a non-empty text or an integer of the key field, or else Kafka's key; written to the key field's
    /// column if there is one.
    fn patient(&self, record: &Record<'_>, text: &str, batch: &mut Batch, memory: &Memory) -> Option<Slice> {
        let row = batch.rows();
        let token = self.schema.key.and_then(|key| memory.tokens[key.index()]);
        let own = self.schema.key.zip(token).and_then(|(key, token)| self.own_patient(key, token, text, batch));
        let kafka = record.key.and_then(|key| std::str::from_utf8(key).ok()).filter(|key| !key.is_empty());
        let patient = match (own, kafka) {
            (Some(slice), _) => slice,
            (None, Some(key)) => batch.keep(key.as_bytes()),
            (None, None) => return None,
        };
        if let Some(key) = self.schema.key {
            let name = batch.bytes(patient, text.as_bytes());
            let written = quoted(&String::from_utf8_lossy(name));
            let raw = batch.keep(&written);
            batch.set_raw(row, key, raw);
            let column = batch.column_mut(key);
            column.values[row] = 0.0;
            column.text[row] = patient;
        }
        Some(patient)
    }

    fn own_patient(&self, key: FieldId, token: Token, text: &str, batch: &mut Batch) -> Option<Slice> {
        let usable = match token.kind {
            Kind::Number(_) => !text[token.start..token.end].contains(['.', 'e', 'E']),
            Kind::Text | Kind::Escaped => matches!(judge(self.schema.field(key), token, text), Value::Known(_)),
            _ => false,
        };
        usable.then(|| inner(token, text, &mut batch.arena))
    }
}

/// A record's value as text, if it has one within the limit.
fn text<'a>(record: &Record<'a>, limits: &Limits) -> Result<&'a str, DeadLetter> {
    let bytes = record.value.ok_or_else(|| dead(Reason::Tombstone, "the record has no value".into()))?;
    if bytes.len() > limits.value_bytes {
        let sentence = format!("the value has {} bytes, the limit is {}", bytes.len(), limits.value_bytes);
        return Err(dead(Reason::TooLarge, sentence));
    }
    std::str::from_utf8(bytes).map_err(|_| dead(Reason::NotJson, "the value is not UTF-8".into()))
}

fn not_an_object(mut scanner: Scanner<'_>) -> DeadLetter {
    match scanner.value(0) {
        Err(error) => not_json(error),
        Ok(_) if !scanner.at_end() => not_json(JsonError::Unexpected(scanner.position())),
        Ok(_) => dead(Reason::NotAnObject, "the value is JSON and not an object".into()),
    }
}

fn not_json(error: JsonError) -> DeadLetter {
    dead(Reason::NotJson, format!("the value is not strict JSON: {error}"))
}

/// A record that is no reading.
fn dead(reason: Reason, sentence: String) -> DeadLetter {
    DeadLetter { stage: Stage::Reading, reason, sentence }
}

/// Where a token stands, quotes included.
fn whole(token: Token) -> Slice {
    Slice { start: token.start as u32, end: token.end as u32, in_arena: false }
}

/// What a number or string token says, without quotes and escapes.
fn inner(token: Token, text: &str, arena: &mut Vec<u8>) -> Slice {
    let quotes = u32::from(matches!(token.kind, Kind::Text | Kind::Escaped));
    let (start, end) = (token.start as u32 + quotes, token.end as u32 - quotes);
    if token.kind != Kind::Escaped {
        return Slice { start, end, in_arena: false };
    }
    let kept = arena.len() as u32;
    arena.extend_from_slice(unescape(&text[start as usize..end as usize], true).as_bytes());
    Slice { start: kept, end: arena.len() as u32, in_arena: true }
}

/// Marks all but the last of the undeclared fields of one reading that have one name.
fn supersede(fields: &mut [Undeclared], text: &str) {
    let name = |field: &Undeclared| unescape(&text[field.name.start as usize + 1..field.name.end as usize - 1], true);
    if fields.len() <= FEW {
        for index in 1..fields.len() {
            let (before, rest) = fields.split_at_mut(index);
            before.iter_mut().filter(|field| name(field) == name(&rest[0])).for_each(|field| field.superseded = true);
        }
        return;
    }
    let mut last = HashMap::new();
    for (index, field) in fields.iter().enumerate() {
        last.insert(name(field), index);
    }
    let kept: Vec<bool> =
        fields.iter().enumerate().map(|(index, field)| last.get(&name(field)) == Some(&index)).collect();
    fields.iter_mut().zip(kept).for_each(|(field, kept)| field.superseded = !kept);
}
