//! A collector: it takes OTLP over HTTP, as real ones do, and keeps what it got.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::received::Received;

/// What the collector answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    /// With this status.
    Refusing(u16),
    /// With nothing, ever.
    Silent,
    /// With more bytes than anybody should read.
    Talkative,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Received>>,
    news: Arc<Notify>,
}

impl Collector {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            news: Arc::default(),
        };
        let (got, news) = (Arc::clone(&collector.got), Arc::clone(&collector.news));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (got, news) = (Arc::clone(&got), Arc::clone(&news));
                let service = service_fn(move |request| {
                    answer(request, mood, Arc::clone(&got), Arc::clone(&news))
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        collector
    }

    /// Looks at what has come.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Received) -> T) -> T {
        at(&self.got.lock().unwrap())
    }

    /// Waits until that has come.
    pub(crate) async fn until(&self, enough: impl Fn(&Received) -> bool) {
        let waiting = async {
            loop {
                let news = self.news.notified();
                if self.look(&enough) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never came");
    }

    /// Every span that has come.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.look(Received::spans)
    }

    /// The one span of this name.
    #[track_caller]
    pub(crate) fn span(&self, name: &str) -> Span {
        let mut found: Vec<_> = self.spans().into_iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "spans {name}");
        found.pop().unwrap()
    }

    /// What a metric adds up to (a histogram: how many and their sum), and its unit.
    pub(crate) fn metric(&self, name: &str) -> Option<(f64, f64, String)> {
        self.look(|got| got.metric(name))
    }

    /// What the first spans, or metrics, belong to.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.look(Received::resources)
    }
}

async fn answer(
    request: Request<Incoming>,
    mood: Mood,
    got: Arc<Mutex<Received>>,
    news: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert!(request.headers().contains_key("host"));
    let path = request.uri().to_string();
    let head = head(&path, request.headers());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    {
        let mut got = got.lock().unwrap();
        got.requests += 1;
        got.heads.push(head);
        if mood == Mood::Fine {
            got.take(&path, &body);
        }
    }
    news.notify_waiters();
    let (status, body) = match mood {
        Mood::Fine => (200, Bytes::new()),
        Mood::Refusing(status) => (status, Bytes::from_static(b"no")),
        Mood::Silent => std::future::pending().await,
        Mood::Talkative => (200, Bytes::from(vec![b'x'; 1024 * 1024])),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// The path, and the headers in order of their names, without those that depend on the test's run.
fn head(path: &str, headers: &HeaderMap) -> Vec<String> {
    let told =
        headers.iter().filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()));
    let told = told.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut head: Vec<_> = [path.to_owned()].into_iter().chain(told).collect();
    head[1..].sort_unstable();
    head
}
