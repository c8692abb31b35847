//! Readings as the stream's own store keeps them.

use super::alert::Marks;
use super::record::write_int;
use super::step::Row;
use super::{Program, Workspace};
use crate::json::escape_into;
use crate::reading::{Limits, Record};
use crate::types::FieldId;

impl Program {
    /// The stored form of a reading (the stream's `store`): its `_id`, and in `document` (cleared first) an object of
    /// `_id`, `patient` if any, `ts`, then every other field as it arrived; `None` for a dead letter.
    pub fn store_reading(
        &self,
        record: &Record<'_>,
        limits: &Limits,
        workspace: &mut Workspace,
        document: &mut Vec<u8>,
    ) -> Option<String> {
        document.clear();
        workspace.batch.reset(self.decoder.schema(), 1);
        self.decoder.decode(0, record, limits, &mut workspace.memory, &mut workspace.batch).ok()?;
        let batch = &workspace.batch;
        let value = record.value.unwrap_or_default();
        let patient = batch.patients[0].and_then(|slice| std::str::from_utf8(batch.bytes(slice, value)).ok());
        let row = Row {
            index: 0,
            batch,
            record,
            patient,
            time: batch.times[0],
            undeclared: &batch.undeclared,
            standing: Marks::default(),
        };
        let mut id = Vec::new();
        self.write_place(record.partition, row.place(), &mut id);
        document.extend_from_slice(b"{\"_id\":\"");
        document.extend_from_slice(&id);
        document.push(b'"');
        if let Some(patient) = patient {
            document.extend_from_slice(b",\"patient\":\"");
            escape_into(patient, document);
            document.push(b'"');
        }
        document.extend_from_slice(b",\"ts\":");
        write_int(row.time, document);
        for (_, name, value) in self.arrived(workspace, &row) {
            document.push(b',');
            document.extend_from_slice(name);
            document.push(b':');
            document.extend_from_slice(value);
        }
        document.push(b'}');
        String::from_utf8(id).ok()
    }

    /// Position, name and value of each field but patient and time, in order of arrival.
    fn arrived<'a>(&'a self, workspace: &'a Workspace, row: &Row<'a>) -> Vec<(usize, &'a [u8], &'a [u8])> {
        let value = row.record.value.unwrap_or_default();
        let mut fields: Vec<(usize, &[u8], &[u8])> = Vec::new();
        for (index, token) in workspace.memory.tokens().iter().enumerate() {
            let name = self.decoder.schema().field(FieldId(index as u32)).name.as_str();
            if let (Some(token), false) = (token, name == "patient" || name == "ts") {
                fields.push((token.start, &self.field_names[index], &value[token.start..token.end]));
            }
        }
        for field in row.undeclared.iter().filter(|field| !field.superseded) {
            fields.push((field.value.start as usize, row.bytes(field.name), row.bytes(field.value)));
        }
        fields.sort_unstable_by_key(|(start, ..)| *start);
        fields
    }
}
