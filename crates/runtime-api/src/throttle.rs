//! [`Bandwidth`]: how fast a streamed response may be passed on.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How often a bucket is filled up.
const TICK: Duration = Duration::from_millis(125);

/// How fast a streamed response may be passed on: a burst at full speed, the rest at a rate.
///
/// # Source
/// Runtime API, "Bandwidth limiter".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// In bytes a second.
    rate: u32,
    /// In bytes.
    burst: u32,
}

/// Why there is no such bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BandwidthError {
    /// The rate is out of range.
    #[error("a rate of {0} bytes a second is not from 32768 to 67108864")]
    Rate(u32),
    /// The burst is out of range.
    #[error("a burst of {0} bytes is not from 32768 to 67108864")]
    Burst(u32),
}

impl Bandwidth {
    /// What rates, in bytes a second, and bursts, in bytes, may be: 32 KiB to 64 MiB.
    pub const RANGE: RangeInclusive<u32> = 32 * 1024..=64 * 1024 * 1024;

    /// The service's rate: 2 MiB a second.
    pub const DEFAULT_RATE: u32 = 2 * 1024 * 1024;

    /// The service's burst: 6 MiB.
    pub const DEFAULT_BURST: u32 = 6 * 1024 * 1024;

    /// A burst of that many bytes, then so many bytes a second.
    ///
    /// # Errors
    /// [`BandwidthError`] when one of them is not in [`Bandwidth::RANGE`].
    pub fn new(rate: u32, burst: u32) -> Result<Self, BandwidthError> {
        if !Self::RANGE.contains(&rate) {
            return Err(BandwidthError::Rate(rate));
        }
        if !Self::RANGE.contains(&burst) {
            return Err(BandwidthError::Burst(burst));
        }
        Ok(Self { rate, burst })
    }

    /// The bytes that every tick allows. A rate in range makes it more than none.
    fn refill(self) -> u64 {
        u64::from(self.rate) * 125 / 1000
    }
}

impl Default for Bandwidth {
    /// The service's.
    fn default() -> Self {
        Self { rate: Self::DEFAULT_RATE, burst: Self::DEFAULT_BURST }
    }
}

/// What may be passed on right now. It knows no clock: it is told how many ticks there were.
#[derive(Debug)]
struct Bucket {
    capacity: u64,
    refill: u64,
    tokens: u64,
    /// The ticks that it was filled up for.
    ticks: u64,
}

impl Bucket {
    /// A full one, before its first tick.
    fn full(bandwidth: Bandwidth) -> Self {
        let capacity = u64::from(bandwidth.burst);
        Self { capacity, refill: bandwidth.refill(), tokens: capacity, ticks: 0 }
    }

    /// Takes as many tokens, all or none, after the `ticks` there have been since it was full.
    fn take(&mut self, wanted: u64, ticks: u64) -> bool {
        let new = ticks.saturating_sub(self.ticks);
        self.ticks += new;
        self.tokens =
            self.tokens.saturating_add(new.saturating_mul(self.refill)).min(self.capacity);
        let enough = wanted <= self.tokens;
        if enough {
            self.tokens -= wanted;
        }
        enough
    }
}

/// Holds a response back to keep to a bandwidth.
#[derive(Debug)]
pub(crate) struct Throttle {
    bucket: Bucket,
    /// When the first bytes came: ticks count from here.
    begun: Option<Instant>,
    /// How long it has held the response back.
    shaped: Duration,
}

impl Throttle {
    pub(crate) fn new(bandwidth: Bandwidth) -> Self {
        Self { bucket: Bucket::full(bandwidth), begun: None, shaped: Duration::ZERO }
    }

    /// The most bytes that one [`Throttle::wait`] may be for.
    pub(crate) fn largest(&self) -> usize {
        usize::try_from(self.bucket.capacity).unwrap_or(usize::MAX)
    }

    /// Resolves when as many bytes may be passed on; at most [`Throttle::largest`].
    pub(crate) async fn wait(&mut self, bytes: usize) {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        // More could never be taken, and would be waited for in vain.
        let wanted = (bytes as u64).min(self.bucket.capacity);
        let waits = Instant::now();
        loop {
            let ticks = begun.elapsed().as_nanos() / TICK.as_nanos();
            let ticks = u32::try_from(ticks).unwrap_or(u32::MAX - 1);
            if self.bucket.take(wanted, ticks.into()) {
                break;
            }
            sleep_until(begun + TICK * (ticks + 1)).await;
        }
        self.shaped += waits.elapsed();
    }

