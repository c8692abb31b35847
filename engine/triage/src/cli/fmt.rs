//! `triage fmt`: canonical text, comments kept.

use std::path::{Path, PathBuf};

use triage_core::diagnostic::render;
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax::{format, parse};

use super::Failure;
use super::source::{Flags, Source, style, summary};
use crate::rules::RuleFiles;

/// What `triage fmt` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder of rules, or one file [default: the configured folder]
    #[arg(conflicts_with = "rules")]
    path: Option<PathBuf>,
    /// Write nothing; fail if a file is not in canonical form
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let source = Source::new(args.path, args.flags)?;
    let RuleFiles { files, problems, .. } = RuleFiles::read(&source.folder);
    let mut diagnostics = problems;
    let mut changed = Vec::new();
    for (index, file) in files.iter().enumerate().filter(|(_, file)| source.covers(file)) {
        match parse(FileId(index as u32), &file.text) {
            Err(diagnostic) => diagnostics.push(diagnostic),
            Ok(tree) => {
                let text = format::format(&file.text, &tree)
                    .map_err(|error| Failure::World(format!("{}: {error}; the file is left as it is", file.path)))?;
                changed.extend((text != file.text).then_some((file, text)));
            }
        }
    }
    if !args.check {
        for (file, text) in &changed {
            write(file, text)?;
            println!("formatted {}", file.path);
        }
    }
    if !diagnostics.is_empty() {
        let rendered = render(&files, &diagnostics, style());
        return Err(Failure::Rules(format!("{rendered}\n\n{}", summary(&diagnostics))));
    }
    if args.check && !changed.is_empty() {
        let paths: Vec<&str> = changed.iter().map(|(file, _)| file.path.as_str()).collect();
        let listed = paths.join("\n  ");
        return Err(Failure::Rules(format!("not in canonical form; run `triage fmt`:\n  {listed}")));
    }
    Ok(())
}

/// Replaces the file in one step, so that nobody reads half of it.
fn write(file: &SourceFile, text: &str) -> Result<(), Failure> {
    let path = Path::new(&file.path);
    let beside = path.with_extension("rules.new");
    let replaced = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, std::fs::metadata(path)?.permissions()))
        .and_then(|()| std::fs::rename(&beside, path));
    replaced.map_err(|error| Failure::World(format!("`{}` cannot be written: {error}", file.path)))
}
