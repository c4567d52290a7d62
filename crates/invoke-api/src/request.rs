//! What an invoker sent, read in the order in which the service checks it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use rapid_interop::limits::MAX_CLIENT_CONTEXT_SIZE;
use rapid_interop::{CognitoIdentity, RequestId, TenantId};
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::function::{FunctionName, NAME_PATTERN, QUALIFIER_PATTERN, Qualified, is_qualifier};
use crate::persona::Persona;
use crate::trace::{new_trace_id, trace_id};
use crate::wire::{self, ApiError};

/// What is to be done with an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationType {
    /// Run it, and answer with its response.
    RequestResponse,
    /// Run it some time.
    Event,
    /// Check it.
    DryRun,
}

/// What the headers of an invocation say.
#[derive(Debug)]
pub(crate) struct InvokeHeaders {
    pub(crate) invocation_type: InvocationType,
    pub(crate) log_tail: bool,
    pub(crate) trace_id: HeaderValue,
    pub(crate) client_context: Option<HeaderValue>,
    pub(crate) cognito_identity: Option<CognitoIdentity>,
    pub(crate) tenant_id: Option<TenantId>,
}

/// Which function a URI means: the name in its path, the qualifier in its path or query.
pub(crate) fn function(uri: &Uri) -> Result<Qualified, ApiError> {
    let segment = uri.path().split('/').nth(3).unwrap_or("");
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    let parsed = FunctionName::parse(&decoded).ok_or_else(|| ApiError::Validation {
        value: decoded.clone().into_owned(),
        member: "functionName",
        pattern: NAME_PATTERN,
    })?;
    let qualifier = match (parsed.qualifier, query_qualifier(uri)?) {
        (Some(named), Some(asked)) if named != asked => {
            let message = "The derived qualifier from the function name does not match the \
                           specified qualifier.";
            return Err(ApiError::InvalidParameterValue(message.to_owned()));
        }
        (Some(named), _) => Some(named.to_owned()),
        (None, asked) => asked,
    };
    Ok(Qualified { name: parsed.name.to_owned(), qualifier })
}

fn query_qualifier(uri: &Uri) -> Result<Option<String>, ApiError> {
    let pairs = uri.query().unwrap_or("").split('&');
    let Some(value) = pairs.filter_map(|pair| pair.strip_prefix("Qualifier=")).next() else {
        return Ok(None);
    };
    let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
    if is_qualifier(&value) {
        Ok(Some(value))
    } else {
        let pattern = QUALIFIER_PATTERN;
        Err(ApiError::Validation { value, member: "qualifier", pattern })
    }
}

