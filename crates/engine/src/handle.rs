//! [`EngineHandle`]: how the HTTP crates and embedders talk to an engine.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use bytes::Bytes;
use rapid_interop::extension::{
    ExtensionErrorReport, ExtensionId, ExtensionPort, ExtensionRefusal, NextExtensionEvent,
    Registered, Registration,
};
use rapid_interop::ports::{
    Health, InvokePort, InvokeRefusal, Invoked, NextEvent, Receipt, RuntimeCaller, RuntimePort,
    RuntimeRefusal, Upload, UploadOutcome,
};
use rapid_interop::{
    ErrorInvokeResponse, Generation, InitFailure, InitSuccess, InteropError, Invoke,
    InvokeResponseHeaders, MAX_PAYLOAD_SIZE, Mono, RequestId, Shutdown, ShutdownSuccess,
};
use rapid_lifecycle::{Caller, Ticket};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::message::{HandleNotice, Message, UploadKind};
use crate::stream;

/// A handle to a running engine. Clones are counters.
///
/// It is all ports at once: [`InvokePort`] for invokers, [`RuntimePort`] for the runtime,
/// [`ExtensionPort`] for extensions.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mailbox: mpsc::Sender<Message>,
    pub(crate) notices: mpsc::UnboundedSender<HandleNotice>,
    pub(crate) clock: Clock,
    pub(crate) generation: watch::Receiver<Generation>,
    pub(crate) init: watch::Receiver<Option<Result<InitSuccess, InitFailure>>>,
    pub(crate) closed: watch::Receiver<Option<ShutdownSuccess>>,
    pub(crate) health: Arc<HealthCell>,
    pub(crate) extensions_enabled: Arc<AtomicBool>,
    pub(crate) next_ticket: AtomicU64,
    pub(crate) next_caller: AtomicU64,
}

impl EngineHandle {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Initialises now, ahead of the first invocation. Does nothing when something runs already,
    /// nor after a failure: then the next invocation initialises, on its own time.
    pub async fn start(&self) {
        // A closed mailbox means that the engine has ended; then there is nothing to start.
        let _ = self.shared.mailbox.send(Message::Start).await;
    }

    /// Resolves with the result of the first initialisation, or of the newest one if there were
    /// several already; `None` when the engine ended before it had one.
    pub async fn initialized(&self) -> Option<Result<InitSuccess, InitFailure>> {
        let mut init = self.shared.init.clone();
        init.wait_for(Option::is_some).await.ok().and_then(|result| result.clone())
    }

    /// Asks for the end at once, without waiting for it: the running invocation is answered with
    /// an error, and all processes are killed, also those that are about to end in order.
    pub fn end(&self) {
        self.notify(HandleNotice::Kill);
    }

    /// Resolves when the engine has ended, for whatever reason.
    pub async fn closed(&self) {
        let mut closed = self.shared.closed.clone();
        // A channel without a sender is an engine that has gone.
        let _ = closed.wait_for(Option::is_some).await;
    }

    /// Ends the execution environment in an orderly way and resolves when it has ended.
    ///
    /// The running invocation may go on for the budget; those that wait are refused. Then runtime
    /// and extensions have the time of any reset to end. A second call may shorten the time that
    /// is left for the invocation, never prolong it; [`EngineHandle::end`] cuts all of it short.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the shutdown.
    pub async fn shutdown(&self, shutdown: Shutdown) -> ShutdownSuccess {
        let deadline = self.shared.clock.now() + shutdown.budget;
        // A closed channel means that the engine has ended already.
        let _ = self.shared.notices.send(HandleNotice::Shutdown { deadline });
        let mut closed = self.shared.closed.clone();
        let result = closed.wait_for(Option::is_some).await.ok().and_then(|done| *done);
        result.unwrap_or(ShutdownSuccess { clean: false })
    }

    async fn begin(
        &self,
        generation: Generation,
        id: &str,
        kind: UploadKind,
    ) -> Result<EngineUpload, RuntimeRefusal> {
        let id = RequestId::parse(id).ok_or(RuntimeRefusal::InvalidRequestId)?;
        let (reply, begun) = oneshot::channel();
        self.ask(Message::Begin { generation, id, kind, reply }).await?;
        let token = begun.await.map_err(|_| RuntimeRefusal::Internal)??;
        Ok(EngineUpload { engine: self.clone(), token, pieces: None })
    }

    async fn ask(&self, message: Message) -> Result<(), RuntimeRefusal> {
        self.shared.mailbox.send(message).await.map_err(|_| RuntimeRefusal::Internal)
    }

    async fn request(&self, message: Message) -> Result<(), ExtensionRefusal> {
        self.shared.mailbox.send(message).await.map_err(|_| ExtensionRefusal::Internal)
    }

    fn notify(&self, notice: HandleNotice) {
        // A closed channel means that the engine has ended and with it everything worth noticing.
        let _ = self.shared.notices.send(notice);
    }
}

