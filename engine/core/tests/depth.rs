//! The deepest rule there may be, and the longest chains, compile, format and explain on a small stack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use triage_core::compile::compile_all;
use triage_core::diagnostic::{Style, render};
use triage_core::program::Limits;
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

/// Half of what Rust gives a thread.
const STACK: usize = 1 << 20;

fn compiles(rules: String) {
    let check = move || {
        let text = format!("stream r {{ x: int 0..100 }}\ntopic t {{ fields x }}\n{rules}");
        let files = [SourceFile { path: "a.rules".into(), text }];
        let mut compiled =
            compile_all(&files, &NoModels).unwrap_or_else(|errors| panic!("{}", render(&files, &errors, Style::Plain)));
        let record = Record { key: None, value: Some(b"{\"x\":5}"), timestamp: Some(0), partition: 0, offset: 0 };
        compiled.explain("t.a", &record, &Limits::default()).unwrap();
    };
    std::thread::Builder::new().stack_size(STACK).spawn(check).unwrap().join().unwrap();
}

#[test]
fn sixty_four_levels() {
    compiles(format!("t.a when {}x > 1{}", "(".repeat(64), ")".repeat(64)));
    compiles(format!("t.a when {}x > 1{}", "not (".repeat(32), ")".repeat(32)));
    compiles(format!("t.a when {}x{} > 1", "abs(1 + ".repeat(64), ")".repeat(64)));
    compiles(format!("t.a when {}x > 1{}", "(x > 2 and (x > 3 or ".repeat(32), "))".repeat(32)));
}

#[test]
fn long_chains() {
    compiles(format!("t.a when x > 1{}", " and x > 2 or x > 3".repeat(10_000)));
    compiles(format!("t.a when x{} > 1", " + x * 2 - 1".repeat(10_000)));
}

#[test]
fn a_chain_of_lets_in_any_order() {
    let mut lets: Vec<String> = (1..10_000).map(|n| format!("let l{n} = l{} + 1\n", n - 1)).collect();
    lets.reverse();
    compiles(format!("{}let l0 = x\nt.a when l9999 > 1", lets.concat()));
}

#[test]
fn lets_that_double_each_time_are_judged_once_each() {
    let lets: Vec<String> = (1..200).map(|n| format!("let l{n} = l{} + l{}\n", n - 1, n - 1)).collect();
    let lets = lets.concat();
    compiles(format!("let l0 = x\n{lets}t.a when l199 > 1 alert info \"{{l199}}\""));
}
