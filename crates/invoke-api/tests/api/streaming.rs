//! InvokeWithResponseStream: the reply as messages, while the response comes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::response::Response;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, InvokeRefusal};
use rapid_interop::{
    ErrorInvokeResponse, InvokeResponseHeaders, InvokeResponseMode, InvokeStream, ResponseMode,
    StreamEnd,
};
use rapid_invoke_api::Persona;
use tokio::sync::{mpsc, oneshot};

use crate::port::{FakePort, Play};
use crate::world::{BOTH, ID, TRACE, check, send};

const STREAM: &str = "POST /2021-11-15/functions/function/response-streaming-invocations";

fn head() -> String {
    format!("{STREAM}\nX-Amzn-RequestId: {ID}\nX-Amzn-Trace-Id: {TRACE}")
}

/// A message: its headers, as `name=value`, and its payload as text.
type Message = (String, String);

/// The messages in these bytes, with their checksums checked, and what is left of an unfinished one.
fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let len = number(bytes) as usize;
        let (message, rest) = bytes.split_at(len);
        bytes = rest;
        let (sealed, checksum) = message.split_at(len - 4);
        assert_eq!(crc32fast::hash(sealed), number(checksum));
        assert_eq!(crc32fast::hash(&sealed[..8]), number(&sealed[8..]));
        let (mut headers, payload) = sealed[12..].split_at(number(&sealed[4..]) as usize);
        let mut words = Vec::new();
        while !headers.is_empty() {
            let name_len = usize::from(headers[0]);
            let (name, rest) = headers[1..].split_at(name_len);
            assert_eq!(rest[0], 7, "not a string");
            let value_len = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
            let (value, rest) = rest[3..].split_at(value_len);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            words.push(format!("{}={}", text(name), text(value)));
            headers = rest;
        }
        found.push((words.join(" "), String::from_utf8_lossy(payload).into_owned()));
    }
    found
}

fn chunk(payload: &str) -> Message {
    let headers =
        ":event-type=PayloadChunk :content-type=application/octet-stream :message-type=event";
    (headers.to_owned(), payload.to_owned())
}

fn complete(payload: &str) -> Message {
    let headers = ":event-type=InvokeComplete :content-type=application/json :message-type=event";
    (headers.to_owned(), payload.to_owned())
}

/// The function's side of a response that comes.
struct Function {
    pieces: mpsc::Sender<Bytes>,
    end: oneshot::Sender<StreamEnd>,
}

impl Function {
    async fn sends(&self, piece: &'static str) {
        self.pieces.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
    }

    fn ends(self, end: StreamEnd) {
        drop(self.pieces);
        self.end.send(end).unwrap();
    }
}

struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(Frame::data).map(Ok))
    }
}

/// A port whose function responds in pieces, and that function.
fn streaming() -> (FakePort, Function) {
    let (pieces, received) = mpsc::channel(8);
    let (end, ended) = oneshot::channel();
    let stream = InvokeStream {
        headers: InvokeResponseHeaders {
            content_type: Some(http::HeaderValue::from_static("text/html")),
            ..InvokeResponseHeaders::default()
        },
        body: Box::pin(Pieces(received)),
        end: Box::pin(async { ended.await.unwrap() }),
    };
    let port = FakePort::new(Play::Stream(Arc::new(Mutex::new(Some(stream)))));
    (port, Function { pieces, end })
}

fn failure() -> StreamEnd {
    let failure = Failure::Truncated;
    let error = ErrorInvokeResponse::formatted(ErrorType::FunctionUnknown, &"oops", None);
    StreamEnd { failure: Some((failure, error)), log_tail: None }
}

const TOLD: &str = r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"Function.Unknown\",\"errorMessage\":\"Error: oops\"}"}"#;

/// All that comes from now on.
async fn rest(response: Response) -> Vec<Message> {
    messages(&response.into_body().collect().await.unwrap().to_bytes())
}

/// One message that comes while there is no end.
async fn next(response: &mut Response) -> Message {
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        bytes.extend_from_slice(&frame.into_data().unwrap());
    }
    messages(&bytes).remove(0)
}

