//! Extensions on real connections.

use std::sync::Arc;

use rapid_interop::EpochMillis;
use rapid_interop::extension::ExtensionEvent;

use super::IDENTIFIER;
use crate::client::Server;
use crate::next::event;
use crate::port::FakePort;

const ASKED: &str = "next event of 85083764-ff1e-476f-ada1-d51f26e4f6be in 1";

fn get_next() -> String {
    format!("GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\n{IDENTIFIER}\r\n\r\n")
}

fn post(path: &str, more: &str) -> String {
    format!("POST /2020-01-01/extension/{path} HTTP/1.1\r\nHost: x\r\n{more}\r\n")
}

fn invoking() -> FakePort {
    FakePort::with(|script| {
        let invoke = Arc::new(event("{}"));
        script.extension_event = Some(ExtensionEvent::Invoke { invoke, deadline: EpochMillis(1) });
    })
}

#[tokio::test]
async fn header_names_are_written_as_they_are_documented() {
    let server = Server::over(&invoking()).await;
    let mut connection = server.connect().await;
    let chunked = "Lambda-Extension-Name: e\r\nTransfer-Encoding: chunked\r\n";
    connection.write(post("register", chunked)).await;
    connection.write("2\r\n{}\r\n0\r\n\r\n").await;
    let (head, body) = connection.answer().await;
    let expected = "HTTP/1.1 200 OK
Content-Type: application/json
Lambda-Extension-Identifier: 85083764-ff1e-476f-ada1-d51f26e4f6be
Content-Length: 54
";
    assert_eq!((head.as_str(), body.len()), (expected, 54));
    // The same connection goes on.
    connection.write(get_next()).await;
    let (head, body) = connection.answer().await;
    let names: Vec<_> = head.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        names,
        ["Content-Type", "Lambda-Extension-Event-Identifier", "Content-Length"],
        "{head}"
    );
    assert!(body.starts_with(r#"{"eventType":"INVOKE","deadlineMs":1,"#), "{body}");
}

#[tokio::test]
async fn an_extension_that_dies_while_it_waits_is_un_parked() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(get_next()).await;
    port.hears(ASKED).await;
    drop(connection);
    port.hears("un-parked").await;
}

#[tokio::test]
async fn an_extension_that_ends_its_side_while_it_waits_counts_as_gone() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(get_next()).await;
    port.hears(ASKED).await;
    connection.stops_writing().await;
    port.hears("un-parked").await;
}

#[tokio::test]
async fn a_parked_extension_is_answered_before_its_connection_ends_with_the_generation() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.write(get_next()).await;
    port.hears(ASKED).await;
    port.end_generation();
    let (head, body) = connection.answer().await;
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\n"), "{head}");
    assert!(body.ends_with("\"errorType\":\"Extension.InvalidExtensionState\"}\n"), "{body}");
    connection.ends().await;
}

#[tokio::test]
async fn a_report_with_a_huge_body_leaves_the_connection_usable() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    let headers = format!(
        "{IDENTIFIER}\r\nLambda-Extension-Function-Error-Type: t\r\nContent-Length: 6000000\r\n"
    );
    for path in ["init/error", "exit/error"] {
        connection.write(post(path, &headers)).await;
        connection.write(vec![b'x'; 6_000_000]).await;
        connection.answers("HTTP/1.1 202 Accepted", "{\"status\":\"OK\"}\n").await;
    }
    assert_eq!(port.heard().len(), 2, "{:?}", port.heard());
}

#[tokio::test]
async fn a_report_whose_body_breaks_off_is_heard_all_the_same() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    let headers = format!(
        "{IDENTIFIER}\r\nLambda-Extension-Function-Error-Type: t\r\n\
         Transfer-Encoding: chunked\r\n"
    );
    connection.write(post("init/error", &headers)).await;
    connection.write("3\r\nhel\r\nnonsense\r\n").await;
    connection.answers("HTTP/1.1 202 Accepted", "{\"status\":\"OK\"}\n").await;
}
