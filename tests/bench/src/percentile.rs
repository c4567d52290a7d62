//! Percentiles of measured times.

use std::time::Duration;

/// The time below which this part of `sorted` lies, by the nearest rank: always one that was
/// measured. Nothing of nothing.
pub fn percentile(sorted: &[Duration], part: u32) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let rank = (sorted.len() * part as usize).div_ceil(100).saturating_sub(1);
    sorted.get(rank.min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank_is_one_of_the_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        let micros = |part| percentile(&times, part).as_micros();
        assert_eq!([micros(50), micros(90), micros(99), micros(100)], [100, 180, 198, 200]);
        assert_eq!(percentile(&times[..1], 99), times[0]);
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
