//! An invocation on its way in, and its response on the way out.

use bytes::Bytes;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{RequestId, TenantId};
use crate::mode::{FunctionResponseMode, InvokeResponseMode};
use crate::time::Mono;

/// An invocation as an invoker asked for it.
///
/// Texts that travel on to the runtime as headers are kept as header values: parsed once at the
/// edge, shared afterwards.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// The id of the invocation, the same everywhere.
    pub id: RequestId,
    /// The tracing header, `Root=…;Parent=…;Sampled=…`; never absent.
    pub trace_id: HeaderValue,
    /// The tenant on whose behalf it runs.
    pub tenant_id: Option<TenantId>,
    /// The ARN that was invoked, with the qualifier if one was given.
    pub invoked_function_arn: HeaderValue,
    /// Who the caller is to Amazon Cognito.
    pub cognito_identity: Option<CognitoIdentity>,
    /// The decoded client context.
    pub client_context: Option<HeaderValue>,
    /// The media type of the payload; `application/json` when absent.
    pub content_type: Option<HeaderValue>,
    /// The event, at most [`crate::MAX_PAYLOAD_SIZE`] bytes; shared, never copied.
    pub payload: Bytes,
    /// How the invoker wants the response.
    pub response_mode: InvokeResponseMode,
    /// Whether the invoker wants the last that the invocation has logged, and waits for it.
    pub log_tail: bool,
    /// When the whole request had been read.
    pub received: Mono,
    /// How long reading the request took.
    pub request_read_time: std::time::Duration,
}

/// The caller's identity in Amazon Cognito, as invokers send it and runtimes read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CognitoIdentity {
    /// The identity.
    #[serde(rename = "cognitoIdentityId", default)]
    pub identity_id: String,
    /// The pool it belongs to.
    #[serde(rename = "cognitoIdentityPoolId", default)]
    pub pool_id: String,
}

impl CognitoIdentity {
    /// Whether both parts are empty, in which case the runtime is told nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identity_id.is_empty() && self.pool_id.is_empty()
    }

    /// The value of `Lambda-Runtime-Cognito-Identity`, or `None` when both parts are empty.
    #[must_use]
    pub fn to_header(&self) -> Option<HeaderValue> {
        if self.is_empty() {
            return None;
        }
        let json = serde_json::to_vec(self).ok()?;
        HeaderValue::from_maybe_shared(Bytes::from(json)).ok()
    }
}

/// What came with the body of a response or an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvokeResponseHeaders {
    /// The media type the runtime gave.
    pub content_type: Option<HeaderValue>,
    /// The response mode the runtime gave.
    pub function_response_mode: FunctionResponseMode,
}

/// A successful response of the runtime.
#[derive(Clone, Debug)]
pub struct StreamableInvokeResponse {
    /// What the runtime said about the body.
    pub headers: InvokeResponseHeaders,
    /// The body.
    pub payload: Bytes,
}

/// What an invocation's error leaves for its trace segment.
#[derive(Clone, Debug, Default)]
pub struct InvokeErrorTraceData {
    /// The X-Ray error cause, cropped to its limit; `None` when it was absent or unusable.
    pub error_cause: Option<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cognito_identity_reaches_the_runtime_only_when_it_says_something() {
        assert_eq!(CognitoIdentity::default().to_header(), None);
        let half = CognitoIdentity { identity_id: "id".into(), pool_id: String::new() };
        assert_eq!(
            half.to_header().unwrap(),
            r#"{"cognitoIdentityId":"id","cognitoIdentityPoolId":""}"#
        );
    }
}
