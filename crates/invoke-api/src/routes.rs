//! [`router`]: which path does what.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as AxumBody;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body;
use rapid_http::{BodyError, collect};
use rapid_interop::limits::MAX_ASYNC_REQUEST_SIZE;
use rapid_interop::ports::{EventPort, InvokePort};
use rapid_interop::{Invoke, InvokeResponseMode, RequestId, ResponseMode};
use tower::{ServiceExt as _, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::answer::About;
use crate::function::FunctionIdentity;
use crate::persona::Persona;
use crate::request::{InvocationType, InvokeHeaders};
use crate::settings::Settings;
use crate::wire::{self, ApiError};
use crate::{answer, cors, request};

/// How long an invoker may pause while it sends its event.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest event of [`Operation::InvokeAsync`], in bytes.
///
/// # Source
/// Invoke API, "Routes".
const MAX_INVOKE_ASYNC_SIZE: usize = 256 * 1024;

/// Which operation of the API a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Invoke,
    InvokeWithResponseStream,
    InvokeAsync,
}

impl Operation {
    const fn response_mode(self) -> ResponseMode {
        match self {
            Self::Invoke | Self::InvokeAsync => ResponseMode::Buffered,
            Self::InvokeWithResponseStream => ResponseMode::Streaming,
        }
    }

    /// Whether nobody waits for the invocation. A stream is run at once whatever is said.
    fn is_event(self, headers: &HeaderMap, persona: Persona) -> bool {
        match self {
            Self::Invoke => request::invocation_type(headers, persona) == Ok(InvocationType::Event),
            Self::InvokeWithResponseStream => false,
            Self::InvokeAsync => true,
        }
    }

    /// How large an event may be, and as what it is too large.
    const fn limit(self, is_event: bool, persona: Persona) -> (usize, &'static str) {
        match self {
            Self::Invoke if is_event => (MAX_ASYNC_REQUEST_SIZE, "Event"),
            Self::Invoke | Self::InvokeWithResponseStream => {
                (persona.request_limit(), "RequestResponse")
            }
            Self::InvokeAsync => (MAX_INVOKE_ASYNC_SIZE, "Event"),
        }
    }
}

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Api<P> {
    port: P,
    persona: Persona,
    function: Arc<FunctionIdentity>,
    events: Option<Arc<dyn EventPort>>,
    version: HeaderValue,
    /// Its own, without a qualifier: what nearly every invocation gets.
    arn: Option<HeaderValue>,
}

impl<P> Api<P> {
    pub(crate) fn new(port: P, settings: Settings) -> Self {
        let Settings { persona, function, events, origins: _ } = settings;
        let version =
            HeaderValue::from_str(&function.version).unwrap_or(HeaderValue::from_static("$LATEST"));
        let arn = HeaderValue::try_from(function.arn(&function.name, None)).ok();
        Self { port, persona, function: Arc::new(function), events, version, arn }
    }
}

/// The Invoke API over a port.
///
/// # Source
/// Invoke API, "Routes"; of those, Invoke, InvokeWithResponseStream and InvokeAsync. `GET /health`
/// is ours.
pub fn router<P: InvokePort>(port: P, settings: Settings) -> Router {
    let origins = Arc::new(settings.origins.clone());
    let plain = all(Api::new(port, settings));
    let for_pages = plain.clone().layer(cors::layer(Arc::clone(&origins)));
    Router::new().fallback_service(service_fn(move |request: Request| {
        let (origins, plain, for_pages) = (origins.clone(), plain.clone(), for_pages.clone());
        async move {
            match request.headers().get(header::ORIGIN) {
                // Who is no page is not bothered with what pages are told.
                None => plain.oneshot(request).await,
                Some(origin) if origins.allow(origin) => for_pages.oneshot(request).await,
                // A browser would only hide the answer: the function had run by then.
                Some(origin) => {
                    let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
                    read_over(request).await;
                    Ok(ApiError::ForeignPage { origin }.response(new_request_id()))
                }
            }
        }
    }))
}

/// Answers a request: invocations at once, all others through `router`.
///
/// The router finds its way through maps and boxed futures, which an invocation can do without. It
/// does without its net for panics too: one would end the connection.
pub(crate) async fn answer<P, B>(
    api: Api<P>,
    router: Router,
    request: http::Request<B>,
) -> Result<Response, Infallible>
where
    P: InvokePort,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    if is_invocation(&request) {
        return Ok(invoke(State(api), request).await);
    }
    // Boxed, or every invocation would be as large as the largest request.
    Box::pin(router.oneshot(request.map(AxumBody::new))).await
}

