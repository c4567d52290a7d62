//! Played processes, and a world in which an engine drives them.

use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use rapid_engine::{
    Engine, EngineConfig, EngineHandle, EngineReceipt, ExtensionConfig, FunctionInfo,
};
use rapid_events::{EventsApi, ExtensionInitData, InitReportData, InvokeStartData, ReportData};
use rapid_interop::ports::{
    Failure, InvokeAnswer, InvokePort, InvokeRefusal, NextEvent, Receipt as _, RuntimeCaller,
    RuntimePort, RuntimeRefusal, Upload as _, UploadOutcome,
};
use rapid_interop::process::{
    ExtensionDiscovery, ExtensionFile, ExtensionSources, Launch, LaunchError, Process, Processes,
    StopPlan, StopReport, Termination,
};
use rapid_interop::{
    FunctionMetadata, Generation, Invoke, InvokeResponseHeaders, Mono, RequestId,
    StreamableInvokeResponse,
};
use rapid_lifecycle::Policy;
use rapid_lifecycle::bootstrap::Bootstrap;
use tokio::sync::watch;

use crate::heard::Heard;

// --- The played processes ------------------------------------------------------------------------

/// Launches [`FakeProcess`]es and remembers them.
#[derive(Clone, Default)]
pub(crate) struct FakeProcesses {
    pub(crate) launched: Arc<Mutex<Vec<FakeProcess>>>,
    pub(crate) fail_with: Arc<Mutex<Option<LaunchError>>>,
    pub(crate) delay: Arc<Mutex<Duration>>,
    /// The extensions that lie there.
    pub(crate) files: Arc<Mutex<Vec<&'static str>>>,
    pub(crate) disabled: Arc<Mutex<bool>>,
    /// Hears what the processes write.
    pub(crate) heard: Heard,
}

#[derive(Clone)]
pub(crate) struct FakeProcess {
    pub(crate) launch: Arc<Launch>,
    end: watch::Sender<Option<Termination>>,
    pub(crate) stops: Arc<Mutex<Vec<StopPlan>>>,
    /// What nobody has read yet.
    written: Arc<Mutex<Vec<&'static str>>>,
    heard: Heard,
}

impl FakeProcess {
    pub(crate) fn exit(&self, termination: Termination) {
        self.end.send_replace(Some(termination));
    }

    pub(crate) fn write(&self, line: &'static str) {
        self.written.lock().unwrap().push(line);
    }
}

impl Processes for FakeProcesses {
    type Process = FakeProcess;

    fn find_extensions(&self, sources: &ExtensionSources) -> ExtensionDiscovery {
        if *self.disabled.lock().unwrap() {
            return ExtensionDiscovery::Disabled;
        }
        let files = self.files.lock().unwrap();
        let file = |name: &&str| ExtensionFile {
            name: (*name).into(),
            path: sources.directories[0].join(name),
        };
        ExtensionDiscovery::Found(files.iter().map(file).collect())
    }

    async fn launch(&self, launch: Launch) -> Result<FakeProcess, LaunchError> {
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        if let Some(error) = self.fail_with.lock().unwrap().clone() {
            return Err(error);
        }
        let process = FakeProcess {
            launch: Arc::new(launch),
            end: watch::channel(None).0,
            stops: Arc::default(),
            written: Arc::default(),
            heard: self.heard.clone(),
        };
        self.launched.lock().unwrap().push(process.clone());
        Ok(process)
    }
}

impl Process for FakeProcess {
    fn exited(&self) -> impl Future<Output = Termination> + Send {
        let mut end = self.end.subscribe();
        async move { end.wait_for(Option::is_some).await.unwrap().unwrap() }
    }

    async fn stop(&self, plan: StopPlan) -> StopReport {
        self.stops.lock().unwrap().push(plan);
        self.end.send_if_modified(|end| {
            let ends = end.is_none();
            *end = end.or(Some(Termination::Signaled(9)));
            ends
        });
        StopReport { clean: true }
    }

    fn drain_output(&self) {
        let written = std::mem::take(&mut *self.written.lock().unwrap());
        written.iter().for_each(|line| self.heard.note(format!("{}: {line}", self.launch.name)));
    }

    fn peak_memory(&self) -> u64 {
        10 * 1024 * 1024 + 1
    }
}

/// Remembers what it was told, as one word a line.
#[derive(Clone, Default)]
pub(crate) struct Told(pub(crate) Arc<Mutex<Vec<String>>>);

impl EventsApi for Told {
    fn send_init_report(&self, data: &InitReportData) {
        self.0.lock().unwrap().push(format!("init {}", data.status.unwrap().as_str()));
    }
    fn send_extension_init(&self, data: &ExtensionInitData) {
        self.0.lock().unwrap().push(format!("extension {} {}", data.name, data.state));
    }
    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.0.lock().unwrap().push(format!("start {}", data.request_id));
    }
    fn send_report(&self, data: &ReportData) {
        // Each process has a little more than 10 MB.
        assert!(matches!(data.metrics.max_memory_used_mb, Some(0 | 11 | 21 | 31)));
        let status = data.status.unwrap().as_str();
        self.0.lock().unwrap().push(format!("report {} {status}", data.request_id));
    }
}

// --- The world -----------------------------------------------------------------------------------

pub(crate) type WorldEngine = Engine<FakeProcesses, (Told, Heard)>;

