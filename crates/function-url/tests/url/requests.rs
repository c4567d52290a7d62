//! What functions get for what clients send, and what never gets to them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rapid_interop::limits::MAX_SYNC_REQUEST_SIZE;
use rapid_interop::mode::ResponseMode;
use serde_json::json;

use crate::port::FakePort;
use crate::world::{Piece, Pieces, check, request, send, streaming, url, written};

#[tokio::test]
async fn the_port_gets_an_event_and_what_belongs_to_it() {
    let port = FakePort::default();
    let head = "PUT /a?b=c\nCookie: d=e\nAuthorization: Bearer f\nX-Amz-Tenant-Id: t\nX-Amz-Client-Context: e30=";
    let mut request = request(head, Pieces::whole("g"));
    request.extensions_mut().insert(SocketAddr::from(([203, 0, 113, 7], 4711)));
    send(&port, url(), request).await;
    let invoke = port.invocation();
    assert_eq!(invoke.invoked_function_arn, url().function_arn);
    assert_eq!(invoke.response_mode.0, ResponseMode::Buffered);
    assert_eq!((invoke.tenant_id, invoke.client_context, invoke.content_type), (None, None, None));
    assert_eq!(invoke.received.as_nanos(), 2_000_000_000);
    assert_eq!(invoke.request_read_time, Duration::from_secs(1));
    let event = port.event();
    assert_eq!(event["rawPath"], "/a");
    assert_eq!(event["queryStringParameters"], json!({"b": "c"}));
    assert_eq!(event["cookies"], json!(["d=e"]));
    assert_eq!(event["headers"]["authorization"], "Bearer f");
    assert_eq!(event["headers"]["x-forwarded-for"], "203.0.113.7");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "203.0.113.7");
    assert_eq!(event["requestContext"]["domainName"], url().domain_name());
    assert_eq!((event["body"].as_str(), &event["isBase64Encoded"]), (Some("g"), &json!(false)));
    let trace = event["headers"]["x-amzn-trace-id"].as_str().unwrap();
    let root = trace.split_once(';').unwrap().1;
    assert!(invoke.trace_id.to_str().unwrap().starts_with(root), "{trace}");
}

#[tokio::test]
async fn a_url_that_streams_says_so_to_the_port() {
    let port = FakePort::default();
    send(&port, streaming(), request("GET /", Pieces::whole(""))).await;
    assert_eq!(port.invocation().response_mode.0, ResponseMode::Streaming);
}

#[tokio::test]
async fn an_older_address_in_a_newer_form_is_shown_in_the_older() {
    for (client, shown) in
        [("[::ffff:203.0.113.7]:1", "203.0.113.7"), ("[2001:db8::1]:1", "2001:db8::1")]
    {
        let port = FakePort::default();
        let mut request = request("GET /", Pieces::whole(""));
        request.extensions_mut().insert(client.parse::<SocketAddr>().unwrap());
        send(&port, url(), request).await;
        assert_eq!(port.event()["requestContext"]["http"]["sourceIp"], shown);
    }
}

#[tokio::test]
async fn every_path_and_every_method_is_the_functions() {
    for head in ["GET /health", "DELETE /2015-03-31/functions/f/invocations", "OPTIONS *", "BREW /"]
    {
        let port = FakePort::default();
        check(&port, url(), head, "", "200\ncontent-type: application/json\n\ndone").await;
        assert_eq!(port.invocations(), 1, "{head}");
    }
}

#[tokio::test]
async fn another_functions_url_is_not_ours() {
    let port = FakePort::default();
    let head = "GET /\nHost: other.lambda-url.eu-central-1.on.aws";
    let expected = "403
content-type: application/json
x-amzn-errortype: AccessDeniedException

{\"Message\":null}";
    check(&port, url(), head, "body", expected).await;
    assert_eq!(port.invocations(), 0);
    send(&port, url(), request("GET /\nHost: abc123.lambda-url.x", Pieces::whole(""))).await;
    assert_eq!(port.invocations(), 1);
}

#[tokio::test]
async fn a_function_is_no_proxy() {
    let port = FakePort::default();
    let expected = "405
content-type: application/json
x-amzn-errortype: MethodNotAllowedException

{\"Type\":\"User\",\"message\":\"A function is no proxy: CONNECT is not allowed.\"}";
    check(&port, url(), "CONNECT example.org:443", "", expected).await;
    assert_eq!(port.invocations(), 0);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken_unless_the_event_becomes_too_large() {
    let limit = MAX_SYNC_REQUEST_SIZE;
    let port = FakePort::default();
    // What goes around it has to fit as well.
    let most = limit + 100 - 1000;
    send(&port, url(), request("POST /", Pieces::whole(vec![b'1'; most]))).await;
    assert_eq!(port.event()["body"].as_str().unwrap().len(), most);
    let port = FakePort::default();
    for (head, byte, size) in [
        ("POST /", b'1', limit),
        ("POST /", b'"', limit / 2),
        ("POST /", 0xFF, limit / 4 * 3),
        ("POST /\nContent-Type: image/png", b'1', limit / 4 * 3),
    ] {
        let response = send(&port, url(), request(head, Pieces::whole(vec![byte; size]))).await;
        assert_eq!(response.status(), 413, "{head} {byte}");
        let text = written(response).await;
        assert!(text.contains("bytes are too large for a request (limit 6291556 bytes)"), "{text}");
    }
    assert_eq!(port.invocations(), 0);
}

#[tokio::test]
async fn a_body_of_more_is_too_large() {
    let port = FakePort::default();
    let expected = "413
content-type: application/json
x-amzn-errortype: RequestTooLargeException

{\"Type\":\"User\",\"message\":\"6291457 bytes are too large for a request (limit 6291456 bytes)\"}";
    check(&port, url(), "POST /", vec![b'1'; MAX_SYNC_REQUEST_SIZE + 1], expected).await;
    assert_eq!(port.invocations(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_or_stops_coming_is_not_invoked_with() {
    let half = || Piece::Data(Bytes::from_static(b"half"));
    let port = FakePort::default();
    for (end, expected) in [
        (
            Piece::BreakOff,
            "400
content-type: application/json
x-amzn-errortype: InvalidRequestContentException

{\"Type\":\"User\",\"message\":\"The request body ended early.\"}",
        ),
        (
            Piece::Stall,
            "408
content-type: application/json
x-amzn-errortype: RequestTimeoutException

{\"Type\":\"User\",\"message\":\"The request body stopped coming.\"}",
        ),
    ] {
        let response = send(&port, url(), request("POST /", Pieces::of([half(), end]))).await;
        assert_eq!(written(response).await, expected);
    }
    assert_eq!(port.invocations(), 0);
}
