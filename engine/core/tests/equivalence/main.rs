//! The compiled program does what the language page says: it sends the same bytes in the same order as a plain
//! interpreter of the page, for random rule sets and records, and for scenarios written by hand.
#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::needless_for_each,
    reason = "plain rather than fast"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod drive;
mod generate;
mod happening;
#[path = "../common/models.rs"]
mod models;
mod oracle;
mod over_time;
mod random;
mod reloads;
mod robust;
mod run;
mod scenarios;
mod soak;
