//! [`Builder`]: what an execution environment is to be.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rapid_engine::{Engine, EngineConfig, ExtensionConfig, FunctionInfo};
use rapid_events::EventsApi;
use rapid_interop::process::ExtensionSources;
use rapid_interop::{FunctionMetadata, InitType, RuntimeInfo};
use rapid_invoke_api::{
    FunctionIdentity, FunctionName, Persona, is_account, is_region, is_version,
};
use rapid_lifecycle::Policy;
use rapid_lifecycle::bootstrap::Bootstrap;
use rapid_lifecycle::environment::{ApiSettings, Environment, FunctionSettings};
use rapid_runtime_api::Metadata;
use rapid_supervisor::{Config, Console, Guard, Reaping, Supervisor};
use rapid_telemetry::{Rules, Strictness, Telemetry};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::error::RapidError;
use crate::output::Output;
use crate::running::{Bound, Parts};
use crate::{environment, log};

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

/// Collects what an execution environment is to be; every setting has a default.
pub struct Builder {
    persona: Persona,
    init: Option<InitMode>,
    words: Vec<OsString>,
    cwd: Option<PathBuf>,
    env: Option<Vec<(OsString, OsString)>>,
    handler: Option<OsString>,
    name: String,
    version: String,
    memory_mb: u32,
    region: String,
    account: Option<String>,
    log_group: Option<String>,
    log_stream: Option<String>,
    policy: Policy,
    runtime_api: SocketAddr,
    invoke_api: Option<SocketAddr>,
    console: Option<Console>,
    events: Option<Arc<dyn EventsApi>>,
    telemetry: Option<bool>,
    reaping: Reaping,
    guard: Option<Guard>,
    extensions: ExtensionSources,
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
            runtime_api: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            invoke_api: None,
            console: None,
            events: None,
            telemetry: None,
            reaping: Reaping::default(),
            guard: None,
            extensions: ExtensionSources {
                directories: vec![PathBuf::from(EXTENSIONS)],
                switch: Some(PathBuf::from(EXTENSIONS_SWITCH)),
            },
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

