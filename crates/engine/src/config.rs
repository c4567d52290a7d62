//! What an engine runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use rapid_interop::process::ExtensionSources;
use rapid_interop::{FunctionMetadata, InitType};
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
    /// Where extensions are looked for.
    pub extensions: ExtensionConfig,
    /// What events tell about the function.
    pub function: FunctionInfo,
}

/// How extensions are started.
#[derive(Clone, Debug)]
pub struct ExtensionConfig {
    /// Where they are looked for, each time an initialisation begins.
    pub sources: ExtensionSources,
    /// The whole environment of each of their processes.
    pub env: Vec<(OsString, OsString)>,
    /// Where they run.
    pub cwd: PathBuf,
}

impl Default for ExtensionConfig {
    /// There are none.
    fn default() -> Self {
        Self { sources: ExtensionSources::default(), env: Vec::new(), cwd: PathBuf::from("/") }
    }
}

/// What extensions and events are told about a function.
#[derive(Clone, Debug, Default)]
pub struct FunctionInfo {
    /// What extensions are told, too.
    pub metadata: Arc<FunctionMetadata>,
    /// Its ARN.
    pub arn: String,
    /// The log stream, which names the execution environment.
    pub log_stream: String,
    /// Why the first initialisation runs.
    pub init_type: InitType,
}
