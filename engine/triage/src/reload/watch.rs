//! Watches the rules folder, and the models that its rules name, when asked. Editors write in several steps, so a change is taken up when the folder has been
//! still for a moment; a state that is half written is refused like any other mistake.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Reloads;
use crate::shutdown::Shutdown;

/// How long the folder must be still.
const STILL: Duration = Duration::from_millis(150);

/// How often the watcher looks whether it is to stop, and at the models: they may stand anywhere, or nowhere yet.
const LOOKING_UP: Duration = Duration::from_millis(250);

/// The folder cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be watched: {error}")]
pub struct WatchError {
    path: String,
    error: notify::Error,
}

/// Watches from now on; reloads until the shutdown is asked for.
pub(crate) fn watch(
    folder: &Path,
    reloads: Arc<Reloads>,
    shutdown: Shutdown,
) -> Result<impl FnOnce() + Send + 'static, WatchError> {
    let failed = |error| WatchError { path: folder.display().to_string(), error };
    let (sender, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if is_change(&event) {
            // The receiver ends only with the engine; then nobody wants to know.
            let _ = sender.send(());
        }
    })
    .map_err(failed)?;
    watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
    Ok(move || take_up_changes(&watcher, &changes, &reloads, &shutdown))
}

fn is_change(event: &notify::Result<notify::Event>) -> bool {
    let Ok(event) = event else { return true };
    // Events were lost: nobody knows what they were about.
    event.need_rescan() || event.paths.iter().any(|path| is_ours(path)) && !matches!(event.kind, EventKind::Access(_))
}

/// A rule file, or the link by which Kubernetes exchanges all files of a `ConfigMap` at once: the names of the rule files
/// stay what they were, links into the folder that it names.
fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rules")
        || path.file_name().is_some_and(|name| name == "..data")
}

fn take_up_changes(_watcher: &RecommendedWatcher, changes: &Receiver<()>, reloads: &Reloads, shutdown: &Shutdown) {
    while !shutdown.is_asked() {
        match changes.recv_timeout(LOOKING_UP) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) if !reloads.is_a_model_outdated() => continue,
            Err(RecvTimeoutError::Timeout) => std::thread::sleep(STILL),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while changes.recv_timeout(STILL).is_ok() {}
        reloads.reload("watch");
    }
}
