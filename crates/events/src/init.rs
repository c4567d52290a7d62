//! Events of an initialisation.

use std::sync::Arc;
use std::time::Duration;

use rapid_fatal_error::ErrorType;
use rapid_interop::{InitPhase, InitType};
use serde::{Deserialize, Serialize};

use crate::line::{push_millis, push_runtime, push_status};
use crate::{Line, LineStyle, Span, Status, TracingCtx, wire};

/// `platform.initStart`: an initialisation begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitStartData {
    /// Why it runs.
    pub initialization_type: InitType,
    /// On its own or inside an invocation.
    pub phase: InitPhase,
    /// The managed runtime's version; `None` when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<Arc<str>>,
    /// The managed runtime's ARN; `None` when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version_arn: Option<Arc<str>>,
    /// The function's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<Arc<str>>,
    /// The function's ARN, for those inside the process: the service does not tell it.
    #[serde(skip)]
    pub function_arn: Option<Arc<str>>,
    /// The function's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_version: Option<Arc<str>>,
    /// The execution environment, named like its log stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<Arc<str>>,
    /// Its memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_max_memory: Option<u64>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
}

impl Line for InitStartData {
    /// Only when the runtime's version is known, which is what it tells.
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        let arn = self.runtime_version_arn.as_deref();
        push_runtime(out, "INIT_START", self.runtime_version.as_deref(), arn);
    }
}

/// `platform.initRuntimeDone`: the runtime's part of the initialisation has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitRuntimeDoneData {
    /// Why it ran.
    pub initialization_type: InitType,
    /// On its own or inside an invocation.
    pub phase: InitPhase,
    /// How it ended.
    pub status: Status,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
}

/// `platform.initReport`: the initialisation has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitReportData {
    /// Why it ran.
    pub initialization_type: InitType,
    /// On its own or inside an invocation.
    pub phase: InitPhase,
    /// How it ended; `None` only as received in a schema that does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// What it took.
    pub metrics: InitReportMetrics,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
}

/// What an initialisation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitReportMetrics {
    /// From its start to the end, to the microsecond.
    #[serde(rename = "durationMs", with = "wire::millis")]
    pub duration: Duration,
}

impl InitReportData {
    /// Whether it is an ordinary success, which the first `REPORT` tells of.
    pub(crate) fn is_ordinary(&self) -> bool {
        self.status.is_none_or(|status| status == Status::Success)
            && self.initialization_type == InitType::OnDemand
    }
}

impl Line for InitReportData {
    /// Only when it failed, and when no invocation waits for it.
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        if self.is_ordinary() {
            return;
        }
        out.push_str("INIT_REPORT Init Duration: ");
        push_millis(out, self.metrics.duration);
        out.push_str(" ms\tPhase: ");
        out.push_str(self.phase.as_str());
        if let Some(status) = self.status {
            push_status(out, status, self.error_type.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_has_a_line_when_the_runtimes_version_is_known() {
        let unknown = InitStartData {
            initialization_type: InitType::OnDemand,
            phase: InitPhase::Init,
            runtime_version: None,
            runtime_version_arn: None,
            function_name: None,
            function_arn: None,
            function_version: None,
            instance_id: None,
            instance_max_memory: None,
            tracing: None,
        };
        assert_eq!(unknown.line(LineStyle::Aws), None);
        let known = InitStartData {
            runtime_version: Some("python:3.12.v34".into()),
            runtime_version_arn: Some("arn:aws:lambda:eu-west-1::runtime:0a".into()),
            ..unknown
        };
        assert_eq!(
            known.line(LineStyle::Aws).as_deref(),
            Some(
                "INIT_START Runtime Version: python:3.12.v34\t\
                 Runtime Version ARN: arn:aws:lambda:eu-west-1::runtime:0a"
            )
        );
    }

    #[test]
    fn a_failed_initialisation_has_a_line_and_an_ordinary_one_has_none() {
        let mut data = InitReportData {
            initialization_type: InitType::OnDemand,
            phase: InitPhase::Init,
            status: Some(Status::Timeout),
            error_type: None,
            metrics: InitReportMetrics { duration: Duration::from_secs(1) },
            spans: Vec::new(),
            tracing: None,
        };
        assert_eq!(
            data.line(LineStyle::Aws).as_deref(),
            Some("INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: timeout")
        );
        data.status = Some(Status::Error);
        data.error_type = Some(ErrorType::RuntimeExitError);
        assert_eq!(
            data.line(LineStyle::Rie).as_deref(),
            Some(
                "INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: error\t\
                 Error Type: Runtime.ExitError"
            )
        );
        (data.status, data.error_type) = (Some(Status::Success), None);
        assert_eq!(data.line(LineStyle::Aws), None);
        data.initialization_type = InitType::ProvisionedConcurrency;
        assert_eq!(
            data.line(LineStyle::Aws).as_deref(),
            Some("INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: success")
        );
    }
}
