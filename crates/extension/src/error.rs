//! [`Error`]: why a call of the Extensions API came to nothing.

use std::fmt;
use std::io;

use http::StatusCode;

use crate::advice;
use crate::call::Call;
use crate::wire::{self, ErrorReply};

/// The longest text of a refusal that is kept, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// Why a call of the Extensions API came to nothing. Each says whose fault it is, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody said where the API is: the program was not started as an extension.
    #[error(
        "AWS_LAMBDA_RUNTIME_API is not set: this program is a Lambda extension and is started by \
         Lambda or by rapid, from the directory of extensions"
    )]
    NotConfigured,
    /// The address of the API is none.
    #[error(
        "the address of the Extensions API, '{value}', has to be host:port, as in 127.0.0.1:9001"
    )]
    BadAddress {
        /// What was given.
        value: String,
    },
    /// Nobody said how the extension is called.
    #[error("the extension's name is not known: the program was started without a first argument")]
    NoName,
    /// The extension's name cannot be sent.
    #[error(
        "the extension's name, {name:?}, cannot be sent: it may not be empty, have control \
         characters, nor spaces at either end; rename its file"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// Every attempt to connect failed. Nothing was sent.
    #[error("{call}: cannot connect to the Extensions API at {address}: {reason}")]
    Connect {
        /// What was called.
        call: Call,
        /// Where the API should be.
        address: String,
        /// The system's words about the last attempt.
        reason: io::Error,
    },
    /// The connection ended before there was any answer. The API may have taken the call, or not;
    /// an event may be lost.
    #[error("{call}: the connection was lost before the Extensions API answered: {reason}")]
    Lost {
        /// What was called.
        call: Call,
        /// What happened to the connection.
        reason: io::Error,
    },
    /// The API answered, and the answer is not the one that means success.
    #[error("{call} was answered with {status}: {refusal}{}", advice::on(*status, refusal))]
    Refused {
        /// What was called.
        call: Call,
        /// The status of the answer.
        status: StatusCode,
        /// What the API said to it.
        refusal: Refusal,
    },
    /// The API agreed, but its answer makes no sense. An event may be lost.
    #[error("{call}: the answer of the Extensions API cannot be understood: {problem}")]
    Unreadable {
        /// What was called.
        call: Call,
        /// What is wrong with the answer.
        problem: Unreadable,
    },
    /// Nothing can listen for telemetry. Nothing was sent.
    #[error("cannot listen for telemetry on port {port}: {reason}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// The system's words.
        reason: io::Error,
    },
    /// The call needs an identifier, and there is none yet. Nothing was sent.
    #[error("{call} is for registered extensions only: call register first")]
    NotRegistered {
        /// What was called.
        call: Call,
    },
}

/// What the API said when it refused a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its error body.
    Typed {
        /// The type, for instance `Extension.InvalidExtensionState`.
        error_type: String,
        /// The message for people; may be empty.
        error_message: String,
    },
    /// A body that is not the API's, as text: at most its first 4 KiB, what is not UTF-8 replaced.
    Text(String),
}

impl Refusal {
    pub(crate) fn read(body: &[u8]) -> Self {
        // What is not the error body of the API is told as it is.
        if let Ok(ErrorReply { error_type: Some(error_type), error_message }) = wire::read(body) {
            let mut error_message = error_message.unwrap_or_default();
            error_message.truncate(error_message.floor_char_boundary(MAX_TEXT));
            return Self::Typed { error_type, error_message };
        }
        let start = &body[..body.len().min(MAX_TEXT)];
        Self::Text(String::from_utf8_lossy(start).trim().to_owned())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed { error_type, error_message } => write!(f, "{error_type}: {error_message}"),
            Self::Text(text) if text.is_empty() => f.write_str("it did not say why"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is not HTTP/1.
    #[error("it is not HTTP: {0}")]
    NotHttp(io::Error),
    /// It ended in the middle.
    #[error("it broke off: {0}")]
    BrokenOff(io::Error),
    /// It is too large.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its body is not the JSON that it should be.
    #[error("its body is not the JSON that was expected: {0}")]
    NotJson(serde_json::Error),
    /// It gives a registered extension no identifier.
    #[error("it has no usable Lambda-Extension-Identifier")]
    NoIdentifier,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_body_of_the_api_is_taken_apart() {
        let body = br#"{"errorMessage":"m","errorType":"Extension.T"}"#;
        assert_eq!(Refusal::read(body).to_string(), "Extension.T: m");
        let bare = Refusal::Typed { error_type: "T".into(), error_message: String::new() };
        assert_eq!(Refusal::read(br#"{"errorType":"T"}"#), bare);
    }

    #[test]
    fn any_other_body_is_told_as_text_up_to_a_bound() {
        for text in ["404 page not found", "{}", "[1]", "{\"errorType\":1}"] {
            assert_eq!(Refusal::read(text.as_bytes()), Refusal::Text(text.into()));
        }
        assert_eq!(Refusal::read(b" \n").to_string(), "it did not say why");
        assert_eq!(Refusal::read(b"\xff!\n"), Refusal::Text("\u{fffd}!".into()));
        assert_eq!(Refusal::read(&[b'x'; 2 * MAX_TEXT]), Refusal::Text("x".repeat(MAX_TEXT)));
        let long = format!(r#"{{"errorType":"T","errorMessage":"x{}"}}"#, "ä".repeat(MAX_TEXT));
        let Refusal::Typed { error_message, .. } = Refusal::read(long.as_bytes()) else {
            panic!("it is a typed one");
        };
        assert_eq!(error_message.len(), MAX_TEXT - 1);
    }
}
