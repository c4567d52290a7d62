//! [`Client`]: a server that is asked again and again.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::connection::{Connection, NoAnswer};
use super::{Address, AnswerBody, ClientError};

/// How long it may take to connect.
const CONNECTING: Duration = Duration::from_secs(10);

/// Asks one server, one request after the other, on a connection that is kept while it lasts.
///
/// Connecting takes 10 s at most; how long an answer takes is the caller's to limit.
#[derive(Debug)]
pub struct Client {
    address: Address,
    head: usize,
    kept: Option<Connection>,
}

impl Client {
    /// Nothing is asked yet. Heads of answers may have `head` bytes, at least 8 KiB.
    #[must_use]
    pub const fn new(address: Address, head: usize) -> Self {
        Self { address, head, kept: None }
    }

    /// Sends a request, and resolves with the head of its answer.
    ///
    /// Of the request's URI only path and query count. `Host` is set unless the request has it,
    /// `Content-Length` always. If the server has closed the connection since the last answer, the
    /// request is sent on a new one; it is never sent twice.
    ///
    /// # Errors
    /// [`ClientError`]; an answer of any status is none.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the server may have seen the request.
    pub async fn ask(
        &mut self,
        request: Request<Bytes>,
    ) -> Result<Response<AnswerBody<'_>>, ClientError> {
        let request = as_sent(request, &self.address).map(Full::new);
        let (connection, answer) = self.exchange(request).await?;
        Ok(answer.map(|body| AnswerBody::new(body, connection, &mut self.kept)))
    }

    async fn exchange(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Connection, Response<Incoming>), ClientError> {
        if let Some(kept) = self.kept.take() {
            match kept.ask(request).await {
                Err(NoAnswer::Unsent(unsent, error)) => {
                    tracing::trace!(%error, "the server has closed the connection");
                    request = *unsent;
                }
                asked => return asked.map_err(NoAnswer::into),
            }
        }
        let fresh = timeout(CONNECTING, Connection::open(&self.address, self.head)).await;
        let fresh = fresh.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let fresh = fresh.map_err(ClientError::Connect)?;
        fresh.ask(request).await.map_err(NoAnswer::into)
    }
}

/// The request as it is sent to a server itself: the path in the first line, the name in `Host`.
fn as_sent(mut request: Request<Bytes>, address: &Address) -> Request<Bytes> {
    let target = request.uri().path_and_query().cloned();
    *request.uri_mut() = target.map(Uri::from).unwrap_or_default();
    request.headers_mut().entry(header::HOST).or_insert_with(|| address.name().clone());
    request
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_server_is_sent_the_path_and_its_name() {
        let sent = |asked: &str, address: &str| {
            let request = Request::post(asked).body(Bytes::new()).unwrap();
            as_sent(request, &address.parse().unwrap())
        };
        for (asked, address, target, host) in [
            ("http://example:1/a?b=c", "http://example:1/a?b=c", "/a?b=c", "example:1"),
            ("http://example", "http://example", "/", "example"),
            ("/x", "http://[::1]:8080/base", "/x", "[::1]:8080"),
        ] {
            let request = sent(asked, address);
            assert_eq!(request.uri().to_string(), target);
            assert_eq!(request.headers()["host"], host);
        }
        let mut named = Request::post("/").body(Bytes::new()).unwrap();
        named.headers_mut().insert("host", HeaderValue::from_static("other"));
        let named = as_sent(named, &"http://example".parse().unwrap());
        assert_eq!(named.headers()["host"], "other");
    }
}