/// Whether a request invokes the function, in the plain spelling and not from a web page; others
/// are left to the router.
fn is_invocation<B>(request: &http::Request<B>) -> bool {
    let name = wire::INVOKE
        .split_once("{name}")
        .and_then(|(before, after)| request.uri().path().strip_prefix(before)?.strip_suffix(after));
    let plain = name.is_some_and(|name| !name.is_empty() && !name.contains('/'));
    plain && request.method() == Method::POST && !request.headers().contains_key(header::ORIGIN)
}

/// Every route.
fn all<P: InvokePort>(api: Api<P>) -> Router {
    let health: MethodRouter<Api<P>> =
        get(health).fallback(|request| not_allowed("GET, HEAD", request));
    let invoke: MethodRouter<Api<P>> =
        post(invoke::<P, AxumBody>).fallback(|request| not_allowed("POST", request));
    let invoke_stream: MethodRouter<Api<P>> =
        post(invoke_stream::<P>).fallback(|request| not_allowed("POST", request));
    let invoke_async: MethodRouter<Api<P>> =
        post(invoke_async::<P>).fallback(|request| not_allowed("POST", request));
    Router::new()
        .route(wire::HEALTH, health)
        .route(wire::INVOKE, invoke)
        .route(wire::INVOKE_STREAM, invoke_stream.clone())
        .route(wire::INVOKE_STREAM_ALIAS, invoke_stream)
        .route(wire::INVOKE_ASYNC, invoke_async.clone())
        .route(wire::INVOKE_ASYNC_SLASH, invoke_async)
        .fallback(unknown::<P>)
        .layer(CatchPanicLayer::custom(|_| {
            ApiError::Service("An internal error happened.").response(new_request_id())
        }))
        .with_state(api)
}

async fn health<P: InvokePort>(State(api): State<Api<P>>) -> Response {
    let pending = api.events.as_ref().map(|events| events.pending());
    wire::health(api.port.health(), pending)
}

async fn invoke<P, B>(State(api): State<Api<P>>, request: http::Request<B>) -> Response
where
    P: InvokePort,
    B: Body<Data = Bytes> + Unpin,
{
    invoke_as(Operation::Invoke, api, request).await
}

async fn invoke_stream<P: InvokePort>(State(api): State<Api<P>>, request: Request) -> Response {
    invoke_as(Operation::InvokeWithResponseStream, api, request).await
}

async fn invoke_async<P: InvokePort>(State(api): State<Api<P>>, request: Request) -> Response {
    // Who knows no events does not know this either.
    if !api.persona.reads_invocation_type() {
        return unknown(State(api), request).await;
    }
    invoke_as(Operation::InvokeAsync, api, request).await
}

async fn invoke_as<P, B>(operation: Operation, api: Api<P>, request: http::Request<B>) -> Response
where
    P: InvokePort,
    B: Body<Data = Bytes> + Unpin,
{
    let Some(id) = request::request_id(request.headers(), api.persona) else {
        return ApiError::Service("No request id could be made.").response(new_request_id());
    };
    let header = id.to_header();
    match try_invoke(operation, api, request, id).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(code = error.code(), "an invocation was refused");
            error.response(header)
        }
    }
}

