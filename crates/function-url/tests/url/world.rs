//! A function behind a URL, requests to it, and its answers as text.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use rapid_function_url::{FunctionUrl, ResponseBody, service};
use rapid_interop::InvokeResponseMode;
use rapid_interop::mode::ResponseMode;
use tower::ServiceExt as _;

use crate::port::FakePort;

pub(crate) const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=a;Sampled=1";

pub(crate) fn url() -> FunctionUrl {
    FunctionUrl {
        function_arn: HeaderValue::from_static(
            "arn:aws:lambda:eu-central-1:123456789012:function:f",
        ),
        id: "abc123".into(),
        region: "eu-central-1".into(),
        mode: InvokeResponseMode::default(),
        cors: None,
    }
}

pub(crate) fn streaming() -> FunctionUrl {
    FunctionUrl { mode: InvokeResponseMode(ResponseMode::Streaming), ..url() }
}

/// A request as its first lines would be: method and path, then headers, one a line.
pub(crate) fn request<B>(head: &str, body: B) -> Request<B> {
    let mut lines = head.lines();
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    request.body(body).unwrap()
}

pub(crate) async fn send(
    port: &FakePort,
    url: FunctionUrl,
    request: Request<Pieces>,
) -> Response<ResponseBody> {
    service(port.clone(), url).oneshot(request).await.unwrap()
}

/// Sends a request and compares the whole answer: status, headers by name, body. It has to have a
/// new id, and a tracing header with the request's root if that gives one.
pub(crate) async fn check(
    port: &FakePort,
    url: FunctionUrl,
    head: &str,
    body: impl Into<Bytes>,
    expected: &str,
) {
    let response = send(port, url, request(head, Pieces::whole(body))).await;
    assert_eq!(written(response).await, expected, "{head}");
}

pub(crate) async fn written(response: Response<ResponseBody>) -> String {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let id = parts.headers.remove("x-amzn-requestid").unwrap();
    let groups: Vec<_> = id.to_str().unwrap().split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{id:?}");
    let trace = parts.headers.remove("x-amzn-trace-id").unwrap();
    assert!(trace.to_str().unwrap().starts_with("Root=1-"), "{trace:?}");
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&body);
    format!("{}\n{}\n{body}", parts.status.as_u16(), headers.concat())
}

/// What a body does next.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    BreakOff,
    /// Nothing more, and no end.
    Stall,
}

/// A body that comes in pieces, as a chunked one does.
#[derive(Debug)]
pub(crate) struct Pieces(VecDeque<Piece>);

impl Pieces {
    pub(crate) fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self(pieces.into_iter().collect())
    }

    pub(crate) fn whole(body: impl Into<Bytes>) -> Self {
        Self::of([Piece::Data(body.into())])
    }
}

impl Body for Pieces {
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
