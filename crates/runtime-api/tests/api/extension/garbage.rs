//! Whatever an extension sends, it gets one of the answers that are documented.

use axum::body::Body;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use rapid_interop::EpochMillis;
use rapid_interop::extension::ExtensionEvent;
use rapid_interop::message::ResetReason;
use rapid_interop::ports::TelemetryAnswer;
use serde_json::Value;

use super::ROUTES;
use crate::http_text::send;
use crate::port::FakePort;

const HEADERS: [&str; 4] = [
    "lambda-extension-name",
    "lambda-extension-identifier",
    "lambda-extension-accept-feature",
    "lambda-extension-function-error-type",
];

/// The error types that do not depend on the port.
const ERROR_TYPES: [&str; 7] = [
    "Extension.MissingExtensionIdentifier",
    "Extension.InvalidExtensionIdentifier",
    "Extension.InvalidExtensionName",
    "Extension.MissingHeader",
    "InvalidRequestFormat",
    "Logs.NotSupported",
    "Telemetry.NotSupported",
];

fn header() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"85083764-ff1e-476f-ada1-d51f26e4f6be".to_vec()),
        Just(b"accountId".to_vec()),
        prop::collection::vec(any::<u8>(), 0..60),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        r#"\{"(events|configurationKeys|x)":(null|1|\[\]|\["[A-Z<\\]{0,9}"\]|"INVOKE")\}"#
            .prop_map(String::into_bytes),
        r#"[\[\]\{\}",:0-9a-z \\]{0,40}"#.prop_map(String::into_bytes),
        Just(b"[".repeat(10_000)),
        prop::collection::vec(any::<u8>(), 0..60),
    ]
}

/// The answer has to be one that is documented.
async fn check_answer(request: Request<Body>, subscribable: bool) {
    let port = FakePort::with(|script| {
        let reason = ResetReason::Spindown;
        let deadline = EpochMillis(1);
        script.extension_event = Some(ExtensionEvent::Shutdown { reason, deadline });
        let answer = TelemetryAnswer { status: StatusCode::OK, body: "\"OK\"".into() };
        script.subscription = subscribable.then_some(answer);
    });
    let response = send(&port, request).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let json: Value = serde_json::from_slice(&body).unwrap();
    match json.get("errorType") {
        Some(error_type) => {
            let known = ERROR_TYPES.iter().position(|known| error_type == known);
            assert_eq!(status, if known.unwrap() < 5 { 403 } else { 202 });
        }
        None => assert!(status == 200 || status == 202, "{status}"),
    }
}

proptest! {
    #[test]
    fn every_answer_is_one_of_those_that_are_documented(
        route in 0..ROUTES.len(),
        headers in prop::collection::vec((0..HEADERS.len(), header()), 0..6),
        body in body(),
        subscribable: bool,
    ) {
        let (method, path) = ROUTES[route];
        let mut request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        for (name, value) in headers {
            // What is no header value never gets past the connection.
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().append(HEADERS[name], value);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_answer(request, subscribable));
    }
}
