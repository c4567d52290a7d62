//! What `--check` decides: whether rapid keeps its limits within this run.

use crate::bench::metric::{Bound, METRICS, Metric};
use crate::bench::results::Results;
use crate::bench::scenario::Scenario;
use crate::bench::subject::Subject;

/// What became of the limits.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How many were looked at.
    pub(crate) compared: usize,
    /// Where rapid died or lost invokes, which no noise of a machine explains.
    pub(crate) failed: Vec<String>,
    /// Which limits were passed, or could not be looked at.
    pub(crate) broken: Vec<String>,
}

/// Looks at every limit that what was asked for has to tell about.
pub(crate) fn check(results: &Results, scenarios: &[&Scenario]) -> Verdict {
    let mut verdict = Verdict::default();
    for failure in results.failures.iter().filter(|one| one.subject == Subject::Rapid) {
        let round = failure.round + 1;
        let (scenario, how) = (failure.scenario.name, &failure.how);
        verdict.failed.push(format!("{scenario}, round {round}: rapid {how}"));
    }
    let measured = |metric: &&Metric| scenarios.iter().any(|one| one.metrics.contains(&metric.key));
    for metric in METRICS.iter().filter(measured) {
        let Some(limit) = metric.limit else { continue };
        let other = match limit {
            Bound::Floor(_) => Subject::Floor,
            Bound::Emulator(_) => Subject::Emulator,
            Bound::AtMost(_) => Subject::Rapid,
        };
        if !results.subjects.contains(&other) || !results.subjects.contains(&Subject::Rapid) {
            continue;
        }
        match results.keeps(metric, limit) {
            Some(kept) => {
                verdict.compared += 1;
                if !kept {
                    verdict.broken.push(complaint(results, metric, limit));
                }
            }
            // One core cannot be had everywhere; a subject that failed is another matter.
            None if results.failed(metric, other) > 0 => {
                let (title, other) = (metric.title, other.name());
                verdict.broken.push(format!("{title}: nothing to compare with, {other} failed"));
            }
            None => {}
        }
    }
    verdict
}

fn complaint(results: &Results, metric: &Metric, limit: Bound) -> String {
    let found = match limit {
        Bound::Floor(_) => results.times_floor(metric).map(|times| format!("{times:.2} × floor")),
        Bound::Emulator(_) => {
            results.times_emulator(metric).map(|times| format!("{times:.2} × emulator"))
        }
        Bound::AtMost(_) => {
            results.summary(metric, Subject::Rapid).map(|summary| summary.median.to_string())
        }
    };
    format!("{}: {}, and the limit is {limit}", metric.title, found.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::metric::Unit;
    use crate::bench::scenario::SCENARIOS;

    #[test]
    fn limits_are_ratios() {
        let is_absolute = |metric: &&Metric| {
            matches!(metric.limit, Some(Bound::AtMost(_))) && metric.unit != Unit::Times
        };
        let absolute = METRICS.iter().filter(is_absolute);
        assert_eq!(absolute.count(), 0);
    }

    fn scenarios() -> Vec<&'static Scenario> {
        SCENARIOS.iter().collect()
    }

    #[test]
    fn what_is_too_slow_or_failed_is_named() {
        let mut results = Results::new(&Subject::ALL, 2);
        results.add(Subject::Rapid, 0, &[("warm_p50", 500.0), ("warm_rate", 2000.0)]);
        results.add(Subject::Emulator, 0, &[("warm_rate", 1000.0)]);
        results.add(Subject::Floor, 0, &[("warm_p50", 100.0)]);
        let slow = "warm, p50: 5.00 × floor, and the limit is ≤ 3 × floor".to_owned();
        let expected = Verdict { compared: 2, failed: Vec::new(), broken: vec![slow.clone()] };
        assert_eq!(check(&results, &scenarios()), expected);
        let four = SCENARIOS.iter().find(|one| one.name == "four").unwrap();
        results.fail(Subject::Emulator, 0, four, "died".to_owned());
        assert_eq!(check(&results, &scenarios()), expected, "no limit needs the emulator there");
        results.fail(Subject::Rapid, 1, four, "lost 2 of 9 invokes: gone".to_owned());
        let lost = "four, round 2: rapid lost 2 of 9 invokes: gone".to_owned();
        let verdict = check(&results, &scenarios());
        assert_eq!((verdict.failed, verdict.broken), (vec![lost], vec![slow]));
    }

    #[test]
    fn a_limit_whose_other_side_failed_is_not_kept() {
        let mut results = Results::new(&Subject::ALL, 1);
        results.add(Subject::Rapid, 0, &[("warm_p50", 150.0), ("warm_rate", 2000.0)]);
        results.add(Subject::Floor, 0, &[("warm_p50", 100.0)]);
        let warm = SCENARIOS.iter().find(|one| one.name == "warm").unwrap();
        results.fail(Subject::Emulator, 0, warm, "died".to_owned());
        let verdict = check(&results, &scenarios());
        assert_eq!(verdict.compared, 1);
        assert_eq!(verdict.broken, ["warm, throughput: nothing to compare with, emulator failed"]);
    }

    #[test]
    fn without_anything_to_compare_with_nothing_is_compared() {
        let mut results = Results::new(&[Subject::Rapid], 1);
        results.add(Subject::Rapid, 0, &[("warm_p50", 500.0)]);
        assert_eq!(check(&results, &scenarios()), Verdict::default());
    }
}
