//! What the engine takes for one warm invocation: the machine, the task that owns it, the parked
//! calls and the wake-ups between invoker, engine and runtime, all on one thread.
//!
//! The processes are played, and there is no socket: what is left are the channels, the timers and
//! the machine itself (`rapid-lifecycle`'s `step` measures that alone).
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement that cannot be made fails by panicking"
)]

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use http::HeaderValue;
use rapid_engine::{Engine, EngineConfig, EngineHandle, ExtensionConfig, FunctionInfo};
use rapid_events::EventsApi;
use rapid_interop::extension::{ExtensionPort as _, Registration};
use rapid_interop::ports::{
    Health, InvokeAnswer, InvokePort as _, Receipt as _, RuntimeCaller, RuntimePort as _,
    Upload as _, UploadOutcome,
};
use rapid_interop::process::{
    ExtensionDiscovery, ExtensionFile, ExtensionSources, Launch, LaunchError, Process, Processes,
    StopPlan, StopReport, Termination,
};
use rapid_interop::{
    FunctionMetadata, Invoke, InvokeResponseHeaders, InvokeResponseMode, Mono, RequestId,
    StreamableInvokeResponse,
};
use rapid_lifecycle::Policy;
use rapid_lifecycle::bootstrap::Bootstrap;
use tokio::runtime::{Builder, Runtime};

/// The name of the played extension.
const EXTENSION: &str = "e";
/// A tracing header as nearly every invocation has one.
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;\
                     Lineage=1:0399f0f7:0";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("cycle");
    for (name, extension) in [("warm", false), ("warm with an extension", true)] {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let handle = warm(&runtime, extension);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| runtime.block_on(cycles(&handle, times)));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Invokes so often, one after the other, and says how long that took.
async fn cycles(handle: &EngineHandle, times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        match handle.invoke(invocation()).await.unwrap().answer {
            InvokeAnswer::Response(_) => {}
            other @ (InvokeAnswer::Failed(..) | InvokeAnswer::Streamed(_)) => panic!("{other:?}"),
        }
    }
    start.elapsed()
}

// --- An engine, and who calls it -----------------------------------------------------------------

/// An engine whose played processes wait for their first event.
fn warm(runtime: &Runtime, extension: bool) -> EngineHandle {
    let config = EngineConfig {
        policy: Policy::default(),
        bootstrap: Bootstrap::from_words(vec!["./bootstrap".into()], "/".into()),
        runtime_env: Vec::new(),
        extensions: ExtensionConfig {
            sources: ExtensionSources { directories: vec!["/ext".into()], switch: None },
            ..ExtensionConfig::default()
        },
        function: FunctionInfo {
            metadata: Arc::new(FunctionMetadata {
                function_name: "f".into(),
                ..FunctionMetadata::default()
            }),
            ..FunctionInfo::default()
        },
    };
    let (engine, handle) = Engine::new(config, Played { extension }, Deaf);
    runtime.spawn(engine.run());
    runtime.block_on(async {
        handle.start().await;
        if extension {
            let registration =
                Registration { name: EXTENSION.into(), events: vec!["INVOKE".into()] };
            let id = handle.register(handle.generation(), registration).await.unwrap().id;
            let handle = handle.clone();
            tokio::spawn(async move {
                loop {
                    let event = handle.next_event(handle.generation(), id).await.unwrap();
                    event.receipt.settle();
                }
            });
        }
        tokio::spawn(play(handle.clone()));
        while handle.health() != Health::Ready {
            tokio::task::yield_now().await;
        }
    });
    handle
}

/// The runtime: answers every event with its own bytes.
async fn play(handle: EngineHandle) {
    let generation = handle.generation();
    loop {
        let caller = RuntimeCaller { generation, user_agent: None, features: None };
        let event = handle.next(caller).await.unwrap();
        event.receipt.settle();
        let id = event.invoke.id.as_str();
        let upload = handle.begin_response(generation, id).await.unwrap();
        let headers = InvokeResponseHeaders::default();
        let payload = event.invoke.payload.clone();
        let response = StreamableInvokeResponse { headers, payload };
        upload.finish(UploadOutcome::Response(response)).await.unwrap();
    }
}

fn invocation() -> Invoke {
    Invoke {
        id: RequestId::parse("a").unwrap(),
        trace_id: HeaderValue::from_static(TRACE),
        tenant_id: None,
        invoked_function_arn: HeaderValue::from_static("arn"),
        cognito_identity: None,
        client_context: None,
        content_type: None,
        payload: Bytes::from_static(b"{}"),
        response_mode: InvokeResponseMode::default(),
        log_tail: false,
        received: Mono::default(),
        request_read_time: Duration::ZERO,
    }
}

// --- What is only played -------------------------------------------------------------------------

/// Processes that are started at once and never end; what they do is done by tasks.
#[derive(Clone)]
struct Played {
    extension: bool,
}

impl Processes for Played {
    type Process = Self;

    fn find_extensions(&self, sources: &ExtensionSources) -> ExtensionDiscovery {
        let file = |directory: &std::path::PathBuf| ExtensionFile {
            name: EXTENSION.into(),
            path: directory.join(EXTENSION),
        };
        let files = sources.directories.iter().filter(|_| self.extension).map(file);
        ExtensionDiscovery::Found(files.collect())
    }

    async fn launch(&self, _: Launch) -> Result<Self, LaunchError> {
        Ok(self.clone())
    }
}

impl Process for Played {
    fn exited(&self) -> impl Future<Output = Termination> + Send {
        pending()
    }

    async fn stop(&self, _: StopPlan) -> StopReport {
        StopReport { clean: true }
    }

    fn drain_output(&self) {}

    fn peak_memory(&self) -> u64 {
        0
    }
}

/// Nobody listens to the events: writing them down is the console's time.
#[derive(Debug)]
struct Deaf;

impl EventsApi for Deaf {}
