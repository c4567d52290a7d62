//! Runs the load generators and reads what they measured.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bench::stage::Stage;
use crate::bench::subject::Running;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) bytes: u32,
    pub(crate) count: u32,
    pub(crate) warm_up: u32,
    pub(crate) on_one_core: bool,
}

impl Load {
    /// Small payloads on one connection.
    pub(crate) const SMALL: Self =
        Self { connections: 1, bytes: 128, count: 10_000, warm_up: 500, on_one_core: false };

    /// 5.9 MiB on one connection: a little less than Lambda takes.
    pub(crate) const LARGE: Self = Self { bytes: 6_186_598, count: 100, warm_up: 5, ..Self::SMALL };
}

/// What was measured.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) count: u32,
    pub(crate) errors: u32,
    pub(crate) first_error: Option<String>,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) per_second: f64,
}

impl Load {
    /// Sends all of it.
    ///
    /// # Errors
    /// When the load generator fails; what the subject does wrong is in the report.
    pub(crate) fn run(self, stage: &Stage, subject: &Running) -> Result<Report> {
        let program = stage.tool("bench-load");
        let mut command = stage.command(&program, self.on_one_core);
        command.args(["--address", &subject.address.to_string()]);
        for (flag, number) in [
            ("--connections", self.connections),
            ("--bytes", self.bytes),
            ("--count", self.count),
            ("--warm-up", self.warm_up),
        ] {
            command.args([flag, &number.to_string()]);
        }
        measured(command)
    }
}

/// Streamed responses to ask for, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) bytes: u32,
    pub(crate) count: u32,
}

/// What was measured of them.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamReport {
    pub(crate) first_p50_us: f64,
    pub(crate) mebibytes_per_second: f64,
}

impl Streams {
    /// Asks for all of them.
    ///
    /// # Errors
    /// When one of them is not complete.
    pub(crate) fn run(self, stage: &Stage, subject: &Running) -> Result<StreamReport> {
        let mut command = stage.command(&stage.tool("bench-stream"), false);
        command.args(["--address", &subject.address.to_string()]);
        command.args(["--count", &self.count.to_string(), "--bytes", &self.bytes.to_string()]);
        measured(command)
    }
}

/// Runs a tool, and reads what it measured.
fn measured<T: DeserializeOwned>(mut command: Command) -> Result<T> {
    let output = command.stdin(Stdio::null()).output().context("starting a load generator")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("reading what a load generator measured")
}
