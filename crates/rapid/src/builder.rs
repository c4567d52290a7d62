//! [`Builder`]: what an execution environment is to be.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rapid_async_invoke::Config as AsyncConfig;
use rapid_events::EventsApi;
use rapid_function_url::Cors;
use rapid_interop::InvokeResponseMode;
use rapid_interop::process::ExtensionSources;
use rapid_invoke_api::{Origins, Persona};
use rapid_lifecycle::Policy;
use rapid_runtime_api::Bandwidth;
use rapid_supervisor::{Console, Guard, Reaping};

/// Where extensions lie when nothing else was said.
const EXTENSIONS: &str = "/opt/extensions";

/// Where a layer can put a file to turn extensions off.
const EXTENSIONS_SWITCH: &str = "/opt/disable-extensions-jwigqn8j";

/// When the runtime is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitMode {
    /// Right away.
    Eager,
    /// With the first invocation.
    Lazy,
}

/// Whether extensions can subscribe to logs and platform events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TelemetryMode {
    /// They can, and may name any address of this machine to deliver to.
    On,
    /// They can, and have to deliver to `sandbox.localdomain`, as the service demands.
    Strict,
    /// They are told that this sandbox does not support it, with which local ones have always
    /// answered.
    Off,
}

/// A function as plain HTTP.
#[derive(Clone, Debug)]
pub struct UrlSettings {
    /// Where it is served.
    pub address: SocketAddr,
    /// Whether responses are sent whole or while they are produced.
    pub mode: InvokeResponseMode,
    /// Which pages of other origins may use it; `None` leaves that to the function.
    pub cors: Option<Cors>,
}

/// Collects what an execution environment is to be; every setting has a default.
pub struct Builder {
    pub(crate) persona: Persona,
    pub(crate) init: Option<InitMode>,
    pub(crate) words: Vec<OsString>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) env: Option<Vec<(OsString, OsString)>>,
    pub(crate) handler: Option<OsString>,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) memory_mb: u32,
    pub(crate) region: String,
    pub(crate) account: Option<String>,
    pub(crate) log_group: Option<String>,
    pub(crate) log_stream: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) stream_bandwidth: Option<Bandwidth>,
    pub(crate) runtime_api: SocketAddr,
    pub(crate) invoke_api: Option<SocketAddr>,
    pub(crate) origins: Origins,
    pub(crate) function_url: Option<UrlSettings>,
    pub(crate) async_invokes: Option<AsyncConfig>,
    pub(crate) console: Option<Console>,
    pub(crate) events: Option<Arc<dyn EventsApi>>,
    pub(crate) telemetry: Option<TelemetryMode>,
    pub(crate) tracing: Option<bool>,
    pub(crate) reaping: Reaping,
    pub(crate) guard: Option<Guard>,
    pub(crate) extensions: ExtensionSources,
    pub(crate) hosts_file: Option<PathBuf>,
}

impl std::fmt::Debug for Builder {
    /// Leaves the environment out: it holds credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("words", &self.words)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            persona: Persona::Aws,
            init: None,
            words: Vec::new(),
            cwd: None,
            env: None,
            handler: None,
            name: "test_function".to_owned(),
            version: "$LATEST".to_owned(),
            memory_mb: 3008,
            region: "us-east-1".to_owned(),
            account: None,
            log_group: None,
            log_stream: None,
            policy: Policy::default(),
            stream_bandwidth: None,
            runtime_api: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            invoke_api: None,
            origins: Origins::default(),
            function_url: None,
            async_invokes: None,
            console: None,
            events: None,
            telemetry: None,
            tracing: None,
            reaping: Reaping::default(),
            guard: None,
            extensions: ExtensionSources {
                directories: vec![PathBuf::from(EXTENSIONS)],
                switch: Some(PathBuf::from(EXTENSIONS_SWITCH)),
            },
            hosts_file: None,
        }
    }
}

impl Builder {
    /// An execution environment that searches the usual places for a bootstrap, starts it right
    /// away, prints to standard output and listens for invokers nowhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// In whose manner invokers are answered and defaults are chosen. Default: the service's.
    #[must_use]
    pub fn persona(mut self, persona: Persona) -> Self {
        self.persona = persona;
        self
    }

    /// When the runtime is started. Default: right away; with [`Persona::Rie`] with the first
    /// invocation.
    #[must_use]
    pub fn init(mut self, init: InitMode) -> Self {
        self.init = Some(init);
        self
    }

    /// The bootstrap's command line; with two words or more the last one names the handler.
    /// Default: none, and the usual places are searched.
    #[must_use]
    pub fn command(mut self, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.words = words.into_iter().map(Into::into).collect();
        self
    }

    /// Where a bootstrap with a command line runs. Default: where this process runs.
    #[must_use]
    pub fn current_dir(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }

    /// The variables to choose the function's environment from. Default: this process's own.
    #[must_use]
    pub fn env(mut self, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.env = Some(env.into_iter().collect());
        self
    }

    /// The handler, when it is not the last word of the command.
    #[must_use]
    pub fn handler(mut self, handler: impl Into<OsString>) -> Self {
        self.handler = Some(handler.into());
        self
    }