#[tokio::test]
async fn every_piece_is_a_message_at_once_and_the_end_is_one() {
    for persona in BOTH {
        let (port, function) = streaming();
        let mut response = send(&port, persona, &head(), "{}").await;
        assert_eq!(response.status(), 200);
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        assert_eq!(
            headers,
            [
                "content-type: application/vnd.amazon.eventstream",
                "x-amz-executed-version: 7",
                "x-amzn-remapped-content-type: text/html",
                &format!("x-amzn-requestid: {ID}"),
                &format!("x-amzn-trace-id: {TRACE}"),
            ]
        );
        let streaming = InvokeResponseMode(ResponseMode::Streaming);
        assert_eq!(port.invocation().response_mode, streaming);
        for piece in ["one", "two"] {
            function.sends(piece).await;
            assert_eq!(next(&mut response).await, chunk(piece));
        }
        function.ends(StreamEnd::default());
        assert_eq!(rest(response).await, [complete("{}")]);
    }
}

#[tokio::test]
async fn the_log_is_told_at_the_end() {
    let (port, function) = streaming();
    let head = format!("{}\nX-Amz-Log-Type: Tail", head());
    let response = send(&port, Persona::Aws, &head, "{}").await;
    assert!(port.invocation().log_tail && !response.headers().contains_key("x-amz-log-result"));
    function.ends(StreamEnd { failure: None, log_tail: Some(Bytes::from_static(b"END")) });
    assert_eq!(rest(response).await, [complete(r#"{"LogResult":"RU5E"}"#)]);
}

#[tokio::test]
async fn a_failure_is_told_after_what_came_before_it() {
    let (port, function) = streaming();
    let response = send(&port, Persona::Aws, &head(), "{}").await;
    function.sends("part").await;
    function.ends(failure());
    assert_eq!(rest(response).await, [chunk("part"), complete(TOLD)]);
}

#[tokio::test]
async fn a_failure_ends_a_body_that_nobody_ends() {
    let (port, function) = streaming();
    let response = send(&port, Persona::Aws, &head(), "{}").await;
    function.sends("part").await;
    let Function { pieces, end } = function;
    end.send(failure()).unwrap();
    assert_eq!(rest(response).await, [chunk("part"), complete(TOLD)]);
    drop(pieces);
}

#[tokio::test]
async fn an_answer_that_is_there_already_is_a_piece_too() {
    let port = FakePort::default();
    let response = send(&port, Persona::Aws, &head(), "{}").await;
    assert_eq!(response.headers()["x-amzn-remapped-content-type"], "image/png");
    assert_eq!(rest(response).await, [chunk("\"done\""), complete("{}")]);
    let port = FakePort::new(Play::Fail(Failure::Reported, r#"{"errorType":"E"}"#));
    let response = send(&port, Persona::Aws, &head(), "{}").await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x-amz-function-error"));
    let told = r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"E\"}"}"#;
    assert_eq!(rest(response).await, [chunk(r#"{"errorType":"E"}"#), complete(told)]);
}

#[tokio::test]
async fn what_is_refused_is_an_ordinary_error() {
    let port = FakePort::new(Play::Refuse(InvokeRefusal::TooManyRequests));
    let expected = "429
content-type: application/json
x-amzn-errortype: TooManyRequestsException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":\"User\",\"message\":\"Rate Exceeded.\"}";
    check(&port, Persona::Aws, &head(), "{}", expected).await;
}

#[tokio::test]
async fn another_path_does_the_same_and_other_methods_do_nothing() {
    let alias = head().replace("/2021-11-15/", "/2015-03-31/");
    let response = send(&FakePort::default(), Persona::Aws, &alias, "{}").await;
    assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
    let get = STREAM.replace("POST", "GET");
    assert_eq!(send(&FakePort::default(), Persona::Aws, &get, "").await.status(), 405);
}

#[tokio::test]
async fn a_dry_run_is_one_and_an_event_is_run_all_the_same() {
    let port = FakePort::default();
    let typed = |kind: &str| format!("{}\nX-Amz-Invocation-Type: {kind}", head());
    assert_eq!(send(&port, Persona::Aws, &typed("DryRun"), "{}").await.status(), 204);
    assert_eq!(port.invocations(), 0);
    assert_eq!(send(&port, Persona::Aws, &typed("Event"), "{}").await.status(), 200);
    assert_eq!(port.invocations(), 1);
}
