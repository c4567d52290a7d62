//! [`Telemetry`] as the port of the routes to subscribe.

use bytes::Bytes;
use http::StatusCode;
use rapid_interop::TelemetryApi;
use rapid_interop::ports::{MAX_SUBSCRIBE_REQUEST_SIZE, TelemetryAnswer, TelemetryPort};

use crate::request::MAX_REQUEST_SIZE;
use crate::telemetry::Telemetry;

// What the route lets in is what a request may have.
const _: () = assert!(MAX_SUBSCRIBE_REQUEST_SIZE == MAX_REQUEST_SIZE);

impl TelemetryPort for Telemetry {
    fn subscribe(&self, api: TelemetryApi, name: &str, body: Option<&[u8]>) -> TelemetryAnswer {
        match self.answer(api, name, body) {
            Ok(subscribed) => TelemetryAnswer {
                status: StatusCode::OK,
                body: Bytes::from_static(subscribed.body().as_bytes()),
            },
            Err(refusal) => {
                TelemetryAnswer { status: refusal.status(), body: Bytes::from(refusal.body()) }
            }
        }
    }

    fn count_refusal(&self, status: StatusCode) {
        Self::count_refusal(self, status);
    }
}
