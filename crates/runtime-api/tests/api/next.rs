//! R2, `next`: the event, its headers, and the receipt for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use rapid_interop::mode::InvokeResponseMode;
use rapid_interop::ports::RuntimeRefusal;
use rapid_interop::{CognitoIdentity, Invoke, MAX_PAYLOAD_SIZE, Mono, RequestId, TenantId};

use crate::http_text::{INTERNAL, INVALID_ID, check, hang_up_on, request, send};
use crate::port::{FakePort, Play};

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next";
const ID: &str = "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11";

/// An event with nothing but what is always there.
pub(crate) fn event(payload: &'static str) -> Invoke {
    Invoke {
        id: RequestId::parse(ID).unwrap(),
        trace_id: HeaderValue::from_static("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"),
        tenant_id: None,
        invoked_function_arn: HeaderValue::from_static(
            "arn:aws:lambda:us-east-1:012345678912:function:f",
        ),
        cognito_identity: None,
        client_context: None,
        content_type: None,
        payload: Bytes::from_static(payload.as_bytes()),
        response_mode: InvokeResponseMode::default(),
        log_tail: false,
        received: Mono::default(),
        request_read_time: Duration::ZERO,
    }
}

fn giving(invoke: Invoke) -> FakePort {
    FakePort::with(|script| script.next = Play::Event(Arc::new(invoke), 1_542_409_706_888))
}

fn next() -> Request<Body> {
    request(NEXT, "")
}

