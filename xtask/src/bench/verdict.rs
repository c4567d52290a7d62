//! What `--check` decides: whether rapid keeps its limits within this run.

use crate::bench::metric::{Bound, METRICS, Metric};
use crate::bench::results::Results;
use crate::bench::subject::Subject;

/// Compares; says how many limits could be looked at, and what is wrong.
pub(crate) fn check(results: &Results) -> (usize, Vec<String>) {
    let mut compared = 0;
    let mut broken = Vec::new();
    for failure in results.failures.iter().filter(|one| one.subject == Subject::Rapid) {
        let round = failure.round + 1;
        let (scenario, how) = (failure.scenario.name, &failure.how);
        broken.push(format!("{scenario}, round {round}: rapid {how}"));
    }
    for metric in METRICS {
        let Some(limit) = metric.limit else { continue };
        let Some(kept) = results.keeps(metric, limit) else { continue };
        compared += 1;
        if !kept {
            broken.push(complaint(results, metric, limit));
        }
    }
    (compared, broken)
}

fn complaint(results: &Results, metric: &Metric, limit: Bound) -> String {
    let found = match limit {
        Bound::Floor(_) => results.times_floor(metric).map(|times| format!("{times:.2} × floor")),
        Bound::Emulator(_) => {
            results.times_emulator(metric).map(|times| format!("{times:.2} × emulator"))
        }
        Bound::AtMost(_) | Bound::AtLeast(_) => {
            results.summary(metric, Subject::Rapid).map(|summary| summary.median.to_string())
        }
    };
    format!("{}: {}, and the limit is {limit}", metric.title, found.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenario::SCENARIOS;

    #[test]
    fn limits_are_ratios() {
        let absolute = METRICS
            .iter()
            .filter(|metric| matches!(metric.limit, Some(Bound::AtMost(_) | Bound::AtLeast(_))));
        assert_eq!(absolute.count(), 0);
    }

    #[test]
    fn what_is_too_slow_or_failed_is_named() {
        let mut results = Results::new(&Subject::ALL, 2);
        results.add(Subject::Rapid, 0, &[("warm_p50", 500.0), ("warm_rate", 2000.0)]);
        results.add(Subject::Emulator, 0, &[("warm_rate", 1000.0)]);
        results.add(Subject::Floor, 0, &[("warm_p50", 100.0)]);
        let slow = "warm, p50: 5.00 × floor, and the limit is ≤ 4 × floor".to_owned();
        assert_eq!(check(&results), (2, vec![slow.clone()]));
        let four = SCENARIOS.iter().find(|one| one.name == "four").unwrap();
        results.fail(Subject::Emulator, 0, four, "died".to_owned());
        assert_eq!(check(&results).1.len(), 1, "only rapid has to live");
        results.fail(Subject::Rapid, 1, four, "lost 2 of 9 invokes: gone".to_owned());
        let lost = "four, round 2: rapid lost 2 of 9 invokes: gone".to_owned();
        assert_eq!(check(&results), (2, vec![lost, slow]));
    }

    #[test]
    fn without_anything_to_compare_with_nothing_is_compared() {
        let mut results = Results::new(&[Subject::Rapid], 1);
        results.add(Subject::Rapid, 0, &[("warm_p50", 500.0)]);
        assert_eq!(check(&results), (0, Vec::new()));
    }
}
