//! [`service`]: an HTTP request in, an invocation through, an HTTP response out.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::Full;
use rapid_http::{BodyError, collect};
use rapid_interop::limits::MAX_SYNC_REQUEST_SIZE;
use rapid_interop::mode::ResponseMode;
use rapid_interop::ports::{InvokeAnswer, InvokePort};
use rapid_interop::{
    EpochMillis, Invoke, InvokeResponseMode, InvokeStream, MAX_PAYLOAD_SIZE, RequestId,
    StreamableInvokeResponse,
};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;
use uuid::Uuid;

use crate::cors::{self, Cors, is_preflight};
use crate::event::{Surroundings, event};
use crate::head::Unusable;
use crate::response::Reply;
use crate::stream;
use crate::told::Told;
use crate::trace::Trace;
use crate::url::FunctionUrl;
use crate::wire::{self, ApiError, BoxError, ResponseBody};

/// How long a client may pause while it sends a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Site<P> {
    port: P,
    url: FunctionUrl,
    domain: String,
    cors: Option<CorsLayer>,
}

impl<P> Site<P> {
    pub(crate) fn new(port: P, mut url: FunctionUrl) -> Arc<Self> {
        let cors = url.cors.take().map(Cors::layer);
        Arc::new(Self { port, domain: url.domain_name(), url, cors })
    }
}

/// What a request is known by.
#[derive(Debug)]
struct Visit {
    id: RequestId,
    trace: Trace,
    time: EpochMillis,
}

/// A function's URL as a service: every path and every method invokes the function.
///
/// The address of the client is taken from the request's extensions, as a [`SocketAddr`]; without
/// one it is `127.0.0.1`.
///
/// # Source
/// Invoke API, "Function URL / HTTP API event" and "Function URL / HTTP API response mapping".
pub fn service<P, B>(
    port: P,
    url: FunctionUrl,
) -> impl Service<
    Request<B>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Future<Output = Result<Response<ResponseBody>, Infallible>> + Send,
> + Clone
+ Send
+ Sync
where
    P: InvokePort,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let site = Site::new(port, url);
    service_fn(move |request| answer(Arc::clone(&site), request))
}

/// Answers a request.
pub(crate) async fn answer<P, B>(
    site: Arc<Site<P>>,
    request: Request<B>,
) -> Result<Response<ResponseBody>, Infallible>
where
    P: InvokePort,
    B: Body<Data = Bytes> + Unpin + Send,
{
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let visit = Visit {
        id: request_id(),
        trace: Trace::of(request.headers(), time.as_secs()),
        time: EpochMillis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
    };
    let (method, headers) = (request.method().clone(), request.headers());
    let is_for_function = method == Method::OPTIONS && !is_preflight(&method, headers);
    let answered = match &site.cors {
        Some(cors) if !is_for_function => {
            let visited = service_fn(|request| async {
                let mut response = invoke(&site, &visit, request).await;
                cors::remove(response.headers_mut());
                Ok(response)
            });
            cors.layer(visited).oneshot(request).await
        }
        _ => Ok(invoke(&site, &visit, request).await),
    };
    let Ok(mut response): Result<_, Infallible> = answered;
    wire::sign(response.headers_mut(), &visit.id, visit.trace.header.clone());
    Ok(without_what_has_no_body(&method, response))
}

/// A new one: clients have no say in it.
fn request_id() -> RequestId {
    // Hexadecimal digits and hyphens are an id.
    RequestId::parse(Uuid::new_v4().as_hyphenated().encode_lower(&mut [0; 36]))
        .unwrap_or(RequestId::nil())
}

async fn invoke<P, B>(site: &Site<P>, visit: &Visit, request: Request<B>) -> Response<ResponseBody>
where
    P: InvokePort,
    B: Body<Data = Bytes> + Unpin,
{
    match try_invoke(site, visit, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(code = error.code(), "a request was not answered by the function");
            error.response()
        }
    }
}

