//! Text to syntax tree and back. Knows nothing of what names mean.

pub mod ast;
pub mod format;
pub mod parse;
pub mod reserved;
pub(crate) mod token;

pub use format::format;
pub use parse::parse;
