//! `init/error` and `exit/error`: an extension reports that it cannot go on.

use axum::extract::{Request, State};
use axum::response::Response;
use rapid_interop::extension::{ExtensionErrorKind, ExtensionErrorReport, ExtensionPort};
use rapid_interop::ports::RuntimePort;

use super::{caller, text, wire};
use crate::routes::Api;
use crate::upload;
use crate::wire::accepted;

/// Before the first event.
///
/// # Source
/// Extensions API, "POST init/error and exit/error".
pub(super) async fn init_error<P: RuntimePort + ExtensionPort>(
    State(api): State<Api<P>>,
    request: Request,
) -> Response {
    report(&api, request, ExtensionErrorKind::Init).await
}

/// Later.
///
/// # Source
/// Extensions API, "POST init/error and exit/error".
pub(super) async fn exit_error<P: RuntimePort + ExtensionPort>(
    State(api): State<Api<P>>,
    request: Request,
) -> Response {
    report(&api, request, ExtensionErrorKind::Exit).await
}

/// Takes the report in before its body, which says nothing that counts: neither its size nor how
/// it ends can keep the report from being heard.
async fn report<P: RuntimePort + ExtensionPort>(
    api: &Api<P>,
    request: Request,
    kind: ExtensionErrorKind,
) -> Response {
    let id = match caller(request.headers()) {
        Ok(id) => id,
        Err(refused) => return upload::refuse(request, *refused).await,
    };
    let Some(error_type) = text(request.headers(), wire::ERROR_TYPE) else {
        return upload::refuse(request, wire::missing_error_type()).await;
    };
    let report = ExtensionErrorReport { kind, error_type };
    let response = match api.port.extension_error(api.generation(&request), id, report).await {
        Ok(()) => accepted(),
        Err(refusal) => wire::report_refused(&refusal),
    };
    upload::refuse(request, response).await
}
