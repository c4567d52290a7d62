//! Faults: what went wrong, in words.

use std::borrow::Cow;

use rapid_fatal_error::ErrorType;
use rapid_interop::RequestId;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::line::push_status;
use crate::{Line, LineStyle, Status};

/// `platform.fault`: an invocation failed. Its record is a text.
///
/// # Source
/// Telemetry API, "Logs API records"; Interop types, "`FaultData`".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultData {
    /// The invocation.
    pub request_id: RequestId,
    /// How it ended; `None` only as received in words of another kind.
    pub status: Option<Status>,
    /// What it ran into.
    pub error_type: Option<ErrorType>,
    /// What happened, in words; the record leaves it out if it has a status.
    pub error_message: Box<str>,
}

const REQUEST: &str = "RequestId: ";

impl FaultData {
    /// The record, with its line ending.
    fn record(&self) -> String {
        let mut record = format!("{REQUEST}{}", self.request_id);
        match self.status {
            Some(status) => push_status(&mut record, status, self.error_type.as_ref()),
            None => {
                record.push(' ');
                record.push_str(&self.error_message);
            }
        }
        record.push('\n');
        record
    }

    fn parse(record: &str) -> Option<Self> {
        let text = record.strip_prefix(REQUEST)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let (id, rest) = text.split_at(text.find(['\t', ' ']).unwrap_or(text.len()));
        let mut fault = Self {
            request_id: RequestId::parse(id)?,
            status: None,
            error_type: None,
            error_message: "".into(),
        };
        let Some(fields) = rest.strip_prefix('\t') else {
            fault.error_message = rest.strip_prefix(' ').unwrap_or(rest).into();
            return Some(fault);
        };
        for field in fields.split('\t') {
            match field.split_once(": ")? {
                ("Status", status) => fault.status = Some(Status::parse(status)?),
                ("Error Type" | "ErrorType", name) => fault.error_type = Some(name.into()),
                _ => {}
            }
        }
        Some(fault)
    }
}

impl Line for FaultData {
    /// Two lines if there is an error type: the service puts it on its own.
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        out.push_str(REQUEST);
        out.push_str(self.request_id.as_str());
        out.push_str(" Error: ");
        out.push_str(&self.error_message);
        if let Some(error_type) = &self.error_type {
            out.push('\n');
            out.push_str(error_type.as_str());
        }
    }
}

impl Serialize for FaultData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.record())
    }
}

impl<'de> Deserialize<'de> for FaultData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let strange = || D::Error::invalid_value(Unexpected::Str(&text), &"the text of a fault");
        Self::parse(&text).ok_or_else(strange)
    }
}

/// What the start of an image's command ran into, as a text for the function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageErrorLogData(pub Box<str>);

impl Line for ImageErrorLogData {
    fn write_line(&self, _style: LineStyle, out: &mut String) {
        out.push_str(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: Option<Status>, error_type: Option<ErrorType>, message: &str) -> FaultData {
        let request_id = RequestId::parse("r-1").unwrap();
        FaultData { request_id, status, error_type, error_message: message.into() }
    }

    #[test]
    fn a_fault_is_a_text_that_can_be_read_again() {
        let rows = [
            (fault(Some(Status::Timeout), None, ""), r#""RequestId: r-1\tStatus: timeout\n""#),
            (
                fault(Some(Status::Error), Some(ErrorType::RuntimeExitError), ""),
                r#""RequestId: r-1\tStatus: error\tError Type: Runtime.ExitError\n""#,
            ),
            (
                fault(None, None, "Process exited before completing request"),
                r#""RequestId: r-1 Process exited before completing request\n""#,
            ),
        ];
        for (fault, json) in rows {
            assert_eq!(serde_json::to_string(&fault).unwrap(), json);
            assert_eq!(serde_json::from_str::<FaultData>(json).unwrap(), fault);
        }
    }

    #[test]
    fn other_spellings_are_read_as_well() {
        let read = |text: &str| FaultData::parse(text);
        let expected = fault(Some(Status::Failure), Some(ErrorType::RuntimeUnknown), "");
        let emulators = "RequestId: r-1\tStatus: failure\tErrorType: Runtime.Unknown\n";
        assert_eq!(read(emulators), Some(expected));
        let only_the_type = "RequestId: r-1\tError Type: Runtime.Unknown\n";
        assert_eq!(read(only_the_type), Some(fault(None, Some(ErrorType::RuntimeUnknown), "")));
        assert_eq!(read("RequestId: r-1"), Some(fault(None, None, "")));
        for bad in ["", "r-1", "RequestId: ", "RequestId: r-1\tx", "RequestId: r-1\tStatus: ?"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_log_tells_the_message_and_the_type_on_a_line_of_its_own() {
        let message = "Runtime exited with error: exit status 1";
        let fault = fault(Some(Status::Error), Some(ErrorType::RuntimeExitError), message);
        assert_eq!(
            fault.line(LineStyle::Aws).as_deref(),
            Some(
                "RequestId: r-1 Error: Runtime exited with error: exit status 1\nRuntime.ExitError"
            )
        );
        let image = ImageErrorLogData("exec: no such file".into());
        assert_eq!(image.line(LineStyle::Aws).as_deref(), Some("exec: no such file"));
    }
}