impl InvokePort for EngineHandle {
    async fn invoke(&self, invoke: Invoke) -> Result<Invoked, InvokeRefusal> {
        if invoke.payload.len() > MAX_PAYLOAD_SIZE {
            return Err(InvokeRefusal::TooLarge);
        }
        let ticket = Ticket(self.shared.next_ticket.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        let message = Message::Invoke { ticket, invoke: Arc::new(invoke), reply };
        self.shared.mailbox.send(message).await.map_err(|_| InvokeRefusal::ShuttingDown)?;
        let mut presence = Presence { engine: self, gone: Some(HandleNotice::InvokerGone(ticket)) };
        let answer = answer.await.unwrap_or(Err(InvokeRefusal::ShuttingDown));
        presence.gone = None;
        answer
    }

    fn health(&self) -> Health {
        self.shared.health.get()
    }

    fn now(&self) -> Mono {
        self.shared.clock.now()
    }
}

impl RuntimePort for EngineHandle {
    type Receipt = EngineReceipt;
    type Upload = EngineUpload;

    fn generation(&self) -> Generation {
        *self.shared.generation.borrow()
    }

    fn ended(&self, generation: Generation) -> impl Future<Output = ()> + Send {
        let mut current = self.shared.generation.clone();
        async move {
            // An engine that has ended has no generations left either.
            let _ = current.wait_for(|current| *current > generation).await;
        }
    }

    async fn next(&self, from: RuntimeCaller) -> Result<NextEvent<EngineReceipt>, RuntimeRefusal> {
        let caller = Caller(self.shared.next_caller.fetch_add(1, Ordering::Relaxed));
        let (reply, event) = oneshot::channel();
        self.ask(Message::Next { caller, from, reply }).await?;
        let mut presence = Presence { engine: self, gone: Some(HandleNotice::CallerGone(caller)) };
        let event = event.await.unwrap_or(Err(RuntimeRefusal::Internal));
        presence.gone = None;
        event
    }

    async fn begin_response(
        &self,
        generation: Generation,
        id: &str,
    ) -> Result<EngineUpload, RuntimeRefusal> {
        self.begin(generation, id, UploadKind::Response).await
    }

    async fn begin_error(
        &self,
        generation: Generation,
        id: &str,
    ) -> Result<EngineUpload, RuntimeRefusal> {
        self.begin(generation, id, UploadKind::Error).await
    }

    async fn init_error(
        &self,
        generation: Generation,
        error: ErrorInvokeResponse,
    ) -> Result<(), RuntimeRefusal> {
        let (reply, taken) = oneshot::channel();
        self.ask(Message::InitError { generation, error, reply }).await?;
        taken.await.map_err(|_| RuntimeRefusal::Internal)?
    }
}

impl ExtensionPort for EngineHandle {
    type EventReceipt = ExtensionReceipt;

    fn extensions_enabled(&self) -> bool {
        self.shared.extensions_enabled.load(Ordering::Relaxed)
    }

    async fn register(
        &self,
        generation: Generation,
        registration: Registration,
    ) -> Result<Registered, ExtensionRefusal> {
        let (reply, registered) = oneshot::channel();
        self.request(Message::Register { generation, registration, reply }).await?;
        registered.await.map_err(|_| ExtensionRefusal::Internal)?
    }

