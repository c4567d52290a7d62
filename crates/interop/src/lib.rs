#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod done;
pub mod error;
pub mod extension;
pub mod id;
pub mod invoke;
pub mod limits;
pub mod message;
pub mod metrics;
pub mod mode;
pub mod ports;
pub mod process;
pub mod release;
pub mod stream;
pub mod time;
pub mod trace;

pub use done::{Done, DoneFail, DoneMetadata, DoneMetadataMetricsDimensions};
pub use error::{ErrorInvokeResponse, ErrorResponseTooLarge, FunctionError, InteropError};
pub use extension::{ExtensionId, ExtensionKind, TelemetryApi};
pub use id::{Generation, RequestId, TenantId};
pub use invoke::{
    CognitoIdentity, Invoke, InvokeErrorTraceData, InvokeResponseHeaders, StreamableInvokeResponse,
};
pub use limits::MAX_PAYLOAD_SIZE;
pub use message::{
    ActiveExtensions, FunctionMetadata, InitFailure, InitSuccess, InvokeFailure, InvokeSuccess,
    Reset, ResetFailure, ResetReason, ResetSuccess, RuntimeInfo, Shutdown, ShutdownSuccess,
};
pub use metrics::{InvokeMetrics, ResponseMetrics};
pub use mode::{FunctionResponseMode, InitPhase, InitType, InvokeResponseMode, ResponseMode};
pub use release::RuntimeRelease;
pub use stream::{InvokeStream, StreamEnd};
pub use time::{EpochMillis, Mono};
