//! What an engine runs.

use std::ffi::OsString;

use rapid_interop::{InitType, RuntimeInfo};
use rapid_lifecycle::Policy;
use rapid_lifecycle::bootstrap::Bootstrap;

/// Everything an engine has to know about its function. It never looks anything up itself.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Timeouts and limits.
    pub policy: Policy,
    /// What the runtime process is started from.
    pub bootstrap: Bootstrap,
    /// The whole environment of the runtime process.
    pub runtime_env: Vec<(OsString, OsString)>,
    /// What events tell about the function.
    pub function: FunctionInfo,
}

/// What events tell about a function.
#[derive(Clone, Debug, Default)]
pub struct FunctionInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its ARN.
    pub arn: String,
    /// The memory it was given, in MB.
    pub memory_mb: u32,
    /// The log stream, which names the execution environment.
    pub log_stream: String,
    /// The managed runtime, if there is one.
    pub runtime: RuntimeInfo,
    /// Why the first initialisation runs.
    pub init_type: InitType,
}
