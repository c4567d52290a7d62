//! The machine that the figures are of.

use std::fs;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::bench::options::Options;

/// What a reader has to know about the machine.
#[derive(Debug)]
pub(crate) struct Machine {
    model: String,
    cores: usize,
    kernel: String,
    /// How many processes wanted a core in the last minute, on average, before anything began.
    load: f64,
}

impl Machine {
    /// This one; what it does not say stays empty.
    pub(crate) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let model = value(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown").to_owned();
        let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
        let load = read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { model, cores, kernel, load: load.unwrap_or(0.0) }
    }

    /// What to say before the figures, if the machine has something else to do.
    pub(crate) fn warning(&self) -> Option<String> {
        (self.load > self.cores as f64 / 4.0).then(|| {
            format!("the machine is busy (load {}): trust ratios, not absolute figures", self.load)
        })
    }

    /// What to say above the table.
    pub(crate) fn line(&self, options: &Options) -> String {
        let Self { model, cores, kernel, load } = self;
        let cores = if *cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
        let command = options.command();
        format!(
            "`{command}`: {model}, {cores}, Linux {kernel}, load before {load}; medians of rounds"
        )
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "model": self.model,
            "cores": self.cores,
            "kernel": self.kernel,
            "load": self.load,
            "unix_time": now.as_secs(),
        })
    }
}

/// The last core that this process may run on: the first has most of the interrupts.
pub(crate) fn last_core() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    value(&status, "Cpus_allowed_list")?.rsplit([',', '-']).next()?.parse().ok()
}

/// The value of the first `name: value` in a file of `/proc`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(value(text, "model name"), Some("AMD EPYC"));
        assert_eq!(value(text, "name"), None);
    }

    #[test]
    fn a_machine_has_a_core_to_pin_to() {
        assert!(last_core().is_some());
    }
}