async fn try_invoke<P, B>(
    operation: Operation,
    api: Api<P>,
    request: http::Request<B>,
    id: RequestId,
) -> Result<Response, ApiError>
where
    P: InvokePort,
    B: Body<Data = Bytes> + Unpin,
{
    let Api { port, persona, function, events, version, arn: own_arn } = api;
    let arrived = port.now();
    let (parts, body) = request.into_parts();
    let named = request::function(&parts.uri);
    let is_event = operation.is_event(&parts.headers, persona);
    let (limit, invocation_type) = operation.limit(is_event, persona);
    // Read to the end even when it is refused, so that the invoker gets to see the answer.
    let body = collect(body, if named.is_ok() { limit } else { 0 }, Some(PATIENCE)).await;
    let named = named?;
    let body = body.map_err(|error| match error {
        BodyError::TooLarge { limit, size } => {
            ApiError::RequestTooLarge { size, limit, invocation_type }
        }
        BodyError::Stalled(_) => ApiError::RequestTimeout,
        BodyError::Truncated => {
            ApiError::InvalidRequestContent("The request body ended early.".to_owned())
        }
    })?;
    let headers = match operation {
        Operation::Invoke | Operation::InvokeWithResponseStream => {
            request::headers(&parts.headers, persona, is_event)?
        }
        Operation::InvokeAsync => InvokeHeaders::of_a_plain_event(),
    };
    let mode = operation.response_mode();
    let payload = request::payload(body, persona)?;
    let qualifier = named.qualifier.as_deref();
    let name = own_name(&named.name, &function);
    let arn = |qualifier| function.arn(name, qualifier);
    if let Some(unknown) = qualifier.filter(|qualifier| !function.answers_to(qualifier)) {
        return Err(ApiError::ResourceNotFound { arn: arn(Some(unknown)) });
    }
    if headers.invocation_type == InvocationType::DryRun {
        return Ok(dry_run(&id));
    }
    let is_own = qualifier.is_none() && name == function.name;
    let invoked_function_arn = own_arn
        .filter(|_| is_own)
        .or_else(|| HeaderValue::try_from(arn(qualifier)).ok())
        .ok_or(ApiError::Service("The function's ARN does not fit into a header."))?;
    let received = port.now();
    let about = About { request_id: id.to_header(), trace_id: headers.trace_id.clone(), version };
    let invoke = Invoke {
        id,
        trace_id: headers.trace_id,
        tenant_id: headers.tenant_id,
        invoked_function_arn,
        cognito_identity: headers.cognito_identity,
        client_context: headers.client_context,
        content_type: None,
        payload,
        response_mode: InvokeResponseMode(mode),
        log_tail: headers.log_tail,
        received,
        request_read_time: received.since(arrived),
    };
    if is_event {
        // Boxed, or every invocation would be as large as one that is kept for later.
        return Box::pin(accept(events, invoke, about)).await;
    }
    let invoked = port.invoke(invoke).await?;
    Ok(match mode {
        ResponseMode::Buffered => answer::whole(invoked, persona, about),
        ResponseMode::Streaming => answer::in_pieces(invoked, about),
    })
}

/// Takes an invocation in that nobody waits for.
///
/// # Source
/// Asynchronous invocation, "Accepting an event".
async fn accept(
    events: Option<Arc<dyn EventPort>>,
    invoke: Invoke,
    about: About,
) -> Result<Response, ApiError> {
    let Some(events) = events else {
        return Err(ApiError::InvalidParameterValue(
            "X-Amz-Invocation-Type Event is not available here: this endpoint runs invocations \
             synchronously (RequestResponse) or checks them (DryRun)."
                .to_owned(),
        ));
    };
    events.accept(invoke).await?;
    let mut response = Response::new(AxumBody::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(wire::REQUEST_ID, about.request_id);
    response.headers_mut().insert(wire::TRACE_ID, about.trace_id);
    Ok(response)
}

/// `function` is the name that the emulator's users write whatever their function is called.
fn own_name<'a>(named: &'a str, function: &'a FunctionIdentity) -> &'a str {
    if named == "function" { &function.name } else { named }
}

fn dry_run(id: &RequestId) -> Response {
    let mut response = Response::new(AxumBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(wire::REQUEST_ID, id.to_header());
    response
}

async fn not_allowed(allowed: &'static str, request: Request) -> Response {
    read_over(request).await;
    ApiError::MethodNotAllowed { allowed }.response(new_request_id())
}

async fn unknown<P: InvokePort>(State(api): State<Api<P>>, request: Request) -> Response {
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    read_over(request).await;
    if let Some(text) = api.persona.text_of_unknown_path() {
        return wire::plain(StatusCode::NOT_FOUND, text);
    }
    ApiError::UnknownOperation { method, path }.response(new_request_id())
}

/// Reads a body that nobody wants, so that its sender gets to see the answer and can use the
/// connection again.
async fn read_over(request: Request) {
    // What it holds, and whether it ever ends well, does not matter.
    let _ = collect(request.into_body(), 0, Some(PATIENCE)).await;
}

fn new_request_id() -> HeaderValue {
    HeaderValue::from_str(Uuid::new_v4().as_hyphenated().encode_lower(&mut [0; 36]))
        .unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plain_spelling_of_an_invocation_goes_without_the_router() {
        let is = |method: &str, path: &str| {
            is_invocation(&http::Request::builder().method(method).uri(path).body(()).unwrap())
        };
        assert!(is("POST", "/2015-03-31/functions/function/invocations"));
        assert!(is("POST", "/2015-03-31/functions/arn%3Aaws/invocations?Qualifier=1"));
        assert!(!is("GET", "/2015-03-31/functions/function/invocations"));
        assert!(!is("POST", "/2015-03-31/functions//invocations"));
        assert!(!is("POST", "/2015-03-31/functions/a/b/invocations"));
        assert!(!is("POST", "/2015-03-31/functions/function/invocations/"));
    }
}
