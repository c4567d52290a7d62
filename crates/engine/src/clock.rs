//! [`Clock`]: the only place where time is read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    /// What a wall clock will show at `at`.
    pub(crate) fn epoch(&self, at: Mono) -> EpochMillis {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let then = now + at.since(self.now());
        EpochMillis(u64::try_from(then.as_millis()).unwrap_or(u64::MAX))
    }
}
