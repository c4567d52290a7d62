//! The hub as the port of the routes to subscribe.

use http::StatusCode;
use rapid_events::{Api, TelemetrySubscriptionMetrics};
use rapid_interop::ports::{TelemetryAnswer, TelemetryPort};
use rapid_telemetry::{Rules, Telemetry};
use tokio::runtime::Handle;

use crate::receiver::Receiver;
use crate::world::{Patience, opened, request, tcp};

const CLOSED: &str = "{\"errorMessage\":\"Telemetry API subscription is closed already\",\
                      \"errorType\":\"Telemetry.SubscriptionClosed\"}\n";
const TOO_LARGE: &str = r#"{"errorType":"Telemetry.ValidationError","errorMessage":"Request body exceeds 1048576 bytes"}"#;

fn answer(status: StatusCode, body: &'static str) -> TelemetryAnswer {
    TelemetryAnswer { status, body: body.into() }
}

fn subscribe(port: &dyn TelemetryPort, body: Option<&str>) -> TelemetryAnswer {
    port.subscribe(Api::Telemetry, "probe.sh", body.map(str::as_bytes))
}

#[tokio::test]
async fn every_request_is_answered_with_json_and_counted() {
    let telemetry = opened();
    let receiver = Receiver::bind().await;
    let good = request(&["function"], Patience::Short, &tcp(receiver.port));
    let good = Some(good.as_str());
    assert_eq!(subscribe(&telemetry, good), answer(StatusCode::OK, "\"OK\""));
    assert_eq!(subscribe(&telemetry, good), answer(StatusCode::OK, "\"AlreadySubscribed\""));
    assert_eq!(subscribe(&telemetry, None), answer(StatusCode::BAD_REQUEST, TOO_LARGE));
    TelemetryPort::count_refusal(&telemetry, StatusCode::INTERNAL_SERVER_ERROR);
    let counted = TelemetrySubscriptionMetrics {
        subscribe_success: 2,
        subscribe_client_err: 1,
        subscribe_server_err: 1,
        num_subscribers: 1,
    };
    assert_eq!(telemetry.take_metrics(), counted);
}

#[tokio::test]
async fn that_subscriptions_are_closed_is_said_before_anything_of_the_body() {
    let telemetry = Telemetry::new(Rules::default(), Handle::current());
    for body in [Some("no JSON"), None] {
        assert_eq!(subscribe(&telemetry, body), answer(StatusCode::FORBIDDEN, CLOSED));
    }
}
