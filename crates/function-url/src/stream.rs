//! [`respond`]: a response while it is produced.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use rapid_interop::mode::ResponseMode;
use rapid_interop::{InvokeResponseHeaders, MAX_PAYLOAD_SIZE};

use crate::head::{Head, Members, Unusable};
use crate::prelude::{Prelude, PreludeReader};
use crate::response;
use crate::wire::{self, BoxError, ResponseBody};

/// Resolves as soon as the head of the response is known; the body is then read as fast as the
/// client reads.
///
/// Nothing is known before the first piece: a failure before it is one of the whole response. A
/// prelude says what the head is. So does the object with a `statusCode` of a runtime that does
/// not stream, but the body stays that object. Anything else is sent as it is.
///
/// # Errors
/// [`Unusable`] when the function's output does not say what the head is.
///
/// # Cancel safety
/// Dropping the future, or the body later, drops the function's output; what that means is its
/// business.
///
/// # Source
/// Invoke API, "HTTP integration response" and "Function URL / HTTP API response mapping".
pub(crate) async fn respond<B>(
    said: InvokeResponseHeaders,
    mut body: B,
) -> Result<Response<ResponseBody>, Unusable>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    if has_prelude(&said) {
        return integration(body).await;
    }
    let streams = is_stream(&said);
    let content_type = said.content_type.unwrap_or(wire::OCTETS);
    if streams {
        // A failure before the first piece can still be told by the head.
        let head = Head::ok(content_type);
        return Ok(match next_piece(&mut body).await? {
            Some(first) => response(head, first, body),
            None => head.with(wire::whole(Bytes::new())),
        });
    }
    object(content_type, body).await
}

/// Whether the output begins with a prelude.
pub(crate) fn has_prelude(said: &InvokeResponseHeaders) -> bool {
    let content_type = said.content_type.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(wire::INTEGRATION.as_bytes())
}

/// Whether the output is a stream of the function's own making. Not every client says so, but those
/// that do not send octets.
pub(crate) fn is_stream(said: &InvokeResponseHeaders) -> bool {
    said.function_response_mode.0 == ResponseMode::Streaming
        || said.content_type.as_ref().is_some_and(|content_type| *content_type == wire::OCTETS)
}

async fn integration<B>(mut body: B) -> Result<Response<ResponseBody>, Unusable>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let mut reader = PreludeReader::default();
    while let Some(piece) = next_piece(&mut body).await? {
        if let Some(Prelude { json, body: first }) = reader.push(piece)? {
            return Ok(response(prelude_head(&json)?, first, body));
        }
    }
    Ok(prelude_head(&reader.finish())?.with(wire::whole(Bytes::new())))
}

fn prelude_head(json: &[u8]) -> Result<Head, Unusable> {
    Head::of(&Members::of(json)?, wire::OCTETS)
}

/// What begins as an object has to be there as a whole before its head is known. One that is
/// larger than any answer of a runtime that does not stream is sent as it is.
async fn object<B>(
    content_type: HeaderValue,
    mut body: B,
) -> Result<Response<ResponseBody>, Unusable>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let mut seen = Bytes::new();
    while let Some(piece) = next_piece(&mut body).await? {
        seen = joined(seen, piece);
        let begins = seen.trim_ascii_start().first();
        if begins.is_some_and(|first| *first != b'{') || seen.len() > MAX_PAYLOAD_SIZE {
            return Ok(response(Head::ok(content_type), seen, body));
        }
    }
    let head = response::head_in(&seen)?.unwrap_or_else(|| Head::ok(content_type));
    Ok(head.with(wire::whole(seen)))
}

/// Both, without a copy where one is empty.
fn joined(first: Bytes, second: Bytes) -> Bytes {
    if first.is_empty() {
        return second;
    }
    // What was joined before has room and no other owner.
    let mut whole = first.try_into_mut().unwrap_or_else(|first| BytesMut::from(&first[..]));
    whole.extend_from_slice(&second);
    whole.freeze()
}

/// The next piece that is not empty.
async fn next_piece<B>(body: &mut B) -> Result<Option<Bytes>, Unusable>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(error = %error.into(), "a response broke off");
            Unusable::BrokenOff
        })?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn response<B>(head: Head, first: Bytes, rest: B) -> Response<ResponseBody>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    head.with(wire::streamed(Rest { first, rest, broken: None }))
}

/// What was read of a body already, and the rest of it. Trailers are not for clients, and empty
/// pieces nobody needs.
struct Rest<B> {
    first: Bytes,
    rest: B,
    /// What the rest has ended with, until it is told.
    broken: Option<BoxError>,
}

