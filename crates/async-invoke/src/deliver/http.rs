//! HTTP: a request to whoever listens, or to the Invoke API of another function.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use rapid_http::client::{ClientError, ClientLimits, send};

use super::{Failed, Message};

/// What one try may take. Of the answer only the status is of interest.
const LIMITS: ClientLimits =
    ClientLimits { total: Duration::from_secs(3), head: 16 * 1024, body: 64 * 1024 };

/// Posts the message.
pub(super) async fn post(uri: &Uri, message: &Message) -> Result<(), Failed> {
    ask(request(uri).body(message.body.clone())).await
}

/// Invokes a function asynchronously with the message.
///
/// # Source
/// Invoke API, "Routes" and "Invoke request".
pub(super) async fn invoke(api: &Uri, name: &str, message: &Message) -> Result<(), Failed> {
    let uri = format!("{api}2015-03-31/functions/{name}/invocations");
    let uri: Uri = uri.parse().map_err(|_| Failed::ForGood(format!("no address: {uri}")))?;
    let mut request = request(&uri).header("x-amz-invocation-type", "Event");
    // That of an event that could not be read back is not known.
    if !message.trace_id.is_empty() {
        request = request.header("x-amzn-trace-id", message.trace_id.clone());
    }
    ask(request.body(message.body.clone())).await
}

fn request(uri: &Uri) -> http::request::Builder {
    Request::post(uri).header(CONTENT_TYPE, "application/json")
}

async fn ask(request: http::Result<Request<Bytes>>) -> Result<(), Failed> {
    let request = request.map_err(|error| Failed::ForGood(error.to_string()))?;
    let status = match send(request, LIMITS).await {
        Ok(answer) => answer.status(),
        // The status says more than the size of what comes with it.
        Err(ClientError::TooLarge { start, .. }) => start.status(),
        Err(error @ ClientError::Address(_)) => return Err(Failed::ForGood(error.to_string())),
        Err(error) => return Err(Failed::ForNow(error.to_string())),
    };
    let reason = || format!("it answered {}", status.as_u16());
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(Failed::ForNow(reason()))
        }
        _ if status.is_server_error() => Err(Failed::ForNow(reason())),
        // It would say the same again.
        _ => Err(Failed::ForGood(reason())),
    }
}
