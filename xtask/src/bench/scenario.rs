//! What is done with a subject, and what that tells.

use std::fs;

use anyhow::{Context, Result};

use crate::bench::load::{Load, Report, Streams};
use crate::bench::stage::Stage;
use crate::bench::statistics::median;
use crate::bench::subject::{Audience, Manner, Running, Subject};

const MIB: f64 = 1024.0 * 1024.0;

/// Something that is done with a subject.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name for `--only`.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The keys of what it measures.
    pub(crate) metrics: &'static [&'static str],
    pub(crate) run: fn(&Stage, Subject) -> Result<Outcome>,
    /// Whether it gives the same in every round.
    pub(crate) once: bool,
    /// Whether it keeps everything on one core.
    pub(crate) on_one_core: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Figures, by the key of their metric.
    Measured(Vec<(&'static str, f64)>),
    /// The subject died or lost invokes: that is a result too.
    Failed(String),
    /// The machine cannot do this.
    Inapplicable,
}

/// All of them, in the table's order.
pub(crate) const SCENARIOS: &[Scenario] = &[
    new(
        "start",
        "exec to listening, and to the first response",
        &["listening", "first_response"],
        start,
    ),
    new(
        "warm",
        "128 bytes on one connection, and the processor time it takes",
        &["warm_p50", "warm_p99", "warm_rate", "warm_cpu"],
        warm,
    ),
    new(
        "extension",
        "the same with an extension that is told of every invoke",
        &["extension_p50", "extension_p99", "extension_rate"],
        extension,
    ),
    new(
        "telemetry",
        "ten lines an invoke; nobody, a good one or only bad ones have subscribed to them",
        &[
            "telemetry_nobody_p50",
            "telemetry_good_p50",
            "telemetry_bad_p50",
            "telemetry_good_times",
            "telemetry_bad_times",
        ],
        telemetry,
    ),
    new("1mib", "1 MiB there and back", &["1mib_p50"], one_mebibyte),
    new("5.9mib", "5.9 MiB there and back", &["5.9mib_p50"], six_mebibytes),
    new(
        "stream",
        "64 MiB streamed, beside 128 bytes that are not",
        &["stream_first_p50", "stream_rate", "stream_first_times"],
        stream,
    ),
    new("four", "128 bytes on four connections", &["four_rate", "four_p50", "four_p99"], four),
    Scenario {
        on_one_core: true,
        ..new(
            "one-core",
            "one connection, all processes on one core",
            &["one_core_p50", "one_core_p99", "one_core_rate"],
            one_core,
        )
    },
    Scenario {
        on_one_core: true,
        ..new(
            "one-core-extension",
            "the same with an extension",
            &["one_core_extension_p50"],
            one_core_extension,
        )
    },
    Scenario {
        once: true,
        ..new(
            "memory",
            "the peak of memory after many invokes",
            &["small_memory", "large_memory"],
            memory,
        )
    },
    Scenario { once: true, ..new("size", "the size of the binary", &["size"], size) },
];

const fn new(
    name: &'static str,
    about: &'static str,
    metrics: &'static [&'static str],
    run: fn(&Stage, Subject) -> Result<Outcome>,
) -> Scenario {
    Scenario { name, about, metrics, run, once: false, on_one_core: false }
}

fn start(stage: &Stage, subject: Subject) -> Result<Outcome> {
    // One start says little, and is over soon.
    let times = if stage.quick { 3 } else { 10 };
    let (mut listening, mut first_response) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let mut running = Running::start(stage, subject, Manner::default())?;
        let answered = running.listens().and_then(|(stream, time)| {
            listening.push(time.as_secs_f64() * 1e3);
            running.first_response(stream)
        });
        match answered {
            Ok(time) => first_response.push(time.as_secs_f64() * 1e3),
            Err(error) => return Ok(Outcome::Failed(format!("does not start: {error:#}"))),
        }
    }
    let middle = |values: &[f64]| median(values).context("nothing was started");
    Ok(Outcome::Measured(vec![
        ("listening", middle(&listening)?),
        ("first_response", middle(&first_response)?),
    ]))
}

