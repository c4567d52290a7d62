//! [`PlainHttp`]: posts what exporters have made.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::net::TcpStream;

/// The most that is read of an answer, in bytes; collectors answer with a few.
const MAX_ANSWER: usize = 64 * 1024;

/// Who posts.
const USER: HeaderValue =
    HeaderValue::from_static(concat!("rapid-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION")));
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// An HTTP/1.1 client for collectors: one connection per export, no TLS, no proxies.
///
/// Exports are seconds apart; a connection that is kept open meanwhile would need somebody to look
/// after it.
#[derive(Debug)]
pub(super) struct PlainHttp {
    headers: HeaderMap,
    timeout: Duration,
}

impl PlainHttp {
    /// Posts with these headers, beside those of OTLP; one attempt may take as long as `timeout`.
    pub(super) fn new(headers: &HeaderMap, timeout: Duration) -> Self {
        let mut headers = headers.clone();
        headers.entry(USER_AGENT).or_insert(USER);
        headers.insert(CONTENT_TYPE, PROTOBUF);
        Self { headers, timeout }
    }
}

impl HttpClient for PlainHttp {
    // What `#[async_trait]` would write.
    fn send_bytes<'client, 'future>(
        &'client self,
        mut request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'future>>
    where
        'client: 'future,
        Self: 'future,
    {
        // The exporter adds what the process's environment says, which is not asked.
        request.headers_mut().clone_from(&self.headers);
        let timeout = self.timeout;
        Box::pin(async move { tokio::time::timeout(timeout, exchange(request)).await? })
    }
}

async fn exchange(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or_else(|| incomplete("it names no host"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    head.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    let path = head.uri.path_and_query().ok_or_else(|| incomplete("it has no path"))?;
    head.uri = Uri::from(path.clone());

    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let answer = async move {
        let response = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
        // The sender is dropped here, which ends the connection.
        Ok(Response::from_parts(head, body))
    };
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

fn incomplete(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
