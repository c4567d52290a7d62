//! The tracing header of an invocation: the invoker's, or a new one.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue};
use rapid_interop::trace::{TraceHeader, new_header};

use crate::wire;

/// The tracing header that an invocation gets: the invoker's as it is, or what the invoker's
/// `traceparent` says, or a new one.
///
/// # Source
/// Invoke API, "Invoke request"; ours for `traceparent`.
pub(crate) fn trace_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(wire::TRACE_ID).filter(|value| !value.is_empty()).cloned();
    given.or_else(|| from_traceparent(headers)).unwrap_or_else(new_trace_id)
}

fn from_traceparent(headers: &HeaderMap) -> Option<HeaderValue> {
    let traceparent = headers.get(wire::TRACEPARENT)?.to_str().ok()?;
    HeaderValue::try_from(TraceHeader::from_traceparent(traceparent)?.to_string()).ok()
}

/// A tracing header as the service makes it:
/// `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0;Lineage=1:<8 hex>:0`.
///
/// # Source
/// Invoke API, "Invoke request".
#[must_use]
pub fn new_trace_id() -> HeaderValue {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Only hexadecimal digits and the letters above.
    HeaderValue::try_from(new_header(seconds)).unwrap_or(HeaderValue::from_static("Sampled=0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    fn taken(headers: &[(http::HeaderName, &'static str)]) -> HeaderValue {
        let headers = headers.iter().cloned();
        trace_id(&headers.map(|(name, value)| (name, HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn a_new_trace_id_has_the_form_of_the_service() {
        let header = new_trace_id();
        let made = TraceHeader::parse(header.to_str().unwrap());
        assert!(made.trace_id().is_some() && made.parent_id().is_some(), "{header:?}");
        assert!(!made.is_sampled() && made.lineage.starts_with("1:"), "{header:?}");
        assert_eq!(header, made.to_string());
        assert_ne!(header, new_trace_id());
    }

    #[test]
    fn the_invokers_header_is_taken_as_it_is() {
        for given in ["Root=1-a-b;Parent=c;Sampled=0;Lineage=1:0399f0f7:0", "anything"] {
            assert_eq!(taken(&[(wire::TRACE_ID, given), (wire::TRACEPARENT, TRACEPARENT)]), given);
        }
    }

    #[test]
    fn a_traceparent_stands_in_for_a_header_that_is_not_there() {
        let same = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(taken(&[(wire::TRACEPARENT, TRACEPARENT)]), same);
        assert_eq!(taken(&[(wire::TRACE_ID, ""), (wire::TRACEPARENT, TRACEPARENT)]), same);
        for none in ["", "00-nonsense", "00-5759e988bd862e3fe1be46a994272793-0000000000000000-01"] {
            let made = taken(&[(wire::TRACEPARENT, none)]);
            assert!(made.to_str().unwrap().contains(";Sampled=0;Lineage=1:"), "{none}: {made:?}");
        }
    }
}
