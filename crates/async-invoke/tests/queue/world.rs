//! Events, queues, and the files that they tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use rapid_async_invoke::{AsyncInvoke, Config, Destinations, Policy, Target};
use rapid_interop::mode::InvokeResponseMode;
use rapid_interop::{Invoke, Mono, RequestId};
use serde_json::Value;
use tempfile::TempDir;

use crate::port::FakePort;

/// Far more than anything here takes; only a defect gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const ID: &str = "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11";

pub(crate) fn event(payload: impl Into<Bytes>) -> Invoke {
    named(ID, payload)
}

pub(crate) fn named(id: &str, payload: impl Into<Bytes>) -> Invoke {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
    Invoke {
        id: RequestId::parse(id).unwrap(),
        trace_id: HeaderValue::from_static("Root=1-5759e988-bd862e3fe1be46a994272793"),
        tenant_id: None,
        invoked_function_arn: HeaderValue::from_static(arn),
        cognito_identity: None,
        client_context: Some(HeaderValue::from_static("{}")),
        content_type: None,
        payload: payload.into(),
        response_mode: InvokeResponseMode::default(),
        log_tail: false,
        received: Mono::default(),
        request_read_time: Duration::from_secs(1),
    }
}

/// A folder with a file for each destination, and room for the queue.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Every destination is a file; events are kept in memory.
    pub(crate) fn config(&self) -> Config {
        let file = |name| Some(Target::File(self.path(name)));
        Config {
            destinations: Destinations {
                on_success: file("succeeded"),
                on_failure: file("failed"),
                dead_letter: file("dead"),
            },
            ..Config::default()
        }
    }

    /// Events are kept on the disk, and retried at once.
    pub(crate) fn durable(&self) -> Config {
        Config { directory: Some(self.path("queue")), policy: at_once(), ..self.config() }
    }

    /// What the files have: successes, failures, dead letters.
    pub(crate) fn told(&self) -> [Vec<Value>; 3] {
        ["succeeded", "failed", "dead"].map(|name| lines(&self.path(name)))
    }
}

pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn at_once() -> Policy {
    Policy { retry_delays: [Duration::ZERO; 2], ..Policy::default() }
}

pub(crate) async fn open(config: Config, port: &FakePort) -> AsyncInvoke {
    AsyncInvoke::open(config, port.clone()).await.unwrap()
}

/// Waits until every event has come to its end, and looks more and more seldom.
pub(crate) async fn is_empty(queue: &AsyncInvoke) {
    let mut pause = Duration::from_millis(1);
    while queue.pending().total() > 0 {
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_millis(100));
    }
}
