//! Which path answers which method, and how everything else is turned away.

use std::sync::Arc;

use rapid_interop::Generation;
use rapid_interop::ports::RuntimeRefusal;
use rapid_runtime_api::ConnectionGeneration;
use tower::ServiceExt as _;

use crate::http_text::{ACCEPTED, INTERNAL, api, check, request, send, written};
use crate::next::event;
use crate::port::{FakePort, Play};

const NOT_FOUND: &str = "404
content-type: text/plain; charset=utf-8
x-content-type-options: nosniff

404 page not found
";

const PONG: &str = "200\ncontent-type: text/plain; charset=utf-8\n\npong";

/// Every route but the metadata's, which has a 405 of its own.
const ROUTES: [(&str, &str); 5] = [
    ("GET", "/2018-06-01/ping"),
    ("GET", "/2018-06-01/runtime/invocation/next"),
    ("POST", "/2018-06-01/runtime/invocation/abc/response"),
    ("POST", "/2018-06-01/runtime/invocation/abc/error"),
    ("POST", "/2018-06-01/runtime/init/error"),
];

#[tokio::test]
async fn a_ping_is_answered_without_a_newline_and_without_the_port() {
    let port = FakePort::refusing(RuntimeRefusal::Internal);
    check(&port, "GET /2018-06-01/ping", "", PONG).await;
    check(&port, "GET /2018-06-01/ping?a=b", "", PONG).await;
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn every_other_method_is_told_the_one_that_is_allowed() {
    let port = FakePort::default();
    for (allowed, path) in ROUTES {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            if method == allowed {
                continue;
            }
            let expected = format!("405\nallow: {allowed}\n\n");
            let head = format!("{method} {path}");
            check(&port, &head, "", &expected).await;
            check(&port, &format!("{head}/"), "", &expected).await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn one_slash_at_the_end_is_tolerated_and_two_are_not() {
    let port = FakePort::with(|script| script.next = Play::Event(Arc::new(event("{}")), 1));
    for (method, path) in ROUTES {
        let status = send(&port, request(&format!("{method} {path}/"), "")).await.status();
        assert!(status.is_success(), "{path}/: {status}");
        check(&port, &format!("{method} {path}//"), "", NOT_FOUND).await;
        check(&port, &format!("{method} /{path}"), "", NOT_FOUND).await;
    }
}

#[tokio::test]
async fn unknown_paths_are_answered_in_plain_text_that_is_not_to_be_sniffed() {
    let port = FakePort::default();
    for path in [
        "/",
        "/2018-06-01",
        "/2018-06-01/Ping",
        "/2018-06-01/runtime/invocation/next/more",
        "/2018-06-01/runtime/invocation/abc",
        "/2018-06-01/runtime/invocation/a/b/response",
        "/2018-06-01/runtime/restore/next",
        "/2018-06-01/runtime/restore/error",
        "/2021-04-23/credentials",
        "/2026-01-15/metadata",
        "/2026-01-15/metadata/execution-environment/more",
        "/2020-01-01",
        "/2020-01-01/extension/event",
        "/2020-01-01/extension/Register",
        "/2020-01-01/extension/register/more",
        "/2020-08-15",
        "/2022-07-01/telemetry/more",
    ] {
        for method in ["GET", "POST"] {
            check(&port, &format!("{method} {path}"), "", NOT_FOUND).await;
        }
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn the_metadata_are_for_the_bearer_of_the_token() {
    let told = "200
cache-control: private, max-age=43200, immutable
content-type: application/json

{\"AvailabilityZoneID\":\"use1-az1\"}";
    let port = FakePort::default();
    let get = "GET /2026-01-15/metadata/execution-environment";
    check(&port, &format!("{get}\nAuthorization: Bearer secret"), "", told).await;
    check(&port, &format!("{get}/\nAuthorization: Bearer secret"), "", told).await;
}

#[tokio::test]
async fn without_the_token_there_are_no_metadata() {
    let unauthorized = "401
content-type: text/plain; charset=utf-8
x-content-type-options: nosniff

Unauthorized
";
    let port = FakePort::default();
    let get = "GET /2026-01-15/metadata/execution-environment";
    check(&port, get, "", unauthorized).await;
    for bad in
        ["", "secret", "Bearer", "Bearer secre", "Bearer secrets", "Basic secret", "Bearer  secret"]
    {
        check(&port, &format!("{get}\nAuthorization: {bad}"), "", unauthorized).await;
    }
}

#[tokio::test]
async fn the_metadata_can_only_be_got() {
    let port = FakePort::default();
    for method in ["POST", "PUT", "OPTIONS"] {
        let head = format!(
            "{method} /2026-01-15/metadata/execution-environment\nAuthorization: Bearer secret"
        );
        let expected = "405
content-type: text/plain; charset=utf-8
x-content-type-options: nosniff

Method Not Allowed
";
        check(&port, &head, "", expected).await;
    }
    let head = request("HEAD /2026-01-15/metadata/execution-environment", "");
    assert_eq!(send(&port, head).await.status(), 405);
}

#[tokio::test]
async fn metadata_do_not_print_their_token() {
    assert!(!format!("{:?}", crate::http_text::metadata()).contains("secret"));
}

#[tokio::test]
async fn calls_belong_to_the_generation_of_their_connection() {
    let port = FakePort::with(|script| script.next = Play::Event(Arc::new(event("{}")), 1));
    port.end_generation();
    port.end_generation();
    for (method, path) in &ROUTES[1..] {
        let mut old = request(&format!("{method} {path}"), "");
        old.extensions_mut().insert(ConnectionGeneration(Generation::FIRST.next()));
        send(&port, old).await;
        send(&port, request(&format!("{method} {path}"), "")).await;
    }
    let beginnings = ["next", "response", "error", "init"];
    let heard = port.heard();
    let calls: Vec<_> = heard
        .iter()
        .filter(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        calls,
        [
            "next in 2",
            "next in 3",
            "response to 'abc' in 2",
            "response to 'abc' in 3",
            "error of 'abc' in 2",
            "error of 'abc' in 3",
            "init error in 2",
            "init error in 3",
        ]
    );
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_request_is_served() {
    let port = FakePort::with(|script| script.next = Play::Panic);
    let router = api(&port);
    let next = || request("GET /2018-06-01/runtime/invocation/next", "");
    let panicked = router.clone().oneshot(next()).await.unwrap();
    assert_eq!(written(panicked).await, INTERNAL);
    port.change(|script| script.next = Play::Event(Arc::new(event("{}")), 1));
    assert_eq!(router.clone().oneshot(next()).await.unwrap().status(), 200);
    let answer = request("POST /2018-06-01/runtime/invocation/abc/response", "{}");
    assert_eq!(written(router.oneshot(answer).await.unwrap()).await, ACCEPTED);
}
