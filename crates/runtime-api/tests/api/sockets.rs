//! What only shows on real connections: the wire, and when connections end.

use std::sync::Arc;

use rapid_interop::Invoke;
use rapid_interop::ports::RuntimeRefusal;

use crate::client::Server;
use crate::next::event;
use crate::port::{FakePort, Play};

const GET_NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";
const PING: &str = "GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted";
const ACCEPTED_BODY: &str = "{\"status\":\"OK\"}\n";

fn giving(invoke: Invoke) -> FakePort {
    FakePort::with(|script| script.next = Play::Event(Arc::new(invoke), 1_542_409_706_888))
}

fn post(path: &str, more: &str) -> String {
    format!("POST /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: x\r\n{more}\r\n")
}

#[tokio::test]
async fn header_names_are_written_as_they_are_documented() {
    let server = Server::over(&giving(event("{}"))).await;
    let mut connection = server.connect().await;
    connection.write(GET_NEXT).await;
    let head = "HTTP/1.1 200 OK
Content-Type: application/json
Lambda-Runtime-Aws-Request-Id: 6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11
Lambda-Runtime-Deadline-Ms: 1542409706888
Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1
Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:012345678912:function:f
Content-Length: 2
";
    assert_eq!(connection.answer().await, (head.to_owned(), "{}".to_owned()));
}

#[tokio::test]
async fn one_connection_serves_many_invocations() {
    let port = giving(event("{}"));
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    for _ in 0..50 {
        connection.write(GET_NEXT).await;
        connection.answers("HTTP/1.1 200 OK", "{}").await;
        let chunked = "Transfer-Encoding: chunked\r\n";
        connection.write(post("invocation/abc/response", chunked)).await;
        connection.write("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n").await;
        connection.answers(ACCEPTED, ACCEPTED_BODY).await;
        connection.write("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await;
        connection.answers("HTTP/1.1 404 Not Found", "404 page not found\n").await;
    }
    let heard = port.heard();
    assert_eq!(heard.iter().filter(|line| *line == "settled").count(), 50);
    let told = "finished with -, Buffered, payload hello";
    assert_eq!(heard.iter().filter(|line| *line == told).count(), 50);
}

#[tokio::test]
async fn an_empty_event_is_delivered_like_any_other() {
    let port = giving(event(""));
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(GET_NEXT).await;
    connection.answers("HTTP/1.1 200 OK", "").await;
    // A second answer shows that the first one was over.
    connection.write(GET_NEXT).await;
    connection.answers("HTTP/1.1 200 OK", "").await;
    let delivered = ["next in 1: user agent -, features -", "settled"];
    assert_eq!(port.heard(), [delivered, delivered].concat());
}

#[tokio::test]
async fn trailers_that_name_an_error_make_the_response_one() {
    let error = "finished with error Runtime.Oops, application/json, Buffered, payload {}, cause -";
    for (trailers, heard) in [
        ("", "finished with -, Buffered, payload hi"),
        ("Lambda-Runtime-Function-Error-Type: \r\n", "finished with -, Buffered, payload hi"),
        ("X-Other: 1\r\n", "finished with -, Buffered, payload hi"),
        (
            "Lambda-Runtime-Function-Error-Type: Runtime.Oops\r\n\
             Lambda-Runtime-Function-Error-Body: e30=\r\n",
            error,
        ),
    ] {
        let port = FakePort::default();
        let server = Server::over(&port).await;
        let mut connection = server.connect().await;
        let headers =
            "Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n";
        connection.write(post("invocation/abc/response", headers)).await;
        connection.write(format!("2\r\nhi\r\n0\r\n{trailers}\r\n")).await;
        connection.answers(ACCEPTED, ACCEPTED_BODY).await;
        assert_eq!(port.heard()[1..], [heard]);
    }
}

#[tokio::test]
async fn trailers_may_be_as_long_as_heads() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(post("invocation/abc/response", "Transfer-Encoding: chunked\r\n")).await;
    // 300,000 bytes of JSON, in base64.
    let body = "IiAi".repeat(100_000);
    connection.write("0\r\nLambda-Runtime-Function-Error-Type: Runtime.Oops\r\n").await;
    connection.write(format!("Lambda-Runtime-Function-Error-Body: {body}\r\n\r\n")).await;
    connection.answers(ACCEPTED, ACCEPTED_BODY).await;
    let heard = port.heard();
    assert!(heard[1].contains("payload of 300000 bytes"), "{heard:?}");
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    let headers = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    connection.write(post("invocation/abc/response", headers)).await;
    assert_eq!(connection.head().await, "HTTP/1.1 100 Continue\n");
    connection.write("hello").await;
    connection.answers(ACCEPTED, ACCEPTED_BODY).await;
}

#[tokio::test]
async fn an_error_cause_of_more_than_a_megabyte_fits_into_a_header() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    let path = "p".repeat(1_100_000);
    let head = post("invocation/abc/error", "Content-Length: 1\r\n");
    connection.write(head.trim_end()).await;
    connection.write("\r\nLambda-Runtime-Function-XRay-Error-Cause: ").await;
    connection.write(format!("{{\"message\":\"m\",\"paths\":[\"{path}\"]}}")).await;
    // Meanwhile the server reads what there is, and has no whole head yet.
    let mut other = server.connect().await;
    other.write(PING).await;
    other.answers("HTTP/1.1 200 OK", "pong").await;
    connection.write("\r\n\r\nx").await;
    connection.answers(ACCEPTED, ACCEPTED_BODY).await;
    let told = "finished with error Runtime.Unknown, -, Buffered, payload x, cause \
                {\"exceptions\":null,\"working_directory\":\"\",\"paths\":[],\"message\":\"m\"}";
    // Cropping the lists to nothing is already enough.
    assert!(port.heard().contains(&told.to_owned()), "{:?}", port.heard());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_read_on_so_that_the_connection_can_be_used_again() {
    let server = Server::over(&FakePort::default()).await;
    let mut connection = server.connect().await;
    connection.write(post("invocation/abc/response", "Content-Length: 6291557\r\n")).await;
    connection.write(vec![b'x'; 6_291_557]).await;
    let (head, _) = connection.answer().await;
    assert!(head.starts_with("HTTP/1.1 413 Payload Too Large\n"), "{head}");
    connection.write(PING).await;
    connection.answers("HTTP/1.1 200 OK", "pong").await;
}

