//! Alerts and people: which episodes are open in all processes, as their topics say, and what people have to say about them.

pub(crate) mod age;
pub(crate) mod alert;
mod board;
mod filter;
mod follow;
mod open;
mod pauses;
mod say;
pub(crate) mod tombstones;
mod view;
mod words;

pub(crate) use board::Board;
pub(crate) use filter::Filter;
pub(crate) use follow::start;
pub(crate) use open::OpenAlerts;
pub(crate) use pauses::scope;
pub(crate) use say::Speaker;
pub(crate) use view::View;
pub(crate) use words::{Refusal, Said, acknowledge, pause};
