//! [`Bound`] and [`Running`]: an execution environment with sockets, then with a life.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use rapid_engine::{Engine, EngineHandle};
use rapid_events::EventsApi;
use rapid_interop::mode::InvokeResponseMode;
use rapid_interop::ports::{Health, InvokeAnswer, InvokePort, InvokeRefusal, TelemetryPort};
use rapid_interop::{Invoke, RequestId, Shutdown, ShutdownSuccess};
use rapid_invoke_api::{FunctionIdentity, Persona, new_trace_id};
use rapid_runtime_api::Metadata;
use rapid_supervisor::{Console, Supervisor};
use rapid_telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
    pub(crate) console: Console,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) runtime: (TcpListener, SocketAddr),
    pub(crate) invoke: Option<(TcpListener, SocketAddr)>,
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
            console,
            telemetry,
            runtime,
            invoke,
        } = self.parts;
        let telemetry = telemetry.map(|telemetry| Arc::new(telemetry) as Arc<dyn TelemetryPort>);
        let stop_invoke = CancellationToken::new();
        let stop_runtime = CancellationToken::new();
        let mut servers = Vec::with_capacity(2);
        servers.push(tokio::spawn(rapid_runtime_api::serve(
            runtime.0,
            handle.clone(),
            metadata,
            telemetry,
            stop_runtime.clone(),
            async { tokio::time::sleep(DRAIN).await },
        )));
        let invoke_address = invoke.as_ref().map(|(_, address)| *address);
        if let Some((listener, _)) = invoke {
            // An invocation that runs at the end is answered by the engine within its budget;
            // only then does the time run for its answer to be read.
            let (stop, closed) = (stop_invoke.clone(), handle.clone());
            let drained = async move {
                closed.closed().await;
                tokio::time::sleep(DRAIN).await;
            };
            let (port, function) = (handle.clone(), identity.clone());
            servers.push(tokio::spawn(rapid_invoke_api::serve(
                listener, port, persona, function, stop, drained,
            )));
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
            runtime_address: runtime.1,
            invoke_address,
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
    runtime_address: SocketAddr,
    invoke_address: Option<SocketAddr>,
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
        self.handle.invoke(self.invocation(payload)).await
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

    /// Ends everything in order: no new invocations, then the running one within `budget`, then
    /// the processes, then the connections, then the output.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rest undone; processes are ended by their parent's death.
    pub async fn shutdown(mut self, budget: Duration) -> ShutdownSuccess {
        self.tasks.stop_invoke.cancel();
        let done = self.handle.shutdown(Shutdown { budget }).await;
        self.tasks.stop_runtime.cancel();
        // What the engine task returns was told by the handle already.
        let _ = (&mut self.tasks.engine).await;
        for server in std::mem::take(&mut self.tasks.servers) {
            // A server that panicked has no connections left either.
            let _ = server.await;
        }
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
