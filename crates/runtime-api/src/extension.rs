//! The Extensions API, and with it the Telemetry API and the Logs API: which path does what, and
//! what is checked before.

mod error;
mod event;
mod not_supported;
mod register;
mod subscribe;
mod wire;

pub(crate) use event::next;
pub(crate) use wire::EVENT_NEXT as NEXT;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, any_service, on};
use http::{HeaderMap, HeaderName};
use rapid_interop::extension::ExtensionPort;
use rapid_interop::ports::{RuntimePort, TelemetryPort};
use rapid_interop::{ExtensionId, TelemetryApi};
use tower::Layer as _;

use crate::routes::{Api, Route, get, post, put};
use crate::upload;

/// The routes of extensions.
///
/// # Source
/// Extensions API, "Routes".
pub(crate) fn routes<P: RuntimePort + ExtensionPort>(
    api: &Api<P>,
    telemetry: Option<Arc<dyn TelemetryPort>>,
) -> [Route<P>; 6] {
    let register = post(on(MethodFilter::POST, register::register::<P>));
    let event_next = get(on(MethodFilter::GET, next::<P, axum::body::Body>));
    let init_error = post(on(MethodFilter::POST, error::init_error::<P>));
    let exit_error = post(on(MethodFilter::POST, error::exit_error::<P>));
    [
        (&[wire::REGISTER], guarded(api, register)),
        (&[wire::EVENT_NEXT], guarded(api, event_next)),
        (&[wire::INIT_ERROR], guarded(api, init_error)),
        (&[wire::EXIT_ERROR], guarded(api, exit_error)),
        (&[wire::LOGS], subscriptions(api, telemetry.clone(), TelemetryApi::Logs)),
        (&[wire::TELEMETRY], subscriptions(api, telemetry, TelemetryApi::Telemetry)),
    ]
}

/// The route of one of the APIs to subscribe through. Where subscriptions are turned down it exists
/// even if extensions are disabled.
///
/// # Source
/// Extensions API, "Stub" and "Enabled handler".
fn subscriptions<P: RuntimePort + ExtensionPort>(
    api: &Api<P>,
    telemetry: Option<Arc<dyn TelemetryPort>>,
    to: TelemetryApi,
) -> MethodRouter<Api<P>> {
    let Some(telemetry) = telemetry else {
        return put(on(MethodFilter::PUT, move |request| not_supported::answer(to, request)));
    };
    let subscribe = move |State(api): State<Api<P>>, request| {
        subscribe::subscribe(api, Arc::clone(&telemetry), to, request)
    };
    guarded(api, put(on(MethodFilter::PUT, subscribe)))
}

/// A route that does not exist where extensions are disabled: not even its methods are told then.
fn guarded<P: RuntimePort + ExtensionPort>(
    api: &Api<P>,
    methods: MethodRouter<Api<P>>,
) -> MethodRouter<Api<P>> {
    let guard = from_fn_with_state(api.clone(), if_enabled::<P>);
    any_service(guard.layer(methods.with_state(api.clone())))
}

/// Lets a request through unless there are no extensions here.
async fn if_enabled<P: ExtensionPort>(
    State(api): State<Api<P>>,
    request: Request,
    next: Next,
) -> Response {
    if api.port.extensions_enabled() {
        next.run(request).await
    } else {
        upload::refuse(request, wire::disabled()).await
    }
}

/// Who calls.
///
/// # Source
/// Extensions API, "Identifier check".
fn caller(headers: &HeaderMap) -> Result<ExtensionId, Box<Response>> {
    let Some(identifier) = text(headers, wire::IDENTIFIER) else {
        return Err(Box::new(wire::missing_identifier()));
    };
    ExtensionId::parse(&identifier).ok_or_else(|| Box::new(wire::invalid_identifier()))
}

/// The text of a header that is there and not empty. What is not UTF-8 in it is replaced: no
/// client sends that, and none is turned away for it.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<Box<str>> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    Some(String::from_utf8_lossy(value.as_bytes()).into())
}
