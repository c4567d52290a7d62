//! Numbers that the APIs promise.

use std::time::Duration;

/// The largest event and the largest buffered response: 6 MiB + 100 bytes.
pub const MAX_PAYLOAD_SIZE: usize = 6 * 1024 * 1024 + 100;

/// The largest streamed response: 200 MiB. A byte more is passed on, and tells that there was more.
pub const MAX_STREAMED_RESPONSE_SIZE: u64 = 200 * 1024 * 1024;

/// The largest synchronous request that the service's Invoke API lets in: 6 MiB.
pub const MAX_SYNC_REQUEST_SIZE: usize = 6 * 1024 * 1024;

/// The largest event of an invocation that nobody waits for: 1 MiB.
pub const MAX_ASYNC_REQUEST_SIZE: usize = 1024 * 1024;

/// The largest error cause that is kept whole, in bytes of JSON.
pub const MAX_ERROR_CAUSE_SIZE: usize = 64 * 1024;

/// The largest description of a runtime release, in bytes.
pub const MAX_RUNTIME_RELEASE_SIZE: usize = 128;

/// The largest decoded client context, in bytes.
pub const MAX_CLIENT_CONTEXT_SIZE: usize = 3583;

/// How many extensions there may be, external and internal ones together.
pub const MAX_EXTENSIONS: usize = 10;

/// The longest list of extension names that is reported, in bytes.
pub const MAX_EXTENSION_NAMES: usize = 127;

/// How long the service lets an initialisation take before it is retried inside an invocation.
pub const DEFAULT_INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long runtime and extensions together may take to end when they are asked to.
pub const DEFAULT_SHUTDOWN_BUDGET: Duration = Duration::from_secs(2);