    /// How long it has held the response back so far.
    pub(crate) const fn shaped(&self) -> Duration {
        self.shaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u32 = 1024;
    const MIB: u32 = 1024 * 1024;

    #[test]
    fn rates_and_bursts_have_a_range() {
        let (least, most) = (32 * KIB, 64 * MIB);
        for (rate, burst) in [(least, least), (least, most), (most, least), (most, most)] {
            let bandwidth = Bandwidth::new(rate, burst).unwrap();
            let bucket = Bucket::full(bandwidth);
            assert_eq!((bucket.tokens, bucket.capacity), (burst.into(), burst.into()));
            assert!(bucket.refill > 0);
        }
        for wrong in [0, least - 1, most + 1, u32::MAX] {
            assert_eq!(Bandwidth::new(wrong, least), Err(BandwidthError::Rate(wrong)));
            assert_eq!(Bandwidth::new(least, wrong), Err(BandwidthError::Burst(wrong)));
        }
        assert_eq!(
            BandwidthError::Rate(1).to_string(),
            "a rate of 1 bytes a second is not from 32768 to 67108864"
        );
    }

    #[test]
    fn the_default_is_the_services() {
        let service = Bandwidth::default();
        assert_eq!(Bandwidth::new(2_097_152, 6_291_456), Ok(service));
        assert_eq!(service.refill(), 262_144);
    }

    #[test]
    fn a_tick_refills_an_eighth_of_a_second_rounded_down() {
        for (rate, refill) in [(32_768, 4_096), (100_001, 12_500), (100_007, 12_500)] {
            assert_eq!(Bandwidth::new(rate, 32_768).unwrap().refill(), refill, "{rate}");
        }
    }

    fn bucket() -> Bucket {
        Bucket { capacity: 100, refill: 30, tokens: 100, ticks: 0 }
    }

    #[test]
    fn tokens_are_taken_all_at_once_or_not_at_all() {
        let mut bucket = bucket();
        assert!(bucket.take(60, 0));
        assert!(!bucket.take(41, 0));
        assert_eq!(bucket.tokens, 40);
        assert!(bucket.take(40, 0));
        assert!(bucket.take(0, 0));
        assert!(!bucket.take(1, 0));
    }

    #[test]
    fn every_tick_counts_once_and_a_bucket_never_overflows() {
        let mut bucket = bucket();
        assert!(bucket.take(100, 0));
        assert!(!bucket.take(31, 1));
        assert!(bucket.take(30, 1));
        assert!(!bucket.take(1, 1), "the same tick fills nothing up again");
        assert!(bucket.take(90, 4));
        assert!(!bucket.take(101, 1_000));
        assert_eq!(bucket.tokens, 100);
        assert!(bucket.take(100, u64::MAX));
    }

    async fn passed(throttle: &mut Throttle, bytes: u32) -> Duration {
        let begin = Instant::now();
        throttle.wait(bytes as usize).await;
        begin.elapsed()
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_tick_by_tick() {
        let mut throttle = Throttle::new(Bandwidth::default());
        // The clock runs from the first bytes on.
        tokio::time::sleep(Duration::from_millis(1_003)).await;
        assert_eq!(passed(&mut throttle, 6 * MIB).await, Duration::ZERO);
        // A quarter of a MiB each tick.
        assert_eq!(passed(&mut throttle, 1).await, TICK);
        assert_eq!(passed(&mut throttle, MIB).await, TICK * 4);
        assert_eq!(passed(&mut throttle, MIB / 4 - 1).await, Duration::ZERO);
        assert_eq!(throttle.shaped(), TICK * 5);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn ticks_are_counted_from_the_first_bytes_and_not_from_the_wait() {
        let mut throttle = Throttle::new(Bandwidth::default());
        assert_eq!(passed(&mut throttle, 6 * MIB).await, Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(passed(&mut throttle, MIB / 4).await, Duration::from_millis(25));
        // Whoever pauses gets what the ticks have brought, and no more than a burst.
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(passed(&mut throttle, 6 * MIB).await, Duration::ZERO);
        assert_eq!(passed(&mut throttle, MIB / 4).await, TICK);
        assert_eq!(throttle.shaped(), Duration::from_millis(150));
    }
}
