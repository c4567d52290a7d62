//! [`Received`]: events as an extension gets them.

use std::borrow::Cow;

use bytes::Bytes;
use rapid_interop::EpochMillis;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Event, EventsError, LogRecord, Platform, Record, wire};

/// An event that was received. What this crate does not know is kept as it came.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are known, and none lives long")]
pub enum Received {
    /// One that it knows.
    Known(Event),
    /// One of a type that it does not know, or whose record is not what the type promises.
    Other(OtherEvent),
}

/// An event that this crate does not know.
#[derive(Clone, Debug)]
pub struct OtherEvent {
    /// When it happened.
    pub time: EpochMillis,
    /// Its `type`.
    pub kind: Box<str>,
    /// Its record, as it came.
    pub record: Box<RawValue>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(with = "wire::time")]
    time: EpochMillis,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    record: &'a RawValue,
}

impl Received {
    /// Reads one event: a line of a TCP destination.
    ///
    /// Members that are not known are passed over.
    ///
    /// # Errors
    /// [`EventsError::NotAnEvent`] if it has no envelope.
    pub fn decode(json: &[u8]) -> Result<Self, EventsError> {
        serde_json::from_slice::<Envelope<'_>>(json)
            .map(Self::from)
            .map_err(EventsError::NotAnEvent)
    }

    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> EpochMillis {
        match self {
            Self::Known(event) => event.time,
            Self::Other(event) => event.time,
        }
    }
}

impl From<Envelope<'_>> for Received {
    fn from(envelope: Envelope<'_>) -> Self {
        let Envelope { time, kind, record } = envelope;
        let known = match &*kind {
            "function" => log_record(record).map(Record::Function),
            "extension" => log_record(record).map(Record::Extension),
            name => Platform::read(name, record.get()).map(Record::Platform),
        };
        match known {
            Some(record) => Self::Known(Event { time, record }),
            None => Self::Other(OtherEvent { time, kind: kind.into(), record: record.to_owned() }),
        }
    }
}

/// A string as its text, an object as its JSON; anything else is no log record.
fn log_record(record: &RawValue) -> Option<LogRecord> {
    let json = record.get();
    if json.starts_with('{') {
        let text = Bytes::copy_from_slice(json.as_bytes());
        return Some(LogRecord::json(text));
    }
    let text: String = serde_json::from_str(json).ok()?;
    Some(LogRecord::text(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(json: &str) -> OtherEvent {
        match Received::decode(json.as_bytes()).unwrap() {
            Received::Other(event) => event,
            Received::Known(event) => panic!("{event:?} was known"),
        }
    }

    #[test]
    fn what_is_not_known_is_kept_as_it_came() {
        let new = r#"{"time":"1970-01-01T00:00:01.000Z","type":"platform.new","record":{"a": 1}}"#;
        let event = other(new);
        assert_eq!((event.time, &*event.kind), (EpochMillis(1000), "platform.new"));
        assert_eq!(event.record.get(), r#"{"a": 1}"#);
        for strange in [
            r#""type":"platform.end","record":{}"#,
            r#""type":"platform.end","record":{"requestId":"a b"}"#,
            r#""type":"platform.end","record":"END""#,
            r#""type":"platform.fault","record":{}"#,
            r#""type":"platform.runtimeDone","record":{"requestId":"r","status":"new"}"#,
            r#""type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","metrics":{"durationMs":-1}}"#,
            r#""type":"function","record":1"#,
            r#""type":"extension","record":null"#,
        ] {
            other(&format!(r#"{{"time":"1970-01-01T00:00:01.000Z",{strange}}}"#));
        }
    }

    #[test]
    fn unknown_members_are_passed_over() {
        let json = br#"{"new":[1],"record":{"new":{},"requestId":"r-1"},"type":"platform.end","time":"1970-01-01T00:00:01Z"}"#;
        let Received::Known(event) = Received::decode(json).unwrap() else { panic!("not known") };
        assert!(matches!(event.record, Record::Platform(Platform::End(_))));
    }

    #[test]
    fn without_an_envelope_it_is_an_error() {
        for bad in ["", "[]", "{}", "1", r#"{"time":"now","type":"function","record":""}"#] {
            assert!(Received::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
