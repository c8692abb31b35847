//! The gateway's input: a CSV file with a header, read and checked as a whole before anything is sent, so that a mistake
//! in its last line does not show after an hour. Knows nothing of readings or Kafka.

use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

/// A checked table: every row has a cell for every column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The columns' names as the header writes them.
    pub(super) columns: Vec<String>,
    /// The rows' cells, white space around them removed.
    pub(super) rows: Vec<Vec<String>>,
}

/// Why a file is no table.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TableError(#[from] Mistake);

#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: the file is empty, expected a header and rows", path = path.display())]
    Empty { path: PathBuf },
    #[error("{path}: there are no rows after the header", path = path.display())]
    NoRows { path: PathBuf },
    #[error("{path}:1: expected a header with the columns' names, the first line holds only numbers", path = path.display())]
    NoHeader { path: PathBuf },
    #[error("{path}:1: column {column} of the header has no name", path = path.display())]
    NamelessColumn { path: PathBuf, column: usize },
    #[error("{path}:1: the column `{name}` is there twice", path = path.display())]
    RepeatedColumn { path: PathBuf, name: String },
    #[error("{path}:{line}: {found} cells, the header has {expected}", path = path.display())]
    Ragged { path: PathBuf, line: u64, found: u64, expected: u64 },
    #[error("{path}:{line}: the text is not UTF-8", path = path.display())]
    NotUtf8 { path: PathBuf, line: u64 },
}

impl Table {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let unreadable = |source| Mistake::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(unreadable)?;
        Self::parse(path, &bytes)
    }

    /// Reads the bytes of the file at `path`, which is only named in errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, TableError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Err(Mistake::Empty { path: path.to_owned() }.into());
        }
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| explain(path, error))?.clone();
        check_header(path, &header)?;
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(owned(&row.map_err(|error| explain(path, error))?));
        }
        if rows.is_empty() {
            return Err(Mistake::NoRows { path: path.to_owned() }.into());
        }
        Ok(Self { columns: owned(&header), rows })
    }

    /// How many patients the table has: one a row.
    pub fn patients(&self) -> usize {
        self.rows.len()
    }

    /// The cell of that row and column, unless there is none or it is empty.
    pub(super) fn cell(&self, row: usize, name: &str) -> Option<&str> {
        let column = self.columns.iter().position(|column| column == name)?;
        Some(self.rows[row][column].as_str()).filter(|cell| !cell.is_empty())
    }

    /// Who has that number, from 0: `p1`, `p2`, … where the file names nobody; a named patient's copies are `name-2`,
    /// `name-3`, …
    pub(super) fn patient(&self, number: usize) -> String {
        let (row, copy) = (number % self.rows.len(), number / self.rows.len());
        match self.cell(row, "patient") {
            Some(name) if copy == 0 => name.to_owned(),
            Some(name) => format!("{name}-{}", copy + 1),
            None => format!("p{}", number + 1),
        }
    }
}

fn owned(record: &StringRecord) -> Vec<String> {
    record.iter().map(str::to_owned).collect()
}

fn check_header(path: &Path, header: &StringRecord) -> Result<(), Mistake> {
    if header.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(Mistake::NoHeader { path: path.to_owned() });
    }
    for (at, name) in header.iter().enumerate() {
        if name.is_empty() {
            return Err(Mistake::NamelessColumn { path: path.to_owned(), column: at + 1 });
        }
        if header.iter().take(at).any(|earlier| earlier == name) {
            return Err(Mistake::RepeatedColumn { path: path.to_owned(), name: name.to_owned() });
        }
    }
    Ok(())
}

/// The csv crate's error in our words, with the line.
fn explain(path: &Path, error: csv::Error) -> Mistake {
    let path = path.to_owned();
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Mistake::Ragged { path, line, found: len, expected: expected_len }
        }
        ErrorKind::Utf8 { .. } => Mistake::NotUtf8 { path, line },
        ErrorKind::Io(source) => Mistake::Unreadable { path, source },
        other => Mistake::Unreadable { path, source: std::io::Error::other(format!("{other:?}")) },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(text: &[u8]) -> Result<Table, String> {
        Table::parse(Path::new("ward.csv"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_keeps_names_and_digits() {
        let table = parse(b"age,Temp\r\n63, 36.50 \r\n64,\r\n").unwrap();
        assert_eq!(table.columns, ["age", "Temp"]);
        assert_eq!(table.rows, [["63", "36.50"], ["64", ""]]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let check = |text: &[u8], expected: &str| assert_eq!(parse(text).unwrap_err(), expected);
        check(b"", "ward.csv: the file is empty, expected a header and rows");
        check(b" \n\n", "ward.csv: the file is empty, expected a header and rows");
        check(b"age,sex\n", "ward.csv: there are no rows after the header");
        check(
            b"63,1\n64,0\n",
            "ward.csv:1: expected a header with the columns' names, the first line holds only numbers",
        );
        check(b"age,,sex\n1,2,3\n", "ward.csv:1: column 2 of the header has no name");
        check(b"age,sex,age\n1,2,3\n", "ward.csv:1: the column `age` is there twice");
        check(b"age,sex\n63,1\n64\n", "ward.csv:3: 1 cells, the header has 2");
        check(b"age,sex\n63,1\n64,\xff\n", "ward.csv:3: the text is not UTF-8");
        check(b"age,\xff\n63,1\n", "ward.csv:1: the text is not UTF-8");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        assert_eq!(parse(b"\xEF\xBB\xBFage\n63\n").unwrap().columns, ["age"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Table::open(Path::new("no/such.csv")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read no/such.csv: "), "{error}");
    }
}
