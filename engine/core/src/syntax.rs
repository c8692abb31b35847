//! Text to syntax tree and back. Knows nothing of what names mean.

pub mod ast;
