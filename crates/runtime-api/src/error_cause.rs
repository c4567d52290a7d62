//! [`error_cause`]: what of an X-Ray error cause fits into a trace.

use rapid_interop::limits::MAX_ERROR_CAUSE_SIZE;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::wire::{is_object, null_as_default};

/// How much of the lists is kept, from one try to the next.
const FACTORS: [f64; 4] = [0.8, 0.6, 0.4, 0.2];
/// The longest text that is kept when the lists had to go.
const LAST_RESORT: usize = (MAX_ERROR_CAUSE_SIZE - 4096) / 2;

#[derive(Clone, Serialize, Deserialize)]
struct Cause {
    #[serde(default)]
    exceptions: Option<Vec<Exception>>,
    #[serde(default, deserialize_with = "null_as_default")]
    working_directory: String,
    #[serde(default)]
    paths: Option<Vec<String>>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    message: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Exception {
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    message: String,
    #[serde(
        default,
        rename = "type",
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    kind: String,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    stack: Vec<StackFrame>,
}

#[derive(Clone, Serialize, Deserialize)]
struct StackFrame {
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    path: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    line: i64,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "String::is_empty"
    )]
    label: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Reads an error cause and crops it to 65536 bytes of JSON; `None` when it is unusable.
///
/// # Source
/// Runtime API, "X-Ray error cause".
#[must_use]
pub fn error_cause(json: &[u8]) -> Option<Box<RawValue>> {
    if !is_object(json) {
        return None;
    }
    let cause: Cause = serde_json::from_slice(json).ok()?;
    let says_something = !cause.working_directory.is_empty()
        || !cause.message.is_empty()
        || cause.paths.as_ref().is_some_and(|paths| !paths.is_empty())
        || cause.exceptions.as_ref().is_some_and(|exceptions| !exceptions.is_empty());
    if !says_something {
        tracing::debug!("an error cause without content was dropped");
        return None;
    }
    let cropped = FACTORS.iter().map(|factor| crop_lists(&cause, *factor));
    std::iter::once(cause.clone())
        .chain(cropped)
        .find_map(|cause| fitting(&cause))
        .or_else(|| fitting(&last_resort(&cause)))
}

fn fitting(cause: &Cause) -> Option<Box<RawValue>> {
    let json = serde_json::value::to_raw_value(cause).ok()?;
    (json.get().len() <= MAX_ERROR_CAUSE_SIZE).then_some(json)
}

fn crop_lists(cause: &Cause, factor: f64) -> Cause {
    fn first<T: Clone>(list: &[T], factor: f64) -> Vec<T> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a fraction of a length is a length"
        )]
        let kept = (list.len() as f64 * factor) as usize;
        list[..kept.min(list.len())].to_vec()
    }
    Cause {
        exceptions: cause.exceptions.as_ref().map(|list| first(list, factor)),
        paths: cause.paths.as_ref().map(|list| first(list, factor)),
        ..cause.clone()
    }
}

fn last_resort(cause: &Cause) -> Cause {
    Cause {
        exceptions: None,
        paths: None,
        working_directory: shorten(&cause.working_directory),
        message: shorten(&cause.message),
    }
}

/// At most [`LAST_RESORT`] bytes, cut between characters, and marked where it was cut.
fn shorten(text: &str) -> String {
    if text.len() <= LAST_RESORT {
        return text.to_owned();
    }
    let mut end = LAST_RESORT - 3;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cause(json: &str) -> Option<String> {
        error_cause(json.as_bytes()).map(|raw| raw.get().to_owned())
    }

    #[test]
    fn a_cause_keeps_its_known_keys_and_drops_the_others() {
        assert_eq!(
            cause(r#"{"working_directory":"/w","paths":["a"],"extra":1,"exceptions":[{"type":"T","message":"m","stack":[{"path":"p","line":3,"label":""}]}]}"#).as_deref(),
            Some(r#"{"exceptions":[{"message":"m","type":"T","stack":[{"path":"p","line":3}]}],"working_directory":"/w","paths":["a"]}"#)
        );
    }

    #[test]
    fn a_cause_that_says_nothing_or_has_wrong_types_is_unusable() {
        for bad in [
            "",
            "[]",
            r#"[[],"/w"]"#,
            "{}",
            r#"{"paths":[]}"#,
            r#"{"message":1}"#,
            r#"{"paths":"a"}"#,
        ] {
            assert_eq!(cause(bad), None, "{bad}");
        }
    }

    #[test]
    fn lists_are_shortened_step_by_step_until_the_cause_fits() {
        let path = "x".repeat(1000);
        let json = serde_json::json!({ "paths": vec![path; 100] }).to_string();
        let fitted: serde_json::Value = serde_json::from_str(&cause(&json).unwrap()).unwrap();
        assert_eq!(fitted["paths"].as_array().unwrap().len(), 60);
    }

    #[test]
    fn texts_are_shortened_between_characters_as_a_last_resort() {
        let json = serde_json::json!({ "message": "ä".repeat(80_000) }).to_string();
        let fitted: serde_json::Value = serde_json::from_str(&cause(&json).unwrap()).unwrap();
        let message = fitted["message"].as_str().unwrap();
        assert!(message.len() <= LAST_RESORT && message.ends_with("ä..."), "{}", message.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_comes_in_what_goes_out_is_json_and_fits(
            message in ".{0,40}",
            repeat in 0_usize..2000,
            (path, paths) in (".{0,40}", 0_usize..4000),
        ) {
            let json = serde_json::json!({
                "message": message.repeat(repeat), "paths": vec![path; paths], "working_directory": "/w",
            });
            let fitted = error_cause(json.to_string().as_bytes());
            // Escapes can blow texts up past the limit even after the last resort.
            if let Some(fitted) = fitted {
                prop_assert!(fitted.get().len() <= MAX_ERROR_CAUSE_SIZE);
            }
        }
    }
}
