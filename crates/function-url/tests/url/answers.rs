//! What clients get for what functions return, and when they fail.

use std::time::Duration;

use rapid_interop::ports::{ExtensionFault, Failure, InvokeRefusal};
use rapid_interop::process::Termination;

use crate::port::{FakePort, INTEGRATION, Play};
use crate::world::{Pieces, TRACE, check, request, send, streaming, url};

const BAD_GATEWAY: &str = "502
content-type: text/plain; charset=utf-8
x-amzn-errortype: InternalServerErrorException

Internal Server Error";

#[tokio::test]
async fn what_the_function_says_is_what_the_client_gets() {
    let output = r#"{"statusCode":404,"headers":{"Content-Type":"text/html","X-One":1,"Connection":"x-two","X-Two":"2",
        "Content-Length":"99"},"cookies":["b=1","a=2; Secure"],"body":"PGI+","isBase64Encoded":true}"#;
    let expected = "404
content-type: text/html
set-cookie: a=2; Secure
set-cookie: b=1
x-one: 1

<b>";
    check(&FakePort::new(Play::json(output)), url(), "GET /", "", expected).await;
}

#[tokio::test]
async fn what_says_nothing_is_the_answer_itself() {
    for (output, body) in
        [("{\"a\" : 1}", "{\"a\" : 1}"), ("\"hi\"", "hi"), ("null", "null"), ("", "null")]
    {
        let expected = format!("200\ncontent-type: application/json\n\n{body}");
        check(&FakePort::new(Play::json(output)), url(), "GET /", "", &expected).await;
    }
}

#[tokio::test]
async fn the_media_type_of_the_runtime_does_not_matter_for_a_whole_answer() {
    let port = FakePort::new(Play::typed("application/x-www-form-urlencoded", "[1]"));
    check(&port, url(), "GET /", "", "200\ncontent-type: application/json\n\n[1]").await;
}

#[tokio::test]
async fn every_answer_is_signed_with_the_id_and_the_trace_of_the_invocation() {
    for play in [Play::json("{}"), Play::json("bad"), Play::Refuse(InvokeRefusal::TooManyRequests)]
    {
        let port = FakePort::new(play);
        let head = format!("GET /\nX-Amzn-Trace-Id: {TRACE}\nX-Amzn-RequestId: mine");
        let response = send(&port, url(), request(&head, Pieces::whole(""))).await;
        let invoke = port.invocation();
        assert_eq!(response.headers()["x-amzn-requestid"], invoke.id.as_str());
        assert_eq!(response.headers()["x-amzn-trace-id"], TRACE);
        assert_eq!(invoke.trace_id, TRACE);
        assert_eq!(port.event()["requestContext"]["requestId"], invoke.id.as_str());
    }
}

#[tokio::test]
async fn a_function_cannot_forge_that() {
    let output =
        r#"{"statusCode":200,"headers":{"X-Amzn-RequestId":"forged","X-Amzn-Trace-Id":"forged"}}"#;
    let expected = "200\ncontent-type: application/json\n\n";
    check(&FakePort::new(Play::json(output)), url(), "GET /", "", expected).await;
}

#[tokio::test]
async fn a_function_that_fails_is_a_bad_gateway_and_tells_no_secret() {
    for failure in [
        Failure::Reported,
        Failure::InitReported,
        Failure::Exit(Termination::Exited(1)),
        Failure::Extension(ExtensionFault::TooMany),
        Failure::Timeout { limit: Duration::from_secs(3) },
        Failure::ResponseTooLarge,
        Failure::Truncated,
        Failure::Shutdown,
    ] {
        let port = FakePort::new(Play::Fail(failure));
        check(&port, url(), "GET /", "", BAD_GATEWAY).await;
        check(&port, streaming(), "GET /", "", BAD_GATEWAY).await;
    }
}

