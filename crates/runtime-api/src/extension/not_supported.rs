//! Logs and telemetry where there is nothing to subscribe to: subscriptions are turned down, so that
//! an extension goes on without.

use axum::extract::Request;
use axum::response::Response;
use rapid_interop::TelemetryApi;

use super::wire;
use crate::upload;

/// Needs no identifier, and answers when extensions are disabled too.
///
/// # Source
/// Extensions API, "Stub".
pub(super) async fn answer(to: TelemetryApi, request: Request) -> Response {
    upload::refuse(request, wire::not_supported(to)).await
}
