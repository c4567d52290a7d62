//! [`exchange`]: a request and its answer, over the connection there is or over a new one.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::address::Address;
use crate::call::Call;
use crate::client::connection::{Broken, Connection, Reply};
use crate::error::Error;

/// How long to wait after each attempt in which nothing could be sent, before the next one.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

/// Sends a request and reads the whole answer; the connection comes back if it can be used again.
///
/// What cannot have reached the API is tried again: when there is no connection, or when it turns
/// out to be closed before anything was written. From the first byte on there is one attempt only.
/// In particular a request for an event is not repeated when its connection breaks: the API may
/// have taken it. While it still waits there, a second one is refused; and when an event was on
/// its way, a second one says that this event has been dealt with, although nobody saw it.
pub(crate) async fn exchange(
    call: Call,
    mut request: Request<Full<Bytes>>,
    address: Address,
    mut idle: Option<Connection>,
) -> (Result<Reply, Error>, Option<Connection>) {
    let mut pauses = PAUSES.iter();
    loop {
        let reused = idle.is_some();
        let connection = match idle.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(&address).await,
        };
        let reason = match connection {
            Ok(connection) => match connection.exchange(request).await {
                Ok((reply, connection)) => return (Ok(reply), connection),
                Err(Broken::Unsent(unsent, reason)) => {
                    request = *unsent;
                    reason
                }
                Err(Broken::Lost(reason)) => return (Err(Error::Lost { call, reason }), None),
                Err(Broken::Unreadable(problem)) => {
                    return (Err(Error::Unreadable { call, problem }), None);
                }
            },
            Err(reason) => reason,
        };
        if reused {
            tracing::debug!(%call, %reason, "the idle connection was closed, opening another");
            continue;
        }
        // Whoever does not answer at all for seconds will not do so soon.
        let hopeless = reason.kind() == io::ErrorKind::TimedOut;
        match pauses.next().filter(|_| !hopeless) {
            Some(pause) => {
                tracing::debug!(%call, %reason, "cannot connect, trying again");
                tokio::time::sleep(*pause).await;
            }
            None => {
                let address = address.as_str().to_owned();
                return (Err(Error::Connect { call, address, reason }), None);
            }
        }
    }
}
