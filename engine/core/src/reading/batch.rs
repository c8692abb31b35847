//! The columns of a batch: per field the values as numbers, what is missing and invalid, and where the bytes stand.

use super::Bits;
use crate::types::{FieldId, Schema, Type};

/// Bytes of a row: in the row's record, or in the batch's own arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slice {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) in_arena: bool,
}

/// A field that the stream does not declare, as it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Undeclared {
    pub(crate) row: u32,
    /// The name, quotes included.
    pub(crate) name: Slice,
    pub(crate) value: Slice,
    /// Whether the same reading has the name again further on.
    pub(crate) superseded: bool,
}

/// One field's values over the batch.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// The number rules work with; NaN where the field is not known (a known one is always finite).
    pub(crate) values: Vec<f64>,
    pub(crate) missing: Bits,
    pub(crate) invalid: Bits,
    /// Text fields: the text.
    pub(crate) text: Vec<Slice>,
}

/// The readings of one step. Buffers are reused from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) columns: Vec<Column>,
    /// Row after row, per field: of number fields the digits that arrived, of text fields the JSON string that arrived,
    /// quotes included. By row, because that is how it is written and read; columns of one length share cache lines.
    raw: Vec<Slice>,
    /// Per row: which record of the step it is.
    pub(crate) records: Vec<u32>,
    /// Per row: the time, in epoch milliseconds.
    pub(crate) times: Vec<i64>,
    /// Per row: the patient, if any.
    pub(crate) patients: Vec<Option<Slice>>,
    /// Per row: whether the Kafka key is another than the patient.
    pub(crate) misplaced: Vec<bool>,
    /// In order of rows.
    pub(crate) undeclared: Vec<Undeclared>,
    pub(crate) arena: Vec<u8>,
    /// Whether this is no reading at all: what there is when nothing comes.
    pub(crate) is_silence: bool,
}

impl Batch {
    /// Empties the batch, with room for `rows` readings of `schema`.
    pub(crate) fn reset(&mut self, schema: &Schema, rows: usize) {
        self.columns.resize_with(schema.fields.len(), Column::default);
        for (column, field) in self.columns.iter_mut().zip(&schema.fields) {
            column.values.clear();
            column.values.resize(rows, f64::NAN);
            column.missing.reset(rows);
            column.invalid.reset(rows);
            column.text.clear();
            if field.kind == Type::Text {
                column.text.resize(rows, Slice::default());
            }
        }
        self.raw.clear();
        self.records.clear();
        self.times.clear();
        self.patients.clear();
        self.misplaced.clear();
        self.undeclared.clear();
        self.arena.clear();
        self.is_silence = false;
    }

    /// One reading in which nothing is known: what there is when nothing comes.
    pub(crate) fn reset_to_nothing(&mut self, schema: &Schema) {
        self.reset(schema, 1);
        self.columns.iter_mut().for_each(|column| column.missing.set(0));
        self.open_row();
        self.records.push(0);
        self.times.push(0);
        self.patients.push(None);
        self.misplaced.push(false);
        self.is_silence = true;
    }

    /// How many readings there are.
    pub(crate) fn rows(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn column(&self, field: FieldId) -> &Column {
        &self.columns[field.index()]
    }

    pub(crate) fn column_mut(&mut self, field: FieldId) -> &mut Column {
        &mut self.columns[field.index()]
    }

    /// Room for what arrived of the next row, which is not counted yet.
    pub(crate) fn open_row(&mut self) {
        self.raw.resize((self.rows() + 1) * self.columns.len(), Slice::default());
    }

    /// What arrived, as slices of the record or the arena; empty for types other than numbers and texts.
    pub(crate) fn raw(&self, row: usize, field: FieldId) -> Slice {
        self.raw[row * self.columns.len() + field.index()]
    }

    pub(crate) fn set_raw(&mut self, row: usize, field: FieldId, slice: Slice) {
        self.raw[row * self.columns.len() + field.index()] = slice;
    }

    /// The slice's bytes; `record` is the value of its row's record.
    pub(crate) fn bytes<'a>(&'a self, slice: Slice, record: &'a [u8]) -> &'a [u8] {
        let from = if slice.in_arena { self.arena.as_slice() } else { record };
        &from[slice.start as usize..slice.end as usize]
    }

    /// Keeps bytes that do not stand in the record as they are needed.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Slice {
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(bytes);
        Slice { start, end: self.arena.len() as u32, in_arena: true }
    }
}
