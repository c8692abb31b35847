//! The bytes of derived records and stored readings: from the slices that arrived, nothing re-serialised.

use std::io::Write as _;

use super::nodes::Judged;
use super::step::Row;
use super::{OriginPlan, Program, RuleInfo, TopicPlan};
use crate::json::escape_into;
use crate::operator::episode::Place;
use crate::reading::Undeclared;
use crate::types::{FieldId, ScoreId, Subject, Type};

/// Appends a whole number. Several stand in each output, and the formatting machinery of `std` is dear for that.
pub(super) fn write_int(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[first..]);
}

impl OriginPlan {
    /// The rest of an origin from its partition on.
    pub(super) fn write_end(&self, partition: i32, offset: i64, out: &mut Vec<u8>) {
        write_int(i64::from(partition), out);
        out.extend_from_slice(b",\"offset\":");
        write_int(offset, out);
        out.extend_from_slice(&self.after_offset);
    }
}

impl Program {
    /// `{"patient":…,"ts":…`, the patient only if there is one.
    fn write_head(patient: Option<&str>, time: i64, out: &mut Vec<u8>) {
        out.push(b'{');
        if let Some(patient) = patient {
            out.extend_from_slice(b"\"patient\":\"");
            escape_into(patient, out);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"ts\":");
        write_int(time, out);
    }

    /// `"origin":{…}}`, the end of every output.
    pub(super) fn write_origin(&self, partition: i32, offset: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.origin.before_partition);
        self.origin.write_end(partition, offset, out);
    }

    /// `research/0/42@1700000000123`
    pub(super) fn write_place(&self, partition: i32, place: Place, out: &mut Vec<u8>) {
        out.extend_from_slice(self.decoder.schema().stream.as_bytes());
        out.push(b'/');
        write_int(i64::from(partition), out);
        out.push(b'/');
        write_int(place.offset, out);
        out.push(b'@');
        write_int(place.time, out);
    }

    pub(super) fn write_derived(
        &self,
        topic: &TopicPlan,
        rules: &[&RuleInfo],
        row: &Row<'_>,
        judged: &Judged,
        out: &mut Vec<u8>,
    ) {
        Self::write_head(row.patient, row.time, out);
        topic.subjects.iter().for_each(|subject| self.write_member(*subject, row, judged, out));
        if topic.undeclared {
            for field in row.undeclared.iter().filter(|field| !field.superseded) {
                write_undeclared(field, row, out);
            }
        }
        out.extend_from_slice(b",\"rules\":[");
        for (index, rule) in rules.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&rule.quoted);
        }
        out.extend_from_slice(b"],");
        row.standing.write_marks(out);
        self.write_origin(row.record.partition, row.record.offset, out);
    }

    /// The record of a silence at `moment`, which is counted from `since`.
    pub(super) fn write_silence(
        &self,
        rule: &RuleInfo,
        patient: &str,
        moment: i64,
        (partition, since): (i32, Place),
        out: &mut Vec<u8>,
    ) {
        Self::write_head(Some(patient), moment, out);
        out.extend_from_slice(b",\"rules\":[");
        out.extend_from_slice(&rule.quoted);
        out.extend_from_slice(b"],");
        self.write_origin(partition, since.offset, out);
    }

    /// `,"name":value` of what is known.
    pub(super) fn write_member(&self, subject: Subject, row: &Row<'_>, judged: &Judged, out: &mut Vec<u8>) {
        match subject {
            Subject::Field(field) => self.write_field(field, row, out),
            Subject::Score(score) => self.write_score(score, row, judged, out),
        }
    }

    fn write_field(&self, field: FieldId, row: &Row<'_>, out: &mut Vec<u8>) {
        if row.value(field).is_nan() {
            return;
        }
        out.push(b',');
        out.extend_from_slice(&self.field_names[field.index()]);
        out.push(b':');
        self.write_value(field, row, out);
    }

    /// A score has the fewest digits that read back the same `f32`.
    fn write_score(&self, score: ScoreId, row: &Row<'_>, judged: &Judged, out: &mut Vec<u8>) {
        let Some(probability) = judged.score(score, row.index) else { return };
        out.push(b',');
        out.extend_from_slice(&self.score_names[score.index()]);
        // Writing to a Vec cannot fail.
        let _ = write!(out, ":{probability}");
    }

    /// A known field's value as outputs carry it.
    pub(super) fn write_value(&self, id: FieldId, row: &Row<'_>, out: &mut Vec<u8>) {
        let value = row.value(id);
        match &self.decoder.schema().field(id).kind {
            Type::Int | Type::Float | Type::Text => out.extend_from_slice(row.raw(id)),
            Type::Bool => out.extend_from_slice(if value == 1.0 { b"true" } else { b"false" }),
            Type::Time => write_int(value as i64, out),
            Type::Enum(labels) => {
                let label = labels.iter().find(|label| label.code == value);
                out.extend_from_slice(label.map_or(b"null", |label| label.written.as_bytes()));
            }
        }
    }
}

fn write_undeclared(field: &Undeclared, row: &Row<'_>, out: &mut Vec<u8>) {
    out.push(b',');
    out.extend_from_slice(row.bytes(field.name));
    out.push(b':');
    out.extend_from_slice(row.bytes(field.value));
}

#[cfg(test)]
mod tests {
    use super::write_int;

    #[test]
    fn whole_numbers_read_as_std_writes_them() {
        for value in [0, 7, -7, 10, 1_700_000_000_123, -1_000, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_int(value, &mut out);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
