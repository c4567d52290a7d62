//! [`Reply`]: what a function returned, as an HTTP response.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::head::{Head, Members, Unusable};
use crate::wire;

/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The response that a function's whole output stands for: what its `statusCode`, `headers`,
    /// `cookies` and `body` say, or the output itself.
    ///
    /// # Errors
    /// [`Unusable`] when it is no JSON, or says something impossible.
    ///
    /// # Source
    /// Invoke API, "Function URL / HTTP API response mapping".
    pub(crate) fn of(output: Bytes) -> Result<Self, Unusable> {
        let trimmed = output.trim_ascii();
        let body = match trimmed.first() {
            None => Bytes::from_static(b"null"),
            Some(b'"') => Bytes::from(read::<String>(trimmed)?),
            Some(b'{') => {
                let members = Members::of(trimmed)?;
                if members.status_code.is_some() {
                    let head = Head::of(&members, wire::JSON)?;
                    return Ok(Self { head, body: body(&members)? });
                }
                output
            }
            Some(_) => {
                read::<IgnoredAny>(trimmed)?;
                output
            }
        };
        Ok(Self { head: Head::ok(wire::JSON), body })
    }
}

/// The head in a function's whole output, if it is an object with a `statusCode`.
///
/// # Errors
/// [`Unusable`] when that object says something impossible.
pub(crate) fn head_in(output: &[u8]) -> Result<Option<Head>, Unusable> {
    match Members::of(output) {
        Ok(members) if members.status_code.is_some() => Head::of(&members, wire::JSON).map(Some),
        Ok(_) | Err(_) => Ok(None),
    }
}

fn body(members: &Members<'_>) -> Result<Bytes, Unusable> {
    let Some(raw) = members.body.map(RawValue::get) else { return Ok(Bytes::new()) };
    if !raw.starts_with('"') {
        return Ok(Bytes::copy_from_slice(raw.as_bytes()));
    }
    let text: String = read(raw.as_bytes())?;
    if members.is_base64_encoded.map(RawValue::get) == Some("true") {
        return BASE64.decode(text).map(Bytes::from).map_err(Unusable::Base64);
    }
    Ok(Bytes::from(text))
}

