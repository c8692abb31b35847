//! Rule files to a program, all of it or none of it.

mod lower;
mod version;

pub(crate) use lower::Lower;

use crate::check::{CheckedRules, check};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::Program;
use crate::source::{FileId, SourceFile};
use crate::syntax::{ast, parse};

/// A compiled rule set, what is suspicious in it, and its tests.
#[derive(Debug)]
pub struct Compiled {
    /// What judges readings.
    pub program: Program,
    /// Warnings, in order of place.
    pub warnings: Vec<Diagnostic>,
    pub(crate) checked: CheckedRules,
    pub(crate) files: Vec<ast::File>,
}

/// Compiles the files (in path order) together.
///
/// # Errors
/// Every mistake of the run, warnings included, when at least one is an error.
pub fn compile(files: &[SourceFile]) -> Result<(Program, Vec<Diagnostic>), Vec<Diagnostic>> {
    compile_all(files).map(|compiled| (compiled.program, compiled.warnings))
}

/// The same, with what tests and explanations need.
///
/// # Errors
/// As [`compile`].
pub fn compile_all(files: &[SourceFile]) -> Result<Compiled, Vec<Diagnostic>> {
    let (trees, mut diagnostics) = parse_all(files);
    if files.is_empty() {
        let help = "a rule file ends in `.rules` and stands in the folder itself";
        return Err(vec![Diagnostic::global(Code::Empty, "there is no rule file").help(help)]);
    }
    if trees.iter().all(|tree| tree.items.is_empty()) && diagnostics.is_empty() {
        return Err(vec![Diagnostic::global(Code::Empty, "the rule files declare nothing")]);
    }
    let broken = !diagnostics.is_empty();
    let checked = match check(&trees) {
        Ok(mut checked) => {
            diagnostics.append(&mut checked.lowering.diagnostics);
            Some(checked)
        }
        // Without the broken file's declarations, "no stream" may be untrue.
        Err(_) if broken => None,
        Err(errors) => {
            diagnostics.extend(errors);
            None
        }
    };
    if broken {
        diagnostics.retain(|diagnostic| !may_stand_in_a_broken_file(diagnostic.code));
    }
    sort(&mut diagnostics);
    match checked {
        Some(checked) if !diagnostics.iter().any(Diagnostic::is_error) => {
            let program = lower::program(&checked, &trees);
            Ok(Compiled { program, warnings: diagnostics, checked, files: trees })
        }
        _ => Err(diagnostics),
    }
}

fn parse_all(files: &[SourceFile]) -> (Vec<ast::File>, Vec<Diagnostic>) {
    let mut trees = Vec::new();
    let mut diagnostics = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match parse(FileId(index as u32), &file.text) {
            Ok(tree) => trees.push(tree),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    (trees, diagnostics)
}

/// Whether a complaint may only be due to declarations that a syntax error hides.
fn may_stand_in_a_broken_file(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownName
            | Code::TestReference
            | Code::UndeclaredTopic
            | Code::Unused
            | Code::Untested
            | Code::NoStream
    )
}

/// By place; those without one last, duplicates once.
fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|diagnostic| {
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        (place.is_none(), place.map(|span| (span.file, span.start, span.end)), diagnostic.code)
    });
    diagnostics.dedup();
}

/// What a reload changed, by rule name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rules that were not there.
    pub added: Vec<String>,
    /// Rules whose text, or what it depends on, is another.
    pub changed: Vec<String>,
    /// Rules that are gone.
    pub removed: Vec<String>,
}

impl Changes {
    /// From `old` to `new`.
    pub fn between(old: &Program, new: &Program) -> Self {
        let by_name = |program: &Program| -> std::collections::HashMap<String, String> {
            program.rules().iter().map(|rule| (rule.name.clone(), rule.text.clone())).collect()
        };
        let (before, after) = (by_name(old), by_name(new));
        let mut changes = Self::default();
        for rule in new.rules() {
            match before.get(&rule.name) {
                None => changes.added.push(rule.name.clone()),
                Some(text) if *text != rule.text => changes.changed.push(rule.name.clone()),
                Some(_) => {}
            }
        }
        changes.removed =
            old.rules().iter().map(|rule| rule.name.clone()).filter(|name| !after.contains_key(name)).collect();
        changes
    }
}