impl<B> Body for Rest<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match ready!(Pin::new(&mut self.rest).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    // An error ends the connection. What came before it is written first.
                    self.broken = Some(error.into());
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Ok(frame)) => {
                    if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.broken.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.rest.size_hint();
        let first = self.first.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint.set_lower(hint.lower().saturating_add(first));
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::{HeaderMap, header};
    use rapid_interop::mode::FunctionResponseMode;

    use super::*;

    /// A body of given pieces, which counts how many were asked for.
    struct Pieces {
        pieces: VecDeque<Result<Frame<Bytes>, &'static str>>,
        asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    }

    impl Pieces {
        fn asked(&self) -> impl Fn() -> usize + use<> {
            let asked = self.asked.clone();
            move || asked.load(std::sync::atomic::Ordering::Relaxed)
        }

        fn and(mut self, piece: Result<Frame<Bytes>, &'static str>) -> Self {
            self.pieces.push_back(piece);
            self
        }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Poll::Ready(self.pieces.pop_front())
        }
    }

    fn pieces<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>) -> Pieces {
        let data = |piece: T| Ok(Frame::data(Bytes::copy_from_slice(piece.as_ref())));
        let pieces = pieces.into_iter().map(data).collect();
        Pieces { pieces, asked: std::sync::Arc::default() }
    }

    fn said(content_type: &'static str, mode: ResponseMode) -> InvokeResponseHeaders {
        let content_type = (!content_type.is_empty()).then_some(content_type);
        InvokeResponseHeaders {
            content_type: content_type.map(HeaderValue::from_static),
            function_response_mode: FunctionResponseMode(mode),
        }
    }

    /// Status, content type and body, piece by piece; an error is a piece.
    async fn check(said: InvokeResponseHeaders, body: Pieces, expected: (u16, &str, &[&str])) {
        let response = respond(said, body).await.unwrap();
        let status = response.status().as_u16();
        let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let mut got = Vec::new();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            got.push(match frame {
                Ok(frame) => String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap(),
                Err(error) => format!("error: {error}"),
            });
        }
        assert_eq!((status, content_type.as_str()), (expected.0, expected.1));
        assert_eq!(got, expected.2);
    }

    const STREAMING: ResponseMode = ResponseMode::Streaming;
    const BUFFERED: ResponseMode = ResponseMode::Buffered;
    const JSON: &str = "application/json";
    const OCTETS: &str = "application/octet-stream";

    #[tokio::test]
    async fn a_stream_without_a_prelude_is_sent_as_it_is() {
        for (content_type, expected) in [("", OCTETS), (OCTETS, OCTETS), ("text/html", "text/html")]
        {
            let said = said(content_type, STREAMING);
            check(said, pieces(["a", "{}", "c"]), (200, expected, &["a", "{}", "c"])).await;
        }
        let said = said(OCTETS, BUFFERED);
        check(said, pieces(["{", "}"]), (200, OCTETS, &["{", "}"])).await;
    }

    #[tokio::test]
    async fn an_empty_stream_has_an_end() {
        for mode in [STREAMING, BUFFERED] {
            check(said(OCTETS, mode), pieces([""; 0]), (200, OCTETS, &[])).await;
            check(said("", mode), pieces([""; 0]), (200, OCTETS, &[])).await;
            check(said(JSON, mode), pieces([""; 0]), (200, JSON, &[])).await;
        }
    }

    #[tokio::test]
    async fn a_prelude_is_the_head_however_it_is_cut() {
        let whole =
            "{\"statusCode\":\"418\",\"headers\":{\"content-type\":\"a/b\"}}\0\0\0\0\0\0\0\0body";
        let types = [
            wire::INTEGRATION,
            "Application/vnd.awslambda.HTTP-integration-response ; charset=utf-8",
        ];
        for content_type in types {
            for mode in [STREAMING, BUFFERED] {
                for at in 0..=whole.len() - 4 {
                    let body = pieces([&whole[..at], &whole[at..whole.len() - 4], "body", "more"]);
                    let expected = (418, "a/b", &["body", "more"][..]);
                    check(said(content_type, mode), body, expected).await;
                }
                let body = pieces([whole, "more"]);
                check(said(content_type, mode), body, (418, "a/b", &["body", "more"])).await;
            }
        }
    }

    #[tokio::test]
    async fn a_prelude_without_an_end_is_all_there_is() {
        let said = || said(wire::INTEGRATION, STREAMING);
        check(said(), pieces(["{\"status", "Code\":204}"]), (204, OCTETS, &[])).await;
        for bad in ["", "{", "{}\0\0\0\0\0\0\0", "[]", "hello"] {
            let response = respond(said(), pieces([bad])).await;
            assert!(matches!(response, Err(Unusable::NotJson(_))), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_prelude_that_never_ends_is_given_up_on() {
        let body = pieces(vec![" ".repeat(100_000); 100]);
        let asked = body.asked();
        let response = respond(said(wire::INTEGRATION, STREAMING), body).await;
        assert_eq!(response.map(|_| ()), Err(Unusable::PreludeTooLong));
        assert_eq!(asked(), 11);
    }

    #[tokio::test]
    async fn an_object_of_a_runtime_that_does_not_stream_is_head_and_body() {
        let whole = " {\"statusCode\":201,\"headers\":{\"x-one\":\"1\"},\"body\":\"x\"}";
        for content_type in [JSON, "application/x-www-form-urlencoded"] {
            let response = respond(
                said(content_type, BUFFERED),
                pieces([&whole[..1], &whole[1..9], &whole[9..]]),
            );
            let (head, body) = response.await.unwrap().into_parts();
            assert_eq!(head.status, 201);
            let expected = [("content-type", JSON), ("x-one", "1")];
            let expected = expected.map(|(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            assert_eq!(head.headers, HeaderMap::from_iter(expected));
            assert_eq!(body.collect().await.unwrap().to_bytes(), whole);
        }
        // The same from one that streams is just a stream.
        check(said(JSON, STREAMING), pieces([whole]), (200, JSON, &[whole])).await;
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_a_head_is_an_error() {
        let response = respond(said(JSON, BUFFERED), pieces(["{\"statusCode\":1}"])).await;
        assert_eq!(response.map(|_| ()), Err(Unusable::StatusCode("1".to_owned())));
    }

    #[tokio::test]
    async fn anything_else_is_not_waited_for() {
        for (body, begins) in [
            (pieces(["[1", ",2]"]), &["[1", ",2]"][..]),
            (pieces(["", " \n", "\"a", "b\""]), &[" \n\"a", "b\""]),
        ] {
            let body = body.and(Err("gone"));
            let all: Vec<&str> = begins.iter().copied().chain(["error: gone"]).collect();
            check(said(JSON, BUFFERED), body, (200, JSON, &all)).await;
        }
        let no_head = ["{\"a\":1", "}"];
        check(said(JSON, BUFFERED), pieces(no_head), (200, JSON, &["{\"a\":1}"])).await;
        let no_json = ["{\"a\":1", "]"];
        check(said(JSON, BUFFERED), pieces(no_json), (200, JSON, &["{\"a\":1]"])).await;
    }

    #[tokio::test]
    async fn an_object_that_is_larger_than_any_answer_is_sent_on() {
        let megabyte = "{".repeat(1024 * 1024);
        let body = pieces(vec![&megabyte; 9]);
        let asked = body.asked();
        let response = respond(said(JSON, BUFFERED), body).await.unwrap();
        assert_eq!(asked(), 7);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), 9 * 1024 * 1024);
    }

    #[tokio::test]
    async fn one_that_breaks_off_early_is_no_response_and_one_that_breaks_off_late_is_incomplete() {
        for content_type in [wire::INTEGRATION, JSON] {
            let body = pieces(["{\"statusCode\":200"]).and(Err("gone"));
            let response = respond(said(content_type, BUFFERED), body).await;
            assert_eq!(response.map(|_| ()), Err(Unusable::BrokenOff));
        }
        let response = respond(said(OCTETS, STREAMING), pieces([""]).and(Err("gone"))).await;
        assert_eq!(response.map(|_| ()), Err(Unusable::BrokenOff));
        let body = pieces(["{}\0\0\0\0\0\0\0\0a", "b"]).and(Err("gone"));
        let expected = (200, OCTETS, &["a", "b", "error: gone"][..]);
        check(said(wire::INTEGRATION, STREAMING), body, expected).await;
    }

    #[tokio::test]
    async fn no_more_is_read_than_the_client_takes() {
        for content_type in [wire::INTEGRATION, "text/plain"] {
            let body = pieces(["{}\0\0\0\0\0\0\0\0a", "b", "c", "d"]);
            let asked = body.asked();
            let mut body = respond(said(content_type, STREAMING), body).await.unwrap().into_body();
            assert_eq!(asked(), 1);
            for number in 1..4 {
                body.frame().await.unwrap().unwrap();
                assert_eq!(asked(), number);
            }
        }
    }

    #[tokio::test]
    async fn trailers_and_empty_pieces_are_not_for_clients() {
        let trailers = || Ok(Frame::trailers(HeaderMap::new()));
        let body = pieces(["", "a", ""]).and(trailers());
        check(said(OCTETS, STREAMING), body, (200, OCTETS, &["a"])).await;
        let body = pieces(["{"]).and(trailers()).and(Ok(Frame::data(Bytes::from_static(b"}"))));
        check(said(JSON, BUFFERED), body, (200, JSON, &["{}"])).await;
    }

    #[tokio::test]
    async fn a_length_that_is_known_stays_known() {
        let whole = Bytes::from_static(b"{}\0\0\0\0\0\0\0\0body");
        let body = http_body_util::Full::new(whole);
        let response = respond(said(wire::INTEGRATION, BUFFERED), body).await.unwrap();
        assert_eq!(response.body().size_hint().exact(), Some(4));
        assert!(!response.body().is_end_stream());
        let body = http_body_util::Empty::new();
        let response = respond(said(OCTETS, STREAMING), body).await.unwrap();
        assert!(response.body().is_end_stream());
    }
}