fn read<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Result<T, Unusable> {
    serde_json::from_slice(json).map_err(|error| Unusable::NotJson(error.to_string()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};
    use proptest::prelude::*;

    use super::*;

    fn reply(output: &str) -> Result<Reply, Unusable> {
        Reply::of(Bytes::copy_from_slice(output.as_bytes()))
    }

    #[track_caller]
    fn check(output: &str, status: u16, content_type: &'static str, body: impl AsRef<[u8]>) {
        let reply = reply(output).unwrap_or_else(|error| panic!("{output}: {error}"));
        assert_eq!(reply.head.status, status, "{output}");
        let expected = HeaderValue::from_static(content_type);
        assert_eq!(reply.head.headers.get(header::CONTENT_TYPE), Some(&expected), "{output}");
        assert_eq!(reply.body, body.as_ref(), "{output}");
    }

    const JSON: &str = "application/json";

    #[test]
    fn an_object_with_a_status_code_says_what_to_answer() {
        check(r#"{"statusCode":200}"#, 200, JSON, "");
        check(r#"{"statusCode":201,"body":"h\u00e9llo\n"}"#, 201, JSON, "héllo\n");
        check(
            r#"{"statusCode":"404","headers":{"Content-Type":"text/html"},"body":"<p>"}"#,
            404,
            "text/html",
            "<p>",
        );
        check(r#"{"body":1,"statusCode":500,"body":"2","statusCode":201}"#, 201, JSON, "2");
        check("\n {\"statusCode\":200,\"other\":[{}],\"body\":null}\n", 200, JSON, "");
    }

    #[test]
    fn a_body_that_is_no_text_is_its_json() {
        for body in ["{\"a\": 1}", "[1,  2]", "12.50", "true", "\"\""] {
            let output = format!(r#"{{"statusCode":200,"isBase64Encoded":false,"body":{body}}}"#);
            check(&output, 200, JSON, body.trim_matches('"'));
        }
        check(
            r#"{"statusCode":200,"isBase64Encoded":true,"body":{"a":1}}"#,
            200,
            JSON,
            r#"{"a":1}"#,
        );
    }

    #[test]
    fn a_base64_body_is_decoded_only_when_it_is_said_to_be_one() {
        let output = |encoded: &str, body: &str| {
            format!(r#"{{"isBase64Encoded":{encoded},"statusCode":200,"body":"{body}"}}"#)
        };
        check(&output("true", "AP/+"), 200, JSON, [0, 255, 254]);
        check(&output("true", "aGk="), 200, JSON, "hi");
        check(&output("true", "aGk"), 200, JSON, "hi");
        check(&output("true", ""), 200, JSON, "");
        for no in ["false", "null", "\"true\"", "1"] {
            check(&output(no, "aGk="), 200, JSON, "aGk=");
        }
        for bad in ["a", "aGk=aGk=", "a_-b", "hello world", "aGl"] {
            let error = reply(&output("true", bad)).unwrap_err();
            assert!(matches!(error, Unusable::Base64(_)), "{bad}: {error}");
        }
    }

    #[test]
    fn anything_without_a_status_code_is_the_body_itself() {
        for output in [
            "{}",
            " {\"a\" : 1}\n",
            r#"{"body":"x","headers":{"a":"b"},"cookies":1}"#,
            r#"{"statusCode":null,"body":"x"}"#,
            r#"{"a":1,"body":1,"body":2}"#,
            r#"{"statusCode":500,"statusCode":null}"#,
            "[{\"statusCode\":500}]",
            "12.50",
            "true",
            "null",
        ] {
            check(output, 200, JSON, output);
        }
    }

    #[test]
    fn it_is_not_copied_either() {
        let output = Bytes::from_static(b" [1] ");
        assert_eq!(Reply::of(output.clone()).unwrap().body.as_ptr(), output.as_ptr());
    }

    #[test]
    fn a_text_alone_is_sent_without_its_quotes() {
        check("\"hello\"", 200, JSON, "hello");
        check(" \"a\\\"b\\u00e9\" ", 200, JSON, "a\"bé");
        check("\"\"", 200, JSON, "");
    }

    #[test]
    fn nothing_is_null() {
        check("", 200, JSON, "null");
        check(" \n", 200, JSON, "null");
    }

    #[test]
    fn what_is_no_json_is_no_response() {
        for bad in ["<html>", "{", "{}{}", "\"a", "[1", "nul", "'a'", "1 2", "\u{feff}{}"] {
            assert!(matches!(reply(bad), Err(Unusable::NotJson(_))), "{bad}");
        }
        let bytes = Reply::of(Bytes::from_static(b"\"\xFF\""));
        assert!(matches!(bytes, Err(Unusable::NotJson(_))), "{bytes:?}");
    }

    #[test]
    fn a_head_is_looked_for_in_objects_with_a_status_code_only() {
        for none in ["", "[]", "{}", "{\"a\":1}", "{\"statusCode\":200", "text"] {
            assert_eq!(head_in(none.as_bytes()), Ok(None), "{none}");
        }
        let found = head_in(br#"{"statusCode":418,"body":"x"}"#).unwrap().unwrap();
        assert_eq!(found.status, 418);
        let found = head_in(br#"{"statusCode":500,"statusCode":418}"#).unwrap().unwrap();
        assert_eq!(found.status, 418);
        assert!(head_in(br#"{"statusCode":1}"#).is_err());
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(output in ".{0,60}", member in "[a-zA-Z0-9\"{}:,\\[\\] ]{0,20}") {
            let _ = reply(&output);
            let _ = reply(&format!(r#"{{"statusCode":200,"headers":{{"a":{member}}}}}"#));
        }
    }
}