async fn try_invoke<P, B>(
    site: &Site<P>,
    visit: &Visit,
    request: Request<B>,
) -> Result<Response<ResponseBody>, ApiError>
where
    P: InvokePort,
    B: Body<Data = Bytes> + Unpin,
{
    let arrived = site.port.now();
    let (parts, body) = request.into_parts();
    let refused = refusal(&site.url, &parts.method, &parts.headers);
    // Read to the end even when it is refused, so that the client gets to see the answer.
    let limit = if refused.is_none() { MAX_SYNC_REQUEST_SIZE } else { 0 };
    let body = collect(body, limit, Some(PATIENCE)).await;
    if let Some(error) = refused {
        return Err(error);
    }
    let body = body.map_err(|error| match error {
        BodyError::TooLarge { limit, size } => ApiError::RequestTooLarge { size, limit },
        BodyError::Stalled(_) => ApiError::RequestTimeout,
        BodyError::Truncated => ApiError::Truncated,
    })?;
    let client = parts.extensions.get().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), SocketAddr::ip);
    let around = Surroundings {
        request_id: visit.id.as_str(),
        url_id: &site.url.id,
        domain: &site.domain,
        trace: &visit.trace.in_event,
        client: client.to_canonical(),
        time: visit.time,
    };
    let payload = Bytes::from(event(parts, &body, around));
    drop(body);
    if payload.len() > MAX_PAYLOAD_SIZE {
        let (size, limit) = (payload.len(), MAX_PAYLOAD_SIZE);
        return Err(ApiError::RequestTooLarge { size, limit });
    }
    let received = site.port.now();
    let invoke = Invoke {
        id: visit.id.clone(),
        trace_id: visit.trace.header.clone(),
        tenant_id: None,
        invoked_function_arn: site.url.function_arn.clone(),
        cognito_identity: None,
        client_context: None,
        content_type: None,
        payload,
        response_mode: site.url.mode,
        log_tail: false,
        received,
        request_read_time: received.since(arrived),
    };
    let response = match site.port.invoke(invoke).await?.answer {
        InvokeAnswer::Response(response) => respond(response, site.url.mode).await,
        InvokeAnswer::Streamed(InvokeStream { headers, body, end }) => {
            stream::respond(headers, Told::new(body, end)).await
        }
        InvokeAnswer::Failed(failure, _) => {
            tracing::debug!(failure = failure.message(), "the function failed");
            return Err(ApiError::BadFunction);
        }
    };
    response.map_err(|reason| {
        tracing::warn!(request.id = %visit.id, %reason, "the function's output is no HTTP response");
        ApiError::BadFunction
    })
}

/// Why a request is not for the function.
fn refusal(url: &FunctionUrl, method: &Method, headers: &HeaderMap) -> Option<ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if url.is_not(host) {
        Some(ApiError::AnotherUrl)
    } else if method == Method::CONNECT {
        Some(ApiError::Connect)
    } else {
        None
    }
}

/// The response for an output that is there as a whole. One of a function that streams, although
/// its URL does not, need not be JSON.
async fn respond(
    output: StreamableInvokeResponse,
    mode: InvokeResponseMode,
) -> Result<Response<ResponseBody>, Unusable> {
    let StreamableInvokeResponse { headers, payload } = output;
    if mode.0 == ResponseMode::Streaming || stream::has_prelude(&headers) {
        return stream::respond(headers, Full::new(payload)).await;
    }
    match Reply::of(payload.clone()) {
        Ok(Reply { head, body }) => Ok(head.with(wire::whole(body))),
        Err(Unusable::NotJson(_)) if stream::is_stream(&headers) => {
            stream::respond(headers, Full::new(payload)).await
        }
        Err(error) => Err(error),
    }
}

/// `HEAD`, 204 and 304 carry no body, whatever the function returned. `HEAD` is told how long it
/// would be.
fn without_what_has_no_body(
    method: &Method,
    mut response: Response<ResponseBody>,
) -> Response<ResponseBody> {
    let is_head = method == Method::HEAD;
    let has_none = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !is_head && !has_none {
        return response;
    }
    if is_head
        && !has_none
        && let Some(length) = response.body().size_hint().exact()
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|_| ResponseBody::default())
}
