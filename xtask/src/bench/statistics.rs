//! The middle of some figures, and how far they lie apart.

/// What a table says about the figures of all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// Half the distance between the quartiles, which half of the figures lie in.
    pub(crate) spread: f64,
}

/// Sums figures up; nothing of nothing.
pub(crate) fn summary(values: &[f64]) -> Option<Summary> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = quantile(&sorted, 0.5)?;
    let spread = (quantile(&sorted, 0.75)? - quantile(&sorted, 0.25)?) / 2.0;
    Some(Summary { median, spread })
}

/// The middle figure, or between the two in the middle; nothing of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    summary(values).map(|summary| summary.median)
}

/// The figure at a part of the way from the first to the last, between two if need be.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = part * sorted.len().checked_sub(1)? as f64;
    #[expect(clippy::cast_possible_truncation, reason = "a place in a slice")]
    let below = place.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn one_figure_far_away_spreads_nothing() {
        assert_eq!(summary(&[5.0]), Some(Summary { median: 5.0, spread: 0.0 }));
        let values = [1.0, 2.0, 3.0, 4.0, 1000.0];
        assert_eq!(summary(&values), Some(Summary { median: 3.0, spread: 1.0 }));
    }
}
