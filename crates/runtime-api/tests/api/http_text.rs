//! Requests to the router, and its answers as text.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http::{HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt as _;
use rapid_runtime_api::{Metadata, router};
use tower::ServiceExt as _;

use crate::port::FakePort;

pub(crate) const INVALID_ID: &str = "400
content-type: application/json

{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}
";

pub(crate) const ACCEPTED: &str = "202
content-type: application/json

{\"status\":\"OK\"}
";

pub(crate) const INTERNAL: &str = "500
content-type: application/json

{\"errorMessage\":\"Internal Server Error\",\"errorType\":\"InternalServerError\"}
";

pub(crate) const TOO_LARGE: &str = "413
content-type: application/json

{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}
";

pub(crate) const TRUNCATED: &str = "400
content-type: application/json

{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":\"TruncatedHTTPRequest\"}
";

pub(crate) fn api(port: &FakePort) -> Router {
    router(port.clone(), metadata(), port.telemetry())
}

pub(crate) fn metadata() -> Metadata {
    Metadata { token: "secret".into(), availability_zone_id: "use1-az1".into() }
}

/// A request as its first lines would be: method and path, then headers, one a line.
pub(crate) fn request(head: &str, body: impl Into<Body>) -> Request<Body> {
    let mut lines = head.lines().map(str::trim);
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    request.body(body.into()).unwrap()
}

pub(crate) async fn send(port: &FakePort, request: Request<Body>) -> Response {
    api(port).oneshot(request).await.unwrap()
}

/// Sends a request and compares the whole answer: status, headers by name, body. The length has
/// always to be given, and right.
pub(crate) async fn check(port: &FakePort, head: &str, body: impl Into<Body>, expected: &str) {
    let answer = written(send(port, request(head, body)).await).await;
    assert_eq!(answer, expected, "{head}");
}

pub(crate) async fn written(response: Response) -> String {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let length = parts.headers.remove("content-length").unwrap();
    assert_eq!(length, body.len().to_string());
    let body = String::from_utf8(body.to_vec()).unwrap();
    format!("{}\n{}\n{body}", parts.status.as_u16(), sorted(&parts.headers))
}

fn sorted(headers: &HeaderMap) -> String {
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines.concat()
}

/// Polls the request's handling until it waits, and gives up on it then.
pub(crate) async fn hang_up_on(port: &FakePort, request: Request<Body>) {
    let mut handling = pin!(api(port).oneshot(request));
    poll_fn(|cx| {
        assert!(handling.as_mut().poll(cx).is_pending(), "there was an answer already");
        Poll::Ready(())
    })
    .await;
}

/// What a body of unknown length does next.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    /// Names and values.
    Trailers(&'static [(&'static str, &'static str)]),
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

    /// The given text in two pieces.
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
            Some(Piece::Trailers(pairs)) => {
                let parsed = pairs.iter().map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                });
                Poll::Ready(Some(Ok(Frame::trailers(parsed.collect()))))
            }
            Some(Piece::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::BreakOff) => {
                Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
            }
        }
    }
}
