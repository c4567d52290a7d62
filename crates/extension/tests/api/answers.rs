//! Answers that are not what a client hopes for.

use rapid_extension::telemetry::{Category, Destination, Schema, Subscription};
use rapid_extension::{Call, Client, Error, Event, Refusal, Unreadable};

use crate::server::{Api, Connection, GET_NEXT, both};

const MEGABYTE: usize = 1024 * 1024;

/// What a request for an event comes to, given what is written in answer.
async fn next(answer: impl AsRef<[u8]>) -> Result<Event, Error> {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (event, ()) = both(client.next_event(), async {
        connection.takes(GET_NEXT).await;
        connection.write(answer).await;
        drop(connection);
    })
    .await;
    assert!(api.has_nobody_waiting().await, "what was sent is not sent again");
    event
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn problem(event: Result<Event, Error>) -> Unreadable {
    match event {
        Err(Error::Unreadable { call: Call::NextEvent, problem }) => problem,
        other => panic!("it is {other:?}"),
    }
}

async fn subscribe(client: &mut Client, call: Call) -> Result<(), Error> {
    let is_logs = call == Call::SubscribeLogs;
    let schema = if is_logs { Schema::Logs20210318 } else { Schema::LATEST };
    let subscription = Subscription::new(&[Category::Platform], Destination::http(1));
    client.subscribe(&subscription.schema(schema)).await.map(drop)
}

async fn refused(client: &mut Client, connection: &mut Connection, call: Call) -> Error {
    let body = r#"{"errorMessage":"Unknown extension x","errorType":"Extension.UnknownExtensionIdentifier"}"#;
    let calling = async {
        match call {
            Call::Register => client.register(&[]).await.map(drop),
            Call::NextEvent => client.next_event().await.map(drop),
            Call::InitError => client.init_error("x").await.map(drop),
            Call::ExitError => client.exit_error("x").await.map(drop),
            Call::SubscribeTelemetry | Call::SubscribeLogs => subscribe(client, call).await,
        }
    };
    let (called, ()) = both(calling, async {
        connection.takes(&call.to_string()).await;
        connection.answers("403 Forbidden", "", body).await;
    })
    .await;
    called.unwrap_err()
}

#[tokio::test]
async fn a_refusal_names_the_call_and_has_the_apis_words() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    for call in [
        Call::Register,
        Call::NextEvent,
        Call::InitError,
        Call::ExitError,
        Call::SubscribeTelemetry,
        Call::SubscribeLogs,
    ] {
        let error = refused(&mut client, &mut connection, call).await;
        let text = error.to_string();
        let start = format!(
            "{call} was answered with 403 Forbidden: Extension.UnknownExtensionIdentifier: \
             Unknown extension x; "
        );
        assert!(text.starts_with(&start), "{text}");
        assert!(
            matches!(error, Error::Refused { call: of, status, .. } if of == call && status == 403)
        );
    }
}

#[tokio::test]
async fn a_refused_registration_leaves_no_identifier() {
    let api = Api::new();
    let mut client = api.client();
    let (registered, ()) = both(client.register(&[]), async {
        let mut connection = api.accept().await;
        connection.request().await;
        let body = r#"{"errorMessage":"Extension limit (10) reached","errorType":"Extension.TooManyExtensions"}"#;
        let id = "Lambda-Extension-Identifier: x\r\n";
        connection.answers("403 Forbidden", id, body).await;
    })
    .await;
    assert!(registered.unwrap_err().to_string().contains("Extension limit (10) reached"));
    assert_eq!(client.extension_id(), None);
}

#[tokio::test]
async fn any_status_but_the_right_one_is_a_refusal() {
    let event = next(answer("404 Not Found", "404 page not found\n")).await;
    let text = event.unwrap_err().to_string();
    assert!(text.contains("404 Not Found: 404 page not found; extensions are"), "{text}");
    for status in ["202 Accepted", "301 Moved Permanently", "500 Internal Server Error"] {
        match next(answer(status, "")).await {
            Err(Error::Refused { refusal: Refusal::Text(text), .. }) => assert_eq!(text, ""),
            other => panic!("{status} is {other:?}"),
        }
    }
    assert!(matches!(next("HTTP/1.1 204 No Content\r\n\r\n").await, Err(Error::Refused { .. })));
}

#[tokio::test]
async fn an_answer_without_the_right_json_cannot_be_understood() {
    for body in ["", "hello", "[]", "{", "1", r#"{"eventType":1}"#, r#"{"deadlineMs":"soon"}"#] {
        let problem = problem(next(answer("200 OK", body)).await);
        assert!(matches!(problem, Unreadable::NotJson(_)), "{body} is {problem:?}");
    }
}

#[tokio::test]
async fn a_registration_without_an_identifier_cannot_be_understood() {
    for id in ["", "Lambda-Extension-Identifier: \r\n", "Lambda-Extension-Identifier: ü\r\n"] {
        let api = Api::new();
        let mut client = api.client();
        let (registered, ()) = both(client.register(&[]), async {
            let mut connection = api.accept().await;
            connection.request().await;
            connection.answers("200 OK", id, "{}").await;
        })
        .await;
        match registered {
            Err(Error::Unreadable { problem: Unreadable::NoIdentifier, .. }) => {}
            other => panic!("{id:?} is {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_cannot_be_understood() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
    for broken in [length, chunks] {
        let problem = problem(next(broken).await);
        assert!(matches!(problem, Unreadable::BrokenOff(_)), "{problem:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_cannot_be_understood() {
    let problem = problem(next("SSH-2.0-OpenSSH_9.2\r\n\r\n").await);
    assert!(matches!(problem, Unreadable::NotHttp(_)), "{problem:?}");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_may_have_lost_an_event() {
    for start in ["", "HTTP/1.1 200 OK\r\nContent-"] {
        match next(start).await {
            Err(Error::Lost { call: Call::NextEvent, .. }) => {}
            other => panic!("{start:?} is {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_a_megabyte() {
    let event = r#"{"eventType":"INVOKE"}"#;
    let filled = event.to_owned() + &" ".repeat(MEGABYTE - event.len());
    next(answer("200 OK", &filled)).await.unwrap();
    let problem = problem(next(answer("200 OK", &(filled + " "))).await);
    assert!(matches!(problem, Unreadable::TooLarge { limit: MEGABYTE }), "{problem:?}");
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    for (status, is_refused) in [("200 OK", false), ("403 Forbidden", true)] {
        let api = Api::new();
        let (mut client, mut connection) = api.registered().await;
        let (event, ()) = both(client.next_event(), async {
            connection.takes(GET_NEXT).await;
            let head = format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n");
            connection.write(head).await;
            connection.writes_until_nobody_reads().await;
        })
        .await;
        match event {
            Err(Error::Refused { refusal: Refusal::Text(text), .. }) if is_refused => {
                assert_eq!(text, "x".repeat(4096));
            }
            Err(Error::Unreadable { problem: Unreadable::TooLarge { .. }, .. }) if !is_refused => {}
            other => panic!("{status} is {other:?}"),
        }
    }
}
