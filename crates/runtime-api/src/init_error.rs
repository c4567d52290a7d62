//! R5: the runtime reports that it could not initialise.

use axum::extract::{Request, State};
use axum::response::Response;
use rapid_http::{BodyError, collect};
use rapid_interop::limits::MAX_PAYLOAD_SIZE;
use rapid_interop::ports::RuntimePort;
use rapid_interop::{ErrorInvokeResponse, FunctionError, InvokeResponseHeaders};
use serde::de::IgnoredAny;

use crate::routes::Api;
use crate::upload::error_type;
use crate::wire;

pub(crate) async fn init_error<P: RuntimePort>(
    State(api): State<Api<P>>,
    request: Request,
) -> Response {
    let generation = api.generation(&request);
    let (parts, body) = request.into_parts();
    let payload = match collect(body, MAX_PAYLOAD_SIZE, None).await {
        Ok(payload) => payload,
        Err(BodyError::TooLarge { .. }) => return wire::too_large(),
        Err(BodyError::Truncated | BodyError::Stalled(_)) => return wire::truncated(),
    };
    let is_json = serde_json::from_slice::<IgnoredAny>(&payload).is_ok();
    let error = ErrorInvokeResponse {
        headers: InvokeResponseHeaders {
            content_type: Some(if is_json { wire::JSON } else { wire::OCTET_STREAM }),
            ..InvokeResponseHeaders::default()
        },
        payload,
        function_error: FunctionError {
            error_type: error_type(&parts.headers),
            message: String::new(),
        },
    };
    match api.port.init_error(generation, error).await {
        Ok(()) => wire::accepted(),
        Err(refusal) => wire::refused(&refusal),
    }
}
