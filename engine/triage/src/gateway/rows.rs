//! The rows of a table as readings: each patient's in turn, again and again.

use std::time::Duration;

use super::json;
use super::table::Table;
use super::ward::Sample;

/// Patients without end.
#[derive(Debug)]
pub(crate) struct Rows {
    table: Table,
    patients: usize,
    interval: Duration,
    next: usize,
}

impl Rows {
    /// As many patients as the table has rows, or `patients` of them, the rows taken in turn; a reading every `interval`.
    pub(crate) fn new(table: Table, patients: Option<usize>, interval: Duration) -> Self {
        let patients = patients.unwrap_or(table.rows.len());
        Self { table, patients, interval, next: 0 }
    }

    /// How many patients there are.
    pub(super) fn patients(&self) -> usize {
        self.patients
    }

    /// When the next reading is due, from the beginning.
    pub(super) fn next_due(&self) -> Duration {
        self.interval.mul_f64(self.next as f64)
    }

    /// The next patient's reading, taken at `now` (epoch milliseconds) unless the file says when.
    pub(super) fn next_sample(&mut self, now: i64) -> Sample {
        let number = self.next % self.patients;
        self.next += 1;
        let row = number % self.table.rows.len();
        let key = self.table.patient(number);
        let mut members = vec![format!("\"patient\":{}", json::text(&key))];
        if self.table.cell(row, "ts").is_none() {
            members.push(format!("\"ts\":{now}"));
        }
        for (name, cell) in self.table.columns.iter().zip(&self.table.rows[row]) {
            if name != "patient" && !cell.is_empty() {
                members.push(format!("{}:{}", json::text(name), json::value(cell)));
            }
        }
        Sample { key, json: format!("{{{}}}", members.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;

    fn rows(csv: &str, patients: Option<usize>) -> Rows {
        let table = Table::parse(Path::new("ward.csv"), csv.as_bytes()).unwrap();
        Rows::new(table, patients, Duration::from_secs(5))
    }

    #[test]
    fn a_row_is_a_reading_with_its_digits() {
        let mut rows = rows("age,Temp,ca,note\n63,36.50,,on \"oxygen\"\n", None);
        let expected = r#"{"patient":"p1","ts":1700000000123,"age":63,"Temp":36.50,"note":"on "#;
        let sample = rows.next_sample(1_700_000_000_123);
        assert_eq!(sample.key, "p1");
        assert!(sample.json.starts_with(expected), "{}", sample.json);
        assert!(serde_json::from_str::<serde_json::Value>(&sample.json).is_ok(), "{}", sample.json);
    }

    #[test]
    fn patient_and_time_of_the_file_win() {
        let mut rows = rows("patient,ts,age\n7,2026-01-01T00:00:00Z,63\nanna,,64\n", Some(3));
        assert_eq!(rows.next_sample(1).json, r#"{"patient":"7","ts":"2026-01-01T00:00:00Z","age":63}"#);
        assert_eq!(rows.next_sample(2).json, r#"{"patient":"anna","ts":2,"age":64}"#);
        assert_eq!(rows.next_sample(3).key, "7-2");
        assert_eq!(rows.next_sample(4).key, "7");
    }

    #[test]
    fn patients_are_numbered_on_and_come_again() {
        let mut rows = rows("age\n63\n64\n", Some(3));
        let keys: Vec<String> = (0..4).map(|_| rows.next_sample(0).key).collect();
        assert_eq!(keys, ["p1", "p2", "p3", "p1"]);
        assert_eq!(rows.next_due(), Duration::from_secs(20));
    }
}
