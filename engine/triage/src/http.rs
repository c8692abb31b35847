//! The web side: `/metrics`, `/healthz`, `/readyz`, `GET /rules`, `POST /reload` and `/reload/check`. HTTP/1.1; loopback unless told otherwise,
//! and then only with a token.

mod answer;
mod client;
mod serve;

pub(crate) use answer::Site;
pub use client::{AskError, ask_check, ask_reload};
pub use serve::BindError;
pub(crate) use serve::Listening;
