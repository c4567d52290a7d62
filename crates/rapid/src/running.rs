//! [`Bound`] and [`Running`]: an execution environment with sockets, then with a life.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use rapid_async_invoke::AsyncInvoke;
use rapid_engine::{Engine, EngineHandle};
use rapid_events::EventsApi;
use rapid_function_url::FunctionUrl;
use rapid_interop::mode::InvokeResponseMode;
use rapid_interop::ports::{
    EventPort, Health, InvokeAnswer, InvokePort, InvokeRefusal, PendingEvents, TelemetryPort,
};
use rapid_interop::{Invoke, RequestId, Shutdown, ShutdownSuccess};
use rapid_invoke_api::{FunctionIdentity, Origins, Persona, Settings, new_trace_id};
use rapid_runtime_api::{Bandwidth, Metadata};
use rapid_supervisor::{Console, Supervisor};
use rapid_telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::async_events::AsyncEvents;
use crate::builder::UrlSettings;
use crate::tracers::Tracers;

/// How long answered connections may take to close once everything has ended.
const DRAIN: Duration = Duration::from_millis(500);

/// Everything that [`crate::Builder::bind`] put together.
pub(crate) struct Parts {
    pub(crate) engine: Engine<Supervisor, Arc<dyn EventsApi>>,
    pub(crate) handle: EngineHandle,
    pub(crate) eager: bool,
    pub(crate) persona: Persona,
    pub(crate) identity: FunctionIdentity,
    pub(crate) metadata: Metadata,
    pub(crate) stream_bandwidth: Option<Bandwidth>,
    pub(crate) console: Console,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) tracers: Tracers,
    pub(crate) runtime: (TcpListener, SocketAddr),
    pub(crate) invoke: Option<(TcpListener, SocketAddr)>,
    pub(crate) origins: Origins,
    pub(crate) url: Option<((TcpListener, SocketAddr), UrlSettings)>,
    pub(crate) events: Option<AsyncEvents>,
}

/// An execution environment whose sockets are open. Nothing answers on them yet.
pub struct Bound {
    parts: Parts,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("runtime_api", &self.runtime_api_address())
            .field("invoke_api", &self.invoke_api_address())
            .finish_non_exhaustive()
    }
}

impl Bound {
    pub(crate) const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Where the Runtime API listens.
    #[must_use]
    pub const fn runtime_api_address(&self) -> SocketAddr {
        self.parts.runtime.1
    }

    /// Where the Invoke API listens, if it does.
    #[must_use]
    pub fn invoke_api_address(&self) -> Option<SocketAddr> {
        self.parts.invoke.as_ref().map(|(_, address)| *address)
    }

    /// Where the function is served as plain HTTP, if it is.
    #[must_use]
    pub fn function_url_address(&self) -> Option<SocketAddr> {
        self.parts.url.as_ref().map(|((_, address), _)| *address)
    }

    /// Serves the APIs and, unless it is to wait for the first invocation, starts the runtime.
    ///
    /// Must be called within a tokio runtime.
    pub async fn start(self) -> Running {
        let Parts {
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
            runtime,
            invoke,
            origins,
            url,
            events,
        } = self.parts;
        let telemetry = telemetry.map(|telemetry| Arc::new(telemetry) as Arc<dyn TelemetryPort>);
        let stop_invoke = CancellationToken::new();
        let stop_runtime = CancellationToken::new();
        let mut servers = Vec::with_capacity(2);
        servers.push(tokio::spawn(rapid_runtime_api::serve(
            runtime.0,
            handle.clone(),
            rapid_runtime_api::Settings { metadata, stream_bandwidth },
            telemetry,
            stop_runtime.clone(),
            async { tokio::time::sleep(DRAIN).await },
        )));
        // An invocation that runs at the end is answered by the engine within its budget; only then
        // does the time run for its answer to be read.
        let drained = || {
            let handle = handle.clone();
            async move {
                handle.closed().await;
                tokio::time::sleep(DRAIN).await;
            }
        };
        let url_address = url.as_ref().map(|((_, address), _)| *address);
        if let Some(((listener, _), settings)) = url {
            let url = function_url(&identity, settings);
            let (port, stop) = (handle.clone(), stop_invoke.clone());
            let served = rapid_function_url::serve(listener, port, url, stop, drained());
            servers.push(tokio::spawn(served));
        }
        let invoke_address = invoke.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = invoke {
            let events = events.clone().map(|events| Arc::new(events) as Arc<dyn EventPort>);
            let settings = Settings { origins, events, ..Settings::new(persona, identity.clone()) };
            let (port, stop) = (handle.clone(), stop_invoke.clone());
            let served = rapid_invoke_api::serve(listener, port, settings, stop, drained());
            servers.push(tokio::spawn(served));
        }
        let engine = tokio::spawn(engine.run());
        if eager {
            handle.start().await;
        }
        Running {
            tasks: Tasks { handle: handle.clone(), engine, servers, stop_invoke, stop_runtime },
            handle,
            identity,
            console,
            tracers,
            events,
            runtime_address: runtime.1,
            invoke_address,
            url_address,
        }
    }
}

/// An execution environment that runs.
///
/// Dropped, it ends at once: the running invocation is answered with an error, the processes are
/// killed, the sockets are closed. The tasks for that need the tokio runtime to go on for a moment;
/// [`Running::shutdown`] waits for them.
#[derive(Debug)]
pub struct Running {
    handle: EngineHandle,
    tasks: Tasks,
    identity: FunctionIdentity,
    console: Console,
    tracers: Tracers,
    events: Option<AsyncEvents>,
    runtime_address: SocketAddr,
    invoke_address: Option<SocketAddr>,
    url_address: Option<SocketAddr>,
}

