//! Watches the rules folder, and the models that its rules name, when asked. Editors write in several steps, so a change is taken up when the folder has been
//! still for a moment, and a model with what stands beside it when both have for longer; a state that is half written is
//! refused like any other mistake.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Reloads;
use crate::models::Look;
use crate::shutdown::Shutdown;

/// How long the folder must be still.
const STILL: Duration = Duration::from_millis(150);

/// How long models must be still if one has changed: it and what stands beside it are two files, put there one after the
/// other, and the one without the other is refused.
const MODELS_STILL: Duration = Duration::from_secs(2);

/// No longer is waited for that.
const MODELS_RESTLESS: Duration = Duration::from_secs(30);

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
            Err(RecvTimeoutError::Timeout) if !reloads.is_a_model_outdated() => continue,
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let mut models = Models::new(reloads.look_at_models(), Instant::now());
        loop {
            while changes.recv_timeout(STILL).is_ok() {}
            let are_still = models.are_still(reloads.look_at_models(), Instant::now());
            if are_still || !reloads.is_a_model_outdated() || shutdown.is_asked() {
                break;
            }
        }
        reloads.reload("watch");
    }
}

/// The models while one of them is exchanged.
#[derive(Debug)]
struct Models {
    began: Instant,
    looks: Vec<Look>,
    since: Instant,
}

impl Models {
    fn new(looks: Vec<Look>, now: Instant) -> Self {
        Self { began: now, looks, since: now }
    }

    /// Whether they have been as they look now for long enough; or were waited for long enough.
    fn are_still(&mut self, looks: Vec<Look>, now: Instant) -> bool {
        if looks != self.looks {
            (self.looks, self.since) = (looks, now);
        }
        now - self.since >= MODELS_STILL || now - self.began >= MODELS_RESTLESS
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_model_and_what_stands_beside_it_are_taken_up_together() {
        let folder = tempfile::tempdir().unwrap();
        let (model, beside) = (folder.path().join("m.onnx"), folder.path().join("m.inputs.json"));
        let looks = || vec![Look::at(&model), Look::at(&beside)];
        let begun = Instant::now();
        let after = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        std::fs::write(&model, "another model").unwrap();
        let mut models = Models::new(looks(), begun);
        assert!(!models.are_still(looks(), after(1.9)));
        std::fs::write(&beside, "and what it learnt from").unwrap();
        assert!(!models.are_still(looks(), after(2.0)), "the second has come just now");
        assert!(!models.are_still(looks(), after(3.9)));
        assert!(models.are_still(looks(), after(4.0)));
    }

    #[test]
    fn a_model_that_never_rests_is_not_waited_for_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m.onnx");
        let begun = Instant::now();
        let mut models = Models::new(vec![Look::at(&model)], begun);
        for second in 1..=30 {
            std::fs::write(&model, "x".repeat(second)).unwrap();
            assert_eq!(
                models.are_still(vec![Look::at(&model)], begun + Duration::from_secs(second as u64)),
                second == 30
            );
        }
    }
}
