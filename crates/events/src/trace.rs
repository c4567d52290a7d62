//! [`TracingCtx`]: which trace an event belongs to.

use std::sync::Arc;

use rapid_interop::trace::{SpanId, TraceHeader};
use serde::{Deserialize, Serialize};

/// The trace that an event belongs to; only events of sampled traces have one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TracingCtx {
    /// The segment that the event stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<Arc<str>>,
    /// What `value` is.
    #[serde(rename = "type")]
    pub kind: TracingType,
    /// The tracing header.
    pub value: Arc<str>,
}

/// The kinds of tracing header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TracingType {
    /// X-Ray's.
    #[default]
    #[serde(rename = "X-Amzn-Trace-Id")]
    AmznTraceId,
}

impl TracingCtx {
    /// The context of a tracing header (`Root=…;Parent=…;Sampled=1`), `None` unless it has a root
    /// and is sampled.
    ///
    /// # Source
    /// Telemetry API, "Event envelope"; Lifecycle, "Tracing".
    #[must_use]
    pub fn sampled(header: &str) -> Option<Self> {
        // Every invocation has a header and few are sampled: taken apart are only those.
        if !header.contains("Sampled=1") {
            return None;
        }
        let parts = TraceHeader::parse(header);
        (parts.is_sampled() && !parts.root.is_empty()).then(|| Self {
            span_id: None,
            kind: TracingType::AmznTraceId,
            value: header.into(),
        })
    }

    /// The context of an invocation that has come with this one and runs as a segment of its own:
    /// the header is the one for its runtime, the span is the invoker's. An invocation that comes
    /// from no segment has its own as its span, too.
    ///
    /// ```
    /// use rapid_events::TracingCtx;
    /// use rapid_interop::trace::SpanId;
    ///
    /// let own = SpanId::parse("00000000000000aa").unwrap();
    /// let came = TracingCtx::sampled("Root=1-a-b;Parent=53995c3f42cd8ad8;Sampled=1").unwrap();
    /// let runs = came.below(own);
    /// assert_eq!(&*runs.value, "Root=1-a-b;Parent=00000000000000aa;Sampled=1");
    /// assert_eq!(runs.span_id.as_deref(), Some("53995c3f42cd8ad8"));
    /// ```
    ///
    /// # Source
    /// Lifecycle, "Tracing"; Standalone API, "Standalone tracer".
    #[must_use]
    pub fn below(self, own: SpanId) -> Self {
        let header = TraceHeader::parse(&self.value);
        let invoker = header.parent_id().unwrap_or(own);
        let value = header.under(own).to_string().into();
        Self { span_id: Some(invoker.to_string().into()), value, ..self }
    }

    /// The same, of this segment.
    #[must_use]
    pub fn with_span_id(self, span_id: Arc<str>) -> Self {
        Self { span_id: Some(span_id), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sampled_header_makes_a_context() {
        let rows = [
            ("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", true),
            ("Sampled=1;Root=1-a-b", true),
            ("Root=1-a-b;Parent=c;Sampled=1;Lineage=1:0399f0f7:0", true),
            ("Root=1-a-b;Parent=c;Sampled=0;Lineage=1:0399f0f7:0", false),
            ("Root=1-a-b;Parent=c", false),
            ("Root=1-a-b;Sampled=1=1", false),
            ("Root=1-a-b;Sampled=?", false),
            ("Root=1-a-b;Sampled=10", false),
            ("Parent=c;Sampled=1", false),
            ("", false),
        ];
        for (header, expected) in rows {
            assert_eq!(TracingCtx::sampled(header).is_some(), expected, "{header}");
        }
    }

    #[test]
    fn a_context_has_the_contracts_keys() {
        let context = TracingCtx::sampled("Root=1-a-b;Parent=c;Sampled=1").unwrap();
        assert_eq!(
            serde_json::to_string(&context).unwrap(),
            r#"{"type":"X-Amzn-Trace-Id","value":"Root=1-a-b;Parent=c;Sampled=1"}"#
        );
        assert_eq!(
            serde_json::to_string(&context.with_span_id("0a".into())).unwrap(),
            r#"{"spanId":"0a","type":"X-Amzn-Trace-Id","value":"Root=1-a-b;Parent=c;Sampled=1"}"#
        );
    }

    #[test]
    fn an_invocation_without_a_calling_segment_is_its_own_span() {
        let own = SpanId::parse("00000000000000aa").unwrap();
        for header in ["Root=1-a-b;Sampled=1;Lineage=l", "Root=1-a-b;Parent=c;Sampled=1;Lineage=l"]
        {
            let runs = TracingCtx::sampled(header).unwrap().below(own);
            assert_eq!(&*runs.value, "Root=1-a-b;Parent=00000000000000aa;Sampled=1;Lineage=l");
            assert_eq!(runs.span_id.as_deref(), Some("00000000000000aa"), "{header}");
        }
    }
}
