//! What is measured, in which unit, and what is wanted of rapid.

use std::fmt;

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Metric {
    /// Its name for machines.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// What rapid is to reach.
    pub(crate) goal: Option<Bound>,
    /// What `--check` fails beyond. Ratios only, since machines differ, and wide ones, since CI's
    /// are noisy: it is there for the change that makes everything twice as slow.
    pub(crate) limit: Option<Bound>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    Millis,
    PerSecond,
    Mebibytes,
    MebibytesPerSecond,
    /// As a multiple of another figure of the same run.
    Times,
}

/// What a figure of rapid is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// At most so many times the floor's.
    Floor(f64),
    /// At least so many times as good as the emulator's.
    Emulator(f64),
    AtMost(f64),
}

impl Unit {
    /// Whether more is better.
    pub(crate) fn is_rate(self) -> bool {
        matches!(self, Self::PerSecond | Self::MebibytesPerSecond)
    }

    /// Its name behind a figure.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::PerSecond => "/s",
            Self::Mebibytes => "MiB",
            Self::MebibytesPerSecond => "MiB/s",
            Self::Times => "×",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor(times) => write!(f, "≤ {times} × floor"),
            Self::Emulator(times) => write!(f, "≥ {times} × emulator"),
            Self::AtMost(value) => write!(f, "≤ {value}"),
        }
    }
}

impl Metric {
    const fn new(key: &'static str, title: &'static str, unit: Unit) -> Self {
        Self { key, title, unit, goal: None, limit: None }
    }

    const fn goal(self, goal: Bound) -> Self {
        Self { goal: Some(goal), ..self }
    }

    const fn limit(self, limit: Bound) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

/// Everything that is measured, in the table's order.
pub(crate) const METRICS: &[Metric] = &[
    Metric::new("listening", "exec to listening", Unit::Millis).goal(Bound::AtMost(3.0)),
    Metric::new("first_response", "exec to first response", Unit::Millis)
        .goal(Bound::Emulator(2.0))
        .limit(Bound::Emulator(0.7)),
    Metric::new("warm_p50", "warm, p50", Unit::Micros)
        .goal(Bound::Floor(1.5))
        .limit(Bound::Floor(3.0)),
    Metric::new("warm_p99", "warm, p99", Unit::Micros).goal(Bound::Floor(2.5)),
    Metric::new("warm_rate", "warm, throughput", Unit::PerSecond)
        .goal(Bound::Emulator(2.5))
        .limit(Bound::Emulator(1.0)),
    Metric::new("warm_cpu", "CPU of 1,000 invokes", Unit::Millis),
    Metric::new("small_memory", "peak memory, 10,000 small invokes", Unit::Mebibytes)
        .goal(Bound::AtMost(6.0))
        .limit(Bound::Emulator(1.0)),
    Metric::new("extension_p50", "one extension, p50", Unit::Micros),
    Metric::new("extension_p99", "one extension, p99", Unit::Micros),
    Metric::new("extension_rate", "one extension, throughput", Unit::PerSecond)
        .limit(Bound::Emulator(1.0)),
    Metric::new("telemetry_nobody_p50", "ten lines, no subscriber, p50", Unit::Micros),
    Metric::new("telemetry_good_p50", "ten lines, a good subscriber, p50", Unit::Micros),
    Metric::new("telemetry_bad_p50", "ten lines, five bad subscribers, p50", Unit::Micros),
    Metric::new("telemetry_good_times", "a good subscriber, as a multiple of none", Unit::Times)
        .limit(Bound::AtMost(2.0)),
    Metric::new("telemetry_bad_times", "bad subscribers, as a multiple of none", Unit::Times)
        .limit(Bound::AtMost(2.0)),
    Metric::new("1mib_p50", "1 MiB echo, p50", Unit::Millis)
        .goal(Bound::Floor(1.5))
        .limit(Bound::Floor(4.0)),
    Metric::new("5.9mib_p50", "5.9 MiB echo, p50", Unit::Millis)
        .goal(Bound::Floor(1.35))
        .limit(Bound::Floor(4.0)),
    Metric::new("large_memory", "peak memory, 100 large invokes", Unit::Mebibytes)
        .goal(Bound::AtMost(20.0))
        .limit(Bound::Emulator(1.0)),
    Metric::new("stream_first_p50", "64 MiB streamed, first byte, p50", Unit::Micros),
    Metric::new("stream_rate", "64 MiB streamed, throughput", Unit::MebibytesPerSecond),
    Metric::new("stream_first_times", "first byte, as a multiple of a warm invoke", Unit::Times)
        // Collected first, it would be hundreds.
        .limit(Bound::AtMost(20.0)),
    Metric::new("four_rate", "four connections, throughput", Unit::PerSecond)
        .goal(Bound::Floor(1.6))
        .limit(Bound::Floor(4.0)),
    Metric::new("four_p50", "four connections, p50", Unit::Micros),
    Metric::new("four_p99", "four connections, p99", Unit::Micros),
    Metric::new("one_core_p50", "one core, p50", Unit::Micros).limit(Bound::Floor(3.5)),
    Metric::new("one_core_p99", "one core, p99", Unit::Micros),
    Metric::new("one_core_rate", "one core, throughput", Unit::PerSecond),
    Metric::new("one_core_extension_p50", "one core, one extension, p50", Unit::Micros)
        .limit(Bound::Floor(3.5)),
    Metric::new(EXTENSION_COST.key, "one core, what an extension adds", Unit::Micros)
        .goal(Bound::AtMost(9.0)),
    Metric::new("size", "size of the binary", Unit::Mebibytes).goal(Bound::AtMost(6.0)),
];

/// A figure that is the difference of two others of the same round.
pub(crate) struct Difference {
    pub(crate) key: &'static str,
    pub(crate) of: &'static str,
    pub(crate) without: &'static str,
}

/// What an extension costs where no second core hides it.
pub(crate) const EXTENSION_COST: Difference = Difference {
    key: "one_core_extension_cost",
    of: "one_core_extension_p50",
    without: "one_core_p50",
};
