//! A function behind the API, requests to it, and its answers as text.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::BodyExt as _;
use rapid_invoke_api::{FunctionIdentity, Persona, Settings, router};
use tower::ServiceExt as _;

use crate::port::FakePort;

pub(crate) const BOTH: [Persona; 2] = [Persona::Aws, Persona::Rie];
pub(crate) const INVOKE: &str = "POST /2015-03-31/functions/function/invocations";
pub(crate) const ID: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1";

/// An invocation whose answer is the same every time.
pub(crate) const PLAIN: &str = "POST /2015-03-31/functions/function/invocations
X-Amzn-RequestId: 11111111-2222-4333-8444-555555555555
X-Amzn-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1";

pub(crate) fn api(port: &FakePort, persona: Persona) -> Router {
    router(port.clone(), Settings::new(persona, function()))
}

pub(crate) fn function() -> FunctionIdentity {
    FunctionIdentity {
        name: "my-function".into(),
        version: "7".into(),
        region: "eu-central-1".into(),
        account: "123456789012".into(),
    }
}

/// A request as its first lines would be: method and path, then headers, one a line.
pub(crate) fn request(head: &str, body: impl Into<Body>) -> Request<Body> {
    let mut lines = head.lines();
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    request.body(body.into()).unwrap()
}

pub(crate) async fn send(
    port: &FakePort,
    persona: Persona,
    head: &str,
    body: impl Into<Body>,
) -> Response {
    api(port, persona).oneshot(request(head, body)).await.unwrap()
}

/// Sends a request and compares the whole answer: status, headers by name, body. A length has to
/// be right, and an id that the request does not give has to be a new one.
pub(crate) async fn check(
    port: &FakePort,
    persona: Persona,
    head: &str,
    body: impl Into<Body>,
    expected: &str,
) {
    let response = send(port, persona, head, body).await;
    let chosen = head.contains("X-Amzn-RequestId");
    assert_eq!(written(response, chosen).await, expected, "{persona:?}: {head}");
}

pub(crate) async fn written(response: Response, chosen: bool) -> String {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    if let Some(length) = parts.headers.remove("content-length") {
        assert_eq!(length, body.len().to_string());
    }
    if !chosen && let Some(id) = parts.headers.remove("x-amzn-requestid") {
        let id = id.to_str().unwrap();
        let groups: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
    }
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    format!("{}\n{}\n{body}", parts.status.as_u16(), headers.concat())
}

/// The error code of an answer, or its status when it is none.
pub(crate) async fn outcome(
    port: &FakePort,
    persona: Persona,
    head: &str,
    body: impl Into<Body>,
) -> String {
    let response = send(port, persona, head, body).await;
    let code = response.headers().get("x-amzn-errortype");
    let status = response.status().as_u16();
    code.map_or(status.to_string(), |code| format!("{status} {}", code.to_str().unwrap()))
}

/// What a body of unknown length does next.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    BreakOff,
    /// Nothing more, and no end.
    Stall,
}

/// A body that comes in pieces, as a chunked one does.
pub(crate) struct Pieces(VecDeque<Piece>);

impl Pieces {
    pub(crate) fn body(pieces: impl IntoIterator<Item = Piece>) -> Body {
        Body::new(Self(pieces.into_iter().collect()))
    }

    /// The given bytes in two pieces.
    pub(crate) fn of(data: impl Into<Bytes>) -> Body {
        let mut first = data.into();
        let second = first.split_off(first.len() / 2);
        Self::body([Piece::Data(first), Piece::Data(second)])
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if matches!(self.0.front(), Some(Piece::Stall)) {
            return Poll::Pending;
        }
        match self.0.pop_front() {
            None | Some(Piece::Stall) => Poll::Ready(None),
            Some(Piece::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::BreakOff) => {
                Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
            }
        }
    }
}