/// What runs in the background, and how it is told to stop.
#[derive(Debug)]
struct Tasks {
    handle: EngineHandle,
    engine: JoinHandle<ShutdownSuccess>,
    servers: Vec<JoinHandle<()>>,
    stop_invoke: CancellationToken,
    stop_runtime: CancellationToken,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.stop_invoke.cancel();
        self.stop_runtime.cancel();
        self.handle.end();
    }
}

impl Running {
    /// Runs an invocation with a new id, and resolves with its answer.
    ///
    /// `payload` is given to the function as it is.
    ///
    /// # Errors
    /// [`InvokeRefusal`] when it was not taken in. What the function itself does wrong is an
    /// answer, [`InvokeAnswer::Failed`].
    pub async fn invoke(&self, payload: impl Into<Bytes>) -> Result<InvokeAnswer, InvokeRefusal> {
        self.handle.invoke(self.invocation(payload)).await.map(|invoked| invoked.answer)
    }

    /// An invocation of this function, to be changed before [`EngineHandle::invoke`] runs it.
    #[must_use]
    pub fn invocation(&self, payload: impl Into<Bytes>) -> Invoke {
        let id = Uuid::new_v4().to_string();
        let arn = self.identity.arn(&self.identity.name, None);
        Invoke {
            // Both were checked when the environment was built, and a UUID is always an id.
            id: RequestId::parse(&id).unwrap_or_else(RequestId::nil),
            invoked_function_arn: HeaderValue::try_from(arn)
                .unwrap_or_else(|_| HeaderValue::from_static("")),
            trace_id: new_trace_id(),
            tenant_id: None,
            cognito_identity: None,
            client_context: None,
            content_type: None,
            payload: payload.into(),
            response_mode: InvokeResponseMode::default(),
            log_tail: false,
            received: self.handle.now(),
            request_read_time: Duration::ZERO,
        }
    }

    /// The handle of the engine, which is the port for invokers and for the runtime.
    #[must_use]
    pub const fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// What the execution environment is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.handle.health()
    }

    /// Where the Runtime API listens.
    #[must_use]
    pub const fn runtime_api_address(&self) -> SocketAddr {
        self.runtime_address
    }

    /// Where the Invoke API listens, if it does.
    #[must_use]
    pub const fn invoke_api_address(&self) -> Option<SocketAddr> {
        self.invoke_address
    }

    /// Where the function is served as plain HTTP, if it is.
    #[must_use]
    pub const fn function_url_address(&self) -> Option<SocketAddr> {
        self.url_address
    }

    /// The queue of asynchronous invocations, if there is one: to put events in from within, or to
    /// change how they are tried.
    #[must_use]
    pub fn async_invokes(&self) -> Option<&AsyncInvoke> {
        self.events.as_ref().map(|events| &events.0)
    }

    /// The asynchronous invocations that have not come to their end.
    #[must_use]
    pub fn pending_events(&self) -> PendingEvents {
        self.events.as_ref().map(EventPort::pending).unwrap_or_default()
    }

    /// Ends everything in order: no new invocations, then events that are due and the running
    /// invocation within `budget`, then the processes, then the connections and the traces, then the
    /// output. While events are run, invocations that wait already are, too.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rest undone; processes are ended by their parent's death.
    pub async fn shutdown(mut self, budget: Duration) -> ShutdownSuccess {
        self.tasks.stop_invoke.cancel();
        let begun = Instant::now();
        if let Some(events) = &self.events {
            tokio::select! {
                () = events.drain(budget) => {}
                // Somebody does not want to wait any longer, and no event can run any more.
                () = self.handle.closed() => events.drain(Duration::ZERO).await,
            }
        }
        let budget = budget.saturating_sub(begun.elapsed());
        // The collector may be one of the extensions: it gets what there is while it still runs.
        let shutdown = self.handle.shutdown(Shutdown { budget });
        let (done, ()) = tokio::join!(shutdown, self.tracers.flush());
        self.tasks.stop_runtime.cancel();
        // What the engine task returns was told by the handle already.
        let _ = (&mut self.tasks.engine).await;
        let servers = std::mem::take(&mut self.tasks.servers);
        let drained = async {
            for server in servers {
                // A server that panicked has no connections left either.
                let _ = server.await;
            }
        };
        tokio::join!(drained, self.tracers.close());
        if !self.console.close(DRAIN).await {
            tracing::warn!("not all output could be written before the end");
        }
        done
    }

    /// Resolves when the execution environment has ended although nobody asked it to.
    ///
    /// That cannot happen but for a defect; whoever serves for long should watch for it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn ended(&self) {
        self.handle.closed().await;
    }
}

/// The URL of this function. Its id is made up, as the service's are, but of the function's name, so
/// that it is the same every time.
fn function_url(identity: &FunctionIdentity, settings: UrlSettings) -> FunctionUrl {
    let arn = identity.arn(&identity.name, None);
    FunctionUrl {
        function_arn: HeaderValue::try_from(arn).unwrap_or(HeaderValue::from_static("")),
        id: identity.name.to_ascii_lowercase().replace(['.', '_'], "-"),
        region: identity.region.clone(),
        mode: settings.mode,
        cors: settings.cors,
    }
}