fn warm(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let load = small(stage);
    measure(stage, subject, Manner::default(), load, |_, report, cpu| {
        let invokes = f64::from(load.count + load.warm_up);
        Ok(vec![
            ("warm_p50", report.p50_us),
            ("warm_p99", report.p99_us),
            ("warm_rate", report.per_second),
            ("warm_cpu", cpu / invokes * 1e3),
        ])
    })
}

fn extension(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let manner = Manner { with_extension: true, ..Manner::default() };
    measure(stage, subject, manner, small(stage), |_, report, _| {
        Ok(vec![
            ("extension_p50", report.p50_us),
            ("extension_p99", report.p99_us),
            ("extension_rate", report.per_second),
        ])
    })
}

fn telemetry(stage: &Stage, subject: Subject) -> Result<Outcome> {
    if subject != Subject::Rapid {
        // The emulator only pretends to have telemetry, and the floor does not even do that.
        return Ok(Outcome::Inapplicable);
    }
    let mut figures: Vec<(&str, f64)> = Vec::new();
    for (audience, key) in [
        (Audience::Nobody, "telemetry_nobody_p50"),
        (Audience::Good, "telemetry_good_p50"),
        (Audience::Bad, "telemetry_bad_p50"),
    ] {
        let manner = Manner { audience: Some(audience), ..Manner::default() };
        let outcome = measure(stage, subject, manner, small(stage), |_, report, _| {
            Ok(vec![(key, report.p50_us)])
        })?;
        match outcome {
            Outcome::Measured(values) => figures.extend(values),
            other @ (Outcome::Failed(_) | Outcome::Inapplicable) => return Ok(other),
        }
    }
    if let [(_, nobody), (_, good), (_, bad)] = *figures {
        figures.push(("telemetry_good_times", good / nobody));
        figures.push(("telemetry_bad_times", bad / nobody));
    }
    Ok(Outcome::Measured(figures))
}

fn one_mebibyte(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let count = if stage.quick { 30 } else { 200 };
    let load = Load { bytes: 1 << 20, count, warm_up: 10, ..Load::SMALL };
    measure(stage, subject, Manner::default(), load, |_, report, _| {
        Ok(vec![("1mib_p50", report.p50_us / 1e3)])
    })
}

fn six_mebibytes(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let count = if stage.quick { 10 } else { 100 };
    let load = Load { count, ..Load::LARGE };
    measure(stage, subject, Manner::default(), load, |_, report, _| {
        Ok(vec![("5.9mib_p50", report.p50_us / 1e3)])
    })
}

fn stream(stage: &Stage, subject: Subject) -> Result<Outcome> {
    if subject != Subject::Rapid {
        // Both collect a response before they pass it on.
        return Ok(Outcome::Inapplicable);
    }
    let load = Load { count: 1_000, ..Load::SMALL };
    let mut warm = 0.0;
    let outcome = measure(stage, subject, Manner::default(), load, |_, report, _| {
        warm = report.p50_us;
        Ok(Vec::new())
    })?;
    if !matches!(outcome, Outcome::Measured(_)) {
        return Ok(outcome);
    }
    let streams = Streams { bytes: 64 << 20, count: if stage.quick { 5 } else { 20 } };
    let manner = Manner { stream: Some(streams.bytes), ..Manner::default() };
    let mut running = Running::start(stage, subject, manner)?;
    if let Err(error) = running.listens() {
        return Ok(Outcome::Failed(format!("does not start: {error:#}")));
    }
    let report = match streams.run(stage, &running) {
        Ok(report) => report,
        Err(error) => return Ok(Outcome::Failed(format!("{error:#}"))),
    };
    Ok(Outcome::Measured(vec![
        ("stream_first_p50", report.first_p50_us),
        ("stream_rate", report.mebibytes_per_second),
        ("stream_first_times", report.first_p50_us / warm),
    ]))
}

