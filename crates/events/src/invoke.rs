//! Events of an invocation, but for its report.

use std::sync::Arc;
use std::time::Duration;

use rapid_fatal_error::ErrorType;
use rapid_interop::{RequestId, TenantId};
use serde::{Deserialize, Serialize};

use crate::{InvokeResponseMetrics, Line, LineStyle, Span, Status, TracingCtx, wire};

/// `platform.start`: an invocation begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvokeStartData {
    /// The invocation.
    #[serde(with = "wire::request_id")]
    pub request_id: RequestId,
    /// The version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// The function's ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_arn: Option<Arc<str>>,
    /// The tenant on whose behalf it runs.
    #[serde(default, with = "wire::tenant_id", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
}

impl Line for InvokeStartData {
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        out.push_str("START RequestId: ");
        out.push_str(self.request_id.as_str());
        if let Some(version) = &self.version {
            out.push_str(" Version: ");
            out.push_str(version);
        }
    }
}

/// `platform.runtimeDone`: the runtime's part of the invocation has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvokeRuntimeDoneData {
    /// The invocation.
    #[serde(with = "wire::request_id")]
    pub request_id: RequestId,
    /// How it ended.
    pub status: Status,
    /// What it ran into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// What it took; `None` only as received in a schema that does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<RuntimeDoneInvokeMetrics>,
    /// Its parts, if it came to a response (see [`crate::runtime_done_spans`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// The tenant on whose behalf it ran.
    #[serde(default, with = "wire::tenant_id", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// Its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<TracingCtx>,
    /// How the response came in, for those inside the process.
    #[serde(skip)]
    pub internal_metrics: Option<InvokeResponseMetrics>,
}

/// What the runtime's part of an invocation took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeDoneInvokeMetrics {
    /// From the hand-over to the next call for an event, to the microsecond.
    #[serde(rename = "durationMs", with = "wire::millis")]
    pub duration: Duration,
    /// Bytes of the response; 0 for an error report.
    #[serde(default)]
    pub produced_bytes: u64,
}

/// `platform.end`: the invocation has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndData {
    /// The invocation.
    #[serde(with = "wire::request_id")]
    pub request_id: RequestId,
}

impl Line for EndData {
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        out.push_str("END RequestId: ");
        out.push_str(self.request_id.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_end_read_as_the_service_writes_them() {
        let request_id = RequestId::parse("r-1").unwrap();
        let mut start = InvokeStartData {
            request_id: request_id.clone(),
            version: Some("$LATEST".into()),
            function_arn: None,
            tenant_id: TenantId::parse("acme"),
            tracing: None,
        };
        let end = EndData { request_id };
        for style in [LineStyle::Aws, LineStyle::Rie] {
            let line = start.line(style);
            assert_eq!(line.as_deref(), Some("START RequestId: r-1 Version: $LATEST"));
            assert_eq!(end.line(style).as_deref(), Some("END RequestId: r-1"));
        }
        start.version = None;
        assert_eq!(start.line(LineStyle::Aws).as_deref(), Some("START RequestId: r-1"));
    }
}
