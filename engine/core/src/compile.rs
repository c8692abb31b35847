//! Rule files to a program, all of it or none of it.

mod layout;
mod lower;
mod version;

pub(crate) use layout::cells_alone;
pub(crate) use lower::Lower;

use crate::check::{CheckedRules, check};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{Program, Succession};
use crate::score::Models;
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

/// Compiles the files (in path order) together; `models` are those that their scores are from.
///
/// # Errors
/// Every mistake of the run, warnings included, when at least one is an error.
pub fn compile(files: &[SourceFile], models: &dyn Models) -> Result<(Program, Vec<Diagnostic>), Vec<Diagnostic>> {
    compile_all(files, models).map(|compiled| (compiled.program, compiled.warnings))
}

/// The same, with what tests and explanations need.
///
/// # Errors
/// As [`compile`].
pub fn compile_all(files: &[SourceFile], models: &dyn Models) -> Result<Compiled, Vec<Diagnostic>> {
    let (trees, broken, mut diagnostics) = parse_all(files);
    if files.is_empty() {
        let help = "a rule file ends in `.rules` and stands in the folder itself";
        return Err(vec![Diagnostic::global(Code::Empty, "there is no rule file").help(help)]);
    }
    if trees.iter().all(|tree| tree.items.is_empty()) && diagnostics.is_empty() {
        let help = "declare a stream, and a rule such as `stroke when trestbps > 180`";
        return Err(vec![Diagnostic::global(Code::Empty, "the rule files declare nothing").help(help)]);
    }
    let checked = match check(&trees, models) {
        Ok(mut checked) => {
            diagnostics.append(&mut checked.lowering.diagnostics);
            Some(checked)
        }
        // Without the broken file's declarations, "no stream" may be untrue.
        Err(_) if !broken.is_empty() => None,
        Err(errors) => {
            diagnostics.extend(errors);
            None
        }
    };
    let broken: Vec<&str> = broken.iter().map(|index| files[*index].text.as_str()).collect();
    diagnostics.retain(|diagnostic| !is_due_to(diagnostic, &broken));
    sort(&mut diagnostics);
    match checked {
        Some(checked) if !diagnostics.iter().any(Diagnostic::is_error) => {
            let program = lower::program(&checked, &trees);
            Ok(Compiled { program, warnings: diagnostics, checked, files: trees })
        }
        _ => Err(diagnostics),
    }
}

/// The trees of the files that are of the language, which files are not, and why.
fn parse_all(files: &[SourceFile]) -> (Vec<ast::File>, Vec<usize>, Vec<Diagnostic>) {
    let mut trees = Vec::new();
    let mut broken = Vec::new();
    let mut diagnostics = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match parse(FileId(index as u32), &file.text) {
            Ok(tree) => trees.push(tree),
            Err(diagnostic) => {
                broken.push(index);
                diagnostics.push(diagnostic);
            }
        }
    }
    (trees, broken, diagnostics)
}

/// Whether a complaint may only be due to declarations that stand in a file with a syntax error: the name it is about
/// stands there.
fn is_due_to(diagnostic: &Diagnostic, broken: &[&str]) -> bool {
    match diagnostic.code {
        Code::Unused | Code::Untested => !broken.is_empty(),
        Code::UnknownName | Code::TestReference | Code::UndeclaredTopic => {
            let name = diagnostic.message.split('`').nth(1).unwrap_or_default();
            let last = name.rsplit('.').next().unwrap_or_default();
            let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
            broken.iter().any(|text| text.split(|letter| !is_name(letter)).any(|word| word == last))
        }
        _ => false,
    }
}

/// By place; those without one last, duplicates once.
fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|diagnostic| {
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        (place.is_none(), place.map(|span| (span.file, span.start, span.end)), diagnostic.code)
    });
    diagnostics.dedup();
}

/// What a reload changes: rules by their names, what is remembered of patients by expression, as a person reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rules that were not there.
    pub added: Vec<String>,
    /// Rules whose text, or what it depends on, is another.
    pub changed: Vec<String>,
    /// Rules that are gone.
    pub removed: Vec<String>,
    /// Expressions whose state goes on.
    pub kept: Vec<String>,
    /// Expressions that begin afresh.
    pub started: Vec<String>,
    /// Expressions that nothing uses any more.
    pub dropped: Vec<String>,
}

impl Changes {
    /// From `old` to `new`.
    pub fn between(old: &Program, new: &Program) -> Self {
        let by_name = |program: &Program| -> std::collections::HashMap<String, String> {
            program.rules().iter().map(|rule| (rule.name.clone(), rule.text.clone())).collect()
        };
        let (before, after) = (by_name(old), by_name(new));
        let succession = Succession::between(old, new);
        let owned = |texts: &mut dyn Iterator<Item = &str>| texts.map(str::to_owned).collect();
        let mut changes = Self {
            kept: owned(&mut succession.kept()),
            started: owned(&mut succession.started()),
            dropped: owned(&mut succession.dropped()),
            ..Self::default()
        };
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
