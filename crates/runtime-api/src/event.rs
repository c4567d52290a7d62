//! R2, `next`: parks the runtime and gives it the event.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use rapid_interop::MAX_PAYLOAD_SIZE;
use rapid_interop::ports::{NextEvent, Receipt, RuntimeCaller, RuntimePort};

use crate::routes::Api;
use crate::{delivery, wire};

pub(crate) async fn next<P: RuntimePort, B>(
    State(api): State<Api<P>>,
    request: Request<B>,
) -> Response {
    let caller = RuntimeCaller {
        generation: api.generation(&request),
        user_agent: request.headers().get(header::USER_AGENT).cloned(),
        features: request.headers().get(wire::FEATURES).cloned(),
    };
    // Nothing of the request is needed while it is parked, perhaps for hours.
    drop(request);
    match api.port.next(caller).await {
        Ok(event) => reply(event),
        Err(refusal) => wire::refused(&refusal),
    }
}

fn reply<R: Receipt>(event: NextEvent<R>) -> Response {
    let NextEvent { invoke, deadline, receipt } = event;
    let mut headers = HeaderMap::with_capacity(10);
    let content_type = invoke.content_type.clone().filter(|value| !value.is_empty());
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(wire::JSON));
    headers.insert(wire::AWS_REQUEST_ID, invoke.id.to_header());
    headers.insert(wire::DEADLINE_MS, HeaderValue::from(deadline.0));
    insert_unless_empty(&mut headers, wire::TRACE_ID, Some(&invoke.trace_id));
    insert_unless_empty(
        &mut headers,
        wire::INVOKED_FUNCTION_ARN,
        Some(&invoke.invoked_function_arn),
    );
    insert_unless_empty(&mut headers, wire::CLIENT_CONTEXT, invoke.client_context.as_ref());
    if let Some(tenant) = &invoke.tenant_id {
        headers.insert(wire::TENANT_ID, tenant.to_header());
    }
    if let Some(identity) = invoke.cognito_identity.as_ref().and_then(|i| i.to_header()) {
        headers.insert(wire::COGNITO_IDENTITY, identity);
    }
    let payload = invoke.payload.slice(..invoke.payload.len().min(MAX_PAYLOAD_SIZE));
    let mut response = Response::new(delivery::body(payload, receipt));
    *response.status_mut() = StatusCode::OK;
    *response.headers_mut() = headers;
    response
}

/// Clients of old fail on headers that are there but empty.
fn insert_unless_empty(
    headers: &mut HeaderMap,
    name: http::HeaderName,
    value: Option<&HeaderValue>,
) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        headers.insert(name, value.clone());
    }
}
