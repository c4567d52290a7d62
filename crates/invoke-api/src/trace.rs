//! [`new_trace_id`]: a tracing header for invocations that came without one.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use uuid::Uuid;

/// As long as it gets.
const LENGTH: usize = 96;

/// A tracing header as the service makes it:
/// `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0;Lineage=1:<8 hex>:0`.
///
/// # Source
/// Invoke API, "Invoke request".
#[must_use]
pub fn new_trace_id() -> HeaderValue {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut root, mut other) = ([0; 32], [0; 32]);
    let root = Uuid::new_v4().simple().encode_lower(&mut root);
    let other = Uuid::new_v4().simple().encode_lower(&mut other);
    // Put together without `format!`, which takes five times as long: nearly every invocation gets
    // one.
    let mut text = String::with_capacity(LENGTH);
    // Writing to a string cannot fail.
    let _ = write!(text, "Root=1-{seconds:08x}-");
    for piece in
        [&root[..24], ";Parent=", &other[..16], ";Sampled=0;Lineage=1:", &other[16..24], ":0"]
    {
        text.push_str(piece);
    }
    // Only hexadecimal digits and the letters above.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Sampled=0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_trace_id_has_the_form_of_the_service() {
        let header = new_trace_id();
        let parts: Vec<_> = header.to_str().unwrap().split(';').collect();
        let root: Vec<_> = parts[0].strip_prefix("Root=").unwrap().split('-').collect();
        assert_eq!((root[0], root[1].len(), root[2].len()), ("1", 8, 24));
        assert_eq!(parts[1].strip_prefix("Parent=").unwrap().len(), 16);
        assert_eq!(parts[2], "Sampled=0");
        assert!(parts[3].starts_with("Lineage=1:") && parts[3].ends_with(":0"));
        assert_ne!(header, new_trace_id());
    }
}
