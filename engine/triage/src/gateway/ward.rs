//! A ward of simulated patients: which reading comes next, as JSON. Deterministic: the same table, number of patients and
//! seed give the same readings, apart from the time.

use super::table::Table;

/// The columns that vary from reading to reading under a seed, and by how much at most.
const VITALS: [(&str, f64); 3] = [("trestbps", 10.0), ("Temp", 0.5), ("thalach", 8.0)];

/// Patients without end: one reading each, in turn, again and again.
#[derive(Debug)]
pub(crate) struct Ward {
    table: Table,
    patients: usize,
    variation: Option<Variation>,
    next: usize,
}

/// One reading, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The patient, which is the Kafka key.
    pub(crate) key: String,
    /// The reading as a JSON object.
    pub(crate) json: String,
}

impl Ward {
    /// As many patients as the table has rows, or `patients` of them, the rows taken in turn. With a seed the vital signs
    /// vary around the table's.
    pub(crate) fn new(table: Table, patients: Option<usize>, seed: Option<u64>) -> Self {
        let patients = patients.unwrap_or(table.rows.len());
        Self { table, patients, variation: seed.map(Variation), next: 0 }
    }

    /// How many patients there are.
    pub(crate) fn patients(&self) -> usize {
        self.patients
    }

    /// The next patient's reading, taken at `now` (epoch milliseconds) unless the file says when.
    pub(crate) fn next_sample(&mut self, now: i64) -> Sample {
        let number = self.next % self.patients;
        self.next += 1;
        let row = number % self.table.rows.len();
        let key = self.patient(number, row);
        let mut members = vec![format!("\"patient\":{}", json_value(&key, true))];
        if self.cell(row, "ts").is_none() {
            members.push(format!("\"ts\":{now}"));
        }
        for (name, cell) in self.table.columns.iter().zip(&self.table.rows[row]) {
            if name == "patient" || cell.is_empty() {
                continue;
            }
            let varied = self.variation.as_mut().and_then(|variation| variation.vary(name, cell));
            members.push(format!("{}:{}", json_value(name, true), json_value(varied.as_ref().unwrap_or(cell), false)));
        }
        Sample { key, json: format!("{{{}}}", members.join(",")) }
    }

    /// `p1`, `p2`, … where the file names nobody; a named patient's copies are `name-2`, `name-3`, …
    fn patient(&self, number: usize, row: usize) -> String {
        let copy = number / self.table.rows.len();
        match self.cell(row, "patient") {
            Some(name) if copy == 0 => name.to_owned(),
            Some(name) => format!("{name}-{}", copy + 1),
            None => format!("p{}", number + 1),
        }
    }

    fn cell(&self, row: usize, name: &str) -> Option<&str> {
        let cell = self.table.rows[row][self.table.column(name)?].as_str();
        Some(cell).filter(|cell| !cell.is_empty())
    }
}

/// A cell as JSON: a number with its digits untouched, anything else a string.
fn json_value(cell: &str, always_text: bool) -> String {
    if !always_text && is_json_number(cell) {
        return cell.to_owned();
    }
    serde_json::Value::from(cell).to_string()
}

/// RFC 8259's `number`, letter by letter: `007`, `+1`, `.5` and `NaN` are text.
fn is_json_number(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = cell.strip_prefix('-').unwrap_or(cell);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// A small generator of our own (splitmix64), so that a seed means the same readings in every version.
#[derive(Debug)]
struct Variation(u64);

impl Variation {
    /// The cell moved by up to the column's amount, with as many decimals; `None` where it stays as it is. A zero stays: it
    /// stands for "not measured".
    fn vary(&mut self, name: &str, cell: &str) -> Option<String> {
        let (_, amount) = VITALS.iter().find(|(vital, _)| *vital == name)?;
        let value: f64 = cell.parse().ok()?;
        let varied = value + amount * (2.0 * self.next_unit() - 1.0);
        let decimals = cell.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        (value != 0.0 && varied > 0.0).then(|| format!("{varied:.decimals$}"))
    }

    /// The next number in 0..1.
    fn next_unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;

    fn ward(csv: &str, patients: Option<usize>, seed: Option<u64>) -> Ward {
        Ward::new(Table::parse(Path::new("ward.csv"), csv.as_bytes()).unwrap(), patients, seed)
    }

    #[test]
    fn a_row_is_a_reading_with_its_digits() {
        let mut ward = ward("age,Temp,ca,note\n63,36.50,,on \"oxygen\"\n", None, None);
        let expected = r#"{"patient":"p1","ts":1700000000123,"age":63,"Temp":36.50,"note":"on "#;
        let sample = ward.next_sample(1_700_000_000_123);
        assert_eq!(sample.key, "p1");
        assert!(sample.json.starts_with(expected), "{}", sample.json);
        assert!(serde_json::from_str::<serde_json::Value>(&sample.json).is_ok(), "{}", sample.json);
    }

    #[test]
    fn patient_and_time_of_the_file_win() {
        let mut ward = ward("patient,ts,age\n7,2026-01-01T00:00:00Z,63\nanna,,64\n", Some(3), None);
        assert_eq!(ward.next_sample(1).json, r#"{"patient":"7","ts":"2026-01-01T00:00:00Z","age":63}"#);
        assert_eq!(ward.next_sample(2).json, r#"{"patient":"anna","ts":2,"age":64}"#);
        assert_eq!(ward.next_sample(3).key, "7-2");
        assert_eq!(ward.next_sample(4).key, "7");
    }

    #[test]
    fn patients_are_numbered_on_and_come_again() {
        let mut ward = ward("age\n63\n64\n", Some(3), None);
        let keys: Vec<String> = (0..4).map(|_| ward.next_sample(0).key).collect();
        assert_eq!(keys, ["p1", "p2", "p3", "p1"]);
    }

    #[test]
    fn only_json_numbers_are_numbers() {
        for number in ["0", "-1", "63", "36.50", "1e5", "1E-5", "-0.0", "12345678901234567890"] {
            assert!(is_json_number(number), "{number}");
        }
        for text in ["", "-", "007", "+1", ".5", "1.", "1e", "NaN", "Infinity", "0x1", "1 2", "true"] {
            assert!(!is_json_number(text), "{text}");
        }
    }

    #[test]
    fn a_seed_varies_vital_signs_and_nothing_else_and_always_the_same_way() {
        let csv = "age,trestbps,Temp,chol\n63,120,36.5,0\n64,0,37.0,200\n";
        let readings = |seed| {
            let mut ward = ward(csv, Some(20), seed);
            (0..40).map(|_| ward.next_sample(0).json).collect::<Vec<_>>()
        };
        assert_eq!(readings(Some(1)), readings(Some(1)));
        assert_ne!(readings(Some(1)), readings(Some(2)));
        assert_ne!(readings(Some(1)), readings(None));
        assert!(
            readings(Some(1)).iter().step_by(2).all(|json| json.contains("\"age\":63") && json.contains("\"chol\":0"))
        );
        assert!(readings(Some(1)).iter().skip(1).step_by(2).all(|json| json.contains("\"trestbps\":0")));
    }
}