fn memory(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let mut figures = Vec::new();
    // Each with a process of its own, since what is measured is a peak.
    for (key, load) in [("small_memory", Load::SMALL), ("large_memory", Load::LARGE)] {
        let outcome = measure(stage, subject, Manner::default(), load, |running, _, _| {
            Ok(vec![(key, running.peak_mebibytes()?)])
        })?;
        match outcome {
            Outcome::Measured(values) => figures.extend(values),
            other @ (Outcome::Failed(_) | Outcome::Inapplicable) => return Ok(other),
        }
    }
    Ok(Outcome::Measured(figures))
}

fn four(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let load = Load { connections: 4, ..small(stage) };
    measure(stage, subject, Manner::default(), load, |_, report, _| {
        Ok(vec![
            ("four_rate", report.per_second),
            ("four_p50", report.p50_us),
            ("four_p99", report.p99_us),
        ])
    })
}

fn one_core(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let manner = Manner { on_one_core: true, ..Manner::default() };
    measure(stage, subject, manner, small(stage), |_, report, _| {
        Ok(vec![
            ("one_core_p50", report.p50_us),
            ("one_core_p99", report.p99_us),
            ("one_core_rate", report.per_second),
        ])
    })
}

fn one_core_extension(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let manner = Manner { with_extension: true, on_one_core: true, ..Manner::default() };
    measure(stage, subject, manner, small(stage), |_, report, _| {
        Ok(vec![("one_core_extension_p50", report.p50_us)])
    })
}

fn size(stage: &Stage, subject: Subject) -> Result<Outcome> {
    let program = stage.program(subject);
    let size = fs::metadata(&program).with_context(|| format!("reading {}", program.display()))?;
    Ok(Outcome::Measured(vec![("size", size.len() as f64 / MIB)]))
}

fn small(stage: &Stage) -> Load {
    Load { count: if stage.quick { 1_000 } else { Load::SMALL.count }, ..Load::SMALL }
}

/// Starts a subject, puts a load on it, and takes the figures while it lives: `figures` gets the
/// process, what the load generator measured, and the process's CPU time in milliseconds.
fn measure(
    stage: &Stage,
    subject: Subject,
    manner: Manner,
    load: Load,
    figures: impl FnOnce(&Running, &Report, f64) -> Result<Vec<(&'static str, f64)>>,
) -> Result<Outcome> {
    if manner.on_one_core && !stage.has_one_core() {
        return Ok(Outcome::Inapplicable);
    }
    let mut running = Running::start(stage, subject, manner)?;
    if let Err(error) = running.listens() {
        return Ok(Outcome::Failed(format!("does not start: {error:#}")));
    }
    let before = running.cpu_millis()?;
    let load = Load { on_one_core: manner.on_one_core, ..load };
    let report = load.run(stage, &running)?;
    if let Some(end) = running.end()? {
        return Ok(Outcome::Failed(format!("died ({end}) after {} invokes", report.count)));
    }
    if report.errors > 0 || report.count < load.count {
        let why = report.first_error.as_deref().unwrap_or("no answer");
        let lost = load.count.saturating_sub(report.count);
        return Ok(Outcome::Failed(format!("lost {lost} of {} invokes: {why}", load.count)));
    }
    let cpu = running.cpu_millis()? - before;
    figures(&running, &report, cpu).map(Outcome::Measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::metric::{EXTENSION_COST, METRICS};

    #[test]
    fn every_metric_is_of_one_scenario() {
        for metric in METRICS {
            let of = SCENARIOS.iter().filter(|one| one.metrics.contains(&metric.key)).count();
            assert_eq!(of, usize::from(metric.key != EXTENSION_COST.key), "{}", metric.key);
        }
        let keys = SCENARIOS.iter().flat_map(|one| one.metrics);
        assert_eq!(keys.count() + 1, METRICS.len());
    }
}
