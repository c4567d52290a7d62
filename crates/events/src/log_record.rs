//! [`LogRecord`]: what a function or an extension has written.

use std::borrow::Cow;

use bytes::Bytes;
use rapid_interop::RequestId;
use serde_json::Value;

use crate::{Level, Schema};

/// A line, or a framed record, that a function or an extension has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// What was written, exactly: with the line ending if there was one. What is not UTF-8 is
    /// told as U+FFFD.
    pub text: Bytes,
    /// Its level, if the writer gave one.
    pub level: Option<Level>,
    /// The invocation that it belongs to, if somebody knows.
    pub request_id: Option<RequestId>,
    /// Whether the log format is JSON, in which a text that is an object is told as one.
    pub is_json_format: bool,
}

impl LogRecord {
    /// A record of the text format, about which nothing else is known.
    #[must_use]
    pub const fn text(text: Bytes) -> Self {
        Self { text, level: None, request_id: None, is_json_format: false }
    }

    /// The record as JSON: an object if that is what it is and if the schema has such records, a
    /// string otherwise.
    ///
    /// # Source
    /// Telemetry API, "Function and extension log records".
    pub(crate) fn write_json(
        &self,
        schema: Schema,
        out: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        let text = String::from_utf8_lossy(&self.text);
        let objects_told = self.is_json_format && schema >= Schema::Telemetry20221213;
        match objects_told.then(|| object(&text)).flatten() {
            Some(object) => {
                out.extend_from_slice(one_line(object).as_bytes());
                Ok(())
            }
            None => serde_json::to_writer(out, &text),
        }
    }
}

/// `text` without the space around it, if it is a JSON object.
///
/// It has to be one for everybody: half a surrogate pair or a hundred levels pass a look at the
/// syntax, and the subscriber that cannot read them would refuse the whole batch.
fn object(text: &str) -> Option<&str> {
    let text = text.trim_ascii();
    let is_object = text.starts_with('{') && serde_json::from_str::<Value>(text).is_ok();
    is_object.then_some(text)
}

/// JSON on one line, as subscribers that read lines need it. A line ending in valid JSON can only
/// be space between its tokens.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        Cow::Owned(json.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &'static [u8], is_json_format: bool, schema: Schema) -> String {
        let record = LogRecord { is_json_format, ..LogRecord::text(Bytes::from_static(text)) };
        let mut out = Vec::new();
        record.write_json(schema, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_text_keeps_its_line_ending() {
        for schema in Schema::ALL {
            let found = json(b"FUNCTION_MARKER NORMAL\n", false, schema);
            assert_eq!(found, r#""FUNCTION_MARKER NORMAL\n""#);
        }
    }

    #[test]
    fn an_object_is_told_as_one_only_in_the_json_format_and_in_newer_schemas() {
        let line = b"{\"level\":\"INFO\", \"message\":\"hi\"}\n";
        let text = r#""{\"level\":\"INFO\", \"message\":\"hi\"}\n""#;
        let object = r#"{"level":"INFO", "message":"hi"}"#;
        for schema in Schema::ALL {
            assert_eq!(json(line, false, schema), text);
        }
        assert_eq!(json(line, true, Schema::Logs20210318), text);
        assert_eq!(json(line, true, Schema::Telemetry20220701), text);
        assert_eq!(json(line, true, Schema::Telemetry20221213), object);
        assert_eq!(json(line, true, Schema::Telemetry20250129), object);
    }

    #[test]
    fn other_json_and_broken_json_stay_a_text() {
        let rows: [(&'static [u8], &str); 7] = [
            (br#"{"a":"\ud800"}"#, r#""{\"a\":\"\\ud800\"}""#),
            (br#"{"a":1e999}"#, r#""{\"a\":1e999}""#),
            (b"[1]\n", r#""[1]\n""#),
            (b"null", r#""null""#),
            (b"{\"a\":", r#""{\"a\":""#),
            (b"{} {}", r#""{} {}""#),
            (b"", r#""""#),
        ];
        for (line, expected) in rows {
            assert_eq!(json(line, true, Schema::LATEST), expected);
        }
    }

    #[test]
    fn an_object_of_several_lines_becomes_one_line() {
        let found = json(b"{\r\n \"a\": \"b\\n\"\n}\n", true, Schema::LATEST);
        assert_eq!(found, r#"{   "a": "b\n" }"#);
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(json(b"a\xFFb", false, Schema::LATEST), "\"a\u{FFFD}b\"");
    }
}
