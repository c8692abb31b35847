//! What an error of the server means for the documents that were on their way. The server's own words are never told: they
//! quote the command, and with it patients' values.

use mongodb::bson::{Bson as Number, Document as Bson};
use mongodb::error::{Error, ErrorKind};

use super::command::Upsert;
use crate::sink::Refusal;

/// Passing troubles of the whole server, which the driver leaves to us: a step-down, a shutdown, a lock, a full disk, a user
/// who is not let in. The numbers are [MongoDB's](https://www.mongodb.com/docs/manual/reference/error-codes/).
const OF_THE_STORE: [i32; 29] = [
    6, 7, 18, 24, 46, 50, 63, 64, 89, 91, 100, 112, 133, 134, 146, 150, 189, 202, 262, 391, 9001, 10058, 10107, 11600,
    11602, 13388, 13435, 13436, 14031,
];

/// No right to write to the collection.
const UNAUTHORIZED: i32 = 13;

/// Another document has the same value under a unique index.
const DUPLICATE_KEY: i32 = 11000;

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The whole store; everything is tried again.
    #[error("{0}")]
    Store(String),
    /// The collection; the others go on.
    #[error("{0}")]
    Collection(String),
    /// The command as a whole, because of the collection or of some document in it.
    #[error("{0}")]
    Command(String),
}

impl Fault {
    pub(super) fn of_command(error: &Error) -> Self {
        let ErrorKind::Command(answer) = &*error.kind else { return Self::Store(of_driver(&error.kind)) };
        let told = told(answer.code, &answer.code_name);
        let passing = OF_THE_STORE.contains(&answer.code)
            || ["RetryableWriteError", "RetryableError"].iter().any(|label| error.contains_label(label));
        match answer.code {
            _ if passing => Self::Store(told),
            UNAUTHORIZED => Self::Collection(told),
            _ => Self::Command(told),
        }
    }

    /// The same, with the collection that it is about.
    pub(super) fn within(self, collection: &str) -> Self {
        Self::Store(format!("collection `{collection}`: {self}"))
    }
}

/// What the driver met, in our words: its own may hold a whole answer of the server.
fn of_driver(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ServerSelection { .. } => "no server answers that can be written to".to_owned(),
        ErrorKind::Authentication { .. } => "the server refuses the user or the password".to_owned(),
        ErrorKind::ConnectionPoolCleared { .. } => "the connections were given up after a failure".to_owned(),
        ErrorKind::InvalidTlsConfig { .. } => {
            "no connection can be encrypted: the driver asks for a file of the machine's own \
                                               certificate authorities besides (Debian's package `ca-certificates`)"
                .to_owned()
        }
        ErrorKind::Io(error) => format!("the connection failed: {error}"),
        kind => {
            let name: String = format!("{kind:?}").chars().take_while(char::is_ascii_alphanumeric).collect();
            format!("the driver failed ({name})")
        }
    }
}

/// Sorts the answer to an `update`: documents that were refused are added to `refusals`.
pub(super) fn sort(reply: &Bson, upserts: &[Upsert], refusals: &mut Vec<Refusal>) -> Result<(), Fault> {
    if let Ok(concern) = reply.get_document("writeConcernError") {
        let told = told(whole(concern, "code"), concern.get_str("codeName").unwrap_or_default());
        return Err(Fault::Store(format!("the write is not acknowledged as safe: {told}")));
    }
    let none = Vec::new();
    let errors = reply.get_array("writeErrors").unwrap_or(&none);
    for error in errors.iter().filter_map(mongodb::bson::Bson::as_document) {
        let code = whole(error, "code");
        let told = told(code, error.get_str("codeName").unwrap_or_default());
        match code {
            UNAUTHORIZED => return Err(Fault::Collection(told)),
            code if OF_THE_STORE.contains(&code) => return Err(Fault::Store(told)),
            // Two processes wrote the same new document at once: the second finds it the next time.
            DUPLICATE_KEY if is_id(error) => return Err(Fault::Store(told)),
            _ => {}
        }
        let index = usize::try_from(whole(error, "index")).unwrap_or(usize::MAX);
        let upsert = upserts.get(index).ok_or_else(|| Fault::Collection(told.clone()))?;
        refusals.push(Refusal { position: upsert.position, reason: format!("MongoDB refused the document: {told}") });
    }
    match usize::try_from(whole(reply, "n")) {
        Ok(written) if written + errors.len() >= upserts.len() => Ok(()),
        _ => Err(Fault::Store("fewer documents were written than sent, and no error is told".to_owned())),
    }
}

