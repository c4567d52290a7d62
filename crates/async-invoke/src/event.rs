//! [`Event`]: an accepted invocation, and how it is written down.

use bytes::Bytes;
use http::HeaderValue;
use rapid_interop::mode::InvokeResponseMode;
use rapid_interop::{CognitoIdentity, EpochMillis, Invoke, Mono, RequestId, TenantId};
use serde::{Deserialize, Serialize};

/// An accepted invocation.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) accepted: EpochMillis,
    invoke: Invoke,
}

impl Event {
    /// What is kept of an invocation: the client context is not for events, and the times are each
    /// attempt's own.
    ///
    /// # Source
    /// Asynchronous invocation, "Accepting an event".
    pub(crate) fn new(invoke: Invoke, accepted: EpochMillis) -> Self {
        let invoke = Invoke {
            client_context: None,
            response_mode: InvokeResponseMode::default(),
            log_tail: false,
            received: Mono::default(),
            request_read_time: std::time::Duration::ZERO,
            ..invoke
        };
        Self { accepted, invoke }
    }

    /// What is known of an event that cannot be read back; an ARN that is not is empty.
    pub(crate) fn remains(
        id: RequestId,
        accepted: EpochMillis,
        invoked_function_arn: Option<HeaderValue>,
    ) -> Self {
        let nothing = HeaderValue::from_static("");
        let invoke = Invoke {
            id,
            trace_id: nothing.clone(),
            tenant_id: None,
            invoked_function_arn: invoked_function_arn.unwrap_or(nothing),
            cognito_identity: None,
            client_context: None,
            content_type: None,
            payload: Bytes::new(),
            response_mode: InvokeResponseMode::default(),
            log_tail: false,
            received: Mono::default(),
            request_read_time: std::time::Duration::ZERO,
        };
        Self { accepted, invoke }
    }

    pub(crate) const fn id(&self) -> &RequestId {
        &self.invoke.id
    }

    pub(crate) const fn trace_id(&self) -> &HeaderValue {
        &self.invoke.trace_id
    }

    pub(crate) const fn payload(&self) -> &Bytes {
        &self.invoke.payload
    }

    /// The function's ARN as it was invoked, with `:$LATEST` when that named no version.
    pub(crate) fn qualified_arn(&self) -> String {
        let arn = String::from_utf8_lossy(self.invoke.invoked_function_arn.as_bytes());
        let has_qualifier = arn.split(':').nth(7).is_some();
        if has_qualifier || arn.is_empty() { arn.into_owned() } else { format!("{arn}:$LATEST") }
    }

    /// The function's name, for the names of files: nothing that leads elsewhere.
    pub(crate) fn function_name(&self) -> String {
        let arn = String::from_utf8_lossy(self.invoke.invoked_function_arn.as_bytes());
        let name = arn.split(':').nth(6).unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let plain: String = name.chars().filter(|c| is_plain(*c)).collect();
        if plain.is_empty() { "function".to_owned() } else { plain }
    }

    /// An attempt that begins now. The id is that of every attempt.
    pub(crate) fn attempt(&self, received: Mono) -> Invoke {
        Invoke { received, ..self.invoke.clone() }
    }

    /// Everything but the payload, as JSON.
    pub(crate) fn head(&self) -> Vec<u8> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let invoke = &self.invoke;
        let head = Head {
            id: invoke.id.as_str().to_owned(),
            accepted: self.accepted.0,
            size: invoke.payload.len(),
            trace_id: text(&invoke.trace_id),
            tenant_id: invoke.tenant_id.as_ref().map(|tenant| tenant.as_str().to_owned()),
            function_arn: text(&invoke.invoked_function_arn),
            cognito_identity: invoke.cognito_identity.clone(),
            content_type: invoke.content_type.as_ref().map(text),
        };
        // Texts and numbers only: this cannot fail.
        serde_json::to_vec(&head).unwrap_or_default()
    }
}

/// Everything but the payload, as it is written down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    id: String,
    accepted: u64,
    size: usize,
    trace_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    function_arn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cognito_identity: Option<CognitoIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
}

