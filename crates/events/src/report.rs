//! The report of an invocation.

use std::time::Duration;

use rapid_fatal_error::ErrorType;
use rapid_interop::{RequestId, TenantId};
use serde::{Deserialize, Serialize};

use crate::line::{push_millis, push_number, push_status};
use crate::{Line, LineStyle, Span, Status, TracingCtx, wire};

/// `platform.report`: what the invocation took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportData {
    /// The invocation.
    #[serde(with = "wire::request_id")]
    pub request_id: RequestId,
    /// How it ended; `None` only as received in a schema that does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// What it took.
    pub metrics: ReportMetrics,
    /// What extensions took of it, if there are any and the runtime finished
    /// (see [`crate::extension_overhead`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// The tenant on whose behalf it ran.
    #[serde(default, with = "wire::tenant_id", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
}

/// What an invocation took.
///
/// Managed instances, whose invocations share one environment, know the duration only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportMetrics {
    /// From its start to the end, to the microsecond.
    #[serde(rename = "durationMs", with = "wire::millis")]
    pub duration: Duration,
    /// What it is billed for, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_duration_ms: Option<u64>,
    /// The memory that the function was given, in MB.
    #[serde(rename = "memorySizeMB", skip_serializing_if = "Option::is_none")]
    pub memory_size_mb: Option<u64>,
    /// The most memory that its processes have used together, in MB, rounded up.
    #[serde(rename = "maxMemoryUsedMB", skip_serializing_if = "Option::is_none")]
    pub max_memory_used_mb: Option<u64>,
    /// How long the initialisation before it took; told to the hundredth of a millisecond.
    #[serde(
        default,
        rename = "initDurationMs",
        with = "wire::millis::rounded",
        skip_serializing_if = "Option::is_none"
    )]
    pub init_duration: Option<Duration>,
    /// How long an initialisation inside the invocation took. `duration` has it already, so that
    /// no record tells it; the line does.
    #[serde(skip)]
    pub suppressed_init_duration: Option<Duration>,
    /// How long the restoration before it took, to the microsecond.
    #[serde(
        default,
        rename = "restoreDurationMs",
        with = "wire::millis::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub restore_duration: Option<Duration>,
    /// What the restoration is billed for, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_restore_duration_ms: Option<u64>,
}

impl Line for ReportData {
    /// The emulator tells of the initialisation first, the service last.
    fn write_line(&self, style: LineStyle, out: &mut String) {
        let metrics = &self.metrics;
        let init = metrics.init_duration.or(metrics.suppressed_init_duration);
        out.push_str("REPORT RequestId: ");
        out.push_str(self.request_id.as_str());
        if style == LineStyle::Rie {
            push_part(out, "Init Duration: ", init);
        }
        push_part(out, "Duration: ", Some(metrics.duration));
        push_count(out, "Billed Duration: ", metrics.billed_duration_ms, " ms");
        push_count(out, "Memory Size: ", metrics.memory_size_mb, " MB");
        push_count(out, "Max Memory Used: ", metrics.max_memory_used_mb, " MB");
        if style == LineStyle::Aws {
            push_part(out, "Init Duration: ", init);
        }
        push_part(out, "Restore Duration: ", metrics.restore_duration);
        push_count(out, "Billed Restore Duration: ", metrics.billed_restore_duration_ms, " ms");
        match self.status {
            Some(status @ (Status::Error | Status::Failure | Status::Timeout)) => {
                push_status(out, status, self.error_type.as_ref());
            }
            // The service's line ends in a tab, but for that of managed instances.
            Some(Status::Success) | None if metrics.billed_duration_ms.is_some() => out.push('\t'),
            Some(Status::Success) | None => {}
        }
    }
}

fn push_part(out: &mut String, name: &str, duration: Option<Duration>) {
    if let Some(duration) = duration {
        out.push('\t');
        out.push_str(name);
        push_millis(out, duration);
        out.push_str(" ms");
    }
}

fn push_count(out: &mut String, name: &str, count: Option<u64>, unit: &str) {
    if let Some(count) = count {
        out.push('\t');
        out.push_str(name);
        push_number(out, count);
        out.push_str(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> ReportData {
        ReportData {
            request_id: RequestId::parse("r-1").unwrap(),
            status: Some(Status::Success),
            error_type: None,
            metrics: ReportMetrics {
                duration: Duration::from_micros(2030),
                billed_duration_ms: Some(82),
                memory_size_mb: Some(128),
                max_memory_used_mb: Some(37),
                init_duration: Some(Duration::from_micros(79_220)),
                ..ReportMetrics::default()
            },
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
        }
    }

    fn line(report: &ReportData, style: LineStyle) -> String {
        report.line(style).unwrap()
    }

    #[test]
    fn a_report_has_a_trailing_tab_on_success_and_a_status_otherwise() {
        let mut report = report();
        assert_eq!(
            line(&report, LineStyle::Aws),
            "REPORT RequestId: r-1\tDuration: 2.03 ms\tBilled Duration: 82 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 37 MB\tInit Duration: 79.22 ms\t"
        );
        assert_eq!(
            line(&report, LineStyle::Rie),
            "REPORT RequestId: r-1\tInit Duration: 79.22 ms\tDuration: 2.03 ms\t\
             Billed Duration: 82 ms\tMemory Size: 128 MB\tMax Memory Used: 37 MB\t"
        );
        report.metrics.init_duration = None;
        report.status = Some(Status::Timeout);
        assert!(line(&report, LineStyle::Aws).ends_with("37 MB\tStatus: timeout"));
        report.status = Some(Status::Error);
        report.error_type = Some(ErrorType::RuntimeExitError);
        assert!(
            line(&report, LineStyle::Aws)
                .ends_with("37 MB\tStatus: error\tError Type: Runtime.ExitError")
        );
    }

    #[test]
    fn of_an_initialisation_inside_the_invocation_the_line_alone_tells() {
        let mut report = report();
        report.metrics.suppressed_init_duration = report.metrics.init_duration.take();
        assert!(line(&report, LineStyle::Aws).ends_with("\tInit Duration: 79.22 ms\t"));
        assert!(line(&report, LineStyle::Rie).contains("r-1\tInit Duration: 79.22 ms\t"));
        assert!(!serde_json::to_string(&report).unwrap().contains("nit"));
    }

    #[test]
    fn a_restoration_stands_at_the_end() {
        let mut report = report();
        report.metrics.init_duration = None;
        report.metrics.restore_duration = Some(Duration::from_micros(300_170));
        report.metrics.billed_restore_duration_ms = Some(158);
        assert!(
            line(&report, LineStyle::Aws)
                .ends_with("37 MB\tRestore Duration: 300.17 ms\tBilled Restore Duration: 158 ms\t")
        );
    }

    #[test]
    fn a_managed_instance_tells_the_duration_only() {
        let metrics =
            ReportMetrics { duration: Duration::from_micros(12_340), ..ReportMetrics::default() };
        let report = ReportData { metrics, ..report() };
        assert_eq!(line(&report, LineStyle::Aws), "REPORT RequestId: r-1\tDuration: 12.34 ms");
    }
}
