//! Summaries for a log of one's own, in the words of the seed's `String` methods.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use crate::{
    EndData, ExtensionInitData, FaultData, InitReportData, InitRuntimeDoneData, InitStartData,
    InvokeRuntimeDoneData, InvokeStartData, Line, LineStyle, ReportData, RestoreRuntimeDoneData,
    Span, Status,
};

/// Milliseconds with six decimals, of which durations have three.
struct Millis(Duration);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}000", micros / 1000, micros % 1000)
    }
}

impl Display for InitStartData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (kind, phase) = (self.initialization_type.as_str(), self.phase.as_str());
        write!(f, "INIT START(type: {kind}, phase: {phase})")
    }
}

impl Display for InitRuntimeDoneData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "INIT RTDONE(status: {})", self.status.as_str())
    }
}

impl Display for InitReportData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "INIT REPORT(durationMs: {})", Millis(self.metrics.duration))
    }
}

impl Display for ExtensionInitData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let error_type = self.error_type.as_deref().unwrap_or_default();
        let (name, state) = (&self.name, &self.state);
        write!(f, "EXTENSION INIT(agent name: {name}, state: {state}, error type: {error_type})")
    }
}

impl Display for RestoreRuntimeDoneData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "RESTORE RTDONE(status: {})", self.status.as_str())
    }
}

impl Display for InvokeStartData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "INVOKE START(requestId: {})", self.request_id)
    }
}

impl Display for InvokeRuntimeDoneData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let metrics = self.metrics.unwrap_or_default();
        write!(
            f,
            "INVOKE RTDONE(status: {}, produced bytes: {}, duration: {}ms)",
            self.status.as_str(),
            metrics.produced_bytes,
            Millis(metrics.duration)
        )
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "SPAN(name: {})", self.name.as_str())
    }
}

impl Display for FaultData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let line = self.line(LineStyle::Aws).unwrap_or_default();
        writeln!(f, "{line}")
    }
}

impl Display for EndData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("END")
    }
}

impl Display for ReportData {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let status = self.status.map_or("", Status::as_str);
        write!(f, "REPORT(status: {status}, durationMs: {})", Millis(self.metrics.duration))
    }
}

#[cfg(test)]
mod tests {
    use rapid_fatal_error::ErrorType;
    use rapid_interop::{EpochMillis, InitPhase, InitType, RequestId};

    use super::*;
    use crate::{InitReportMetrics, ReportMetrics, RuntimeDoneInvokeMetrics, SpanName};

    fn request_id() -> RequestId {
        RequestId::parse("r-1").unwrap()
    }

    #[test]
    fn initialisations_are_summed_up_as_in_the_seed() {
        let (initialization_type, phase) = (InitType::OnDemand, InitPhase::Init);
        let start = InitStartData {
            initialization_type,
            phase,
            runtime_version: None,
            runtime_version_arn: None,
            function_name: None,
            function_arn: None,
            function_version: None,
            instance_id: None,
            instance_max_memory: None,
            tracing: None,
        };
        assert_eq!(start.to_string(), "INIT START(type: on-demand, phase: init)");
        let restored = RestoreRuntimeDoneData {
            status: Status::Timeout,
            error_type: None,
            spans: Vec::new(),
            tracing: None,
        };
        assert_eq!(restored.to_string(), "RESTORE RTDONE(status: timeout)");
        let done = InitRuntimeDoneData {
            initialization_type,
            phase,
            status: Status::Success,
            error_type: None,
            spans: Vec::new(),
            tracing: None,
        };
        assert_eq!(done.to_string(), "INIT RTDONE(status: success)");
        let report = InitReportData {
            initialization_type,
            phase,
            status: Some(Status::Success),
            error_type: None,
            metrics: InitReportMetrics { duration: Duration::from_micros(576_059) },
            spans: Vec::new(),
            tracing: None,
        };
        assert_eq!(report.to_string(), "INIT REPORT(durationMs: 576.059000)");
        let extension = ExtensionInitData {
            name: "probe.sh".into(),
            state: "Ready".into(),
            events: Vec::new(),
            error_type: None,
        };
        assert_eq!(
            extension.to_string(),
            "EXTENSION INIT(agent name: probe.sh, state: Ready, error type: )"
        );
    }

    #[test]
    fn invocations_are_summed_up_as_in_the_seed() {
        let start = InvokeStartData {
            request_id: request_id(),
            version: None,
            function_arn: None,
            tenant_id: None,
            tracing: None,
        };
        assert_eq!(start.to_string(), "INVOKE START(requestId: r-1)");
        let duration = Duration::from_micros(2_030);
        let done = InvokeRuntimeDoneData {
            request_id: request_id(),
            status: Status::Success,
            error_type: None,
            metrics: Some(RuntimeDoneInvokeMetrics { duration, produced_bytes: 4 }),
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
            internal_metrics: None,
        };
        assert_eq!(
            done.to_string(),
            "INVOKE RTDONE(status: success, produced bytes: 4, duration: 2.030000ms)"
        );
        let name = SpanName::ExtensionOverhead;
        let span = Span { name, start: EpochMillis(0), duration };
        assert_eq!(span.to_string(), "SPAN(name: extensionOverhead)");
        let fault = FaultData {
            request_id: request_id(),
            status: Some(Status::Error),
            error_type: Some(ErrorType::RuntimeExitError),
            error_message: "exit status 1".into(),
        };
        let words = "RequestId: r-1 Error: exit status 1\nRuntime.ExitError\n";
        assert_eq!(fault.to_string(), words);
        assert_eq!(EndData { request_id: request_id() }.to_string(), "END");
        let report = ReportData {
            request_id: request_id(),
            status: Some(Status::Error),
            error_type: None,
            metrics: ReportMetrics { duration, ..ReportMetrics::default() },
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
        };
        assert_eq!(report.to_string(), "REPORT(status: error, durationMs: 2.030000)");
    }
}
