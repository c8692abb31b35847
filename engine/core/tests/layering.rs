//! The walls of `engine/ARCHITECTURE.md`, held by reading the sources: who may import whom, and what is absent where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of core; each imports only those before it.
const ORDER: [&str; 18] = [
    "source",
    "diagnostic",
    "unit",
    "types",
    "score",
    "json",
    "reading",
    "syntax",
    "function",
    "graph",
    "operator",
    "state",
    "check",
    "program",
    "monitor",
    "compile",
    "explain",
    "scenario",
];

/// What deciding does without, so that the same text and readings give the same bytes.
const NOT_IN_CORE: [&str; 16] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io::std",
    "Mutex",
    "RwLock",
    "Atomic",
    "mpsc",
    "SystemTime",
    "Instant::now",
    "println!",
    "print!(",
    "dbg!",
    "tokio",
];

/// Where the binary speaks Kafka: the engine's own client, the worker that polls it, the rule sets that are published, what the engine says of
/// itself, and those that are Kafka clients of their own (the store's and each webhook's consumer group, who follows alerts and says what people
/// say, the gateway's producer, who looks for an erased patient, the demo's looker).
const SPEAKS_KAFKA: [&str; 13] = [
    "kafka",
    "published",
    "worker",
    "state",
    "store",
    "technical/topic",
    "technical/words",
    "dead_letters",
    "alerts",
    "webhook",
    "gateway",
    "erase",
    "cli/demo",
];

/// Where the binary prints and exits.
const PRINTS: [&str; 2] = ["cli", "main"];

/// A source file: its path below `src` without the ending, and its text without comments and without its tests.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The module at the top.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// Whether this is one of these modules, or below one.
    fn is_in(&self, modules: &[&str]) -> bool {
        modules.iter().any(|module| self.path == *module || self.path.starts_with(&format!("{module}/")))
    }

    /// The modules of the same crate that it names, as `crate::module` or in `crate::{…}`.
    fn imports(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for rest in self.text.split("crate::").skip(1) {
            let grouped = rest.strip_prefix('{').and_then(|group| group.split('}').next());
            let names = grouped.unwrap_or(rest).split(',').take(if grouped.is_some() { usize::MAX } else { 1 });
            found.extend(names.map(|name| {
                name.trim().chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect()
            }));
        }
        found
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 10, "{}", root.display());
    let source = |path: &PathBuf| {
        let below = path.strip_prefix(&root).unwrap().with_extension("");
        Source { path: below.display().to_string(), text: bare(&fs::read_to_string(path).unwrap()) }
    };
    paths.iter().map(source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    paths.sort();
}

/// The text without comments, and without the tests, which stand last.
fn bare(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_of_core_import_only_those_before_them() {
    let place = |module: &str| ORDER.iter().position(|other| *other == module);
    let mut wrong = Vec::new();
    for source in sources("core").iter().filter(|source| source.path != "lib") {
        let Some(own) = place(source.module()) else {
            wrong.push(format!("`{}` has no place in the order", source.module()));
            continue;
        };
        for import in source.imports() {
            match place(&import) {
                Some(other) if other <= own => {}
                _ => wrong.push(format!("{} imports `{import}`", source.path)),
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_order_has_no_module_that_is_gone() {
    let modules: BTreeSet<String> = sources("core").iter().map(|source| source.module().to_owned()).collect();
    assert!(ORDER.iter().all(|module| modules.contains(*module)));
}

#[test]
fn core_knows_no_world() {
    let mut wrong = Vec::new();
    for source in sources("core") {
        let found = NOT_IN_CORE.iter().filter(|word| source.text.contains(**word));
        wrong.extend(found.map(|word| format!("{} has `{word}`", source.path)));
    }
    none(&wrong);
}

#[test]
fn only_parsing_names_the_rules_of_the_grammar() {
    let names = |source: &Source| source.text.contains("pest") || source.text.contains("grammar::Rule");
    let sources = sources("core");
    let outside = sources.iter().filter(|source| names(source) && !source.is_in(&["syntax/parse"]));
    none(&outside.map(|source| format!("{} names the grammar's rules", source.path)).collect::<Vec<_>>());
}

/// The hot path knows words of the language (`=`, `is missing`, `high`), and no tree.
#[test]
fn no_tree_reaches_the_program() {
    let trees =
        ["ast::Expr", "ast::Rule", "ast::File", "ast::Item", "ast::Let", "ast::Topic", "ast::Stream", "ExprKind"];
    let mut wrong = Vec::new();
    for source in sources("core").iter().filter(|source| source.is_in(&["graph", "program", "reading"])) {
        let found = trees.iter().filter(|tree| source.text.contains(**tree));
        wrong.extend(found.map(|tree| format!("{} has `{tree}`", source.path)));
    }
    none(&wrong);
}

#[test]
fn kafka_stays_where_it_is_spoken() {
    let sources = sources("triage");
    let outside = sources.iter().filter(|source| source.text.contains("rdkafka::") && !source.is_in(&SPEAKS_KAFKA));
    none(&outside.map(|source| format!("{} speaks Kafka", source.path)).collect::<Vec<_>>());
}

#[test]
fn names_of_metrics_stay_in_metrics() {
    let sources = sources("triage");
    let outside = sources.iter().filter(|source| source.text.contains("\"triage_") && !source.is_in(&["metrics"]));
    none(&outside.map(|source| format!("{} names a metric", source.path)).collect::<Vec<_>>());
}

#[test]
fn printing_and_exiting_stay_in_the_command_line() {
    let words = ["print!(", "println!(", "process::exit", "process::abort", "ExitCode"];
    let mut wrong = Vec::new();
    for source in sources("triage").iter().filter(|source| !source.is_in(&PRINTS)) {
        let found = words.iter().filter(|word| source.text.contains(**word));
        wrong.extend(found.map(|word| format!("{} has `{word}`", source.path)));
    }
    none(&wrong);
}