/// How many documents a `count` has found.
pub(super) fn number(reply: &Bson) -> Result<u64, Fault> {
    let number = reply.get("n").and_then(|number| match number {
        Number::Int32(number) => u64::try_from(*number).ok(),
        Number::Int64(number) => u64::try_from(*number).ok(),
        Number::Double(number) if *number >= 0.0 => Some(*number as u64),
        _ => None,
    });
    number.ok_or_else(|| Fault::Store("the answer has no number of documents".to_owned()))
}

/// How many documents a `delete` has removed.
pub(super) fn removed(reply: &Bson) -> Result<u64, Fault> {
    sort(reply, &[], &mut Vec::new())?;
    number(reply)
}

fn is_id(error: &Bson) -> bool {
    error.get_document("keyPattern").is_ok_and(|key| key.contains_key("_id"))
}

/// A whole number of any width.
fn whole(document: &Bson, name: &str) -> i32 {
    let number = document
        .get(name)
        .and_then(|number| number.as_i32().or_else(|| number.as_i64().and_then(|number| number.try_into().ok())));
    number.unwrap_or(-1)
}

fn told(code: i32, name: &str) -> String {
    let name = match (code, name) {
        (UNAUTHORIZED, _) => {
            "Unauthorized: the user lacks the rights `find`, `insert` and `update` on the collection, or `remove` to remove"
        }
        (DUPLICATE_KEY, _) => "DuplicateKey: a unique index has the same value already",
        (_, "") => return format!("error {code}"),
        (_, name) => name,
    };
    format!("error {code} ({name})")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use mongodb::bson::doc;

    use super::*;
    use crate::sink::Document;

    fn upserts() -> Vec<Upsert> {
        let document = Document { collection: Arc::from("c"), id: "a".into(), json: r#"{"_id":"a"}"#.into() };
        (10..13).map(|position| Upsert::new(position, &document).unwrap()).collect()
    }

    fn sorted(reply: &Bson) -> Result<Vec<usize>, Fault> {
        let mut refusals = Vec::new();
        sort(reply, &upserts(), &mut refusals)?;
        assert!(refusals.iter().all(|refusal| !refusal.reason.contains("secret")));
        Ok(refusals.into_iter().map(|refusal| refusal.position).collect())
    }

    #[test]
    fn documents_are_refused_one_by_one_by_their_position_in_the_batch() {
        let reply = doc! { "ok": 1, "n": 1, "writeErrors": [
            { "index": 0, "code": 121, "errmsg": "Document failed validation: secret" },
            { "index": 2_i64, "code": 11000, "keyPattern": { "body": 1 }, "errmsg": "dup key: secret" },
        ] };
        assert_eq!(sorted(&reply), Ok(vec![10, 12]));
        assert_eq!(sorted(&doc! { "ok": 1, "n": 3 }), Ok(vec![]));
    }

    #[test]
    fn what_passes_is_never_a_refusal() {
        for code in [112, 10107, 91, 14031] {
            let reply = doc! { "n": 2, "writeErrors": [{ "index": 1, "code": code, "errmsg": "secret" }] };
            assert_eq!(sorted(&reply), Err(Fault::Store(format!("error {code}"))));
        }
        let twice = doc! { "writeErrors": [{ "index": 1, "code": 11000, "keyPattern": { "_id": 1 } }] };
        assert!(matches!(sorted(&twice), Err(Fault::Store(_))));
        let unsafe_yet = doc! { "ok": 1, "writeConcernError": { "code": 64, "codeName": "WriteConcernFailed" } };
        let expected = "the write is not acknowledged as safe: error 64 (WriteConcernFailed)";
        assert_eq!(sorted(&unsafe_yet), Err(Fault::Store(expected.to_owned())));
        for reply in [doc! { "ok": 1, "n": 2 }, doc! { "ok": 1 }] {
            assert!(matches!(sorted(&reply), Err(Fault::Store(told)) if told.contains("fewer documents")));
        }
    }

    /// A server selection that fails tells the last answer of the server, with the command that it quotes.
    #[test]
    fn what_the_driver_says_is_not_told() {
        let told = Fault::of_command(&Error::custom("secret")).to_string();
        assert_eq!(told, "the driver failed (Custom)");
        let told = Fault::of_command(&Error::from(std::io::Error::other("cut"))).to_string();
        assert_eq!(told, "the connection failed: cut");
    }

    #[test]
    fn a_right_that_is_missing_is_the_collections() {
        let reply = doc! { "writeErrors": [{ "index": 0, "code": 13, "errmsg": "secret" }] };
        assert!(matches!(sorted(&reply), Err(Fault::Collection(told)) if told.contains("lacks the rights")));
    }
}
