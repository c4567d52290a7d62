//! [`CallError`]: why a call has no response.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use rapid_http::client::ClientError;
use serde::Deserialize;

use crate::exit::Exit;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// How much of an answer is shown that is not the API's, in characters.
const SHOWN: usize = 300;

const MAY_HAVE_RUN: &str = "The function may have run; see the log of the endpoint.";

/// Why a call has no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// There is no answer, or not all of it.
    #[error(transparent)]
    Http(#[from] ClientError),
    /// The stream of messages ended without the one that tells its end.
    #[error("the response broke off: its end was never told")]
    Unfinished,
    /// What should be messages of an event stream is none.
    #[error("the response was damaged on its way: {0}")]
    Damaged(&'static str),
    /// The API told an error instead of a response.
    #[error("{code} ({status}): {message}")]
    Api {
        /// The API's status.
        status: StatusCode,
        /// The API's code.
        code: String,
        /// The API's words.
        message: String,
    },
    /// The API told an error after the response had begun.
    #[error("the response was cut off: {code}: {message}")]
    CutOff {
        /// The API's code.
        code: String,
        /// The API's words.
        message: String,
    },
    /// An answer that no Invoke API gives to what was asked.
    #[error("it answered {status}{}{text}", if text.is_empty() { "" } else { ": " })]
    Strange {
        /// Its status.
        status: StatusCode,
        /// The beginning of its body.
        text: String,
    },
    /// A status that says that the function ran, although that was not wanted.
    #[error("it has run the function, and answered {0}")]
    HasRun(StatusCode),
}

/// How errors of the API are told; each has one spelling or the other.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(alias = "Message")]
    message: Option<String>,
    #[serde(rename = "__type")]
    code: Option<String>,
}

impl CallError {
    /// Reads an answer that is no success.
    ///
    /// # Source
    /// Invoke API, "API errors".
    pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let told: Told = serde_json::from_slice(body).unwrap_or_default();
        let header = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
        match header.map(str::to_owned).or(told.code) {
            Some(code) => {
                // Some servers add where the error is defined, before or behind.
                let code = code.split(':').next().unwrap_or_default();
                let code = code.rsplit('#').next().unwrap_or_default().to_owned();
                let message = told.message.unwrap_or_else(|| start(body));
                Self::Api { status, code, message }
            }
            None => Self::Strange { status, text: start(body) },
        }
    }

    /// Reads the message that tells of an error in the middle of a stream.
    pub(crate) fn of_exception(code: String, body: &Bytes) -> Self {
        let told: Told = serde_json::from_slice(body).unwrap_or_default();
        Self::CutOff { code, message: told.message.unwrap_or_else(|| start(body)) }
    }

    /// What to do next.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Http(error) => advice_without_answer(error),
            Self::Unfinished | Self::Damaged(_) => MAY_HAVE_RUN,
            Self::CutOff { .. } => "See the log of the endpoint.",
            Self::HasRun(_) => "It knows neither --async nor --dry-run; the emulator, for one.",
            Self::Strange { status, .. } if *status == StatusCode::NOT_FOUND => {
                "Name an Invoke API with --endpoint. One that has a single function may want \
                 --function-name function, and may have no --stream."
            }
            Self::Strange { status, .. } if status.is_server_error() => {
                "See the log of the endpoint."
            }
            Self::Strange { .. } => "Name an Invoke API with --endpoint.",
            Self::Api { status, code, .. } => advice_for(*status, code),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Api { status, .. } | Self::Strange { status, .. }
                if *status == StatusCode::TOO_MANY_REQUESTS =>
            {
                Exit::Throttled
            }
            // It went on for too long, and nobody can tell why.
            Self::Api { status, .. } if *status == StatusCode::REQUEST_TIMEOUT => Exit::Endpoint,
            Self::Api { status, .. } if status.is_client_error() => Exit::Usage,
            Self::Http(_)
            | Self::Unfinished
            | Self::Damaged(_)
            | Self::Api { .. }
            | Self::CutOff { .. }
            | Self::Strange { .. }
            | Self::HasRun(_) => Exit::Endpoint,
        }
    }
}

fn advice_without_answer(error: &ClientError) -> &'static str {
    match error {
        ClientError::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "Nobody listens there: start a rapid with `rapid -- COMMAND`, which says where it \
             listens, or correct --endpoint."
        }
        ClientError::Address(_) | ClientError::Connect(_) => {
            "Correct --endpoint, or see whether the machine can be reached."
        }
        ClientError::Lost(_) | ClientError::BrokenOff(_) | ClientError::TimedOut(_) => MAY_HAVE_RUN,
        ClientError::NotHttp(_) => "Name an Invoke API on plain http with --endpoint.",
        ClientError::TooLarge { .. } => "Take it piece by piece with --stream.",
    }
}

