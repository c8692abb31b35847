//! The words that are no names unless in backticks.

/// Every reserved word; the rule `reserved` of the grammar is the same list.
pub const RESERVED: &[&str] = &[
    "stream", "topic", "score", "let", "test", "when", "and", "or", "notify", "not", "no", "in", "is", "forget", "for",
    "then", "within", "true", "false", "store", "fields", "covers", "missing", "all", "alert", "each", "repeat",
    "escalate", "clear", "latch", "reading", "given", "at", "expect",
];

/// The words that start a declaration.
pub(crate) const DECLARATIONS: &[&str] = &["stream", "topic", "score", "let", "test"];

/// Whether `word` is reserved.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Whether `name` can stand without backticks.
pub fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !is_reserved(name)
}

/// The name as rules write it: in backticks where it needs them.
pub fn written(name: &str) -> String {
    if is_plain_name(name) { name.to_owned() } else { format!("`{name}`") }
}
