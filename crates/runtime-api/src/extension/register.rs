//! `register`: an extension says who it is and which events it wants.

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use rapid_http::collect;
use rapid_interop::extension::{ExtensionPort, Registration};
use rapid_interop::ports::RuntimePort;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{text, wire};
use crate::routes::Api;
use crate::upload;
use crate::wire::null_as_default;

/// Many times what the two event names need.
const MAX_BODY: usize = 64 * 1024;

/// What is asked for; other keys are ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wishes {
    #[serde(default, deserialize_with = "null_as_default")]
    events: Vec<Box<str>>,
    #[serde(default, deserialize_with = "null_as_default")]
    configuration_keys: Vec<Box<str>>,
}

/// Checks the form; whether the name and the events make sense, the port decides.
///
/// # Source
/// Extensions API, "POST register".
pub(super) async fn register<P: RuntimePort + ExtensionPort>(
    State(api): State<Api<P>>,
    request: Request,
) -> Response {
    let generation = api.generation(&request);
    let Some(name) = text(request.headers(), wire::NAME) else {
        return upload::refuse(request, wire::empty_name()).await;
    };
    let (parts, body) = request.into_parts();
    let body = match collect(body, MAX_BODY, None).await {
        Ok(body) => body,
        Err(error) => return wire::invalid_request(&error.to_string()),
    };
    let wishes = match read(&body) {
        Ok(wishes) => wishes,
        Err(error) => return wire::invalid_request(&error.to_string()),
    };
    if !wishes.configuration_keys.is_empty() {
        return wire::configuration_keys();
    }
    let registration = Registration { name, events: wishes.events };
    match api.port.register(generation, registration).await {
        Ok(registered) => wire::registered(&registered, wants_account_id(&parts.headers)),
        Err(refusal) => wire::refused(&refusal),
    }
}

/// Serde would take a list for the struct's fields in order, hence the map in between. `null` asks
/// for nothing.
fn read(body: &[u8]) -> Result<Wishes, serde_json::Error> {
    match serde_json::from_slice::<Option<Map<String, Value>>>(body)? {
        Some(object) => serde_json::from_value(Value::Object(object)),
        None => Ok(Wishes::default()),
    }
}

/// Whether one of the features that the extension accepts is the account's id. Features that
/// nobody knows are ignored.
fn wants_account_id(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(wire::ACCEPT_FEATURE).iter().map(HeaderValue::as_bytes);
    let mut features = lists.flat_map(|list| list.split(|byte| *byte == b','));
    features.any(|feature| feature.trim_ascii() == wire::ACCOUNT_ID)
}