    /// Whether extensions can subscribe to logs and events. If not, they are told that this sandbox
    /// does not support it, with which local ones have always answered. Default: they can; with
    /// [`Persona::Rie`] they cannot.
    #[must_use]
    pub fn telemetry(mut self, on: bool) -> Self {
        self.telemetry = Some(on);
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

    /// Opens the sockets, so that addresses are known; nothing answers on them yet.
    ///
    /// # Errors
    /// [`RapidError`]; nothing is left open then.
    pub async fn bind(mut self) -> Result<Bound, RapidError> {
        if !self.runtime_api.ip().is_loopback() {
            return Err(RapidError::NotLoopback { address: self.runtime_api });
        }
        let (runtime_listener, runtime_address) = listen(self.runtime_api, "Runtime API").await?;
        let invoke = match self.invoke_api {
            Some(address) => Some(listen(address, "Invoke API").await?),
            None => None,
        };
        let cwd = match &self.cwd {
            Some(cwd) => cwd.clone(),
            None => std::env::current_dir().map_err(RapidError::CurrentDirectory)?,
        };
        let identity = self.identity()?;
        let metadata = Metadata {
            token: Uuid::new_v4().to_string(),
            availability_zone_id: "use1-az1".to_owned(),
        };
        let console = match self.console.clone() {
            Some(console) => console,
            None => Console::stdout().map_err(RapidError::Output)?,
        };
        let env = self.env.take().unwrap_or_else(|| std::env::vars_os().collect());
        let filter = log::filter(self.persona, &env);
        self.env = Some(env);
        let telemetry = self.hub(runtime_address);
        let named = self.events.take();
        let events = named.unwrap_or_else(|| log::events(self.persona, console.clone(), filter));
        let events = match telemetry.clone() {
            Some(telemetry) => Arc::new((events, telemetry)),
            None => events,
        };
        let eager = match self.init {
            Some(init) => init == InitMode::Eager,
            None => self.persona == Persona::Aws,
        };
        let persona = self.persona;
        let supervision = Config { reaping: self.reaping, guard: self.guard.take() };
        let config = self.engine_config(cwd, &identity, runtime_address, &metadata.token);
        let output = Output {
            console: console.clone(),
            filter,
            takes_frames: persona == Persona::Aws,
            telemetry: telemetry.clone(),
            frames: Mutex::default(),
        };
        let supervisor = Supervisor::new(supervision, output).map_err(RapidError::Supervisor)?;
        let (engine, handle) = Engine::new(config, supervisor, events);
        Ok(Bound::new(Parts {
            engine,
            handle,
            eager,
            persona,
            identity,
            metadata,
            console,
            telemetry,
            runtime: (runtime_listener, runtime_address),
            invoke,
        }))
    }

    /// What extensions subscribe to, if they can.
    fn hub(&self, runtime_api: SocketAddr) -> Option<Telemetry> {
        let rules =
            Rules { strictness: Strictness::Local, runtime_api_port: Some(runtime_api.port()) };
        let on = self.telemetry.unwrap_or(self.persona == Persona::Aws);
        on.then(|| Telemetry::new(rules, Handle::current()))
    }

    /// Checks everything that becomes part of an ARN.
    fn identity(&self) -> Result<FunctionIdentity, RapidError> {
        let account =
            self.account.clone().unwrap_or_else(|| environment::account(self.persona).to_owned());
        let checks = [
            (
                FunctionName::is_plain(&self.name),
                "function name",
                &self.name,
                "1 to 64 letters, digits, - _ or .",
            ),
            (is_version(&self.version), "function version", &self.version, "$LATEST or a number"),
            (is_region(&self.region), "region", &self.region, "a region like us-east-1"),
            (is_account(&account), "account", &account, "twelve digits"),
        ];
        for (fits, what, value, allowed) in checks {
            if !fits {
                return Err(RapidError::BadName { what, value: value.clone(), allowed });
            }
        }
        Ok(FunctionIdentity {
            name: self.name.clone(),
            version: self.version.clone(),
            region: self.region.clone(),
            account,
        })
    }

    fn engine_config(
        self,
        cwd: PathBuf,
        identity: &FunctionIdentity,
        runtime_api: SocketAddr,
        metadata_token: &str,
    ) -> EngineConfig {
        let task_root = environment::task_root(&cwd);
        let bootstrap = Bootstrap::from_words(self.words, cwd.clone());
        let handler = self.handler.or_else(|| bootstrap.handler().map(Into::into));
        let log_group =
            self.log_group.unwrap_or_else(|| environment::log_group(self.persona, &self.name));
        let log_stream =
            self.log_stream.unwrap_or_else(|| environment::log_stream(self.persona, &self.version));
        let init_type = InitType::OnDemand;
        let settings = FunctionSettings {
            name: self.name.clone(),
            version: self.version.clone(),
            memory_mb: self.memory_mb,
            handler: handler.clone(),
            region: self.region,
            log_group,
            log_stream: log_stream.clone(),
            task_root,
            initialization_type: init_type.as_str(),
        };
        let api = ApiSettings {
            address: runtime_api.to_string(),
            metadata_token: metadata_token.to_owned(),
        };
        let env = Environment::new(self.env.unwrap_or_default(), &settings, &api);
        // The emulator knows no account, so that it never tells one.
        let known = self.account.is_some() || self.persona == Persona::Aws;
        let metadata = FunctionMetadata {
            account_id: known.then(|| identity.account.clone()),
            handler: handler.unwrap_or_default().to_string_lossy().into_owned(),
            function_name: self.name,
            function_version: self.version,
            memory_mb: self.memory_mb,
            runtime: RuntimeInfo::default(),
        };
        EngineConfig {
            policy: self.policy,
            bootstrap,
            runtime_env: env.for_runtime(),
            extensions: ExtensionConfig {
                sources: self.extensions,
                env: env.for_extensions(),
                cwd,
            },
            function: FunctionInfo {
                arn: identity.arn(&metadata.function_name, None),
                metadata: Arc::new(metadata),
                log_stream,
                init_type,
            },
        }
    }
}

async fn listen(
    address: SocketAddr,
    api: &'static str,
) -> Result<(TcpListener, SocketAddr), RapidError> {
    let failed = |reason| RapidError::Listen { address, api, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}
