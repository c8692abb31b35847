//! One request to stop, seen by every thread. Knows nothing of signals: who receives one asks here.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody to stop.
    pub fn ask(&self) {
        *self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_all();
    }

    /// Whether somebody has asked.
    pub fn is_asked(&self) -> bool {
        *self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, but not past the request; true if it is there.
    pub fn sleep(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        let mut asked = self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            asked = self.shared.changed.wait_timeout(asked, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sleeps until somebody asks.
    pub fn wait(&self) {
        let mut asked = self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            asked = self.shared.changed.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Waiting times that double up to a limit.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// From `first` to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// The next waiting time.
    pub fn take(&mut self) -> Duration {
        let taken = self.next;
        self.next = (taken * 2).min(self.most);
        taken
    }
}
