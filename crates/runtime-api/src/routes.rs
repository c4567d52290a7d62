//! [`router`]: which path does what.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body::Body;
use rapid_interop::Generation;
use rapid_interop::extension::ExtensionPort;
use rapid_interop::ports::{RuntimePort, TelemetryPort};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use crate::metadata::Metadata;
use crate::settings::Settings;
use crate::throttle::Bandwidth;
use crate::{event, extension, init_error, metadata, upload, wire};

/// To which generation the connection of a request belongs; [`crate::serve`] puts it into the
/// request's extensions. A request without it belongs to the generation that runs when it comes.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionGeneration(pub Generation);

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Api<P> {
    pub(crate) port: P,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) stream_bandwidth: Option<Bandwidth>,
    /// The connection's; nothing in the router, which serves all connections: there the request
    /// carries it.
    pub(crate) generation: Option<Generation>,
}

/// The paths of a route, and what it does.
pub(crate) type Route<P> = (&'static [&'static str], MethodRouter<Api<P>>);

impl<P: RuntimePort> Api<P> {
    pub(crate) fn new(port: P, settings: Settings) -> Self {
        let Settings { metadata, stream_bandwidth } = settings;
        Self { port, metadata: Arc::new(metadata), stream_bandwidth, generation: None }
    }

    pub(crate) fn generation<B>(&self, request: &Request<B>) -> Generation {
        self.generation
            .or_else(|| request.extensions().get::<ConnectionGeneration>().map(|of| of.0))
            .unwrap_or_else(|| self.port.generation())
    }
}

/// The Runtime API and the Extensions API over a port, the Telemetry API and the Logs API over
/// `telemetry`. Without that, subscriptions are turned down in a way that lets extensions go on.
///
/// # Source
/// Runtime API, "Server" and "Routes" (R1 to R5 and R9; the restore routes do not exist without
/// init caching); Extensions API, "Routes".
pub fn router<P: RuntimePort + ExtensionPort>(
    port: P,
    settings: impl Into<Settings>,
    telemetry: Option<Arc<dyn TelemetryPort>>,
) -> Router {
    all(&Api::new(port, settings.into()), telemetry)
}

/// Answers a request: the calls of every invocation at once, all others through `router`.
///
/// The router finds its way through maps and boxed futures, which these calls can do without. They
/// do without its net for panics too: one would end the connection.
pub(crate) async fn answer<P, B>(
    api: Api<P>,
    router: Router,
    generation: Generation,
    request: Request<B>,
) -> Result<Response, Infallible>
where
    P: RuntimePort + ExtensionPort,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let api = Api { generation: Some(generation), ..api };
    Ok(match hot(&request) {
        Some(Hot::Next) => event::next(State(api), request).await,
        Some(Hot::Response) => upload::response(State(api), request).await,
        Some(Hot::NextEvent) if api.port.extensions_enabled() => {
            extension::next(State(api), request).await
        }
        Some(Hot::NextEvent) | None => {
            let mut request = request.map(AxumBody::new);
            request.extensions_mut().insert(ConnectionGeneration(generation));
            // Boxed, or every call would be as large as the largest.
            return Box::pin(router.oneshot(request)).await;
        }
    })
}

/// A call that every invocation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hot {
    Next,
    Response,
    NextEvent,
}

/// Which of these calls it is. One that is spelled in another way is left to the router.
fn hot<B>(request: &Request<B>) -> Option<Hot> {
    let path = request.uri().path();
    if request.method() == Method::GET {
        return match path {
            wire::NEXT => Some(Hot::Next),
            extension::NEXT => Some(Hot::NextEvent),
            _ => None,
        };
    }
    let id = path.strip_prefix(wire::BEFORE_ID)?.strip_suffix(wire::RESPONSE_AFTER_ID)?;
    let plain = !id.is_empty() && !id.contains('/') && request.method() == Method::POST;
    plain.then_some(Hot::Response)
}

/// Every route. `telemetry` is no part of [`Api`], which is cloned for every call.
pub(crate) fn all<P: RuntimePort + ExtensionPort>(
    api: &Api<P>,
    telemetry: Option<Arc<dyn TelemetryPort>>,
) -> Router {
    let mut router = Router::new();
    let routes: [Route<P>; 6] = [
        (&[wire::PING], get(on(MethodFilter::GET, ping))),
        (&[wire::NEXT], get(on(MethodFilter::GET, event::next::<P, AxumBody>))),
        (
            &[wire::RESPONSE, wire::RESPONSE_WITHOUT_ID],
            post(on(MethodFilter::POST, upload::response::<P, AxumBody>)),
        ),
        (&[wire::ERROR, wire::ERROR_WITHOUT_ID], post(on(MethodFilter::POST, upload::error::<P>))),
        (&[wire::INIT_ERROR], post(on(MethodFilter::POST, init_error::init_error::<P>))),
        (&[wire::METADATA], any(metadata::execution_environment::<P>)),
    ];
    let extension_routes = extension::routes(api, telemetry);
    for (paths, methods) in routes.into_iter().chain(extension_routes) {
        for path in paths {
            // Clients that put paths together from variables may add a slash.
            router = router.route(path, methods.clone());
            router = router.route(&format!("{path}/"), methods.clone());
        }
    }
    router
        .fallback(|request: Request<AxumBody>| {
            upload::refuse(request, wire::plain(StatusCode::NOT_FOUND, "404 page not found\n"))
        })
        .layer(CatchPanicLayer::custom(|_| wire::internal()))
        .with_state(api.clone())
}

async fn ping<P: RuntimePort>(State(_): State<Api<P>>) -> Response {
    wire::plain(StatusCode::OK, "pong")
}

/// A route for GET alone: not even HEAD is answered.
pub(crate) fn get<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    methods
        .head(|| async { not_allowed("GET") })
        .fallback(|request: Request<AxumBody>| upload::refuse(request, not_allowed("GET")))
}

pub(crate) fn post<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    methods.fallback(|request: Request<AxumBody>| upload::refuse(request, not_allowed("POST")))
}

pub(crate) fn put<S: Clone + Send + Sync + 'static>(methods: MethodRouter<S>) -> MethodRouter<S> {
    methods.fallback(|request: Request<AxumBody>| upload::refuse(request, not_allowed("PUT")))
}

fn not_allowed(allowed: &'static str) -> Response {
    let mut response = Response::new(AxumBody::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<Hot> {
        hot(&Request::builder().method(method).uri(path).body(()).unwrap())
    }

    #[test]
    fn only_the_plain_spelling_of_a_call_goes_without_the_router() {
        assert_eq!(found("GET", wire::NEXT), Some(Hot::Next));
        assert_eq!(found("GET", &format!("{}?a=b", wire::NEXT)), Some(Hot::Next));
        assert_eq!(found("GET", extension::NEXT), Some(Hot::NextEvent));
        let response = wire::RESPONSE.replace("{id}", "6f1c8e2a");
        assert_eq!(found("POST", &response), Some(Hot::Response));
        for (method, path) in [
            ("HEAD", wire::NEXT),
            ("POST", wire::NEXT),
            ("GET", "/2018-06-01/runtime/invocation/next/"),
            ("PUT", &response),
            ("GET", &response),
            ("POST", wire::RESPONSE_WITHOUT_ID),
            ("POST", "/2018-06-01/runtime/invocation/a/b/response"),
            ("POST", "/2018-06-01/runtime/invocation/response"),
            ("POST", "/2018-06-01/runtime/invocation/a/error"),
        ] {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}
