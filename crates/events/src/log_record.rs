//! [`LogRecord`]: what a function or an extension has written.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{Level, Schema};

/// A line, or a framed record, that a function or an extension has written.
///
/// It names no invocation: nobody can tell for whom a process writes. Its place among the
/// platform's events tells during which one it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// What was written, exactly: with the line ending if there was one. What is not UTF-8 is
    /// told as U+FFFD.
    pub text: Bytes,
    /// Its level, if the writer gave one.
    pub level: Option<Level>,
    /// Whether the text is an object and is told as one. Found out once, since it takes a look at
    /// every byte.
    pub(crate) is_object: bool,
}

impl LogRecord {
    /// A record of the text format, whose level is not known.
    #[must_use]
    pub const fn text(text: Bytes) -> Self {
        Self { text, level: None, is_object: false }
    }

    /// A record of the JSON format, in which a text that is an object is told as one; its level is
    /// not known.
    #[must_use]
    pub fn json(text: Bytes) -> Self {
        let is_object = is_object(&String::from_utf8_lossy(&text));
        Self { text, level: None, is_object }
    }

    /// Whether `schema` tells the record as an object, and not as a text.
    ///
    /// # Source
    /// Telemetry API, "Function and extension log records".
    #[must_use]
    pub fn is_object_in(&self, schema: Schema) -> bool {
        self.is_object && schema >= Schema::Telemetry20221213
    }

    /// The record as JSON.
    pub(crate) fn write_json(
        &self,
        schema: Schema,
        out: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        let text = String::from_utf8_lossy(&self.text);
        if !self.is_object_in(schema) {
            return serde_json::to_writer(out, &text);
        }
        let begin = out.len();
        out.extend_from_slice(text.trim_ascii().as_bytes());
        one_line(out.get_mut(begin..).unwrap_or_default());
        Ok(())
    }

    /// How many bytes [`LogRecord::write_json`] appends. Nothing is written for that.
    pub(crate) fn json_len(&self, schema: Schema) -> usize {
        if self.is_object_in(schema) {
            return len(self.text.trim_ascii(), |_| 1);
        }
        len(&self.text, escaped_len) + "\"\"".len()
    }
}

/// How long a text is when every byte has a length of its own and what is not UTF-8 is replaced.
fn len(text: &[u8], of_byte: fn(u8) -> usize) -> usize {
    let chunks = text.utf8_chunks().map(|chunk| {
        let valid: usize = chunk.valid().bytes().map(of_byte).sum();
        let is_replaced = !chunk.invalid().is_empty();
        valid + if is_replaced { char::REPLACEMENT_CHARACTER.len_utf8() } else { 0 }
    });
    chunks.sum()
}

/// How long a byte of a text is in a JSON string.
const fn escaped_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => r"\n".len(),
        0..0x20 => r"\u0000".len(),
        _ => 1,
    }
}

/// Makes JSON one line, as subscribers that read lines need it. A line ending in valid JSON can
/// only be space between its tokens.
fn one_line(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Whether a text is a JSON object, but for the space around it.
///
/// It has to be one for everybody: half a surrogate pair or a hundred levels pass a look at the
/// syntax, and the subscriber that cannot read them would refuse the whole batch.
fn is_object(text: &str) -> bool {
    let text = text.trim_ascii();
    text.starts_with('{') && serde_json::from_str::<Readable>(text).is_ok()
}

/// JSON of which every value was read and none was kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &'static [u8], is_json_format: bool, schema: Schema) -> String {
        let make = if is_json_format { LogRecord::json } else { LogRecord::text };
        let record = make(Bytes::from_static(text));
        let mut out = b"before".to_vec();
        record.write_json(schema, &mut out).unwrap();
        let json = out.split_off("before".len());
        assert_eq!(out, b"before");
        assert_eq!(json.len(), record.json_len(schema));
        String::from_utf8(json).unwrap()
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
        // One that is cut off counts once, other bytes count each.
        let found = json(b"\xE2\x82 \xFF\xFF{\xF0\x9F\xA6", true, Schema::LATEST);
        assert_eq!(found, "\"\u{FFFD} \u{FFFD}\u{FFFD}{\u{FFFD}\"");
        let object = json(b"{\"a\":\"\xFF\"}", true, Schema::LATEST);
        assert_eq!(object, "{\"a\":\"\u{FFFD}\"}");
    }

    #[test]
    fn an_object_is_what_can_be_read_as_a_value() {
        let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let rows = [
            r#" {"a":[1,-1,1.5,true,null,"b\u00e9"],"a":{}}"#.to_owned(),
            r#"{"\ud800":1}"#.to_owned(),
            r#"{"a":"\ud83e\udd80"}"#.to_owned(),
            r#"{"a":"\ud83e"}"#.to_owned(),
            r#"{"a":1e999}"#.to_owned(),
            r#"{"a":123456789012345678901234567890}"#.to_owned(),
            "{\"a\":\"\t\"}".to_owned(),
            r#"{"a":1}{"#.to_owned(),
            deep(100),
            deep(127),
            deep(128),
        ];
        for row in rows {
            let expected = serde_json::from_str::<serde_json::Value>(&row).is_ok();
            assert_eq!(is_object(&row), expected, "{row}");
        }
    }

    #[test]
    fn every_byte_has_the_length_that_it_is_written_with() {
        for byte in 0..0x80_u8 {
            let text = char::from(byte).to_string();
            let json = serde_json::to_string(&text).unwrap();
            let record = LogRecord::text(text.into());
            assert_eq!(record.json_len(Schema::LATEST), json.len(), "{byte}");
        }
    }
}
