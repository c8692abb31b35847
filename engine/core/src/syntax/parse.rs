//! Text to syntax tree.
//!
//! The outline finds where declarations start and refuses what the grammar's runtime could not bear; the grammar takes
//! each declaration apart; the files beside it build the tree. Only this module names the grammar's rules.

mod declaration;
mod error;
mod expression;
mod grammar;
mod help;
mod nesting;
mod node;
mod outline;
mod stream;
mod test;
mod value;

use pest::Parser;

use self::error::Slice;
use self::grammar::{Grammar, Rule};
use self::node::Source;
use crate::diagnostic::Diagnostic;
use crate::source::FileId;
use crate::syntax::ast;

/// Parses one rule file.
///
/// # Errors
/// The first syntax error, with its place in `text`.
pub fn parse(file: FileId, text: &str) -> Result<ast::File, Diagnostic> {
    let starts = outline::split(file, text)?;
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let mut items = Vec::with_capacity(starts.len());
    for (start, end) in starts.iter().copied().zip(ends) {
        let slice = Slice { file, text, start, end };
        let pairs = Grammar::parse(Rule::declaration, slice.text()).map_err(|error| error::diagnose(slice, error))?;
        let source = Source { file, start };
        for pair in pairs.flat_map(pest::iterators::Pair::into_inner) {
            if pair.as_rule() != Rule::EOI {
                items.push(declaration::item(source.node(pair))?);
            }
        }
    }
    Ok(ast::File { items })
}