/// The id the invocation gets: the invoker's, if it may choose, or a new one.
pub(crate) fn request_id(headers: &HeaderMap, persona: Persona) -> Option<RequestId> {
    let chosen = headers.get(wire::REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits = |text: &&str| persona.takes_any_request_id() || Uuid::try_parse(text).is_ok();
    chosen
        .filter(fits)
        .and_then(RequestId::parse)
        .or_else(|| RequestId::parse(Uuid::new_v4().as_hyphenated().encode_lower(&mut [0; 36])))
}

impl InvokeHeaders {
    /// Those of an event that has none of its own.
    pub(crate) fn of_a_plain_event() -> Self {
        Self {
            invocation_type: InvocationType::Event,
            log_tail: false,
            trace_id: new_trace_id(),
            client_context: None,
            cognito_identity: None,
            tenant_id: None,
        }
    }
}

/// Reads the headers of an invocation. Of one that nobody waits for, those do not matter that are
/// for who waits.
pub(crate) fn headers(
    headers: &HeaderMap,
    persona: Persona,
    is_event: bool,
) -> Result<InvokeHeaders, ApiError> {
    Ok(InvokeHeaders {
        invocation_type: invocation_type(headers, persona)?,
        log_tail: log_tail(headers, persona)? && !is_event,
        trace_id: trace_id(headers),
        client_context: if is_event { None } else { client_context(headers, persona)? },
        cognito_identity: cognito_identity(headers)?,
        tenant_id: tenant_id(headers)?,
    })
}

pub(crate) fn invocation_type(
    headers: &HeaderMap,
    persona: Persona,
) -> Result<InvocationType, ApiError> {
    let Some(value) =
        headers.get(wire::INVOCATION_TYPE).filter(|_| persona.reads_invocation_type())
    else {
        return Ok(InvocationType::RequestResponse);
    };
    match value.as_bytes() {
        b"" | b"RequestResponse" => Ok(InvocationType::RequestResponse),
        b"Event" => Ok(InvocationType::Event),
        b"DryRun" => Ok(InvocationType::DryRun),
        other => Err(ApiError::InvalidParameterValue(format!(
            "X-Amz-Invocation-Type has to be RequestResponse, Event or DryRun, not '{}'.",
            String::from_utf8_lossy(other)
        ))),
    }
}

fn log_tail(headers: &HeaderMap, persona: Persona) -> Result<bool, ApiError> {
    let Some(value) = headers.get(wire::LOG_TYPE).filter(|_| persona.reads_log_type()) else {
        return Ok(false);
    };
    match value.as_bytes() {
        b"" | b"None" => Ok(false),
        b"Tail" => Ok(true),
        other => Err(ApiError::InvalidParameterValue(format!(
            "X-Amz-Log-Type has to be None or Tail, not '{}'.",
            String::from_utf8_lossy(other)
        ))),
    }
}

fn client_context(headers: &HeaderMap, persona: Persona) -> Result<Option<HeaderValue>, ApiError> {
    let Some(value) = headers.get(wire::CLIENT_CONTEXT).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let unusable = |why: &str| {
        ApiError::InvalidRequestContent(format!(
            "Client context must be a valid Base64-encoded JSON object: {}.",
            why.trim_end_matches('.')
        ))
    };
    let mut decoded =
        STANDARD.decode(value.as_bytes()).map_err(|error| unusable(&error.to_string()))?;
    if decoded.len() > MAX_CLIENT_CONTEXT_SIZE {
        let size = decoded.len();
        return Err(unusable(&format!("{size} bytes are more than {MAX_CLIENT_CONTEXT_SIZE}")));
    }
    if persona.wants_json() {
        serde_json::from_slice::<IgnoredAny>(&decoded)
            .map_err(|error| unusable(&error.to_string()))?;
    }
    // Line breaks between JSON tokens mean nothing, and a header cannot hold them.
    for byte in &mut decoded {
        if byte.is_ascii_control() {
            *byte = b' ';
        }
    }
    HeaderValue::from_maybe_shared(Bytes::from(decoded))
        .map(Some)
        .map_err(|error| unusable(&error.to_string()))
}

fn cognito_identity(headers: &HeaderMap) -> Result<Option<CognitoIdentity>, ApiError> {
    let Some(value) = headers.get(wire::COGNITO_IDENTITY).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let unusable = |why: &str| {
        ApiError::InvalidRequestContent(format!(
            "X-Amz-Cognito-Identity must be a JSON object with cognitoIdentityId and \
             cognitoIdentityPoolId: {why}."
        ))
    };
    // Serde would take a list for the members in order.
    if value.as_bytes().trim_ascii_start().first() == Some(&b'[') {
        return Err(unusable("a list is none"));
    }
    serde_json::from_slice(value.as_bytes()).map(Some).map_err(|error| unusable(&error.to_string()))
}

fn tenant_id(headers: &HeaderMap) -> Result<Option<TenantId>, ApiError> {
    let Some(value) = headers.get(wire::TENANT_ID) else { return Ok(None) };
    let text = value.to_str().ok();
    let tenant = text.and_then(TenantId::parse).ok_or_else(|| ApiError::Validation {
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        member: "tenantId",
        pattern: r"[a-zA-Z0-9\._:\/=+\-@ ]+",
    })?;
    Ok(Some(tenant))
}

/// The event: what was sent, or `{}` for nothing where the service does that.
pub(crate) fn payload(body: Bytes, persona: Persona) -> Result<Bytes, ApiError> {
    if !persona.wants_json() {
        return Ok(body);
    }
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    serde_json::from_slice::<IgnoredAny>(&body).map_err(|error| {
        ApiError::InvalidRequestContent(format!(
            "Could not parse request body into json: Could not parse payload into json: {error}"
        ))
    })?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    fn header(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn names_are_decoded_and_qualifiers_have_to_agree() {
        let found = function(&uri(
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations?Qualifier=live",
        ));
        let expected = Qualified { name: "f".into(), qualifier: Some("live".into()) };
        assert_eq!(found, Ok(expected));
        let clash = function(&uri("/2015-03-31/functions/f:1/invocations?Qualifier=2"));
        assert_eq!(clash.unwrap_err().code(), "InvalidParameterValueException");
        let same = function(&uri("/2015-03-31/functions/f:1/invocations?x=y&Qualifier=1"));
        assert_eq!(same.unwrap().qualifier.as_deref(), Some("1"));
        for bad in [
            "/2015-03-31/functions/f%20g/invocations",
            "/2015-03-31/functions/f/invocations?Qualifier=a%20b",
            "/2015-03-31/functions/f/invocations?Qualifier=",
        ] {
            assert_eq!(function(&uri(bad)).unwrap_err().code(), "ValidationException", "{bad}");
        }
    }

    #[test]
    fn an_invoker_may_choose_a_uuid_and_against_the_emulator_anything() {
        let id = "11111111-2222-4333-8444-555555555555";
        let uuid = header(wire::REQUEST_ID, "11111111-2222-4333-8444-555555555555");
        let word = header(wire::REQUEST_ID, "my-id");
        assert_eq!(request_id(&uuid, Persona::Aws).unwrap().as_str(), id);
        assert_ne!(request_id(&word, Persona::Aws).unwrap().as_str(), "my-id");
        assert_eq!(request_id(&word, Persona::Rie).unwrap().as_str(), "my-id");
        assert_eq!(request_id(&HeaderMap::new(), Persona::Rie).unwrap().as_str().len(), 36);
    }

    #[test]
    fn a_client_context_is_decoded_checked_and_made_fit_for_a_header() {
        // {"a":\n1}
        let good = header(wire::CLIENT_CONTEXT, "eyJhIjoKMX0=");
        let context = client_context(&good, Persona::Aws).unwrap().unwrap();
        assert_eq!(context, r#"{"a": 1}"#);
        let bad = header(wire::CLIENT_CONTEXT, "%%%");
        for persona in [Persona::Aws, Persona::Rie] {
            let error = client_context(&bad, persona).unwrap_err();
            assert_eq!(error.code(), "InvalidRequestContentException");
        }
        // "hello", which the emulator lets through
        let text = header(wire::CLIENT_CONTEXT, "aGVsbG8=");
        assert!(client_context(&text, Persona::Aws).is_err());
        assert_eq!(client_context(&text, Persona::Rie).unwrap().unwrap(), "hello");
    }

    #[test]
    fn bodies_have_to_be_json_for_the_service_only() {
        let body = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(payload(body(""), Persona::Aws).unwrap(), "{}");
        assert_eq!(payload(body(""), Persona::Rie).unwrap(), "");
        assert_eq!(payload(body(" null "), Persona::Aws).unwrap(), " null ");
        assert_eq!(payload(body("nope"), Persona::Rie).unwrap(), "nope");
        let error = payload(body("nope"), Persona::Aws).unwrap_err();
        assert_eq!(error.code(), "InvalidRequestContentException");
    }

    #[test]
    fn invocation_types_are_checked_unless_the_emulator_is_played() {
        let event = header(wire::INVOCATION_TYPE, "Event");
        let read = invocation_type;
        assert_eq!(read(&event, Persona::Aws), Ok(InvocationType::Event));
        assert_eq!(read(&event, Persona::Rie), Ok(InvocationType::RequestResponse));
        let dry_run = header(wire::INVOCATION_TYPE, "DryRun");
        assert_eq!(read(&dry_run, Persona::Aws), Ok(InvocationType::DryRun));
        assert!(read(&header(wire::INVOCATION_TYPE, "dryrun"), Persona::Aws).is_err());
    }
}
