//! Events of an initialisation.

use std::fmt::Write as _;

use rapid_fatal_error::ErrorType;
use rapid_interop::{InitPhase, InitType};
use serde::Serialize;

use crate::Status;

/// `platform.initStart`: an initialisation begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitStartData {
    /// Why it runs.
    pub initialization_type: InitType,
    /// The managed runtime's version; empty when nobody knows.
    pub runtime_version: String,
    /// The managed runtime's ARN; empty when nobody knows.
    pub runtime_version_arn: String,
    /// The function's name.
    pub function_name: String,
    /// The function's ARN.
    pub function_arn: String,
    /// The function's version.
    pub function_version: String,
    /// The execution environment, named like its log stream.
    pub instance_id: String,
    /// Its memory in bytes.
    pub instance_max_memory: u64,
    /// On its own or inside an invocation.
    pub phase: InitPhase,
}

impl InitStartData {
    /// The log line, which tells the runtime's version; `None` when nobody knows it.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        (!self.runtime_version.is_empty()).then(|| {
            format!(
                "INIT_START Runtime Version: {}\tRuntime Version ARN: {}",
                self.runtime_version, self.runtime_version_arn
            )
        })
    }
}

/// `platform.initRuntimeDone`: the runtime's part of the initialisation has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitRuntimeDoneData {
    /// Why it ran.
    pub initialization_type: InitType,
    /// How it ended.
    pub status: Status,
    /// On its own or inside an invocation.
    pub phase: InitPhase,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
}

/// `platform.initReport`: the initialisation has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitReportData {
    /// Why it ran.
    pub initialization_type: InitType,
    /// What it took.
    pub metrics: InitReportMetrics,
    /// On its own or inside an invocation.
    pub phase: InitPhase,
    /// How it ended.
    pub status: Status,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
}

/// What an initialisation took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InitReportMetrics {
    /// In milliseconds, with microsecond precision.
    pub duration_ms: f64,
}

impl InitReportData {
    /// The log line; `None` for an ordinary success, which the first `REPORT` tells of.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        if self.status == Status::Success && self.initialization_type == InitType::OnDemand {
            return None;
        }
        let mut line = format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: {}\tStatus: {}",
            self.metrics.duration_ms,
            self.phase.as_str(),
            self.status.as_str()
        );
        if let Some(error_type) = &self.error_type {
            // Writing to a string cannot fail.
            let _ = write!(line, "\tError Type: {error_type}");
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_start_has_the_recorded_keys() {
        let data = InitStartData {
            initialization_type: InitType::OnDemand,
            runtime_version: String::new(),
            runtime_version_arn: String::new(),
            function_name: "f".into(),
            function_arn: "arn".into(),
            function_version: "$LATEST".into(),
            instance_id: "stream".into(),
            instance_max_memory: 134_217_728,
            phase: InitPhase::Init,
        };
        assert_eq!(
            serde_json::to_string(&data).unwrap(),
            r#"{"initializationType":"on-demand","runtimeVersion":"","runtimeVersionArn":"","functionName":"f","functionArn":"arn","functionVersion":"$LATEST","instanceId":"stream","instanceMaxMemory":134217728,"phase":"init"}"#
        );
        assert_eq!(data.line(), None);
        let known = InitStartData { runtime_version: "v1".into(), ..data };
        assert_eq!(
            known.line().as_deref(),
            Some("INIT_START Runtime Version: v1\tRuntime Version ARN: ")
        );
    }

    #[test]
    fn a_failed_initialisation_has_a_line_and_a_good_one_has_none() {
        let mut data = InitReportData {
            initialization_type: InitType::OnDemand,
            metrics: InitReportMetrics { duration_ms: 1000.0 },
            phase: InitPhase::Init,
            status: Status::Timeout,
            error_type: None,
        };
        assert_eq!(
            data.line().as_deref(),
            Some("INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: timeout")
        );
        data.status = Status::Error;
        data.error_type = Some(ErrorType::RuntimeExitError);
        assert_eq!(
            data.line().as_deref(),
            Some(
                "INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: error\t\
                 Error Type: Runtime.ExitError"
            )
        );
        data.status = Status::Success;
        assert_eq!(data.line(), None);
    }
}
