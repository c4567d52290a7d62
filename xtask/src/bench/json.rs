//! The figures for machines.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::bench::machine::Machine;
use crate::bench::metric::METRICS;
use crate::bench::options::Options;
use crate::bench::results::Results;

/// Writes everything that was measured: each figure of each round, not only the medians.
///
/// # Errors
/// When serde does not want to.
pub(crate) fn render(results: &Results, machine: &Machine, options: &Options) -> Result<String> {
    let metrics = METRICS.iter().filter_map(|metric| {
        let mut subjects = Map::new();
        for subject in &results.subjects {
            if let Some(summary) = results.summary(metric, *subject) {
                let figures = json!({
                    "median": summary.median,
                    "spread": summary.spread,
                    "rounds": results.values(metric, *subject),
                });
                subjects.insert(subject.name().to_owned(), figures);
            }
        }
        (!subjects.is_empty()).then(|| {
            json!({
                "key": metric.key,
                "title": metric.title,
                "unit": metric.unit.name(),
                "subjects": subjects,
                "times_floor": results.times_floor(metric),
                "times_emulator": results.times_emulator(metric),
                "goal": metric.goal.map(|goal| goal.to_string()),
                "met": metric.goal.and_then(|goal| results.keeps(metric, goal)),
            })
        })
    });
    let failures = results.failures.iter().map(|failure| {
        json!({
            "subject": failure.subject.name(),
            "scenario": failure.scenario.name,
            "round": failure.round,
            "how": failure.how,
        })
    });
    let all = json!({
        "command": options.command(),
        "machine": machine.json(),
        "metrics": metrics.collect::<Vec<Value>>(),
        "failures": failures.collect::<Vec<Value>>(),
    });
    let text = serde_json::to_string_pretty(&all).context("writing JSON")?;
    Ok(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::subject::Subject;

    #[test]
    fn every_figure_of_every_round_is_there() {
        let options = Options::parse(&["--quick".to_owned()]).unwrap();
        let mut results = Results::new(&Subject::ALL, 2);
        for (round, value) in [(0, 1.0), (1, 3.0)] {
            results.add(Subject::Rapid, round, &[("size", value)]);
        }
        let text = render(&results, &Machine::here(), &options).unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        let [metric] = all["metrics"].as_array().unwrap().as_slice() else { panic!("{text}") };
        assert_eq!(metric["subjects"]["rapid"]["rounds"], json!([1.0, 3.0]));
        assert_eq!(metric["met"], json!(true));
        assert_eq!(metric["times_floor"], Value::Null);
        assert_eq!(all["command"], "cargo xtask bench --quick --rounds 3");
    }
}
