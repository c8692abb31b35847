//! Rule files to a program, all of it or none of it.

use crate::diagnostic::Diagnostic;
use crate::program::Program;
use crate::source::SourceFile;

/// Compiles the files (in path order) together.
///
/// # Errors
/// Every mistake of the run, warnings included, when at least one is an error.
pub fn compile(files: &[SourceFile]) -> Result<(Program, Vec<Diagnostic>), Vec<Diagnostic>> {
    todo!()
}

/// What a reload changed, by rule name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rules that were not there.
    pub added: Vec<String>,
    /// Rules whose text is another.
    pub changed: Vec<String>,
    /// Rules that are gone.
    pub removed: Vec<String>,
}

impl Changes {
    /// From `old` to `new`.
    pub fn between(old: &Program, new: &Program) -> Self {
        todo!()
    }
}
