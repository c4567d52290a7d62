//! What the port does for subscriptions.

use std::sync::Arc;

use http::StatusCode;
use rapid_interop::TelemetryApi;
use rapid_interop::ports::{TelemetryAnswer, TelemetryPort};

use crate::port::{FakePort, payload};

impl FakePort {
    /// One that may be subscribed to, and what that leads to.
    pub(crate) fn subscribed(status: StatusCode, body: &'static str) -> Self {
        let answer = TelemetryAnswer { status, body: body.into() };
        Self::with(|script| script.subscription = Some(answer))
    }

    pub(crate) fn telemetry(&self) -> Option<Arc<dyn TelemetryPort>> {
        let answer = self.script().subscription?;
        Some(Arc::new(FakeTelemetry { port: self.clone(), answer }))
    }
}

struct FakeTelemetry {
    port: FakePort,
    answer: TelemetryAnswer,
}

impl TelemetryPort for FakeTelemetry {
    fn subscribe(&self, api: TelemetryApi, name: &str, body: Option<&[u8]>) -> TelemetryAnswer {
        let body = body.map_or_else(|| "too large".to_owned(), payload);
        self.port.note(format!("'{name}' subscribes to {}: {body}", api.as_str()));
        self.answer.clone()
    }

    fn count_refusal(&self, status: StatusCode) {
        self.port.note(format!("refused with {}", status.as_u16()));
    }
}