#[tokio::test]
async fn a_refused_body_is_read_to_its_end_so_that_the_connection_can_be_used_again() {
    let port = FakePort::refusing(RuntimeRefusal::InvalidRequestId);
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    for path in ["invocation/abc/response", "invocation/abc/error"] {
        connection.write(post(path, "Content-Length: 6000000\r\n")).await;
        connection.write(vec![b'x'; 6_000_000]).await;
        let body = "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n";
        connection.answers("HTTP/1.1 400 Bad Request", body).await;
        connection.write(PING).await;
        connection.answers("HTTP/1.1 200 OK", "pong").await;
    }
}

#[tokio::test]
async fn a_broken_chunk_fails_the_response_and_is_answered() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(post("invocation/abc/response", "Transfer-Encoding: chunked\r\n")).await;
    connection.write("3\r\nhel\r\nnonsense\r\n").await;
    let body = "{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":\"TruncatedHTTPRequest\"}\n";
    connection.answers("HTTP/1.1 400 Bad Request", body).await;
    assert_eq!(port.heard()[1..], ["finished as truncated"]);
}

#[tokio::test]
async fn a_runtime_that_dies_while_it_waits_is_un_parked() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(GET_NEXT).await;
    port.hears("next in 1: user agent -, features -").await;
    drop(connection);
    port.hears("un-parked").await;
}

#[tokio::test]
async fn a_runtime_that_ends_its_side_of_the_connection_while_it_waits_counts_as_gone() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(GET_NEXT).await;
    port.hears("next in 1: user agent -, features -").await;
    connection.stops_writing().await;
    port.hears("un-parked").await;
}

#[tokio::test]
async fn a_client_of_http_1_0_is_answered_and_sent_away() {
    let server = Server::over(&giving(event("{}"))).await;
    let mut connection = server.connect().await;
    connection.write("GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n").await;
    connection.answers("HTTP/1.0 200 OK", "{}").await;
    connection.ends().await;
}

#[tokio::test]
async fn a_runtime_that_dies_in_the_middle_of_its_response_has_not_answered() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(post("invocation/abc/response", "Content-Length: 5\r\n")).await;
    connection.write("hel").await;
    port.hears("response to 'abc' in 1").await;
    drop(connection);
    // Which of the two it is depends on whether the end is seen by the body or by the connection.
    let ends = ["finished as truncated", "upload dropped"];
    tokio::select! {
        () = port.hears(ends[0]) => {}
        () = port.hears(ends[1]) => {}
    }
}

#[tokio::test]
async fn a_connection_ends_with_its_generation_and_a_parked_call_is_answered_first() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut parked = server.connect().await;
    parked.write(GET_NEXT).await;
    port.hears("next in 1: user agent -, features -").await;
    let mut idle = server.connect().await;
    idle.write(PING).await;
    idle.answers("HTTP/1.1 200 OK", "pong").await;

    port.end_generation();
    let (head, body) = parked.answer().await;
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\n"), "{head}");
    assert!(body.ends_with("\"errorType\":\"InvalidStateTransition\"}\n"), "{body}");
    parked.ends().await;
    idle.ends().await;

    let mut fresh = server.connect().await;
    fresh.write(GET_NEXT).await;
    port.hears("next in 2: user agent -, features -").await;
}

#[tokio::test]
async fn a_connection_stays_with_its_generation() {
    let port = giving(event("{}"));
    let server = Server::over(&port).await;
    let mut old = server.connect().await;
    old.write(PING).await;
    old.answers("HTTP/1.1 200 OK", "pong").await;
    port.begin_generation();
    old.write(GET_NEXT).await;
    old.answers("HTTP/1.1 200 OK", "{}").await;
    let mut new = server.connect().await;
    new.write(GET_NEXT).await;
    new.answers("HTTP/1.1 200 OK", "{}").await;
    let next = |generation: u8| format!("next in {generation}: user agent -, features -");
    assert_eq!(port.heard(), [next(1), "settled".to_owned(), next(2), "settled".to_owned()]);
}

#[tokio::test]
async fn whoever_still_sends_when_the_generation_ends_is_cut_off() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(post("invocation/abc/response", "Content-Length: 5\r\n")).await;
    connection.write("hel").await;
    port.hears("response to 'abc' in 1").await;
    port.end_generation();
    port.hears("upload dropped").await;
    connection.ends().await;
}

#[tokio::test]
async fn a_server_that_stops_lets_requests_finish() {
    let port = FakePort::default();
    let mut server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(post("invocation/abc/response", "Content-Length: 5\r\n")).await;
    port.hears("response to 'abc' in 1").await;
    server.stop.cancel();
    connection.write("hello").await;
    connection.answers(ACCEPTED, ACCEPTED_BODY).await;
    connection.ends().await;
    (&mut server.served).await.unwrap();
}

#[tokio::test]
async fn http_2_is_turned_away() {
    let server = Server::over(&FakePort::default()).await;
    let mut connection = server.connect().await;
    connection.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    connection.ends().await;
}
