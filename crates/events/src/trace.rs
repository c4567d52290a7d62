//! [`TracingCtx`]: which trace an event belongs to.

use std::sync::Arc;

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
    /// The context of a tracing header (`Root=…;Parent=…;Sampled=1`), `None` unless it is sampled.
    ///
    /// # Source
    /// Telemetry API, "Event envelope"; Lifecycle, "Tracing".
    #[must_use]
    pub fn sampled(header: &str) -> Option<Self> {
        let sampled = header.split(';').any(|pair| pair.trim() == "Sampled=1");
        sampled.then(|| Self {
            span_id: None,
            kind: TracingType::AmznTraceId,
            value: header.into(),
        })
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
}
