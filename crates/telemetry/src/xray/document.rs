//! [`Segment`]: a segment document of a function.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::trace_header::{SpanId, TracePlace};

/// The segment of one invocation, `AWS::Lambda::Function`.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// The function's name.
    pub(crate) name: String,
    pub(crate) place: TracePlace,
    pub(crate) time: Interval,
    pub(crate) aws: Aws,
    /// What went wrong, if something did.
    pub(crate) fault: Option<Fault>,
    pub(crate) subsegments: Vec<Subsegment>,
}

/// A part of an invocation.
#[derive(Clone, Debug)]
pub(crate) struct Subsegment {
    pub(crate) name: &'static str,
    pub(crate) time: Interval,
    pub(crate) failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start: SystemTime,
    pub(crate) end: SystemTime,
}

/// Why an invocation failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault {
    /// What the platform calls it.
    pub(crate) kind: Option<String>,
    pub(crate) message: Option<String>,
    /// What the runtime says, which is more.
    pub(crate) cause: Option<Cause>,
}

/// What X-Ray knows about the place where a segment was made.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Aws {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) account_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) function_arn: String,
    pub(crate) request_id: String,
    pub(crate) resource_names: [String; 1],
}

/// The cause of an error as runtimes send it and, with ids, as segments carry it.
///
/// # Source
/// Runtime API, "X-Ray error cause".
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cause {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    working_directory: Box<str>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    paths: Vec<Box<str>>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    exceptions: Vec<Exception>,
    /// Segments have no place for it but an exception.
    #[serde(default, skip_serializing)]
    message: Box<str>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Exception {
    /// Made here: runtimes send none.
    #[serde(skip_deserializing)]
    id: String,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    message: Box<str>,
    #[serde(rename = "type", default, skip_serializing_if = "str::is_empty")]
    kind: Box<str>,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    stack: Vec<StackFrame>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StackFrame {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    path: Box<str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    line: i64,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    label: Box<str>,
}

impl Segment {
    /// The document, at most `limit` bytes; a cause that does not fit is left out. `None` if that
    /// does not help.
    pub(crate) fn to_json(&self, limit: usize) -> Option<Vec<u8>> {
        let fits = |json: &Vec<u8>| json.len() <= limit;
        if let Some(whole) = self.encode(self.fault.as_ref()).filter(fits) {
            return Some(whole);
        }
        let brief = Fault { cause: None, ..self.fault.clone()? };
        self.encode(Some(&brief)).filter(fits)
    }

    fn encode(&self, fault: Option<&Fault>) -> Option<Vec<u8>> {
        let subsegments = self.subsegments.iter().map(|part| SubsegmentDocument {
            id: SpanId::random().to_string(),
            name: part.name,
            start_time: part.time.start,
            end_time: part.time.end,
            fault: part.failed,
        });
        let document = SegmentDocument {
            name: &self.name,
            id: self.place.segment.to_string(),
            trace_id: self.place.trace.to_string(),
            parent_id: self.place.parent.map(|parent| parent.to_string()),
            start_time: self.time.start,
            end_time: self.time.end,
            origin: "AWS::Lambda::Function",
            aws: &self.aws,
            fault: fault.is_some(),
            cause: fault.map(Fault::to_cause),
            subsegments: subsegments.collect(),
        };
        serde_json::to_vec(&document).ok()
    }
}

impl Cause {
    /// `None` if it has not the form of one.
    pub(crate) fn parse(cause: &RawValue) -> Option<Self> {
        serde_json::from_str(cause.get()).ok()
    }

    /// The type and the message of what was thrown first; each may be empty.
    #[cfg(feature = "otel")]
    pub(crate) fn thrown(&self) -> (&str, &str) {
        let first = self.exceptions.first();
        first.map_or(("", &self.message), |first| (&first.kind, &first.message))
    }
}

impl Fault {
    /// The runtime's words if there are any, else the platform's.
    fn to_cause(&self) -> Cause {
        let mut cause = self.cause.clone().unwrap_or_default();
        if cause.exceptions.is_empty() {
            let message = self.message.as_deref().unwrap_or_default();
            cause.exceptions.push(Exception {
                message: if cause.message.is_empty() { message } else { &cause.message }.into(),
                kind: self.kind.as_deref().unwrap_or_default().into(),
                ..Exception::default()
            });
        }
        for exception in &mut cause.exceptions {
            exception.id = SpanId::random().to_string();
        }
        cause
    }
}

impl Interval {
    /// From `start` to `end`, or to the start if the clock was set back meanwhile.
    pub(crate) fn new(start: SystemTime, end: SystemTime) -> Self {
        Self { start, end: end.max(start) }
    }
}

#[derive(Serialize)]
struct SegmentDocument<'a> {
    name: &'a str,
    id: String,
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(serialize_with = "epoch_seconds")]
    start_time: SystemTime,
    #[serde(serialize_with = "epoch_seconds")]
    end_time: SystemTime,
    origin: &'static str,
    aws: &'a Aws,
    #[serde(skip_serializing_if = "is_false")]
    fault: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    subsegments: Vec<SubsegmentDocument>,
}

#[derive(Serialize)]
struct SubsegmentDocument {
    id: String,
    name: &'static str,
    #[serde(serialize_with = "epoch_seconds")]
    start_time: SystemTime,
    #[serde(serialize_with = "epoch_seconds")]
    end_time: SystemTime,
    #[serde(skip_serializing_if = "is_false")]
    fault: bool,
}

/// Seconds since the epoch with microseconds, as a number.
fn epoch_seconds<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    #[expect(clippy::cast_precision_loss, reason = "microseconds since the epoch fit f64 exactly")]
    let seconds = since.as_micros() as f64 / 1e6;
    serializer.serialize_f64(seconds)
}

/// Runtimes send null for what they do not know.
fn or_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}
