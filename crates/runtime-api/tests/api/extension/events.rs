//! `event/next`: the events to the byte, and the receipts for them.

use std::sync::Arc;

use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use rapid_interop::extension::{ExtensionEvent, ExtensionId, ExtensionRefusal, StateConflict};
use rapid_interop::message::ResetReason;
use rapid_interop::{EpochMillis, Invoke};

use super::{IDENTIFIER, NEXT, check_internal, check_refusal, invalid_state};
use crate::http_text::{check, hang_up_on, request, send, written};
use crate::next::event;
use crate::port::FakePort;

const UUID: &str = "85083764-ff1e-476f-ada1-d51f26e4f6be";

fn head() -> String {
    format!("{NEXT}\n{IDENTIFIER}")
}

fn next() -> Request<axum::body::Body> {
    request(&head(), "")
}

fn giving(event: ExtensionEvent) -> FakePort {
    FakePort::with(|script| script.extension_event = Some(event))
}

fn invoking(invoke: Invoke) -> FakePort {
    let deadline = EpochMillis(1_700_000_000_123);
    giving(ExtensionEvent::Invoke { invoke: Arc::new(invoke), deadline })
}

/// Asks for an event, and compares the whole answer but for the event's identifier.
async fn check_invoke(invoke: Invoke, body: &str) {
    let mut response = send(&invoking(invoke), next()).await;
    let identifier = response.headers_mut().remove("lambda-extension-event-identifier").unwrap();
    assert!(is_random(&identifier), "{identifier:?}");
    let expected = format!("200\ncontent-type: application/json\n\n{body}");
    assert_eq!(written(response).await, expected);
}

/// Whether it is a random UUID, of version 4, in its usual spelling.
fn is_random(identifier: &HeaderValue) -> bool {
    let text = identifier.to_str().unwrap();
    ExtensionId::parse(text).is_some_and(|id| id.to_string() == text) && text.as_bytes()[14] == b'4'
}

#[tokio::test]
async fn an_invocation_is_told_with_its_deadline_and_its_trace() {
    check_invoke(
        event("payload"),
        r#"{"eventType":"INVOKE","deadlineMs":1700000000123,"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","invokedFunctionArn":"arn:aws:lambda:us-east-1:012345678912:function:f","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"}}"#,
    )
    .await;
}

#[tokio::test]
async fn an_invocation_without_a_trace_is_told_without() {
    let bare = Invoke {
        trace_id: HeaderValue::from_static(""),
        invoked_function_arn: HeaderValue::from_static(""),
        ..event("")
    };
    check_invoke(
        bare,
        r#"{"eventType":"INVOKE","deadlineMs":1700000000123,"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","invokedFunctionArn":""}"#,
    )
    .await;
}

#[tokio::test]
async fn whatever_is_in_the_trace_the_event_is_json() {
    let odd = Invoke {
        trace_id: HeaderValue::from_bytes(b"<\"\\\xff\xc3\xa4&").unwrap(),
        invoked_function_arn: HeaderValue::from_bytes(b"a\xff>").unwrap(),
        ..event("")
    };
    check_invoke(
        odd,
        "{\"eventType\":\"INVOKE\",\"deadlineMs\":1700000000123,\"requestId\":\"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11\",\"invokedFunctionArn\":\"a\u{fffd}\\u003e\",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"\\u003c\\\"\\\\\u{fffd}ä\\u0026\"}}",
    )
    .await;
}

#[tokio::test]
async fn every_event_has_an_identifier_of_its_own() {
    let port = invoking(event("{}"));
    let identifier =
        async || send(&port, next()).await.headers()["lambda-extension-event-identifier"].clone();
    assert_ne!(identifier().await, identifier().await);
}

#[tokio::test]
async fn the_end_is_told_as_text_and_without_an_identifier() {
    for (reason, word) in [
        (ResetReason::Spindown, "spindown"),
        (ResetReason::Timeout, "timeout"),
        (ResetReason::Failure, "failure"),
    ] {
        let port =
            giving(ExtensionEvent::Shutdown { reason, deadline: EpochMillis(1_700_000_002) });
        let expected = format!(
            "200\ncontent-type: text/plain; charset=utf-8\n\n\
             {{\"eventType\":\"SHUTDOWN\",\"deadlineMs\":1700000002,\"shutdownReason\":\"{word}\"}}"
        );
        check(&port, &head(), "", &expected).await;
    }
}

#[tokio::test]
async fn an_event_counts_as_delivered_once_its_body_was_taken() {
    let port = invoking(event("{}"));
    let mut response = send(&port, next()).await;
    assert_eq!(port.heard(), [format!("next event of {UUID} in 1")]);
    response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(port.heard()[1..], ["settled"]);
    drop(response);
    assert_eq!(port.heard().len(), 2, "{:?}", port.heard());
}

#[tokio::test]
async fn an_event_that_nobody_read_does_not_count_as_delivered() {
    let end = ExtensionEvent::Shutdown { reason: ResetReason::Timeout, deadline: EpochMillis(1) };
    for port in [invoking(event("{}")), giving(end)] {
        drop(send(&port, next()).await);
        assert_eq!(port.heard()[1..], ["receipt dropped"]);
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_un_parked() {
    let port = FakePort::default();
    hang_up_on(&port, next()).await;
    assert_eq!(port.heard(), [format!("next event of {UUID} in 1"), "un-parked".to_owned()]);
}

#[tokio::test]
async fn an_extension_that_nobody_knows_is_told_who_it_says_it_is() {
    let id = ExtensionId::parse(UUID).unwrap();
    check_refusal(
        &head(),
        ExtensionRefusal::Unknown { id },
        "Extension.UnknownExtensionIdentifier",
        "Unknown extension 85083764-ff1e-476f-ada1-d51f26e4f6be",
    )
    .await;
}

#[tokio::test]
async fn a_state_that_refuses_is_named() {
    for (why, text) in [
        (StateConflict::NotAllowed, "State transition is not allowed"),
        (StateConflict::Concurrent, "Concurrent state modification"),
    ] {
        check_refusal(
            &head(),
            invalid_state("Ready", "Ready", UUID, why),
            "Extension.InvalidExtensionState",
            &format!(
                "State transition from Ready to Ready failed for extension {UUID}. Error: {text}"
            ),
        )
        .await;
    }
}

#[tokio::test]
async fn a_fault_of_the_platform_is_told() {
    check_internal(&head()).await;
}
