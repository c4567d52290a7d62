//! [`LogFilter`]: which records reach the log, by format and level.
//!
//! A function's log is either text, and then everything is written, or JSON, and then records below
//! a level are left out. Only the log sink filters: telemetry subscribers and the log tail of an
//! invocation get every record.
//!
//! # Source
//! Telemetry API, "Log format and level".

use std::fmt;

use rapid_events::Level;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How a function's log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// Lines for people, all of them.
    #[default]
    Text,
    /// JSON objects, filtered by level.
    Json,
}

impl LogFormat {
    /// Parses a format, in letters of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Json]
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(text))
    }

    /// The value of `AWS_LAMBDA_LOG_FORMAT`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Json => "JSON",
        }
    }
}

/// Which records reach the log.
///
/// ```
/// use rapid_events::Level;
/// use rapid_telemetry::log_format::{LogFilter, LogFormat};
///
/// let filter = LogFilter { format: LogFormat::Json, application: Level::Warn, ..LogFilter::default() };
/// assert!(filter.admits_line(None, r#"{"level":"error","message":"no"}"#));
/// assert!(!filter.admits_line(None, "plain text counts as INFO"));
/// assert!(LogFilter::default().admits_line(None, "in text, everything is written"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// How the log is written; in text nothing is left out.
    pub format: LogFormat,
    /// The least level of what the function and its extensions write.
    pub application: Level,
    /// The least level of platform events.
    pub system: Level,
}

impl Default for LogFilter {
    /// Text, and `INFO` for both.
    fn default() -> Self {
        Self { format: LogFormat::Text, application: Level::Info, system: Level::Info }
    }
}

impl LogFilter {
    /// The filter that a function's variables ask for; an unknown value counts as absent.
    #[must_use]
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let default = Self::default();
        let format = get(LOG_FORMAT).as_deref().and_then(LogFormat::parse);
        let application = get(LOG_LEVEL).as_deref().and_then(Level::parse);
        Self {
            format: format.unwrap_or(default.format),
            application: application.unwrap_or(default.application),
            system: default.system,
        }
    }

    /// Whether a platform event of this level is written.
    #[must_use]
    pub fn admits_event(&self, level: Level) -> bool {
        self.format == LogFormat::Text || level >= self.system
    }

    /// Whether something that a function or an extension has written is written on.
    ///
    /// `framed` is the level of the record's frame, if it had one. The text is only looked into when
    /// the format is JSON and the frame tells nothing.
    #[must_use]
    pub fn admits_line(&self, framed: Option<Level>, text: &str) -> bool {
        self.format == LogFormat::Text
            || framed.unwrap_or_else(|| level_of(text)) >= self.application
    }
}

/// The variable that names the format.
pub const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
/// The variable that names the level; only set with the JSON format.
pub const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// The level of a text without a frame: the member `level` of a JSON object, else `INFO`.
#[must_use]
pub fn level_of(text: &str) -> Level {
    parse_object(text).and_then(|object| object.level).unwrap_or(Level::Info)
}

/// What is of interest of a JSON object.
struct Object {
    level: Option<Level>,
}

fn parse_object(text: &str) -> Option<Object> {
    // Most lines are no JSON: their first letter tells.
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Walks through an object and keeps nothing but the level.
struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object { level: None };
        while let Some(IsLevel(is_level)) = map.next_key()? {
            if is_level {
                object.level = map.next_value::<MaybeLevel>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(object)
    }
}

/// Whether a key is `level`.
struct IsLevel(bool);

impl<'de> Deserialize<'de> for IsLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = IsLevel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<IsLevel, E> {
                Ok(IsLevel(key == "level"))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

/// A level, or any other value, which counts as none.
struct MaybeLevel(Option<Level>);

impl<'de> Deserialize<'de> for MaybeLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?;
        let text: Option<String> = serde_json::from_str(value.get()).ok();
        Ok(Self(text.as_deref().and_then(Level::parse)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_in_either_case() {
        for (text, format) in [("TEXT", LogFormat::Text), ("json", LogFormat::Json)] {
            assert_eq!(LogFormat::parse(text), Some(format));
        }
        assert_eq!(LogFormat::parse("xml"), None);
    }

    #[test]
    fn the_filter_is_made_from_the_functions_variables() {
        let made = |format: Option<&str>, level: Option<&str>| {
            LogFilter::from_variables(|name| match name {
                "AWS_LAMBDA_LOG_FORMAT" => format.map(str::to_owned),
                "AWS_LAMBDA_LOG_LEVEL" => level.map(str::to_owned),
                _ => None,
            })
        };
        assert_eq!(made(None, None), LogFilter::default());
        assert_eq!(made(Some("Nonsense"), Some("Nonsense")), LogFilter::default());
        let json = LogFilter { format: LogFormat::Json, ..LogFilter::default() };
        assert_eq!(made(Some("JSON"), None), json);
        let quiet = LogFilter { application: Level::Fatal, ..json };
        assert_eq!(made(Some("JSON"), Some("FATAL")), quiet);
    }

    #[test]
    fn the_level_of_a_text_is_the_member_level_of_an_object_else_info() {
        let rows = [
            ("plain text", Level::Info),
            ("ERROR plain text", Level::Info),
            ("", Level::Info),
            (r#"{"level":"ERROR"}"#, Level::Error),
            (r#"{"level":"error","message":"no timestamp"}"#, Level::Error),
            ("  {\"message\":\"x\",\"level\":\"Debug\"}\n", Level::Debug),
            (r#"{"l\u0065vel":"W\u0041RN"}"#, Level::Warn),
            (r#"{"level":"unheard of"}"#, Level::Info),
            (r#"{"level":17}"#, Level::Info),
            (r#"{"level":{"level":"ERROR"}}"#, Level::Info),
            (r#"{"inner":{"level":"ERROR"}}"#, Level::Info),
            (r#"{"level":"DEBUG","level":"ERROR"}"#, Level::Error),
            (r#"["level","ERROR"]"#, Level::Info),
            (r#"{"level":"ERROR""#, Level::Info),
            (r#"{"level":"ERROR"} and more"#, Level::Info),
            (r#"{"level":"ERROR",}"#, Level::Info),
            ("{\n \"level\":\n \"ERROR\"\n}\n", Level::Error),
        ];
        for (text, level) in rows {
            assert_eq!(level_of(text), level, "{text}");
        }
    }

    #[test]
    fn only_json_is_filtered_and_a_frames_level_beats_the_texts() {
        let line = r#"{"level":"DEBUG"}"#;
        let text = LogFilter { application: Level::Fatal, ..LogFilter::default() };
        assert!(text.admits_line(None, line) && text.admits_line(Some(Level::Trace), line));
        assert!(text.admits_event(Level::Debug));

        let json = LogFilter { format: LogFormat::Json, ..LogFilter::default() };
        assert!(!json.admits_line(None, line));
        assert!(json.admits_line(Some(Level::Info), line));
        assert!(!json.admits_line(Some(Level::Debug), r#"{"level":"ERROR"}"#));
        assert!(json.admits_line(None, "plain text"));
        assert!(json.admits_event(Level::Info) && !json.admits_event(Level::Debug));
    }
}
