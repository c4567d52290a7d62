//! R9: where the execution environment runs.

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};
use rapid_interop::ports::RuntimePort;
use serde::Serialize;

use crate::routes::Api;
use crate::{upload, wire};

/// What the metadata route tells, and to whom.
#[derive(Clone)]
pub struct Metadata {
    /// The token that a request has to carry: `AWS_LAMBDA_METADATA_TOKEN`.
    pub token: String,
    /// The id of the availability zone, `use1-az1` or the like.
    pub availability_zone_id: String,
}

impl std::fmt::Debug for Metadata {
    /// Leaves the token out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata")
            .field("availability_zone_id", &self.availability_zone_id)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "AvailabilityZoneID")]
    availability_zone_id: &'a str,
}

pub(crate) async fn execution_environment<P: RuntimePort>(
    State(api): State<Api<P>>,
    request: Request,
) -> Response {
    if request.method() != Method::GET {
        let answer = wire::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
        return upload::refuse(request, answer).await;
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    let token = authorization.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if token != Some(api.metadata.token.as_bytes()) {
        return wire::plain(StatusCode::UNAUTHORIZED, "Unauthorized\n");
    }
    let body = Body { availability_zone_id: &api.metadata.availability_zone_id };
    let Ok(json) = serde_json::to_vec(&body) else { return wire::internal() };
    let mut response = Response::new(axum::body::Body::from(json));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, wire::JSON);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=43200, immutable"),
    );
    response
}