    /// The function's name. Default: `test_function`.
    #[must_use]
    pub fn function_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The function's version. Default: `$LATEST`.
    #[must_use]
    pub fn function_version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// The memory that the function is told it has, in MB. Default: 3008. It is not enforced.
    #[must_use]
    pub fn memory_mb(mut self, memory_mb: u32) -> Self {
        self.memory_mb = memory_mb;
        self
    }

    /// The region. Default: `us-east-1`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// The account in ARNs. Default: `123456789012`.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// The log group. Default: `/aws/lambda/<name>`.
    #[must_use]
    pub fn log_group(mut self, log_group: impl Into<String>) -> Self {
        self.log_group = Some(log_group.into());
        self
    }

    /// The log stream. Default: dated and unique, as the service names them.
    #[must_use]
    pub fn log_stream(mut self, log_stream: impl Into<String>) -> Self {
        self.log_stream = Some(log_stream.into());
        self
    }

    /// How long an invocation may take. Default: 300 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.function_timeout = timeout;
        self
    }

    /// How long an initialisation outside an invocation may take. Default: 10 s.
    #[must_use]
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.policy.init_timeout = timeout;
        self
    }

    /// How many invocations may wait for their turn. Default: 100.
    #[must_use]
    pub fn queue_limit(mut self, limit: usize) -> Self {
        self.policy.queue_limit = limit;
        self
    }

    /// How fast a streamed response is passed on to its invoker, as the service holds it back.
    /// Default: as fast as it comes.
    #[must_use]
    pub fn stream_bandwidth(mut self, bandwidth: Bandwidth) -> Self {
        self.stream_bandwidth = Some(bandwidth);
        self
    }

    /// Where the Runtime API listens; loopback only. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn runtime_api_address(mut self, address: SocketAddr) -> Self {
        self.runtime_api = address;
        self
    }

    /// Where the Invoke API listens. Default: nowhere; [`crate::Running::invoke`] works all the
    /// same.
    #[must_use]
    pub fn invoke_api_address(mut self, address: SocketAddr) -> Self {
        self.invoke_api = Some(address);
        self
    }

    /// Whose web pages may invoke through the Invoke API. Default: those that this machine serves.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Where the function is served as plain HTTP, as a function URL does. Default: nowhere.
    #[must_use]
    pub fn function_url(mut self, settings: UrlSettings) -> Self {
        self.function_url = Some(settings);
        self
    }

    /// How asynchronous invocations are kept and tried, and who is told of their end. Default: in
    /// memory, as often as the service does, and nobody; with [`Persona::Rie`], and without the
    /// Invoke API, there are none.
    #[must_use]
    pub fn async_invokes(mut self, config: AsyncConfig) -> Self {
        self.async_invokes = Some(config);
        self
    }

    /// Where the function's output goes, and the platform's lines unless
    /// [`Builder::events`] takes them. Default: standard output.
    #[must_use]
    pub fn console(mut self, console: Console) -> Self {
        self.console = Some(console);
        self
    }

    /// Who receives platform events, beside subscribers. Default: they are printed, as lines or,
    /// if the function's variables ask for it, as JSON.
    #[must_use]
    pub fn events(mut self, events: impl EventsApi) -> Self {
        self.events = Some(Arc::new(events));
        self
    }

    /// Whether extensions can subscribe to logs and events. Default: they can; with
    /// [`Persona::Rie`] they cannot.
    #[must_use]
    pub fn telemetry(mut self, mode: TelemetryMode) -> Self {
        self.telemetry = Some(mode);
        self
    }

    /// Whether traces and metrics are sent to those whom the function's variables name: an X-Ray
    /// daemon (`AWS_XRAY_DAEMON_ADDRESS`), an OpenTelemetry collector
    /// (`OTEL_EXPORTER_OTLP_ENDPOINT`). The function has these variables all the same. Default: they
    /// are; with [`Persona::Rie`] they are not.
    #[must_use]
    pub fn tracing(mut self, on: bool) -> Self {
        self.tracing = Some(on);
        self
    }

    /// Whose children are reaped. Default: those of this execution environment alone.
    #[must_use]
    pub fn reaping(mut self, reaping: Reaping) -> Self {
        self.reaping = reaping;
        self
    }

    /// A helper that ends the function's processes when this process is killed.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Where external extensions lie, as absolute paths; of two files of the same name the first
    /// counts. Default: `/opt/extensions`.
    #[must_use]
    pub fn extension_dirs(
        mut self,
        directories: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Self {
        self.extensions.directories = directories.into_iter().map(Into::into).collect();
        self
    }

    /// A file whose existence turns extensions off. Default: the service's,
    /// `/opt/disable-extensions-jwigqn8j`.
    #[must_use]
    pub fn extensions_switch(mut self, file: impl Into<PathBuf>) -> Self {
        self.extensions.switch = Some(file.into());
        self
    }

    /// A file in the format of `/etc/hosts` that is to name `sandbox.localdomain` and `sandbox`,
    /// under which extensions listen for telemetry: they are added to it if they are not there, if
    /// there are extensions, and if these can subscribe. Default: none is touched.
    #[must_use]
    pub fn hosts_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.hosts_file = Some(file.into());
        self
    }
}
