//! A collector: it takes OTLP over HTTP, as real ones do, and keeps what it got.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;

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

#[derive(Default)]
pub(crate) struct Got {
    pub(crate) traces: Vec<ExportTraceServiceRequest>,
    pub(crate) metrics: Vec<ExportMetricsServiceRequest>,
    pub(crate) requests: usize,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Got>>,
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
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Got) -> T) -> T {
        at(&self.got.lock().unwrap())
    }

    /// Waits until that has come.
    pub(crate) async fn until(&self, enough: impl Fn(&Got) -> bool) {
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
        self.look(|got| {
            let resources = got.traces.iter().flat_map(|request| &request.resource_spans);
            let scopes = resources.flat_map(|resource| &resource.scope_spans);
            scopes.flat_map(|scope| scope.spans.clone()).collect()
        })
    }

    /// The one span of this name.
    #[track_caller]
    pub(crate) fn span(&self, name: &str) -> Span {
        let mut found: Vec<_> = self.spans().into_iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "spans {name}");
        found.pop().unwrap()
    }

    /// The metrics as they came last.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        self.look(|got| {
            let last = got.metrics.last().expect("metrics have come");
            let scopes = last.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            scopes.flat_map(|scope| scope.metrics.clone()).collect()
        })
    }

    /// What a metric adds up to (a histogram: how many and their sum), and its unit.
    pub(crate) fn metric(&self, name: &str) -> Option<(f64, f64, String)> {
        use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
        let metric = self.metrics().into_iter().find(|metric| metric.name == name)?;
        let data = metric.data?;
        let (count, sum) = if let metric::Data::Histogram(histogram) = &data {
            let points = &histogram.data_points;
            let count: u64 = points.iter().map(|point| point.count).sum();
            (count as f64, points.iter().filter_map(|point| point.sum).sum())
        } else if let metric::Data::Sum(sum) = &data {
            assert!(sum.is_monotonic);
            let values = sum.data_points.iter().map(|point| match point.value {
                Some(Value::AsInt(value)) => value as f64,
                Some(Value::AsDouble(value)) => value,
                None => panic!("no value"),
            });
            let total: f64 = values.sum();
            (total, total)
        } else {
            panic!("{data:?}");
        };
        Some((count, sum, metric.unit))
    }

    /// What the first spans, or metrics, belong to.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.look(|got| {
            let traces = got.traces.iter().flat_map(|request| &request.resource_spans);
            let metrics = got.metrics.iter().flat_map(|request| &request.resource_metrics);
            let traces = traces.filter_map(|one| one.resource.clone());
            traces.chain(metrics.filter_map(|one| one.resource.clone())).collect()
        })
    }
}

/// An attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let value = found.value.as_ref()?.value.as_ref()?;
    Some(if let any_value::Value::StringValue(text) = value {
        text.clone()
    } else if let any_value::Value::BoolValue(value) = value {
        value.to_string()
    } else if let any_value::Value::IntValue(value) = value {
        value.to_string()
    } else {
        format!("{value:?}")
    })
}

async fn answer(
    request: Request<Incoming>,
    mood: Mood,
    got: Arc<Mutex<Got>>,
    news: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert!(request.headers().contains_key("host"));
    let path = request.uri().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    {
        let mut got = got.lock().unwrap();
        got.requests += 1;
        if mood == Mood::Fine {
            match path.as_str() {
                "/v1/traces" => got.traces.push(ExportTraceServiceRequest::decode(body).unwrap()),
                "/v1/metrics" => {
                    got.metrics.push(ExportMetricsServiceRequest::decode(body).unwrap());
                }
                other => panic!("{other}"),
            }
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
