//! Telling the fixture runtime what to do, and what to expect when it fails.

use serde_json::{Value, json};

/// The event that makes the fixture runtime do `what`; add what it needs with `event["key"] = …`.
pub fn event(what: &str) -> Value {
    json!({ "do": what })
}

/// The body that stands for a failure which the platform describes itself.
pub fn error_body(error_type: &str, request_id: &str, message: &str) -> String {
    format!(
        r#"{{"errorType":"{error_type}","errorMessage":"RequestId: {request_id} Error: {message}"}}"#
    )
}

/// The figure that a `REPORT` line gives under `name`, as in `Max Memory Used`.
///
/// # Panics
/// When there is none.
#[track_caller]
pub fn figure(report: &str, name: &str) -> f64 {
    report
        .split('\t')
        .find_map(|field| field.strip_prefix(name)?.strip_prefix(": "))
        .and_then(|value| value.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in: {report}"))
}