fn advice_for(status: StatusCode, code: &str) -> &'static str {
    match code {
        "ResourceNotFoundException" => {
            "Name a function and a version that are there with --function-name and --qualifier."
        }
        "UnknownOperationException" => {
            "Name an Invoke API with --endpoint; older ones may have no --stream."
        }
        "InvalidRequestContentException" => "Correct the event or --client-context.",
        "InvalidParameterValueException" | "ValidationException" => {
            "Correct what it names: --function-name and --qualifier say what is called, --async and \
             --dry-run what for."
        }
        "RequestTooLargeException" => "Send a smaller event: 6 MiB are taken, 1 MiB with --async.",
        "TooManyRequestsException" => {
            "Try again later; a rapid lets as many invocations wait as its --queue says."
        }
        _ if matches!(status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => {
            "Requests are not signed here: for the service itself there are the AWS CLI and the \
             SDKs."
        }
        _ => "See the log of the endpoint.",
    }
}

/// The beginning of a body, fit for a line.
fn start(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(SHOWN).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(status: u16, code: Option<&'static str>, body: &str) -> CallError {
        let mut headers = HeaderMap::new();
        if let Some(code) = code {
            headers.insert(ERROR_TYPE, HeaderValue::from_static(code));
        }
        CallError::of_answer(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn errors_of_the_api_are_told_by_their_code_and_words() {
        let missing = r#"{"Type":"User","Message":"Function not found: arn"}"#;
        let throttled = r#"{"Reason":"r","Type":"User","message":"Rate Exceeded."}"#;
        for (error, told, exit) in [
            (
                answer(404, Some("ResourceNotFoundException"), missing),
                "ResourceNotFoundException (404 Not Found): Function not found: arn",
                Exit::Usage,
            ),
            (
                answer(429, Some("TooManyRequestsException"), throttled),
                "TooManyRequestsException (429 Too Many Requests): Rate Exceeded.",
                Exit::Throttled,
            ),
            (
                answer(400, Some("InvalidRequestContentException:http://x/"), r#"{"message":"m"}"#),
                "InvalidRequestContentException (400 Bad Request): m",
                Exit::Usage,
            ),
            (
                answer(400, None, r#"{"__type":"lambda#ValidationException","message":"m"}"#),
                "ValidationException (400 Bad Request): m",
                Exit::Usage,
            ),
            (
                answer(500, Some("ServiceException"), ""),
                "ServiceException (500 Internal Server Error): ",
                Exit::Endpoint,
            ),
            (
                answer(408, Some("RequestTimeoutException"), "late"),
                "RequestTimeoutException (408 Request Timeout): late",
                Exit::Endpoint,
            ),
            (
                answer(404, None, "404 page\nnot found\n"),
                "it answered 404 Not Found: 404 page not found",
                Exit::Endpoint,
            ),
            (answer(502, None, ""), "it answered 502 Bad Gateway", Exit::Endpoint),
            (answer(429, None, ""), "it answered 429 Too Many Requests", Exit::Throttled),
        ] {
            assert_eq!((error.to_string().as_str(), error.exit()), (told, exit));
        }
    }

    #[test]
    fn every_code_has_its_advice() {
        for (code, status, told) in [
            ("ResourceNotFoundException", 404, "--qualifier"),
            ("UnknownOperationException", 404, "--endpoint"),
            ("InvalidRequestContentException", 400, "--client-context"),
            ("ValidationException", 400, "--function-name"),
            ("RequestTooLargeException", 413, "smaller"),
            ("TooManyRequestsException", 429, "--queue"),
            ("MissingAuthenticationTokenException", 403, "SDKs"),
            ("Whatever", 500, "log of the endpoint"),
        ] {
            let advice = answer(status, Some(code), "{}").advice();
            assert!(advice.contains(told), "{code}: {advice}");
        }
    }

    #[test]
    fn an_exception_in_the_stream_is_told_like_an_error() {
        let error = CallError::of_exception("Boom".into(), &r#"{"message":"m"}"#.into());
        assert_eq!(error.to_string(), "the response was cut off: Boom: m");
        let error = CallError::of_exception("Boom".into(), &"why".into());
        assert_eq!(error.to_string(), "the response was cut off: Boom: why");
    }
}
