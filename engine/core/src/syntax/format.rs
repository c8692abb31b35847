//! Syntax tree to canonical text, comments kept.
//!
//! `print` says how names, values and expressions are written, `layout` which lines a declaration takes, `comments`
//! where the comments of a file go between those lines. What was formatted is parsed again and compared, so that a
//! mistake here can refuse a file but never damage one.

mod comments;
mod layout;
mod print;
mod written;

use self::layout::Line;
use self::written::Written;
use super::{ast, parse};
use crate::diagnostic::Diagnostic;
use crate::source::FileId;

/// Why a file was not formatted. All three are mistakes of ours; the file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The formatted text does not parse.
    #[error("the formatted text would not parse: {}", .0.message)]
    Unreadable(Box<Diagnostic>),
    /// The formatted text says something else.
    #[error("the formatted text would mean something else")]
    MeaningChanged,
    /// Comments would be lost or doubled.
    #[error("the formatted text would not have the same comments")]
    CommentsChanged,
}

/// The canonical text of a file that was parsed from `text`, with its comments.
///
/// # Errors
/// If the result would not say the same as `text`; nothing is lost, and it is a mistake of ours.
pub fn format(text: &str, file: &ast::File) -> Result<String, FormatError> {
    let written = Written::new(text);
    let lines: Vec<Line> = file.items.iter().flat_map(|item| layout::item(item, Some(&written))).collect();
    let formatted = comments::weave(lines, &written);
    check(&formatted, &written, file)?;
    Ok(formatted)
}

fn check(formatted: &str, written: &Written<'_>, file: &ast::File) -> Result<(), FormatError> {
    let again = parse(FileId::default(), formatted).map_err(|error| FormatError::Unreadable(Box::new(error)))?;
    if again != *file {
        return Err(FormatError::MeaningChanged);
    }
    if Written::new(formatted).sorted_comments() != written.sorted_comments() {
        return Err(FormatError::CommentsChanged);
    }
    Ok(())
}

/// The canonical text without comments and tests: what the rule-set version is made from.
pub fn canonical(file: &ast::File) -> String {
    text_of(file.items.iter().filter(|item| !matches!(item, ast::Item::Test(_))))
}

/// The canonical text of every declaration, without comments.
pub fn print(file: &ast::File) -> String {
    text_of(file.items.iter())
}

fn text_of<'a>(items: impl Iterator<Item = &'a ast::Item>) -> String {
    let mut text = String::new();
    for line in items.flat_map(|item| layout::item(item, None)) {
        line.write(&mut text);
    }
    text
}

/// One expression on one line.
pub fn expression(expr: &ast::Expr) -> String {
    let mut text = String::new();
    print::expression(&mut text, &expr.node);
    text
}

/// One rule with its clauses, without comments and without a line end behind the last.
pub fn rule(rule: &ast::Rule) -> String {
    let mut text = String::new();
    for line in layout::rule(rule) {
        line.write(&mut text);
    }
    text.truncate(text.trim_end().len());
    text
}