    async fn next_event(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<NextExtensionEvent<ExtensionReceipt>, ExtensionRefusal> {
        let caller = Caller(self.shared.next_caller.fetch_add(1, Ordering::Relaxed));
        let (reply, event) = oneshot::channel();
        self.request(Message::NextEvent { caller, generation, id, reply }).await?;
        let mut presence = Presence { engine: self, gone: Some(HandleNotice::CallerGone(caller)) };
        let event = event.await.unwrap_or(Err(ExtensionRefusal::Internal));
        presence.gone = None;
        event
    }

    async fn extension_error(
        &self,
        generation: Generation,
        id: ExtensionId,
        report: ExtensionErrorReport,
    ) -> Result<(), ExtensionRefusal> {
        let (reply, taken) = oneshot::channel();
        self.request(Message::ExtensionError { generation, id, report, reply }).await?;
        taken.await.map_err(|_| ExtensionRefusal::Internal)?
    }

    async fn extension_name(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<Box<str>, ExtensionRefusal> {
        let (reply, name) = oneshot::channel();
        self.request(Message::ExtensionName { generation, id, reply }).await?;
        name.await.map_err(|_| ExtensionRefusal::Internal)?
    }
}

/// Tells the engine when a future is dropped while it waits.
struct Presence<'a> {
    engine: &'a EngineHandle,
    gone: Option<HandleNotice>,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if let Some(notice) = self.gone.take() {
            self.engine.notify(notice);
        }
    }
}

/// The engine's [`Receipt`].
#[derive(Debug)]
pub struct EngineReceipt {
    pub(crate) notices: Option<mpsc::UnboundedSender<HandleNotice>>,
    pub(crate) ticket: Ticket,
    pub(crate) generation: Generation,
}

impl Receipt for EngineReceipt {
    fn settle(mut self) {
        self.notices = None;
    }
}

impl Drop for EngineReceipt {
    fn drop(&mut self) {
        if let Some(notices) = self.notices.take() {
            let (ticket, generation) = (self.ticket, self.generation);
            // A closed channel means that the engine has ended.
            let _ = notices.send(HandleNotice::Undelivered { ticket, generation });
        }
    }
}

/// The engine's [`Receipt`] for an event of an extension.
#[derive(Debug)]
pub struct ExtensionReceipt {
    pub(crate) notices: Option<mpsc::UnboundedSender<HandleNotice>>,
    pub(crate) generation: Generation,
    pub(crate) id: ExtensionId,
    /// The invocation it tells of; `None` for a shutdown.
    pub(crate) ticket: Option<Ticket>,
}

impl Receipt for ExtensionReceipt {
    fn settle(mut self) {
        self.notices = None;
    }
}

impl Drop for ExtensionReceipt {
    fn drop(&mut self) {
        if let Some(notices) = self.notices.take() {
            let (generation, id, ticket) = (self.generation, self.id, self.ticket);
            // A closed channel means that the engine has ended.
            let _ = notices.send(HandleNotice::EventUndelivered { generation, id, ticket });
        }
    }
}

/// The engine's [`Upload`].
#[derive(Debug)]
pub struct EngineUpload {
    engine: EngineHandle,
    token: UploadToken,
    /// To an invoker that takes the response in pieces.
    pieces: Option<mpsc::Sender<Bytes>>,
}

impl EngineUpload {
    async fn open(&mut self, headers: &InvokeResponseHeaders) -> bool {
        let (sender, pieces) = mpsc::channel(stream::PIECES);
        let UploadToken { ticket, generation, .. } = self.token;
        let message = Message::Open { ticket, generation, headers: headers.clone(), pieces };
        let opened = self.engine.shared.mailbox.send(message).await.is_ok();
        self.pieces = opened.then_some(sender);
        opened
    }
}

impl Upload for EngineUpload {
    async fn stream(&mut self, headers: &InvokeResponseHeaders) -> bool {
        // Boxed, or every response would be as large as one that is streamed.
        self.token.streams && Box::pin(self.open(headers)).await
    }

    async fn pass_on(&mut self, bytes: Bytes) {
        if let Some(pieces) = &self.pieces
            && pieces.send(bytes).await.is_err()
        {
            self.pieces = None;
        }
    }

    async fn finish(mut self, outcome: UploadOutcome) -> Result<(), InteropError> {
        self.pieces = None;
        let (ticket, generation) = (self.token.ticket, self.token.generation);
        let (reply, finished) = oneshot::channel();
        let message = Message::Finish { ticket, generation, outcome, reply };
        let mailbox = &self.engine.shared.mailbox;
        mailbox.send(message).await.map_err(|_| InteropError::InternalPlatformError)?;
        // Only now is it the engine's; until here a dropped future is an abandoned upload.
        self.token.notices = None;
        finished.await.map_err(|_| InteropError::InternalPlatformError)?
    }
}

/// Stands for an upload that was begun. Dropped before its end it says that it was abandoned.
#[derive(Debug)]
pub(crate) struct UploadToken {
    pub(crate) notices: Option<mpsc::UnboundedSender<HandleNotice>>,
    pub(crate) ticket: Ticket,
    pub(crate) generation: Generation,
    /// Whether the invoker takes the response in pieces.
    pub(crate) streams: bool,
}

impl Drop for UploadToken {
    fn drop(&mut self) {
        if let Some(notices) = self.notices.take() {
            let (ticket, generation) = (self.ticket, self.generation);
            // A closed channel means that the engine has ended.
            let _ = notices.send(HandleNotice::UploadDropped { ticket, generation });
        }
    }
}

/// What the engine is doing, readable without asking it.
#[derive(Debug, Default)]
pub(crate) struct HealthCell(AtomicU8);

impl HealthCell {
    const ALL: [Health; 7] = [
        Health::Idle,
        Health::Initializing,
        Health::Ready,
        Health::Invoking,
        Health::Failed,
        Health::Resetting,
        Health::ShuttingDown,
    ];

    pub(crate) fn set(&self, health: Health) {
        let index = Self::ALL.iter().position(|known| *known == health);
        self.0.store(index.and_then(|i| u8::try_from(i).ok()).unwrap_or(0), Ordering::Relaxed);
    }

    fn get(&self) -> Health {
        let index = usize::from(self.0.load(Ordering::Relaxed));
        Self::ALL.get(index).copied().unwrap_or(Health::ShuttingDown)
    }
}