pub(crate) struct World {
    pub(crate) handle: EngineHandle,
    pub(crate) processes: FakeProcesses,
    pub(crate) told: Told,
    pub(crate) heard: Heard,
    pub(crate) engine: tokio::task::JoinHandle<rapid_interop::ShutdownSuccess>,
}

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        Self::with(policy, |engine| engine)
    }

    /// A world whose engine is made ready in some way before it runs.
    pub(crate) fn with(policy: Policy, prepare: fn(WorldEngine) -> WorldEngine) -> Self {
        let (told, heard) = (Told::default(), Heard::default());
        let processes = FakeProcesses { heard: heard.clone(), ..FakeProcesses::default() };
        let config = EngineConfig {
            policy,
            bootstrap: Bootstrap::from_words(vec!["./bootstrap".into()], "/".into()),
            runtime_env: vec![("A".into(), "b".into())],
            extensions: ExtensionConfig {
                sources: ExtensionSources { directories: vec!["/ext".into()], switch: None },
                env: vec![("C".into(), "d".into())],
                cwd: "/".into(),
            },
            function: FunctionInfo {
                metadata: Arc::new(FunctionMetadata {
                    function_name: "f".into(),
                    handler: "h".into(),
                    ..FunctionMetadata::default()
                }),
                ..FunctionInfo::default()
            },
        };
        let listeners = (told.clone(), heard.clone());
        let (engine, handle) = Engine::new(config, processes.clone(), listeners);
        let engine = tokio::spawn(prepare(engine).run());
        Self { handle, processes, told, heard, engine }
    }

    /// Starts an invocation in a task of its own.
    pub(crate) fn invoke(
        &self,
        id: &str,
    ) -> tokio::task::JoinHandle<Result<InvokeAnswer, InvokeRefusal>> {
        self.invoke_as(invocation(id))
    }

    pub(crate) fn invoke_as(
        &self,
        invoke: Invoke,
    ) -> tokio::task::JoinHandle<Result<InvokeAnswer, InvokeRefusal>> {
        let handle = self.handle.clone();
        tokio::spawn(async move { handle.invoke(invoke).await.map(|invoked| invoked.answer) })
    }

    pub(crate) async fn next(&self) -> Result<NextEvent<EngineReceipt>, RuntimeRefusal> {
        self.handle.next(caller(self.handle.generation())).await
    }

    /// Plays the runtime for one event: takes it and answers with `body`.
    pub(crate) async fn serve(&self, body: &'static str) -> Arc<Invoke> {
        let event = self.next().await.unwrap();
        event.receipt.settle();
        let id = event.invoke.id.as_str().to_owned();
        let upload = self.handle.begin_response(self.handle.generation(), &id).await.unwrap();
        upload.finish(UploadOutcome::Response(response(body))).await.unwrap();
        event.invoke
    }

    pub(crate) fn last_process(&self) -> FakeProcess {
        self.processes.launched.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) async fn until(&self, what: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if what(self) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never happened; told {:?}", self.told.0.lock().unwrap());
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.0.lock().unwrap().clone()
    }
}

pub(crate) fn invocation(id: &str) -> Invoke {
    Invoke {
        id: RequestId::parse(id).unwrap(),
        trace_id: HeaderValue::from_static("Root=1"),
        tenant_id: None,
        invoked_function_arn: HeaderValue::from_static("arn"),
        cognito_identity: None,
        client_context: None,
        content_type: None,
        payload: Bytes::from(format!("payload of {id}")),
        response_mode: rapid_interop::InvokeResponseMode::default(),
        log_tail: false,
        received: Mono::default(),
        request_read_time: Duration::ZERO,
    }
}

pub(crate) fn caller(generation: Generation) -> RuntimeCaller {
    RuntimeCaller {
        generation,
        user_agent: Some(HeaderValue::from_static("fake/1.0")),
        features: None,
    }
}

pub(crate) fn response(body: &'static str) -> StreamableInvokeResponse {
    StreamableInvokeResponse {
        headers: InvokeResponseHeaders::default(),
        payload: Bytes::from_static(body.as_bytes()),
    }
}

pub(crate) fn body(answer: Result<InvokeAnswer, InvokeRefusal>) -> String {
    let payload = match answer.unwrap() {
        InvokeAnswer::Response(response) => response.payload,
        InvokeAnswer::Failed(_, error) => error.payload,
        InvokeAnswer::Streamed(stream) => panic!("a stream came: {stream:?}"),
    };
    String::from_utf8(payload.to_vec()).unwrap()
}

/// What was told of an error: what it was, and the body.
pub(crate) fn error(answer: Result<InvokeAnswer, InvokeRefusal>) -> (Failure, String) {
    match answer.unwrap() {
        InvokeAnswer::Failed(failure, error) => {
            (failure, String::from_utf8(error.payload.to_vec()).unwrap())
        }
        other @ (InvokeAnswer::Response(_) | InvokeAnswer::Streamed(_)) => {
            panic!("no failure came: {other:?}")
        }
    }
}

pub(crate) fn failure(answer: Result<InvokeAnswer, InvokeRefusal>) -> Failure {
    error(answer).0
}

// --- The log -------------------------------------------------------------------------------------

/// Remembers what is logged as a warning or worse.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

/// Keeps tracing from asking only the thread that comes by a callsite first, which may be that of
/// another test, whether anybody listens there.
static ANOTHER: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(Lines::default()));

impl Lines {
    pub(crate) fn new() -> Self {
        LazyLock::force(&ANOTHER);
        Self::default()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}
