//! [`Event`]: what happened and when, and its JSON.

use bytes::Bytes;
use rapid_interop::EpochMillis;

use crate::projection::project;
use crate::{Category, Level, LogRecord, Platform, Schema, Timestamp};

/// Room for the JSON of most platform events, and for what stands around a log record.
const USUAL_SIZE: usize = 256;

/// What stands around the time, the type and the record.
const ENVELOPE: [&[u8]; 4] = [b"{\"time\":\"", b"\",\"type\":\"", b"\",\"record\":", b"}"];

/// Something that happened, as subscribers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened; not when it is told.
    pub time: EpochMillis,
    /// What happened.
    pub record: Record,
}

/// What happened.
#[expect(clippy::large_enum_variant, reason = "in a box, a platform event could not be matched")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The platform tells of something.
    Platform(Platform),
    /// The function has written something.
    Function(LogRecord),
    /// An extension has written something.
    Extension(LogRecord),
}

impl Event {
    /// An event of the platform.
    #[must_use]
    pub fn platform(time: EpochMillis, event: impl Into<Platform>) -> Self {
        Self { time, record: Record::Platform(event.into()) }
    }

    /// The category by which subscribers choose.
    #[must_use]
    pub const fn category(&self) -> Category {
        match self.record {
            Record::Platform(_) => Category::Platform,
            Record::Function(_) => Category::Function,
            Record::Extension(_) => Category::Extension,
        }
    }

    /// Its level: the system log level of a platform event, the writer's of a log record.
    #[must_use]
    pub fn level(&self) -> Level {
        match &self.record {
            Record::Platform(event) => event.level(),
            Record::Function(record) | Record::Extension(record) => {
                record.level.unwrap_or(Level::Info)
            }
        }
    }

    /// The event as one JSON object on one line, without a line ending, with what `schema`
    /// carries of it; `None` if that is nothing.
    ///
    /// # Source
    /// Telemetry API, "Event envelope".
    #[must_use]
    pub fn encode(&self, schema: Schema) -> Option<Bytes> {
        let mut json = Vec::with_capacity(USUAL_SIZE + self.text_len());
        self.encode_into(schema, &mut json).then(|| json.into())
    }

    /// The length of what [`Event::encode`] makes, in bytes. Of a log record it is worked out
    /// without making it.
    #[must_use]
    pub fn encoded_len(&self, schema: Schema) -> Option<usize> {
        match &self.record {
            Record::Platform(_) => self.encode(schema).map(|json| json.len()),
            Record::Function(record) | Record::Extension(record) => {
                let envelope: usize = ENVELOPE.iter().map(|piece| piece.len()).sum();
                let kind = self.category().as_str().len();
                Some(envelope + size_of::<Timestamp>() + kind + record.json_len(schema))
            }
        }
    }

    /// The length of what was written, in bytes; none for an event of the platform.
    #[must_use]
    pub const fn text_len(&self) -> usize {
        match &self.record {
            Record::Platform(_) => 0,
            Record::Function(record) | Record::Extension(record) => record.text.len(),
        }
    }

    /// Appends what [`Event::encode`] makes, and says whether there was anything. This is also
    /// the line of a log whose format is `JSON`, in [`Schema::LATEST`].
    pub fn encode_into(&self, schema: Schema, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let written = match &self.record {
            Record::Platform(event) => {
                let Some(event) = project(event, schema) else { return false };
                self.begin(event.name(), out);
                serde_json::to_writer(&mut *out, &*event)
            }
            Record::Function(record) | Record::Extension(record) => {
                self.begin(self.category().as_str(), out);
                record.write_json(schema, out)
            }
        };
        match written {
            Ok(()) => {
                let [.., close] = ENVELOPE;
                out.extend_from_slice(close);
            }
            Err(_) => out.truncate(start),
        }
        out.len() > start
    }

    /// The envelope up to the record.
    fn begin(&self, name: &str, out: &mut Vec<u8>) {
        let [open, time_to_type, type_to_record, _] = ENVELOPE;
        out.extend_from_slice(open);
        out.extend_from_slice(Timestamp::from(self.time).as_str().as_bytes());
        out.extend_from_slice(time_to_type);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(type_to_record);
    }
}

#[cfg(test)]
mod tests;
