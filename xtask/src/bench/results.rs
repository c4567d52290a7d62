//! The figures of all rounds.

use std::collections::BTreeMap;

use crate::bench::metric::{Bound, EXTENSION_COST, Metric};
use crate::bench::scenario::Scenario;
use crate::bench::statistics::{Summary, median, summary};
use crate::bench::subject::Subject;

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) rounds: usize,
    /// By metric and subject: by round, the figure.
    values: BTreeMap<(&'static str, Subject), BTreeMap<usize, f64>>,
    pub(crate) failures: Vec<Failure>,
}

/// A subject did not get through a scenario.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) subject: Subject,
    pub(crate) round: usize,
    pub(crate) scenario: &'static Scenario,
    pub(crate) how: String,
}

impl Results {
    /// Nothing yet.
    pub(crate) fn new(subjects: &[Subject], rounds: usize) -> Self {
        Self { subjects: subjects.to_vec(), rounds, ..Self::default() }
    }

    /// Takes a round's figures.
    pub(crate) fn add(&mut self, subject: Subject, round: usize, values: &[(&'static str, f64)]) {
        for (key, value) in values {
            self.values.entry((key, subject)).or_default().insert(round, *value);
        }
    }

    /// Takes that there are none, and why.
    pub(crate) fn fail(
        &mut self,
        subject: Subject,
        round: usize,
        scenario: &'static Scenario,
        how: String,
    ) {
        self.failures.push(Failure { subject, round, scenario, how });
    }

    /// In how many rounds a subject failed where this metric is measured.
    pub(crate) fn failed(&self, metric: &Metric, subject: Subject) -> usize {
        let of =
            |one: &&Failure| one.subject == subject && one.scenario.metrics.contains(&metric.key);
        self.failures.iter().filter(of).count()
    }

    /// Adds what follows from other figures of the same round.
    pub(crate) fn derive(&mut self) {
        let difference = EXTENSION_COST;
        for subject in Subject::ALL {
            let without = self.values.get(&(difference.without, subject));
            let of = self.values.get(&(difference.of, subject));
            let (Some(of), Some(without)) = (of, without) else { continue };
            let rounds = of.iter().filter_map(|(round, value)| {
                without.get(round).map(|without| (*round, value - without))
            });
            let rounds: BTreeMap<usize, f64> = rounds.collect();
            self.values.insert((difference.key, subject), rounds);
        }
    }

    /// A metric's figures, in the order of their rounds.
    pub(crate) fn values(&self, metric: &Metric, subject: Subject) -> Vec<f64> {
        let rounds = self.values.get(&(metric.key, subject));
        rounds.into_iter().flat_map(BTreeMap::values).copied().collect()
    }

    /// A metric's figures, summed up.
    pub(crate) fn summary(&self, metric: &Metric, subject: Subject) -> Option<Summary> {
        summary(&self.values(metric, subject))
    }

    /// How many times as bad rapid is as the floor.
    pub(crate) fn times_floor(&self, metric: &Metric) -> Option<f64> {
        self.ratio(metric, Subject::Floor)
    }

    /// How many times as good rapid is as the emulator.
    pub(crate) fn times_emulator(&self, metric: &Metric) -> Option<f64> {
        self.ratio(metric, Subject::Emulator).map(f64::recip)
    }

    /// How many times as bad rapid is as another one: the median over the rounds that have both,
    /// since what the machine did in a round it did to both.
    fn ratio(&self, metric: &Metric, other: Subject) -> Option<f64> {
        if metric.key == EXTENSION_COST.key {
            // A difference can be next to nothing, and then a ratio says nothing.
            return None;
        }
        let own = self.values.get(&(metric.key, Subject::Rapid))?;
        let other = self.values.get(&(metric.key, other))?;
        let ratios: Vec<f64> = own
            .iter()
            .filter_map(|(round, own)| other.get(round).map(|other| (own, other)))
            .map(|(own, other)| if metric.unit.is_rate() { other / own } else { own / other })
            .collect();
        median(&ratios)
    }

    /// Whether rapid keeps a bound; nothing when what it needs was not measured.
    pub(crate) fn keeps(&self, metric: &Metric, bound: Bound) -> Option<bool> {
        let own = || self.summary(metric, Subject::Rapid).map(|summary| summary.median);
        Some(match bound {
            Bound::Floor(times) => self.times_floor(metric)? <= times,
            Bound::Emulator(times) => self.times_emulator(metric)? >= times,
            Bound::AtMost(value) => own()? <= value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::metric::METRICS;

    fn metric(key: &str) -> &'static Metric {
        METRICS.iter().find(|metric| metric.key == key).unwrap()
    }

    #[test]
    fn ratios_say_the_same_of_times_and_rates() {
        let mut results = Results::new(&Subject::ALL, 3);
        for (subject, time, rate) in [
            (Subject::Rapid, 60.0, 100.0),
            (Subject::Emulator, 120.0, 50.0),
            (Subject::Floor, 40.0, 150.0),
        ] {
            results.add(subject, 0, &[("warm_p50", time), ("warm_rate", rate)]);
        }
        for metric in [metric("warm_p50"), metric("warm_rate")] {
            assert_eq!(results.times_floor(metric), Some(1.5));
            assert_eq!(results.times_emulator(metric), Some(2.0));
            assert_eq!(results.keeps(metric, Bound::Floor(1.5)), Some(true));
            assert_eq!(results.keeps(metric, Bound::Emulator(2.1)), Some(false));
        }
        assert_eq!(results.keeps(metric("warm_p50"), Bound::AtMost(59.0)), Some(false));
        assert_eq!(results.keeps(metric("warm_p99"), Bound::AtMost(59.0)), None);
    }

    #[test]
    fn ratios_are_taken_within_each_round() {
        let mut results = Results::new(&Subject::ALL, 3);
        for (round, own, floor) in [(0, 10.0, 5.0), (1, 40.0, 10.0), (2, 90.0, 30.0)] {
            results.add(Subject::Rapid, round, &[("warm_p50", own)]);
            results.add(Subject::Floor, round, &[("warm_p50", floor)]);
        }
        assert_eq!(results.times_floor(metric("warm_p50")), Some(3.0));
        assert_eq!(results.times_emulator(metric("warm_p50")), None);
    }

    #[test]
    fn an_extensions_cost_is_taken_within_each_round() {
        let mut results = Results::new(&Subject::ALL, 3);
        for (round, without, with) in [(0, 50.0, 58.0), (1, 70.0, 79.0), (2, 60.0, 67.0)] {
            results.add(Subject::Rapid, round, &[(EXTENSION_COST.without, without)]);
            results.add(Subject::Rapid, round, &[(EXTENSION_COST.of, with)]);
        }
        results.derive();
        assert_eq!(results.values(metric(EXTENSION_COST.key), Subject::Rapid), [8.0, 9.0, 7.0]);
        assert!(results.values(metric(EXTENSION_COST.key), Subject::Floor).is_empty());
    }
}
