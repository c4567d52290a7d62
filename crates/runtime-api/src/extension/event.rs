//! `event/next`: parks an extension and gives it the event.

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body::Body;
use rapid_interop::extension::{ExtensionEvent, ExtensionPort, NextExtensionEvent};
use rapid_interop::ports::{Receipt, RuntimePort};
use uuid::Uuid;

use super::{caller, wire};
use crate::routes::Api;
use crate::wire::{JSON, TEXT, internal};
use crate::{delivery, upload};

/// Waits for as long as it takes; a caller that hangs up is un-parked.
///
/// # Source
/// Extensions API, "GET event/next".
pub(crate) async fn next<P, B>(State(api): State<Api<P>>, request: Request<B>) -> Response
where
    P: RuntimePort + ExtensionPort,
    B: Body<Data = Bytes> + Unpin,
{
    let generation = api.generation(&request);
    let id = match caller(request.headers()) {
        Ok(id) => id,
        Err(refused) => return upload::refuse(request, *refused).await,
    };
    // Nothing of the request is needed while it is parked, perhaps for hours.
    drop(request);
    match api.port.next_event(generation, id).await {
        Ok(next) => reply(next),
        Err(refusal) => wire::refused(&refusal),
    }
}

/// An invocation's event is JSON and has an id of its own; the event of the end is called text and
/// has none, although it is JSON too. The service does the same.
///
/// # Source
/// Extensions API, "Events".
fn reply<R: Receipt>(next: NextExtensionEvent<R>) -> Response {
    let NextExtensionEvent { event, receipt } = next;
    let (body, content_type) = match &event {
        ExtensionEvent::Invoke { invoke, deadline } => {
            (wire::invoke_event(invoke, *deadline), JSON)
        }
        ExtensionEvent::Shutdown { reason, deadline } => {
            (wire::shutdown_event(*reason, *deadline), TEXT)
        }
    };
    // The receipt is dropped unsettled then.
    let Some(body) = body else { return internal() };
    let mut response = Response::new(delivery::body(body, receipt));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if matches!(event, ExtensionEvent::Invoke { .. })
        && let Ok(id) = HeaderValue::try_from(Uuid::new_v4().to_string())
    {
        response.headers_mut().insert(wire::EVENT_IDENTIFIER, id);
    }
    response
}
