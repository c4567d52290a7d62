//! Events of an invocation.

use std::fmt::Write as _;

use rapid_fatal_error::ErrorType;
use rapid_interop::{RequestId, TenantId};
use serde::{Serialize, Serializer};

use crate::Status;

/// In whose words log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineStyle {
    /// The service's.
    #[default]
    Aws,
    /// The Runtime Interface Emulator's.
    Rie,
}

/// `platform.start`: an invocation begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvokeStartData {
    /// The invocation.
    #[serde(serialize_with = "request_id")]
    pub request_id: RequestId,
    /// The tenant on whose behalf it runs.
    #[serde(serialize_with = "tenant_id", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The version that runs.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub version: String,
}

impl InvokeStartData {
    /// The `START` line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("START RequestId: {} Version: {}", self.request_id, self.version)
    }
}

/// `platform.runtimeDone`: the runtime's part of the invocation has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvokeRuntimeDoneData {
    /// The invocation.
    #[serde(serialize_with = "request_id")]
    pub request_id: RequestId,
    /// The tenant on whose behalf it ran.
    #[serde(serialize_with = "tenant_id", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// How it ended.
    pub status: Status,
    /// What it took.
    pub metrics: RuntimeDoneInvokeMetrics,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
}

/// What the runtime's part of an invocation took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeDoneInvokeMetrics {
    /// Bytes of the response; 0 for an error report.
    pub produced_bytes: u64,
    /// From the hand-over to the next call for an event, in milliseconds.
    pub duration_ms: f64,
}

/// `platform.end`: the invocation has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndData {
    /// The invocation.
    #[serde(serialize_with = "request_id")]
    pub request_id: RequestId,
}

impl EndData {
    /// The `END` line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("END RequestId: {}", self.request_id)
    }
}

/// `platform.report`: what the invocation took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportData {
    /// The invocation.
    #[serde(serialize_with = "request_id")]
    pub request_id: RequestId,
    /// How it ended.
    pub status: Status,
    /// What it took.
    pub metrics: ReportMetrics,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
}

/// What an invocation took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportMetrics {
    /// From its start to the end, in milliseconds.
    pub duration_ms: f64,
    /// What it is billed for, in whole milliseconds.
    pub billed_duration_ms: f64,
    /// The memory that the function was given, in MB.
    #[serde(rename = "memorySizeMB")]
    pub memory_size_mb: u64,
    /// The most memory that its processes have used together, in MB, rounded up.
    #[serde(rename = "maxMemoryUsedMB")]
    pub max_memory_used_mb: u64,
    /// How long the initialisation before it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_duration_ms: Option<f64>,
}

impl ReportData {
    /// The `REPORT` line.
    ///
    /// # Source
    /// Telemetry API, "Log format and level"; Environment, "Log output" for the emulator's order.
    #[must_use]
    pub fn line(&self, style: LineStyle) -> String {
        let ReportMetrics {
            duration_ms,
            billed_duration_ms,
            memory_size_mb,
            max_memory_used_mb,
            init_duration_ms,
        } = self.metrics;
        let init = init_duration_ms.map(|init| format!("Init Duration: {init:.2} ms\t"));
        let init = init.as_deref().unwrap_or("");
        let (before, after) = match style {
            LineStyle::Aws => ("", init),
            LineStyle::Rie => (init, ""),
        };
        let mut line = format!(
            "REPORT RequestId: {}\t{before}Duration: {duration_ms:.2} ms\t\
             Billed Duration: {billed_duration_ms:.0} ms\tMemory Size: {memory_size_mb} MB\t\
             Max Memory Used: {max_memory_used_mb} MB\t{after}",
            self.request_id,
        );
        // Writing to a string cannot fail.
        if self.status != Status::Success {
            let _ = write!(line, "Status: {}", self.status.as_str());
            if let Some(error_type) = &self.error_type {
                let _ = write!(line, "\tError Type: {error_type}");
            }
        }
        line
    }
}

fn request_id<S: Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_str())
}

fn tenant_id<S: Serializer>(id: &Option<TenantId>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.as_ref().map_or("", TenantId::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> RequestId {
        RequestId::parse("r-1").unwrap()
    }

    fn report() -> ReportData {
        ReportData {
            request_id: id(),
            status: Status::Success,
            metrics: ReportMetrics {
                duration_ms: 2.03,
                billed_duration_ms: 82.0,
                memory_size_mb: 128,
                max_memory_used_mb: 37,
                init_duration_ms: Some(79.22),
            },
            error_type: None,
        }
    }

    #[test]
    fn start_and_end_read_as_the_service_writes_them() {
        let tenant_id = TenantId::parse("acme");
        let start = InvokeStartData { request_id: id(), tenant_id, version: "$LATEST".into() };
        assert_eq!(start.line(), "START RequestId: r-1 Version: $LATEST");
        assert_eq!(
            serde_json::to_string(&start).unwrap(),
            r#"{"requestId":"r-1","tenantId":"acme","version":"$LATEST"}"#
        );
        let end = EndData { request_id: id() };
        assert_eq!(end.line(), "END RequestId: r-1");
        assert_eq!(serde_json::to_string(&end).unwrap(), r#"{"requestId":"r-1"}"#);
    }

    #[test]
    fn a_report_has_a_trailing_tab_on_success_and_a_status_otherwise() {
        let mut report = report();
        assert_eq!(
            report.line(LineStyle::Aws),
            "REPORT RequestId: r-1\tDuration: 2.03 ms\tBilled Duration: 82 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 37 MB\tInit Duration: 79.22 ms\t"
        );
        assert_eq!(
            report.line(LineStyle::Rie),
            "REPORT RequestId: r-1\tInit Duration: 79.22 ms\tDuration: 2.03 ms\t\
             Billed Duration: 82 ms\tMemory Size: 128 MB\tMax Memory Used: 37 MB\t"
        );
        report.metrics.init_duration_ms = None;
        report.status = Status::Timeout;
        assert!(report.line(LineStyle::Aws).ends_with("37 MB\tStatus: timeout"));
        report.status = Status::Error;
        report.error_type = Some(ErrorType::RuntimeExitError);
        assert!(
            report
                .line(LineStyle::Aws)
                .ends_with("37 MB\tStatus: error\tError Type: Runtime.ExitError")
        );
    }

    #[test]
    fn a_report_has_the_recorded_keys() {
        assert_eq!(
            serde_json::to_string(&report()).unwrap(),
            r#"{"requestId":"r-1","status":"success","metrics":{"durationMs":2.03,"billedDurationMs":82.0,"memorySizeMB":128,"maxMemoryUsedMB":37,"initDurationMs":79.22}}"#
        );
    }
}
