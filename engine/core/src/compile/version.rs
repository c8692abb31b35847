//! What makes two rule sets, or two rules, the same: canonical texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::check::CheckedRules;
use crate::syntax::ast::{File, Item};
use crate::syntax::format;

/// Hex digits of a version.
const DIGITS: usize = 12;

/// The rule-set version: the first 12 hex digits of the SHA-256 of the files' canonical texts, without comments and
/// tests, joined in path order.
pub(super) fn of(trees: &[File]) -> String {
    let mut hash = Sha256::new();
    for tree in trees {
        hash.update(format::canonical(tree).as_bytes());
    }
    let mut digits = String::new();
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits.truncate(DIGITS);
    digits
}
