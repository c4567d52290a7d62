//! [`decode`]: what one request brings.

use rapid_events::Received;
use serde_json::value::RawValue;

/// Reads a body event by event.
///
/// One that is not known is kept as it came. One that has not even a time and a type is left out:
/// nobody could do anything with it, and the others are not to be lost with it.
///
/// # Errors
/// When it is no array of JSON values at all.
pub(crate) fn decode(body: &[u8]) -> serde_json::Result<Vec<Received>> {
    let values: Vec<&RawValue> = serde_json::from_slice(body)?;
    let decoded = values.into_iter().filter_map(|value| {
        let read = Received::decode(value.get().as_bytes());
        read.inspect_err(|error| tracing::warn!(%error, "left out of a batch of telemetry")).ok()
    });
    Ok(decoded.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Platform, Record};

    #[test]
    fn one_bad_event_spoils_no_other() {
        let body = br#"[
            {"time":"2026-09-15T07:13:10.674Z","type":"function","record":"hello\n"},
            {"type":"function","record":"without a time"}, 1, null, [], "text",
            {"time":"2026-09-15T07:13:10.675Z","type":"platform.new","record":{"a":[1]}},
            {"time":"2026-09-15T07:13:10.676Z","type":"platform.report","record":{"requestId":7}},
            {"time":"2026-09-15T07:13:10.677Z","type":"platform.runtimeDone","record":{"requestId":"r-1","status":"success"}}
        ]"#;
        let events = decode(body).unwrap();
        let [
            Received::Known(line),
            Received::Other(new),
            Received::Other(odd),
            Received::Known(done),
        ] = events.as_slice()
        else {
            panic!("it is {events:?}");
        };
        assert!(matches!(&line.record, Record::Function(record) if record.text == "hello\n"));
        assert_eq!((&*new.kind, new.record.get()), ("platform.new", r#"{"a":[1]}"#));
        assert_eq!((&*odd.kind, odd.record.get()), ("platform.report", r#"{"requestId":7}"#));
        assert!(matches!(&done.record, Record::Platform(Platform::RuntimeDone(_))));
    }

    #[test]
    fn what_is_no_array_is_no_batch() {
        assert!(decode(b"[]").unwrap().is_empty());
        for body in ["", "{}", "[1", "[{]", "1", "[] []", "\"[]\"", "\u{feff}[]"] {
            assert!(decode(body.as_bytes()).is_err(), "{body}");
        }
    }
}
