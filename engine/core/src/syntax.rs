//! Text to syntax tree and back. Knows nothing of what names mean.

pub mod ast;
pub mod parse;
pub mod reserved;
pub(crate) mod token;

pub use parse::parse;
