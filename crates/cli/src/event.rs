//! [`Event`]: what the function is to be given, read and checked before anything runs.

use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;
use http::HeaderValue;
use rapid::Persona;
use rapid_interop::limits::MAX_CLIENT_CONTEXT_SIZE;
use serde::de::IgnoredAny;

use crate::args::InvokeArgs;

/// What the function is to be given.
#[derive(Debug)]
pub(crate) struct Event {
    /// The event.
    pub(crate) payload: Bytes,
    /// The client context: JSON that fits into a header.
    pub(crate) client_context: Option<HeaderValue>,
}

impl Event {
    /// Reads what the command line names.
    ///
    /// # Errors
    /// What is wrong with it, and where it stands.
    pub(crate) fn read(args: &InvokeArgs, persona: Persona) -> Result<Self, String> {
        let client_context = match &args.client_context {
            Some(text) => Some(
                client_context(text).map_err(|problem| format!("--client-context: {problem}"))?,
            ),
            None => None,
        };
        Ok(Self { payload: payload(args, persona)?, client_context })
    }
}

/// The event: `{}` when none was given. It has to be JSON, as for the served Invoke API.
fn payload(args: &InvokeArgs, persona: Persona) -> Result<Bytes, String> {
    let (event, source) = match (&args.payload, &args.payload_file) {
        (Some(payload), _) => (payload.clone().into_bytes(), "--payload".to_owned()),
        (None, Some(file)) if file == Path::new("-") => {
            let mut event = Vec::new();
            io::stdin().read_to_end(&mut event).map_err(|error| {
                format!("the event cannot be read from standard input: {error}")
            })?;
            (event, "standard input".to_owned())
        }
        (None, Some(file)) => {
            let event = std::fs::read(file).map_err(|error| {
                format!("the event cannot be read from {}: {error}", file.display())
            })?;
            (event, file.display().to_string())
        }
        (None, None) => (b"{}".to_vec(), "the default".to_owned()),
    };
    if persona == Persona::Aws && event.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let limit = persona.request_limit();
    if event.len() > limit {
        let size = event.len();
        return Err(format!("the event from {source} has {size} bytes, more than {limit}"));
    }
    if persona == Persona::Aws
        && let Err(error) = serde_json::from_slice::<IgnoredAny>(&event)
    {
        return Err(format!("the event from {source} is not JSON: {error}"));
    }
    Ok(Bytes::from(event))
}

/// The client context as the runtime gets it.
///
/// # Source
/// Invoke API, "Invoke request".
fn client_context(text: &str) -> Result<HeaderValue, String> {
    if text.len() > MAX_CLIENT_CONTEXT_SIZE {
        return Err(format!("{} bytes are more than {MAX_CLIENT_CONTEXT_SIZE}", text.len()));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| format!("not JSON: {error}"))?;
    // Line breaks between JSON tokens mean nothing, and a header cannot hold them.
    let line = text.replace(|c: char| c.is_ascii_control(), " ");
    HeaderValue::try_from(line).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_context_is_json_of_limited_size_in_one_line() {
        assert_eq!(client_context("{\"a\":\n1}").unwrap(), r#"{"a": 1}"#);
        assert!(client_context("{").unwrap_err().starts_with("not JSON: "));
        let long = format!("\"{}\"", "x".repeat(MAX_CLIENT_CONTEXT_SIZE));
        assert_eq!(client_context(&long).unwrap_err(), "3585 bytes are more than 3583");
    }
}
