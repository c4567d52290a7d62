//! Measurements of one invocation.

use std::time::Duration;

use crate::time::Mono;

/// Measurements of the request's way in and of the runtime's way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvokeMetrics {
    /// Time spent reading the payload (`InvokeRequestReadTimeNs`).
    pub request_read_time: Duration,
    /// Size of the payload in bytes (`InvokeRequestSizeBytes`).
    pub request_size: u64,
    /// When the runtime asked for the next event (`RuntimeReadyTime`).
    pub runtime_ready: Option<Mono>,
}

/// Measurements of a streamed response; all zero unless it was streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResponseMetrics {
    /// From the start of the runtime's work to the first byte, in milliseconds.
    pub runtime_response_latency_ms: f64,
    /// Bytes that the runtime produced.
    pub runtime_produced_bytes: u64,
    /// Bytes a second; `None` when it was too quick to tell (`RuntimeOutboundThroughputBps`).
    pub runtime_outbound_throughput: Option<u64>,
    /// How long it was held back to keep to a bandwidth (`RuntimeTimeThrottledMs`).
    pub runtime_time_throttled: Duration,
}
