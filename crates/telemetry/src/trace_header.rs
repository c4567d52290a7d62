//! [`TracePlace`]: where an invocation stands in its trace; and the tracing header itself, which is
//! [`rapid_interop::trace`]'s.

pub use rapid_interop::trace::{SpanId, TraceHeader, TraceId};

/// Where an invocation stands in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracePlace {
    /// The trace.
    pub trace: TraceId,
    /// The invocation's own segment: what the function's segments are below.
    pub segment: SpanId,
    /// The segment from which the invocation came; `None` if the trace begins with it.
    pub parent: Option<SpanId>,
}

impl TracePlace {
    /// The place that a `platform.start` event tells with its `spanId` and its header; `None`
    /// without a proper root, or if the trace is not sampled.
    ///
    /// - Both ids: the header is the runtime's, whose parent is the invocation's own segment, and
    ///   `spanId` is the invoker's segment; the same id twice means that there is none.
    /// - Only the header's parent: the header is the invoker's, and the invocation gets a segment of
    ///   its own.
    ///
    /// # Source
    /// Standalone API, "Standalone tracer".
    #[must_use]
    pub fn of_start(span_id: Option<&str>, header: &str) -> Option<Self> {
        let header = TraceHeader::parse(header);
        if !header.is_sampled() {
            return None;
        }
        let trace = header.trace_id()?;
        let (segment, parent) = match (span_id.and_then(SpanId::parse), header.parent_id()) {
            (Some(invoker), Some(own)) => (own, (invoker != own).then_some(invoker)),
            (None, invoker) | (invoker, None) => (SpanId::random(), invoker),
        };
        Some(Self { trace, segment, parent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
    const PARENT: &str = "53995c3f42cd8ad8";

    #[test]
    fn an_invocation_finds_its_place_in_its_trace() {
        const INVOKER: &str = "00000000000000aa";
        let id = SpanId::parse;
        let place = |span_id, header: &str| TracePlace::of_start(span_id, header);
        let header = format!("Root={ROOT};Parent={PARENT};Sampled=1");

        let below = place(Some(INVOKER), &header).unwrap();
        assert_eq!(below.trace.to_string(), ROOT);
        assert_eq!((Some(below.segment), below.parent), (id(PARENT), id(INVOKER)));
        let first = place(Some(PARENT), &header).unwrap();
        assert_eq!((Some(first.segment), first.parent), (id(PARENT), None));
        let raw = place(None, &header).unwrap();
        assert_eq!(raw.parent, id(PARENT));
        assert_ne!(Some(raw.segment), id(PARENT));
        let rootless = place(None, &format!("Root={ROOT};Sampled=1")).unwrap();
        assert_eq!(rootless.parent, None);
        let invoked = place(Some(INVOKER), &format!("Root={ROOT};Sampled=1")).unwrap();
        assert_eq!(invoked.parent, id(INVOKER));

        for nowhere in [
            "",
            "Root=r;Parent=53995c3f42cd8ad8;Sampled=1",
            &header.replace("Sampled=1", "Sampled=0"),
            &header.replace(";Sampled=1", ""),
        ] {
            assert_eq!(place(Some(INVOKER), nowhere), None, "{nowhere}");
        }
    }
}
