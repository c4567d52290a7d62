//! The end of a server, over real sockets.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rapid_http::{Limits, collect, serve, service_fn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes; only a defect gets there.
const PATIENCE: Duration = Duration::from_secs(20);
const LIMITS: Limits = Limits { head: 64 * 1024, head_timeout: None, write_stall: None };

/// Answers with the request's body, once that is whole.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = collect(request.into_body(), 1024, None).await.unwrap_or_default();
    Ok(Response::new(Full::new(body)))
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    cut: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start<E>(end: impl Fn() -> E + Send + Sync + 'static) -> Self
    where
        E: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let cut_off = cut.clone();
        let task = tokio::spawn(serve(
            listener,
            LIMITS,
            stop.clone(),
            async move { cut_off.cancelled().await },
            move |_| (service_fn(echo), end()),
        ));
        Self { address, stop, cut, task }
    }

    async fn returns(self) {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// A client that has sent the first of the two bytes of its body.
async fn half_a_request(address: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na").await.unwrap();
    client
}

async fn all_that_comes(mut client: TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(PATIENCE, client.read_to_string(&mut text)).await.unwrap();
    // One that was cut may end with a reset.
    drop(read);
    text
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_that_is_under_way_may_finish_after_the_stop() {
    let server = Server::start(pending).await;
    let mut client = half_a_request(server.address).await;
    tokio::task::yield_now().await;
    server.stop.cancel();
    tokio::task::yield_now().await;
    client.write_all(b"b").await.unwrap();
    assert!(all_that_comes(client).await.ends_with("\r\n\r\nab"));
    server.returns().await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_never_finishes_is_cut_off() {
    for turns_between in [0, 1, 10] {
        let server = Server::start(pending).await;
        let client = half_a_request(server.address).await;
        // Until it is accepted, which nothing tells.
        tokio::time::sleep(Duration::from_millis(20)).await;
        server.stop.cancel();
        for _ in 0..turns_between {
            tokio::task::yield_now().await;
        }
        server.cut.cancel();
        server.returns().await;
        assert_eq!(all_that_comes(client).await, "");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_whose_service_has_ended_is_cut_off_soon_and_the_server_goes_on() {
    let over = CancellationToken::new();
    let ends = over.clone();
    let server = Server::start(move || ends.clone().cancelled_owned()).await;
    let client = half_a_request(server.address).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    over.cancel();
    assert_eq!(all_that_comes(client).await, "");
    assert!(!server.task.is_finished());
    server.stop.cancel();
    server.returns().await;
}