impl Head {
    /// Reads what [`Event::head`] has written; `None` if that is something else.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    pub(crate) fn id(&self) -> Option<RequestId> {
        RequestId::parse(&self.id)
    }

    pub(crate) const fn accepted(&self) -> EpochMillis {
        EpochMillis(self.accepted)
    }

    pub(crate) fn function_arn(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.function_arn).ok()
    }

    /// The size of the payload, in bytes.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// The event again; `None` if something in it cannot be right.
    pub(crate) fn with(self, payload: Bytes) -> Option<Event> {
        let invoke = Invoke {
            id: self.id()?,
            trace_id: HeaderValue::from_str(&self.trace_id).ok()?,
            tenant_id: match &self.tenant_id {
                Some(tenant) => Some(TenantId::parse(tenant)?),
                None => None,
            },
            invoked_function_arn: self.function_arn()?,
            cognito_identity: self.cognito_identity,
            client_context: None,
            content_type: match &self.content_type {
                Some(value) => Some(HeaderValue::from_str(value).ok()?),
                None => None,
            },
            payload,
            response_mode: InvokeResponseMode::default(),
            log_tail: false,
            received: Mono::default(),
            request_read_time: std::time::Duration::ZERO,
        };
        Some(Event { accepted: EpochMillis(self.accepted), invoke })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const ID: &str = "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11";
    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

    pub(crate) fn event(arn: &str, payload: &'static str) -> Event {
        let invoke = Invoke {
            id: RequestId::parse(ID).unwrap(),
            trace_id: HeaderValue::from_static("Root=1-5759e988-bd862e3fe1be46a994272793"),
            tenant_id: TenantId::parse("acme corp"),
            invoked_function_arn: HeaderValue::from_str(arn).unwrap(),
            cognito_identity: Some(CognitoIdentity {
                identity_id: "id".to_owned(),
                pool_id: "pool".to_owned(),
            }),
            client_context: Some(HeaderValue::from_static("{}")),
            content_type: Some(HeaderValue::from_static("application/json")),
            payload: Bytes::from_static(payload.as_bytes()),
            response_mode: InvokeResponseMode::default(),
            log_tail: false,
            received: Mono::from_nanos(7),
            request_read_time: std::time::Duration::from_secs(1),
        };
        Event::new(invoke, EpochMillis(1_789_456_390_674))
    }

    pub(crate) fn unqualified(payload: &'static str) -> Event {
        event(ARN, payload)
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let event = unqualified("[1]");
        let written = event.head();
        assert_eq!(
            String::from_utf8(written.clone()).unwrap(),
            r#"{"id":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","accepted":1789456390674,"size":3,"traceId":"Root=1-5759e988-bd862e3fe1be46a994272793","tenantId":"acme corp","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f","cognitoIdentity":{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"},"contentType":"application/json"}"#
        );
        let head = Head::read(&written).unwrap();
        assert_eq!((head.size(), head.accepted()), (3, event.accepted));
        let again = head.with(Bytes::from_static(b"[1]")).unwrap();
        assert_eq!(again.head(), written);
        assert_eq!(format!("{again:?}"), format!("{event:?}"));
    }

    #[test]
    fn attempts_have_the_same_id_a_time_of_their_own_and_no_client_context() {
        let attempt = unqualified("[1]").attempt(Mono::from_nanos(9));
        assert_eq!(attempt.id.as_str(), ID);
        assert_eq!(attempt.received, Mono::from_nanos(9));
        assert_eq!(attempt.client_context, None);
    }

    #[test]
    fn what_is_no_event_is_not_read() {
        assert!(Head::read(b"{}").is_none() && Head::read(b"\xff").is_none());
        let wrong = unqualified("").head();
        let wrong = String::from_utf8(wrong).unwrap().replace("acme corp", "acme!");
        assert!(Head::read(wrong.as_bytes()).unwrap().with(Bytes::new()).is_none());
    }

    #[test]
    fn an_unqualified_arn_means_the_latest_version() {
        assert_eq!(unqualified("").qualified_arn(), format!("{ARN}:$LATEST"));
        assert_eq!(event(&format!("{ARN}:prod"), "").qualified_arn(), format!("{ARN}:prod"));
    }

    #[test]
    fn the_functions_name_leads_nowhere_else() {
        assert_eq!(unqualified("").function_name(), "f");
        let of = |arn: &str| event(arn, "").function_name();
        assert_eq!(of("arn:aws:lambda:r:a:function:../../etc"), "etc");
        assert_eq!(of("something"), "function");
    }
}