#[tokio::test]
async fn a_full_event_has_every_header() {
    let port = giving(Invoke {
        tenant_id: TenantId::parse("acme corp"),
        cognito_identity: Some(CognitoIdentity {
            identity_id: "id".into(),
            pool_id: "pool".into(),
        }),
        client_context: Some(HeaderValue::from_static(r#"{"client":{"app_title":"t"}}"#)),
        content_type: Some(HeaderValue::from_static("application/x-event")),
        ..event(r#"{"key":"value"}"#)
    });
    let expected = r#"200
content-type: application/x-event
lambda-runtime-aws-request-id: 6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11
lambda-runtime-aws-tenant-id: acme corp
lambda-runtime-client-context: {"client":{"app_title":"t"}}
lambda-runtime-cognito-identity: {"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}
lambda-runtime-deadline-ms: 1542409706888
lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:012345678912:function:f
lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1

{"key":"value"}"#;
    check(&port, NEXT, "", expected).await;
}

#[tokio::test]
async fn a_bare_event_has_no_header_that_would_be_empty() {
    let port = giving(Invoke {
        trace_id: HeaderValue::from_static(""),
        invoked_function_arn: HeaderValue::from_static(""),
        client_context: Some(HeaderValue::from_static("")),
        content_type: Some(HeaderValue::from_static("")),
        cognito_identity: Some(CognitoIdentity::default()),
        ..event("{}")
    });
    let expected = "200
content-type: application/json
lambda-runtime-aws-request-id: 6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11
lambda-runtime-deadline-ms: 1542409706888

{}";
    check(&port, NEXT, "", expected).await;
}

#[tokio::test]
async fn half_a_cognito_identity_is_filled_up_with_an_empty_text() {
    let identity = CognitoIdentity { identity_id: String::new(), pool_id: "pool".into() };
    let port = giving(Invoke { cognito_identity: Some(identity), ..event("{}") });
    let response = send(&port, next()).await;
    assert_eq!(
        response.headers()["lambda-runtime-cognito-identity"],
        r#"{"cognitoIdentityId":"","cognitoIdentityPoolId":"pool"}"#
    );
}

#[tokio::test]
async fn values_outside_of_ascii_are_passed_on_as_the_bytes_they_are() {
    let bytes = b"{\"custom\":{\"n\":\"\xc3\xa4\xff\"}}";
    let context = HeaderValue::from_bytes(bytes).unwrap();
    let port = giving(Invoke { client_context: Some(context), ..event("{}") });
    let response = send(&port, next()).await;
    assert_eq!(response.headers()["lambda-runtime-client-context"].as_bytes(), bytes);
}

#[tokio::test]
async fn an_empty_event_is_announced_as_empty() {
    let port = giving(event(""));
    let response = send(&port, next()).await;
    assert_eq!(response.headers()["content-length"], "0");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
    assert_eq!(port.heard()[1..], ["settled"]);
}

#[tokio::test]
async fn the_event_is_the_invokers_bytes_uncopied() {
    let payload = Bytes::from(vec![b'x'; MAX_PAYLOAD_SIZE]);
    let port = giving(Invoke { payload: payload.clone(), ..event("") });
    let mut response = send(&port, next()).await;
    assert_eq!(response.headers()["content-length"], "6291556");
    let sent = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!((sent.as_ptr(), sent.len()), (payload.as_ptr(), payload.len()));
}

#[tokio::test]
async fn an_event_over_the_limit_is_cut_and_so_is_its_length() {
    let payload = Bytes::from(vec![b'x'; MAX_PAYLOAD_SIZE + 1]);
    let port = giving(Invoke { payload, ..event("") });
    let response = send(&port, next()).await;
    assert_eq!(response.headers()["content-length"], "6291556");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), MAX_PAYLOAD_SIZE);
}

#[tokio::test]
async fn an_event_counts_as_delivered_once_its_body_was_taken() {
    let port = giving(event("{}"));
    let mut response = send(&port, next()).await;
    assert_eq!(port.heard().len(), 1, "{:?}", port.heard());
    response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(port.heard()[1..], ["settled"]);
    drop(response);
    assert_eq!(port.heard().len(), 2, "{:?}", port.heard());
}

#[tokio::test]
async fn an_event_that_nobody_read_does_not_count_as_delivered() {
    let port = giving(event("{}"));
    drop(send(&port, next()).await);
    assert_eq!(port.heard()[1..], ["receipt dropped"]);
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_un_parked() {
    let port = FakePort::default();
    hang_up_on(&port, next()).await;
    assert_eq!(port.heard(), ["next in 1: user agent -, features -", "un-parked"]);
}

#[tokio::test]
async fn the_port_learns_how_the_runtime_calls_itself() {
    let port = giving(event("{}"));
    let head = format!("{NEXT}\nUser-Agent: Node.js/14 x\nlambda-runtime-FEATURES: httpcl/2.0 (a)");
    send(&port, request(&head, "")).await;
    assert_eq!(port.heard()[0], "next in 1: user agent Node.js/14 x, features httpcl/2.0 (a)");
}

#[tokio::test]
async fn refusals_are_answered_in_json_that_ends_with_a_newline() {
    let transition = RuntimeRefusal::InvalidStateTransition { from: "InitError", to: "Ready" };
    let forbidden = "403
content-type: application/json

{\"errorMessage\":\"State transition from InitError to Ready failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}
";
    check(&FakePort::refusing(transition), NEXT, "", forbidden).await;
    let crowded = "500
content-type: application/json

{\"errorMessage\":\"too many callers wait for the next event\",\"errorType\":\"Runtime.TooManyIdleRuntimes\"}
";
    check(&FakePort::refusing(RuntimeRefusal::TooManyIdleRuntimes), NEXT, "", crowded).await;
    check(&FakePort::refusing(RuntimeRefusal::InvalidRequestId), NEXT, "", INVALID_ID).await;
    check(&FakePort::refusing(RuntimeRefusal::Internal), NEXT, "", INTERNAL).await;
}

#[tokio::test]
async fn refusals_escape_what_html_gives_a_meaning_to() {
    let refusal = RuntimeRefusal::InvalidStateTransition { from: "<a>&\"\\", to: "\u{2028}ä" };
    let expected = r#"403
content-type: application/json

{"errorMessage":"State transition from \u003ca\u003e\u0026\"\\ to \u2028ä failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"}
"#;
    check(&FakePort::refusing(refusal), NEXT, "", expected).await;
}
