//! What the events of a batch look like on their way.

use bytes::Bytes;

/// A JSON array of the events, without a line ending.
pub(super) fn array(events: &[Bytes]) -> Bytes {
    joined(b"[", b",", events, b"]")
}

/// Every event on a line of its own.
pub(super) fn lines(events: &[Bytes]) -> Bytes {
    joined(b"", b"\n", events, b"\n")
}

/// Copies every event once, into exactly the memory that is needed.
fn joined(open: &[u8], between: &[u8], events: &[Bytes], close: &[u8]) -> Bytes {
    let size: usize = events.iter().map(|event| event.len() + between.len()).sum();
    let mut whole = Vec::with_capacity(open.len() + size + close.len());
    whole.extend_from_slice(open);
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            whole.extend_from_slice(between);
        }
        whole.extend_from_slice(event);
    }
    whole.extend_from_slice(close);
    whole.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_joined_as_the_two_protocols_want_them() {
        let events = [r#"{"a":1}"#, r#"{"b":2}"#].map(Bytes::from);
        assert_eq!(array(&events), r#"[{"a":1},{"b":2}]"#);
        assert_eq!(lines(&events), "{\"a\":1}\n{\"b\":2}\n");
        assert_eq!(array(&events[..1]), r#"[{"a":1}]"#);
        assert_eq!(lines(&events[..1]), "{\"a\":1}\n");
    }
}