#[tokio::test]
async fn an_output_that_is_no_response_is_a_bad_gateway_too() {
    for output in [
        "<html>",
        r#"{"statusCode":"OK"}"#,
        r#"{"statusCode":101}"#,
        r#"{"statusCode":200,"headers":[]}"#,
        r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#,
        r#"{"statusCode":200,"body":"???","isBase64Encoded":true}"#,
    ] {
        check(&FakePort::new(Play::json(output)), url(), "GET /", "", BAD_GATEWAY).await;
    }
    for prelude in ["", "{", "[]\0\0\0\0\0\0\0\0", "{\"statusCode\":1}\0\0\0\0\0\0\0\0body"] {
        let port = FakePort::new(Play::typed(INTEGRATION, prelude));
        check(&port, url(), "GET /", "", BAD_GATEWAY).await;
        check(&port, streaming(), "GET /", "", BAD_GATEWAY).await;
    }
}

#[tokio::test]
async fn what_a_function_streams_need_not_be_json_though_the_url_does_not_stream() {
    for (play, content_type) in [
        (Play::streamed("text/html", "<p>"), "text/html"),
        (Play::typed("application/octet-stream", "<p>"), "application/octet-stream"),
    ] {
        let expected = format!("200\ncontent-type: {content_type}\n\n<p>");
        check(&FakePort::new(play), url(), "GET /", "", &expected).await;
    }
    let port = FakePort::new(Play::streamed("text/html", r#"{"statusCode":201,"body":"x"}"#));
    check(&port, url(), "GET /", "", "201\ncontent-type: application/json\n\nx").await;
    port.plays(Play::streamed("text/html", r#"{"statusCode":1}"#));
    check(&port, url(), "GET /", "", BAD_GATEWAY).await;
}

#[tokio::test]
async fn a_refused_invocation_says_why() {
    for (refusal, expected) in [
        (
            InvokeRefusal::TooManyRequests,
            "429
content-type: application/json
x-amzn-errortype: TooManyRequestsException

{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":\"User\",\"message\":\"Rate Exceeded.\"}",
        ),
        (
            InvokeRefusal::TooLarge,
            "413
content-type: application/json
x-amzn-errortype: RequestTooLargeException

{\"Type\":\"User\",\"message\":\"6291557 bytes are too large for a request (limit 6291556 bytes)\"}",
        ),
        (
            InvokeRefusal::ShuttingDown,
            "503
content-type: application/json
x-amzn-errortype: ServiceException

{\"Type\":\"Server\",\"Message\":\"The execution environment is shutting down.\"}",
        ),
    ] {
        check(&FakePort::new(Play::Refuse(refusal)), url(), "GET /", "", expected).await;
    }
}

#[tokio::test]
async fn a_prelude_counts_for_whole_answers_as_well_and_the_body_after_it_is_kept() {
    let output = "{\"statusCode\":201,\"headers\":{\"x-one\":\"1\"},\"cookies\":[\"a=1\"]}\0\0\0\0\0\0\0\0<p>";
    let expected = "201
content-type: application/octet-stream
set-cookie: a=1
x-one: 1

<p>";
    let port = FakePort::new(Play::typed(INTEGRATION, output));
    check(&port, url(), "GET /", "", expected).await;
}

#[tokio::test]
async fn a_question_for_the_head_gets_the_head_and_the_length() {
    let port = FakePort::new(Play::json(r#"{"statusCode":200,"body":"hello"}"#));
    let expected = "200\ncontent-length: 5\ncontent-type: application/json\n\n";
    check(&port, url(), "HEAD /", "", expected).await;
    assert_eq!(port.event()["requestContext"]["http"]["method"], "HEAD");
}

#[tokio::test]
async fn some_statuses_have_no_body() {
    for status in [204, 304] {
        let output = format!(r#"{{"statusCode":{status},"headers":{{"etag":"x"}},"body":"no"}}"#);
        let expected = format!("{status}\ncontent-type: application/json\netag: x\n\n");
        for head in ["GET /", "HEAD /"] {
            check(&FakePort::new(Play::json(&output)), url(), head, "", &expected).await;
        }
    }
}
