//! [`Clock`]: the only place where time is read.

use std::time::{Duration, SystemTime};

use rapid_events::Anchor;
use rapid_interop::{EpochMillis, Mono};
use tokio::time::Instant;

/// The monotonic clock of one engine, and its relation to the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Mono {
        Mono::from_nanos(0) + self.origin.elapsed()
    }

    /// When `at` is, for a timer.
    pub(crate) fn instant(&self, at: Mono) -> Instant {
        self.origin + Duration::from_nanos(at.as_nanos())
    }

    /// What this clock and the wall clock show now.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor::new(self.now(), SystemTime::now())
    }

    /// What a wall clock will show at `at`.
    pub(crate) fn epoch(&self, at: Mono) -> EpochMillis {
        self.anchor().epoch(at)
    }
}
