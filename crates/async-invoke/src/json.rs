//! [`embed`]: JSON as somebody wrote it, fit to stand in a line of ours.

use serde_json::value::RawValue;

/// The same JSON without the space between its parts; `None` if it is none, or nothing.
///
/// Numbers, names and their order stay as they were written: reading them into values and writing
/// them again would change some.
pub(crate) fn embed(json: &[u8]) -> Option<Box<RawValue>> {
    let value: &RawValue = serde_json::from_slice(json).ok()?;
    RawValue::from_string(without_space(value.get())).ok()
}

/// Whether this is JSON.
///
/// # Errors
/// What the parser says.
pub(crate) fn check(json: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<&RawValue>(json).map(|_| ())
}

fn without_space(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            if in_text {
                in_text = escaped || c != '"';
                escaped = !escaped && c == '\\';
                return true;
            }
            in_text = c == '"';
            !matches!(c, ' ' | '\t' | '\n' | '\r')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn embedded(json: &str) -> Option<String> {
        embed(json.as_bytes()).map(|value| value.get().to_owned())
    }

    #[test]
    fn space_goes_and_everything_else_stays() {
        let rows = [
            ("{\n  \"b\": 1.0e5,\r\n\t\"a\": [ ]\n}\n", r#"{"b":1.0e5,"a":[]}"#),
            (r#" "a \" b \\" "#, r#""a \" b \\""#),
            (r#"["\\", " ", "\\\" "]"#, r#"["\\"," ","\\\" "]"#),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("null", "null"),
        ];
        for (json, expected) in rows {
            assert_eq!(embedded(json).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_not_json_stays_out() {
        for json in ["", " ", "1 2", "{", "'a'", "<html>"] {
            assert_eq!(embedded(json), None, "{json}");
            assert!(check(json.as_bytes()).is_err(), "{json}");
        }
        assert!(embed(b"\"\xff\"").is_none());
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            "[ \\t\\n\"\\\\a-c]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::vec(("[ \"\\\\a]{0,3}", inner), 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn pretty_json_becomes_one_line_of_the_same_value(value in values()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(embedded(&pretty), Some(value.to_string()));
        }
    }
}
