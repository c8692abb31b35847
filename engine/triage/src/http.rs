//! The web side: `/metrics`, `/healthz`, `/readyz`, `GET /rules`, `POST /reload` and `/reload/check`, and `/alerts`. HTTP/1.1; loopback
//! unless told otherwise, and then only with a token.

mod access;
mod alerts;
mod answer;
mod client;
mod rotation;
mod serve;

pub(crate) use answer::Site;
pub use client::{AskError, ask_check, ask_reload};
pub(crate) use client::{PATIENCE, QUICK, Question, ask};
pub(crate) use rotation::watch as watch_tokens;
pub use serve::BindError;
pub(crate) use serve::Listening;
