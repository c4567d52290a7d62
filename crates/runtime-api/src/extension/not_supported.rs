//! Logs and telemetry: subscriptions are turned down, so that an extension goes on without.

use axum::extract::Request;
use axum::response::Response;

use super::wire;
use crate::upload;

/// Needs no identifier, and answers when extensions are disabled too.
///
/// # Source
/// Extensions API, "Stub".
pub(super) async fn logs(request: Request) -> Response {
    upload::refuse(request, wire::no_logs()).await
}

/// As [`logs`].
///
/// # Source
/// Extensions API, "Stub".
pub(super) async fn telemetry(request: Request) -> Response {
    upload::refuse(request, wire::no_telemetry()).await
}
