//! Events of a restoration from a snapshot.

use std::sync::Arc;
use std::time::Duration;

use rapid_fatal_error::ErrorType;
use serde::{Deserialize, Serialize};

use crate::line::{push_millis, push_runtime, push_status};
use crate::{Line, LineStyle, Span, Status, TracingCtx, wire};

/// `platform.restoreStart`: a restoration begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStartData {
    /// The managed runtime's version; `None` when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<Arc<str>>,
    /// The managed runtime's ARN; `None` when nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version_arn: Option<Arc<str>>,
    /// The function's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<Arc<str>>,
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

impl Line for RestoreStartData {
    /// Only when the runtime's version is known, which is what it tells.
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        let arn = self.runtime_version_arn.as_deref();
        push_runtime(out, "RESTORE_START", self.runtime_version.as_deref(), arn);
    }
}

/// `platform.restoreRuntimeDone`: the runtime's part of the restoration has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRuntimeDoneData {
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

/// `platform.restoreReport`: the restoration has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReportData {
    /// How it ended.
    pub status: Status,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// What it took.
    pub metrics: RestoreReportMetrics,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
}

/// What a restoration took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReportMetrics {
    /// From its start to the end, to the microsecond.
    #[serde(rename = "durationMs", with = "wire::millis")]
    pub duration: Duration,
}

impl Line for RestoreReportData {
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        out.push_str("RESTORE_REPORT Restore Duration: ");
        push_millis(out, self.metrics.duration);
        out.push_str(" ms");
        if self.status != Status::Success {
            push_status(out, self.status, self.error_type.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restoration_reads_as_the_service_writes_it() {
        let mut start = RestoreStartData::default();
        assert_eq!(start.line(LineStyle::Aws), None);
        start.runtime_version = Some("java:17.v9".into());
        assert_eq!(
            start.line(LineStyle::Aws).as_deref(),
            Some("RESTORE_START Runtime Version: java:17.v9\tRuntime Version ARN: ")
        );
        let mut report = RestoreReportData {
            status: Status::Success,
            error_type: None,
            metrics: RestoreReportMetrics { duration: Duration::from_millis(10) },
            spans: Vec::new(),
            tracing: None,
        };
        assert_eq!(
            report.line(LineStyle::Aws).as_deref(),
            Some("RESTORE_REPORT Restore Duration: 10.00 ms")
        );
        report.status = Status::Error;
        report.error_type = Some(ErrorType::RuntimeRestoreHookUserTimeout);
        assert_eq!(
            report.line(LineStyle::Aws).as_deref(),
            Some(
                "RESTORE_REPORT Restore Duration: 10.00 ms\tStatus: error\t\
                 Error Type: Runtime.RestoreHookUserTimeout"
            )
        );
    }
}
