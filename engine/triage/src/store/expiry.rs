//! Documents go when `retention.documents` is over, by their own `ts`. A thread and connections of its own: no write waits for
//! it. Several processes may do it, since removing again removes nothing.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Connector, route};
use crate::clock::now;
use crate::config::Kept;
use crate::shared::Shared;
use crate::sink::{Removed, Unavailable, Which};

/// How often old documents are looked for.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Starts the thread, unless documents stay for good.
pub(super) fn start(shared: &Arc<Shared>, connect: Connector) -> Result<Option<JoinHandle<()>>, std::io::Error> {
    let Kept::For(kept) = shared.config.retention.documents else { return Ok(None) };
    let shared = Arc::clone(shared);
    let body = move || run(&shared, &connect, kept);
    std::thread::Builder::new().name("expiry".to_owned()).spawn(body).map(Some)
}

fn run(shared: &Shared, connect: &Connector, kept: Duration) {
    loop {
        let before = now() - i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        match sweep(shared, connect, before) {
            Ok(removed) => tell(&removed),
            Err(error) => {
                tracing::warn!(%error, "documents older than `retention.documents` stay; trying again in an hour");
            }
        }
        if shared.shutdown.sleep(SWEEP_EVERY) {
            return;
        }
    }
}

/// The collections of the rule set that runs, and no others.
fn sweep(shared: &Shared, connect: &Connector, before: i64) -> Result<Removed, Unavailable> {
    let routes = route::of(&shared.current.load().program);
    let mut collections: Vec<Arc<str>> = routes.into_values().map(|route| route.collection).collect();
    collections.sort();
    collections.dedup();
    connect()?.remove(Which::Before(before, &collections))
}

fn tell(removed: &Removed) {
    for (collection, documents) in &removed.documents {
        tracing::info!(collection, documents, "documents older than `retention.documents` are removed");
    }
    for waiting in &removed.waiting {
        let (collection, reason) = (&waiting.collection, &waiting.reason);
        tracing::error!(%collection, reason, "documents older than `retention.documents` cannot be removed");
    }
}
