//! Time as the layers pass it around: a monotonic instant for deciding, an epoch for telling.

use std::ops::Add;
use std::time::Duration;

/// A monotonic instant: nanoseconds since an origin that the clock's owner chose.
///
/// Only instants of one owner compare; no crate below the engine reads a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

impl Mono {
    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time that passed since `earlier`; zero if that lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    /// The instant `later` after this one; stops at the end of time instead of wrapping around.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Wall-clock time in whole milliseconds since the Unix epoch, as headers and events carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochMillis(pub u64);

/// `duration` in milliseconds with microsecond precision, rounded down, as every metric is given.
///
/// # Source
/// Lifecycle, "Metrics and spans".
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "microseconds of any real duration fit f64 exactly")]
pub fn millis(duration: Duration) -> f64 {
    (duration.as_micros() as f64) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_saturate_at_both_ends() {
        let early = Mono::from_nanos(5);
        let late = Mono::from_nanos(9);
        assert_eq!(late.since(early), Duration::from_nanos(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(Mono::from_nanos(u64::MAX) + Duration::from_secs(1), Mono::from_nanos(u64::MAX));
    }

    #[test]
    fn milliseconds_keep_microseconds_and_drop_the_rest() {
        assert!((millis(Duration::from_nanos(1_234_999)) - 1.234).abs() < f64::EPSILON);
    }
}
