//! [`Builder::bind`]: puts together what was asked for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rapid_async_invoke::{AsyncInvoke, Config as AsyncConfig};
use rapid_engine::{Engine, EngineConfig, ExtensionConfig, FunctionInfo};
use rapid_events::EventsApi;
use rapid_interop::{FunctionMetadata, InitType, RuntimeInfo};
use rapid_invoke_api::{
    FunctionIdentity, FunctionName, Persona, is_account, is_region, is_version,
};
use rapid_lifecycle::bootstrap::Bootstrap;
use rapid_lifecycle::environment::{ApiSettings, Environment, FunctionSettings};
use rapid_runtime_api::Metadata;
use rapid_supervisor::{Config, Console, Supervisor};
use rapid_telemetry::{Rules, Strictness, Telemetry};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::async_events::AsyncEvents;
use crate::builder::{Builder, InitMode, TelemetryMode};
use crate::error::RapidError;
use crate::log::Log;
use crate::output::Output;
use crate::running::{Bound, Parts};
use crate::tracers::Wanted;
use crate::{environment, hosts, log};

impl Builder {
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
        let url = match self.function_url.take() {
            Some(url) => Some((listen(url.address, "function URL").await?, url)),
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
        let traces = self.tracing.unwrap_or(self.persona == Persona::Aws);
        let wanted = if traces { Wanted::from_variables(&env)? } else { Wanted::default() };
        self.env = Some(env);
        if let Some(file) = self.hosts_file.as_deref().filter(|_| self.takes_subscriptions()) {
            hosts::name_the_sandbox(file, &self.extensions.directories);
        }
        let log = Log::new(self.persona, console.clone(), filter);
        let events = log::events(self.persona, &log, filter, self.events.take());
        let telemetry = self.hub(runtime_address, &events);
        let events = match telemetry.clone() {
            Some(telemetry) => Arc::new((events, telemetry)),
            None => events,
        };
        let eager = match self.init {
            Some(init) => init == InitMode::Eager,
            None => self.persona == Persona::Aws,
        };
        let persona = self.persona;
        let origins = std::mem::take(&mut self.origins);
        // Without the Invoke API nobody could send any.
        let takes_events = persona == Persona::Aws && self.invoke_api.is_some();
        let async_invokes = self.async_invokes.take().or(takes_events.then(AsyncConfig::default));
        let supervision = Config { reaping: self.reaping, guard: self.guard.take() };
        let stream_bandwidth = self.stream_bandwidth;
        let config = self.engine_config(cwd, &identity, runtime_address, &metadata.token);
        let tracers = wanted.start(&config.function).await;
        let events = match tracers.events() {
            Some(tracers) => Arc::new((events, tracers)),
            None => events,
        };
        let output = Output {
            log,
            filter,
            takes_frames: persona == Persona::Aws,
            telemetry: telemetry.clone(),
            begun: Mutex::default(),
        };
        let supervisor = Supervisor::new(supervision, output).map_err(RapidError::Supervisor)?;
        let (engine, handle) = Engine::new(config, supervisor, events);
        let events = match async_invokes {
            Some(config) => {
                let config = AsyncConfig { executed_version: identity.version.clone(), ..config };
                Some(AsyncEvents(AsyncInvoke::open(config, handle.clone()).await?))
            }
            None => None,
        };
        let engine = if tracers.records_spans() { engine.with_segments() } else { engine };
        Ok(Bound::new(Parts {
            engine,
            handle,
            eager,
            persona,
            identity,
            metadata,
            stream_bandwidth,
            console,
            telemetry,
            tracers,
            runtime: (runtime_listener, runtime_address),
            invoke,
            origins,
            url,
            events,
        }))
    }

    /// What extensions subscribe to, if they can.
    fn hub(&self, runtime_api: SocketAddr, events: &Arc<dyn EventsApi>) -> Option<Telemetry> {
        let strictness = match self.telemetry_mode() {
            TelemetryMode::Strict => Strictness::Aws,
            TelemetryMode::On | TelemetryMode::Off => Strictness::Local,
        };
        let rules = Rules { strictness, runtime_api_port: Some(runtime_api.port()) };
        self.takes_subscriptions()
            .then(|| Telemetry::with_observer(rules, Handle::current(), Arc::clone(events)))
    }

    fn takes_subscriptions(&self) -> bool {
        self.telemetry_mode() != TelemetryMode::Off
    }

    fn telemetry_mode(&self) -> TelemetryMode {
        self.telemetry.unwrap_or(match self.persona {
            Persona::Aws => TelemetryMode::On,
            Persona::Rie => TelemetryMode::Off,
        })
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
