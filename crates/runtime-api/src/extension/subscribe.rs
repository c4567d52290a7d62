//! Logs and telemetry: who asks for them, and with how much; the rest is decided behind the port.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use rapid_http::{BodyError, collect};
use rapid_interop::TelemetryApi;
use rapid_interop::extension::ExtensionPort;
use rapid_interop::ports::{MAX_SUBSCRIBE_REQUEST_SIZE, RuntimePort, TelemetryPort};

use super::{caller, wire};
use crate::routes::Api;
use crate::upload;
use crate::wire::truncated;

/// Finds out under which name the extension is known, and hands its request on: subscriptions belong
/// to the name, while the identifier ends with its generation.
///
/// # Source
/// Telemetry API, "Endpoints" and "Subscribe responses"; Extensions API, "Enabled handler".
pub(super) async fn subscribe<P: RuntimePort + ExtensionPort>(
    api: Api<P>,
    telemetry: Arc<dyn TelemetryPort>,
    to: TelemetryApi,
    request: Request,
) -> Response {
    let generation = api.generation(&request);
    let named = match caller(request.headers()) {
        Ok(id) => {
            let named = api.port.extension_name(generation, id).await;
            named.map_err(|refusal| Box::new(wire::refused(&refusal)))
        }
        Err(refused) => Err(refused),
    };
    let name = match named {
        Ok(name) => name,
        Err(refused) => {
            telemetry.count_refusal(refused.status());
            return upload::refuse(request, *refused).await;
        }
    };
    let body = match collect(request.into_body(), MAX_SUBSCRIBE_REQUEST_SIZE, None).await {
        Ok(body) => Some(body),
        Err(BodyError::TooLarge { .. }) => None,
        Err(BodyError::Truncated | BodyError::Stalled(_)) => {
            let refused = truncated();
            telemetry.count_refusal(refused.status());
            return refused;
        }
    };
    wire::subscribed(telemetry.subscribe(to, &name, body.as_deref()))
}
