//! The tracing header of a request, and what becomes of it.

use http::{HeaderMap, HeaderValue};
use rapid_interop::trace::{TraceHeader, TraceId, new_header};

use crate::wire;

/// Where a request stands in which trace.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// What the runtime and the client are told: `Root=…;Parent=…;Sampled=…`.
    pub(crate) header: HeaderValue,
    /// What the event says: `Self=…;Root=…`.
    pub(crate) in_event: String,
}

impl Trace {
    /// Goes on with the client's trace, or with what its `traceparent` says, or begins a new one.
    ///
    /// # Source
    /// Invoke API, "Invoke request" and "Function URL / HTTP API event"; ours for `traceparent`.
    pub(crate) fn of(headers: &HeaderMap, epoch_seconds: u64) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let given = text(wire::TRACE_ID).map(TraceHeader::parse);
        let trace = given
            .filter(|given| !given.root.is_empty())
            .or_else(|| text(wire::TRACEPARENT).and_then(TraceHeader::from_traceparent))
            .unwrap_or_else(|| TraceHeader::parse(&new_header(epoch_seconds)));
        let in_event = format!("Self={};Root={}", TraceId::random(epoch_seconds), trace.root);
        // Made of what came in a header, or of letters and digits.
        let header = HeaderValue::try_from(trace.to_string());
        Self { header: header.unwrap_or(HeaderValue::from_static("Sampled=0")), in_event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
    const TRACEPARENT: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    fn trace(headers: &[(http::HeaderName, &'static str)]) -> (String, String) {
        let headers = headers.iter().cloned();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let trace = Trace::of(&headers.collect(), 0x5759_E988);
        let (own, root) = trace.in_event.split_once(';').unwrap();
        let own = own.strip_prefix("Self=").unwrap();
        assert!(own.starts_with("1-5759e988-") && TraceId::parse(own).is_some(), "{own}");
        (trace.header.to_str().unwrap().to_owned(), root.to_owned())
    }

    #[test]
    fn the_clients_trace_goes_on() {
        let (header, in_event) = trace(&[
            (wire::TRACE_ID, "Self=1-a-b;Root=r;Parent=p;Sampled=1;Lineage=l"),
            (wire::TRACEPARENT, TRACEPARENT),
        ]);
        assert_eq!(header, "Root=r;Parent=p;Sampled=1;Lineage=l");
        assert_eq!(in_event, "Root=r");
        let (header, _) = trace(&[(wire::TRACE_ID, "Root=r")]);
        assert_eq!(header, "Root=r;Sampled=0");
    }

    #[test]
    fn a_traceparent_stands_in_for_a_header_without_a_root() {
        for other in ["", "Sampled=1", "nonsense"] {
            let (header, in_event) =
                trace(&[(wire::TRACE_ID, other), (wire::TRACEPARENT, TRACEPARENT)]);
            assert_eq!(header, format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"));
            assert_eq!(in_event, format!("Root={ROOT}"));
        }
    }

    #[test]
    fn without_either_a_trace_begins() {
        let (header, in_event) = trace(&[(wire::TRACEPARENT, "00-nonsense")]);
        assert!(header.starts_with(&format!("{in_event};Parent=")), "{header}");
        assert!(header.contains(";Sampled=0;Lineage=1:"), "{header}");
        assert_ne!(trace(&[]).1, in_event);
    }
}
