//! URLs that stream, with answers that are there as a whole.

use crate::port::{FakePort, INTEGRATION, Play};
use crate::world::{check, streaming, url};

const HEADED: &str =
    r#"{"statusCode":202,"headers":{"x-one":"1"},"cookies":["a=1"],"body":"hello"}"#;

#[tokio::test]
async fn a_function_that_does_not_stream_gives_the_head_and_the_body_stays_as_it_is() {
    let expected = format!(
        "202
content-type: application/json
set-cookie: a=1
x-one: 1

{HEADED}"
    );
    check(&FakePort::new(Play::json(HEADED)), streaming(), "GET /", "", &expected).await;
}

#[tokio::test]
async fn anything_else_is_sent_byte_by_byte() {
    for output in ["\"quoted\"", "null", "", "{\"a\":1}", "<html>"] {
        let expected = format!("200\ncontent-type: application/json\n\n{output}");
        check(&FakePort::new(Play::json(output)), streaming(), "GET /", "", &expected).await;
    }
}

#[tokio::test]
async fn members_of_the_same_name_are_read_alike_whether_the_url_streams_or_not() {
    let output = r#"{"statusCode":500,"body":"1","statusCode":201,"body":"2"}"#;
    for (url, body) in [(url(), "2"), (streaming(), output)] {
        let expected = format!("201\ncontent-type: application/json\n\n{body}");
        check(&FakePort::new(Play::json(output)), url, "GET /", "", &expected).await;
    }
    let output = r#"{"a":1,"body":1,"body":2}"#;
    for url in [url(), streaming()] {
        let expected = format!("200\ncontent-type: application/json\n\n{output}");
        check(&FakePort::new(Play::json(output)), url, "GET /", "", &expected).await;
    }
}

#[tokio::test]
async fn a_stream_keeps_its_media_type() {
    for content_type in ["application/octet-stream", "text/event-stream"] {
        let port = FakePort::new(Play::streamed(content_type, HEADED));
        let expected = format!("200\ncontent-type: {content_type}\n\n{HEADED}");
        check(&port, streaming(), "GET /", "", &expected).await;
    }
}

#[tokio::test]
async fn a_prelude_is_taken_off() {
    let port = FakePort::new(Play::streamed(INTEGRATION, format!("{HEADED}\0\0\0\0\0\0\0\0<p>")));
    let expected = "202
content-type: application/octet-stream
set-cookie: a=1
x-one: 1

<p>";
    check(&port, streaming(), "GET /", "", expected).await;
}

#[tokio::test]
async fn some_answers_have_no_body() {
    let output = |status: u16| format!("{{\"statusCode\":{status}}}\0\0\0\0\0\0\0\0<p>");
    for (head, status, length) in
        [("HEAD /", 200, "content-length: 3\n"), ("GET /", 204, ""), ("GET /", 304, "")]
    {
        let port = FakePort::new(Play::streamed(INTEGRATION, output(status)));
        let expected = format!("{status}\n{length}content-type: application/octet-stream\n\n");
        check(&port, streaming(), head, "", &expected).await;
    }
}
