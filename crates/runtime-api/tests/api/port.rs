//! A port that does as it is told and writes down what it hears.

mod extension;
mod telemetry;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use rapid_interop::extension::{ExtensionEvent, ExtensionRefusal};
use rapid_interop::message::FunctionMetadata;
use rapid_interop::ports::{
    NextEvent, Receipt, RuntimeCaller, RuntimePort, RuntimeRefusal, TelemetryAnswer, Upload,
    UploadOutcome,
};
use rapid_interop::{
    EpochMillis, ErrorInvokeResponse, Generation, InteropError, Invoke, InvokeResponseHeaders,
};
use tokio::sync::watch;

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What `next` does.
#[derive(Clone, Debug, Default)]
pub(crate) enum Play {
    /// Waits until the caller's generation is over, and refuses then.
    #[default]
    Park,
    /// Hands this event over; it times out at the given epoch.
    Event(Arc<Invoke>, u64),
    /// Panics.
    Panic,
}

/// How the port behaves; each test sets what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) next: Play,
    /// Every call is refused with it.
    pub(crate) refusal: Option<RuntimeRefusal>,
    /// What an upload ends with.
    pub(crate) finish: Result<(), InteropError>,
    /// Whether the invoker wants the response in pieces.
    pub(crate) streams: bool,
    pub(crate) extensions_enabled: bool,
    /// What extensions are told about the function.
    pub(crate) function: Arc<FunctionMetadata>,
    /// What `event/next` hands over; it parks its callers if there is nothing.
    pub(crate) extension_event: Option<ExtensionEvent>,
    /// Every call of an extension is refused with it.
    pub(crate) extension_refusal: Option<ExtensionRefusal>,
    /// What subscribing leads to; there is nothing to subscribe to without.
    pub(crate) subscription: Option<TelemetryAnswer>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            next: Play::Park,
            refusal: None,
            finish: Ok(()),
            streams: false,
            extensions_enabled: true,
            function: Arc::default(),
            extension_event: None,
            extension_refusal: None,
            subscription: None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FakePort {
    script: Arc<Mutex<Script>>,
    heard: watch::Sender<Vec<String>>,
    /// The generation of new connections.
    generation: watch::Sender<Generation>,
    /// The first generation whose connections are not cut.
    uncut: watch::Sender<Generation>,
}

impl Default for FakePort {
    fn default() -> Self {
        Self {
            script: Arc::default(),
            heard: watch::channel(Vec::new()).0,
            generation: watch::channel(Generation::FIRST).0,
            uncut: watch::channel(Generation::FIRST).0,
        }
    }
}

impl FakePort {
    pub(crate) fn with(change: impl FnOnce(&mut Script)) -> Self {
        let port = Self::default();
        port.change(change);
        port
    }

    pub(crate) fn refusing(refusal: RuntimeRefusal) -> Self {
        Self::with(|script| script.refusal = Some(refusal))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    fn script(&self) -> Script {
        self.script.lock().unwrap().clone()
    }

    /// What it heard so far, in order.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }

    /// Waits until it heard that.
    pub(crate) async fn hears(&self, line: &str) {
        let mut heard = self.heard.subscribe();
        let hearing = heard.wait_for(|lines| lines.iter().any(|heard| heard == line));
        assert!(tokio::time::timeout(PATIENCE, hearing).await.is_ok(), "{:?}", self.heard());
    }

    /// Begins a generation without cutting the connections of the one before.
    pub(crate) fn begin_generation(&self) {
        self.generation.send_modify(|generation| *generation = generation.next());
    }

    pub(crate) fn end_generation(&self) {
        self.begin_generation();
        self.uncut.send_replace(self.generation());
    }

    fn note(&self, line: String) {
        self.heard.send_modify(|lines| lines.push(line));
    }

    fn permitted(&self) -> Result<(), RuntimeRefusal> {
        self.script().refusal.map_or(Ok(()), Err)
    }

    fn begin(&self, line: String) -> Result<FakeUpload, RuntimeRefusal> {
        self.note(line);
        self.permitted()?;
        Ok(FakeUpload(Told::new(self, "upload dropped")))
    }
}

impl RuntimePort for FakePort {
    type Receipt = FakeReceipt;
    type Upload = FakeUpload;

    fn generation(&self) -> Generation {
        *self.generation.borrow()
    }

    fn ended(&self, generation: Generation) -> impl Future<Output = ()> + Send {
        let mut uncut = self.uncut.subscribe();
        async move {
            // The sender lives as long as the port does.
            let _ = uncut.wait_for(|uncut| *uncut > generation).await;
        }
    }

