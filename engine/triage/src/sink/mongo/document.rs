//! JSON to BSON: whole numbers become 64-bit integers, others doubles; a whole number beyond 64 bits is a double too.

use std::borrow::Cow;
use std::fmt;

use mongodb::bson::raw::CStr;
use mongodb::bson::{RawArrayBuf, RawBson, RawDocumentBuf};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The most bytes of a document, [as MongoDB limits it](https://www.mongodb.com/docs/manual/reference/limits/).
const MOST_BYTES: usize = 16 << 20;

/// Why a document cannot be sent. No variant shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the document has {0} bytes as BSON, and MongoDB takes {MOST_BYTES}")]
    TooLarge(usize),
    #[error("the document cannot be written as BSON (line {line}, column {column})")]
    NotBson { line: usize, column: usize },
}

/// The document that `json` is.
pub(super) fn of_json(json: &str) -> Result<RawDocumentBuf, Unfit> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| Unfit::NotBson { line: error.line(), column: error.column() })?;
    let Value(RawBson::Document(document)) = value else { return Err(Unfit::NotBson { line: 1, column: 1 }) };
    match document.as_bytes().len() {
        bytes if bytes > MOST_BYTES => Err(Unfit::TooLarge(bytes)),
        _ => Ok(document),
    }
}

struct Value(RawBson);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Value)
    }
}

/// A field's name, borrowed where the JSON has no escapes in it.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = RawBson;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<RawBson, E> {
        Ok(RawBson::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<RawBson, E> {
        Ok(RawBson::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RawBson, E> {
        Ok(RawBson::Int64(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<RawBson, E> {
        Ok(i64::try_from(number).map_or(RawBson::Double(number as f64), RawBson::Int64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<RawBson, E> {
        Ok(RawBson::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawBson, E> {
        Ok(RawBson::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawBson, A::Error> {
        let mut array = RawArrayBuf::new();
        while let Some(Value(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(RawBson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RawBson, A::Error> {
        let mut document = RawDocumentBuf::new();
        while let Some((Name(name), Value(value))) = fields.next_entry()? {
            let name: &CStr = (&*name).try_into().map_err(|_| A::Error::custom("a NUL in a field's name"))?;
            document.append(name, value);
        }
        Ok(RawBson::Document(document))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mongodb::bson::{Bson, Document, doc};

    use super::*;

    fn document(json: &str) -> Document {
        of_json(json).unwrap().try_into().unwrap()
    }

    #[test]
    fn every_kind_of_value_has_its_type() {
        let json = r#"{"_id":"a/0/1@2","n":-3,"x":36.50,"t":"\u00e4\u0000b","y":true,"z":null,"l":[1,"b",[]],"o":{"p\"q":{}}}"#;
        let expected = doc! {
            "_id": "a/0/1@2", "n": -3_i64, "x": 36.5, "t": "ä\0b", "y": true, "z": Bson::Null,
            "l": [1_i64, "b", []], "o": { "p\"q": {} },
        };
        assert_eq!(document(json), expected);
    }

    #[test]
    fn large_whole_numbers_are_doubles() {
        let expected = doc! { "a": i64::MAX, "b": 9_223_372_036_854_775_808_f64, "c": 1e30 };
        let json = r#"{"a":9223372036854775807,"b":9223372036854775808,"c":1000000000000000000000000000000}"#;
        assert_eq!(document(json), expected);
    }

    #[test]
    fn what_bson_cannot_hold_is_unfit_and_no_value_is_told() {
        for json in [r#"{"se\u0000cret":1}"#, "[1]", "7", "", r#"{"a":"secret"#, r#"{"secret":1e999}"#] {
            let told = of_json(json).unwrap_err().to_string();
            assert!(told.starts_with("the document cannot be written as BSON (line "), "{json}: {told}");
            assert!(!told.contains("secret"));
        }
        let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(16 << 20));
        assert!(matches!(of_json(&large), Err(Unfit::TooLarge(bytes)) if bytes > 16 << 20));
    }
}
