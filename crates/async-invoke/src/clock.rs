//! [`Clock`]: the wall clock, which does not run backwards while the process runs.

use std::time::{SystemTime, UNIX_EPOCH};

use rapid_interop::EpochMillis;
use tokio::time::Instant;

/// The wall clock, read once; from then on time passes as the monotonic clock says.
///
/// Ages have to outlive a restart, so they are counted in wall-clock time; a clock that is set
/// meanwhile must not make events late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    wall: u64,
}

impl Clock {
    /// Has to be called inside a tokio runtime.
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { origin: Instant::now(), wall: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }

    pub(crate) fn now(&self) -> EpochMillis {
        let passed = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        EpochMillis(self.wall.saturating_add(passed))
    }

    /// The instant at which [`Clock::now`] has reached `at`; now if it has already.
    pub(crate) fn instant(&self, at: EpochMillis) -> Instant {
        let after = std::time::Duration::from_millis(at.0.saturating_sub(self.wall));
        // A time that no clock reaches is never; half a century is as good.
        let never = std::time::Duration::from_hours(24 * 365 * 50);
        self.origin + after.min(never)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn time_passes_as_the_monotonic_clock_says() {
        let clock = Clock::start();
        let start = clock.now();
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(clock.now().0 - start.0, 61_000);
        assert_eq!(clock.instant(EpochMillis(start.0 + 61_000)), Instant::now());
        assert!(clock.instant(EpochMillis(0)) <= Instant::now());
        assert!(clock.instant(EpochMillis(u64::MAX)) > Instant::now());
    }
}