    async fn next(&self, caller: RuntimeCaller) -> Result<NextEvent<FakeReceipt>, RuntimeRefusal> {
        self.note(format!(
            "next in {}: user agent {}, features {}",
            caller.generation,
            text(caller.user_agent.as_ref()),
            text(caller.features.as_ref())
        ));
        self.permitted()?;
        match self.script().next {
            Play::Park => {
                let mut told = Told::new(self, "un-parked");
                self.ended(caller.generation).await;
                told.keep_quiet();
                Err(RuntimeRefusal::InvalidStateTransition { from: "Ready", to: "Ready" })
            }
            Play::Event(invoke, deadline) => Ok(NextEvent {
                invoke,
                deadline: EpochMillis(deadline),
                receipt: FakeReceipt(Told::new(self, "receipt dropped")),
            }),
            Play::Panic => panic!("the port was told to panic"),
        }
    }

    async fn begin_response(
        &self,
        generation: Generation,
        id: &str,
    ) -> Result<FakeUpload, RuntimeRefusal> {
        self.begin(format!("response to '{id}' in {generation}"))
    }

    async fn begin_error(
        &self,
        generation: Generation,
        id: &str,
    ) -> Result<FakeUpload, RuntimeRefusal> {
        self.begin(format!("error of '{id}' in {generation}"))
    }

    async fn init_error(
        &self,
        generation: Generation,
        error: ErrorInvokeResponse,
    ) -> Result<(), RuntimeRefusal> {
        self.note(format!("init error in {generation}: {}", described(&error)));
        self.permitted()
    }
}

/// Says something when it is dropped, unless it was kept quiet.
#[derive(Debug)]
struct Told {
    port: FakePort,
    last_words: Option<&'static str>,
}

impl Told {
    fn new(port: &FakePort, last_words: &'static str) -> Self {
        Self { port: port.clone(), last_words: Some(last_words) }
    }

    fn keep_quiet(&mut self) {
        self.last_words = None;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(words) = self.last_words {
            self.port.note(words.to_owned());
        }
    }
}

#[derive(Debug)]
pub(crate) struct FakeReceipt(Told);

impl Receipt for FakeReceipt {
    fn settle(mut self) {
        self.0.keep_quiet();
        self.0.port.note("settled".to_owned());
    }
}

#[derive(Debug)]
pub(crate) struct FakeUpload(Told);

impl Upload for FakeUpload {
    async fn stream(&mut self, about: &InvokeResponseHeaders) -> bool {
        let streams = self.0.port.script().streams;
        if streams {
            self.0.port.note(format!("streams with {}", headers(about)));
        }
        streams
    }

    async fn pass_on(&mut self, bytes: Bytes) {
        self.0.port.note(format!("passes on {}", payload(&bytes)));
    }

    async fn finish(mut self, outcome: UploadOutcome) -> Result<(), InteropError> {
        self.0.keep_quiet();
        self.0.port.note(match outcome {
            UploadOutcome::Response(response) => format!(
                "finished with {}, payload {}",
                headers(&response.headers),
                payload(&response.payload)
            ),
            UploadOutcome::Streamed(streamed) => {
                format!("finished after {} bytes", streamed.produced_bytes)
            }
            UploadOutcome::StreamFailed(streamed, error) => format!(
                "finished after {} bytes with error {}",
                streamed.produced_bytes,
                described(&error)
            ),
            UploadOutcome::Error(error, trace) => format!(
                "finished with error {}, cause {}",
                described(&error),
                trace.error_cause.as_ref().map_or("-", |cause| cause.get())
            ),
            UploadOutcome::TooLarge => "finished as too large".to_owned(),
            UploadOutcome::Truncated => "finished as truncated".to_owned(),
            UploadOutcome::InvalidMode => "finished with an invalid mode".to_owned(),
        });
        self.0.port.script().finish
    }
}

fn described(error: &ErrorInvokeResponse) -> String {
    let about = &error.function_error;
    assert_eq!(about.message, "", "a message is never the runtime's");
    format!(
        "{}, {}, payload {}",
        about.error_type,
        headers(&error.headers),
        payload(&error.payload)
    )
}

fn headers(headers: &InvokeResponseHeaders) -> String {
    format!("{}, {}", text(headers.content_type.as_ref()), headers.function_response_mode.0)
}

fn payload(payload: &[u8]) -> String {
    if payload.len() > 200 {
        return format!("of {} bytes", payload.len());
    }
    String::from_utf8_lossy(payload).into_owned()
}

fn text(value: Option<&HeaderValue>) -> String {
    value.map_or("-".to_owned(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
