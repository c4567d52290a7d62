//! [`Engine`]: the one task that owns a sandbox.
//!
//! It waits in one place for a notice, a message or the deadline, feeds it to the pure machine,
//! and carries out the effects without waiting. What takes time (starting and ending processes)
//! runs in tracked tasks that report back as notices.

mod effects;
mod extensions;
mod news;

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderValue;
use rapid_events::EventsApi;
use rapid_interop::extension::ExtensionRefusal;
use rapid_interop::ports::{RuntimeRefusal, UploadOutcome};
use rapid_interop::process::{LaunchError, Processes};
use rapid_interop::{
    ErrorInvokeResponse, Generation, InitFailure, InitSuccess, InteropError, Mono, RuntimeRelease,
    ShutdownSuccess,
};
use rapid_lifecycle::{Caller, Effect, Input, Participant, Refusal, Sandbox, Ticket};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;

use crate::answer::{self, Content};
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::handle::{EngineHandle, HealthCell, Shared, UploadToken};
use crate::invocation::Invocation;
use crate::message::{EventCall, EventReply, HandleNotice, Message, NextReply, Notice, UploadKind};
use crate::participants::Participants;
use crate::report::Reporter;

/// How many requests may wait for the engine. It handles them faster than they can be made; the
/// bound only keeps a flood from growing.
const MAILBOX: usize = 1024;

/// How long to wait for tasks that watch processes once everything was stopped; only a process
/// that survives SIGKILL can make them late.
const LAST_TASKS: Duration = Duration::from_secs(1);

/// Runs one execution environment.
///
/// Made by [`Engine::new`] and driven by [`Engine::run`], usually in a task of its own.
pub struct Engine<P: Processes, E: EventsApi> {
    sandbox: Sandbox,
    clock: Clock,
    /// When the step under way happened, or the last one.
    now: Mono,
    config: EngineConfig,
    processes: Arc<P>,
    reporter: Reporter<E>,
    /// The processes of the current generation.
    participants: Participants<P::Process>,
    /// A launch is under way. Requests wait for it: a quick process may ask for its event before
    /// its launch is known here, and what it has printed so far has to come first.
    launching: bool,
    /// Every handle was dropped.
    orphaned: bool,
    invocations: BTreeMap<Ticket, Invocation>,
    callers: BTreeMap<Caller, NextReply>,
    extension_callers: BTreeMap<Caller, EventReply>,
    /// The content that the step under way is about.
    upload: Option<Content>,
    init_error: Option<ErrorInvokeResponse>,
    /// Whose last launch failed and why, so that the same is not logged again and again.
    launch_error: Option<(Participant, LaunchError)>,
    release: RuntimeRelease,
    effects: Vec<Effect>,
    mailbox: mpsc::Receiver<Message>,
    handle_notices: mpsc::UnboundedReceiver<HandleNotice>,
    handle_notices_sender: mpsc::UnboundedSender<HandleNotice>,
    notices: mpsc::UnboundedReceiver<Notice<P::Process>>,
    notices_sender: mpsc::UnboundedSender<Notice<P::Process>>,
    generation: watch::Sender<Generation>,
    init: watch::Sender<Option<Result<InitSuccess, InitFailure>>>,
    closed: watch::Sender<Option<ShutdownSuccess>>,
    health: Arc<HealthCell>,
    extensions_enabled: Arc<AtomicBool>,
    /// Sampled invocations are segments of their own.
    segments: bool,
    tasks: TaskTracker,
    finished: Option<ShutdownSuccess>,
}

impl<P: Processes, E: EventsApi> std::fmt::Debug for Engine<P, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("sandbox", &self.sandbox).finish_non_exhaustive()
    }
}

impl<P: Processes, E: EventsApi> Engine<P, E> {
    /// An engine in which nothing runs yet, and the handle to it.
    pub fn new(config: EngineConfig, processes: P, events: E) -> (Self, EngineHandle) {
        let clock = Clock::new();
        let (mailbox_sender, mailbox) = mpsc::channel(MAILBOX);
        let (handle_notices_sender, handle_notices) = mpsc::unbounded_channel();
        let (notices_sender, notices) = mpsc::unbounded_channel();
        let sandbox = Sandbox::new(config.policy);
        let (generation, generation_seen) = watch::channel(sandbox.generation());
        let (init, init_seen) = watch::channel(None);
        let (closed, closed_seen) = watch::channel(None);
        let health = Arc::new(HealthCell::default());
        let extensions_enabled = Arc::new(AtomicBool::new(true));
        let handle = EngineHandle::new(Shared {
            mailbox: mailbox_sender,
            notices: handle_notices_sender.clone(),
            clock,
            generation: generation_seen,
            init: init_seen,
            closed: closed_seen,
            health: Arc::clone(&health),
            extensions_enabled: Arc::clone(&extensions_enabled),
            next_ticket: AtomicU64::new(1),
            next_caller: AtomicU64::new(1),
        });
        let engine = Self {
            sandbox,
            clock,
            now: Mono::default(),
            reporter: Reporter::new(events, config.function.clone()),
            config,
            processes: Arc::new(processes),
            participants: Participants::default(),
            launching: false,
            orphaned: false,
            invocations: BTreeMap::new(),
            callers: BTreeMap::new(),
            extension_callers: BTreeMap::new(),
            upload: None,
            init_error: None,
            launch_error: None,
            release: RuntimeRelease::default(),
            effects: Vec::new(),
            mailbox,
            handle_notices,
            handle_notices_sender,
            notices,
            notices_sender,
            generation,
            init,
            closed,
            health,
            extensions_enabled,
            segments: false,
            tasks: TaskTracker::new(),
            finished: None,
        };
        (engine, handle)
    }

    /// Makes every sampled invocation a segment of its own: the runtime's tracing header names it
    /// as the parent of what the function does, and events tell it.
    ///
    /// For whoever records these segments. Without it the function's parent is the invoker's
    /// segment; a segment that nobody records would tear the trace apart.
    ///
    /// # Source
    /// Lifecycle, "Tracing".
    #[must_use]
    pub fn with_segments(mut self) -> Self {
        self.segments = true;
        self
    }

    /// Runs until the execution environment has ended: after [`EngineHandle::shutdown`], or when
    /// every handle was dropped.
    ///
    /// # Cancel safety
    /// Dropping the future drops the processes with it, without an orderly end.
    pub async fn run(mut self) -> ShutdownSuccess {
        let timer = tokio::time::sleep_until(Instant::now());
        tokio::pin!(timer);
        while self.finished.is_none() {
            let deadline = self.sandbox.deadline().map(|at| self.clock.instant(at));
            rearm(timer.as_mut(), deadline);
            let timed = deadline.is_some();
            poll_fn(|context| self.poll_turn(context, timed.then_some(timer.as_mut()))).await;
        }
        self.tasks.close();
        if tokio::time::timeout(LAST_TASKS, self.tasks.wait()).await.is_err() {
            tracing::error!(tasks = self.tasks.len(), "gave up waiting for the last processes");
        }
        self.finished.unwrap_or(ShutdownSuccess { clean: false })
    }

    // --- In ----------------------------------------------------------------------------------

    /// Takes one thing in; the order says what is more urgent. A `select!` would do the same, but
    /// copies a message several times on its way.
    fn poll_turn(&mut self, context: &mut Context<'_>, timer: Option<Pin<&mut Sleep>>) -> Poll<()> {
        if timer.is_some_and(|timer| timer.poll(context).is_ready()) {
            self.drive(Input::Tick);
            return Poll::Ready(());
        }
        // These two channels never end: the engine holds a sender of each.
        if let Poll::Ready(Some(notice)) = self.notices.poll_recv(context) {
            self.on_notice(notice);
            return Poll::Ready(());
        }
        if let Poll::Ready(Some(notice)) = self.handle_notices.poll_recv(context) {
            self.on_handle_notice(notice);
            return Poll::Ready(());
        }
        if self.orphaned || self.launching {
            return Poll::Pending;
        }
        match ready!(self.mailbox.poll_recv(context)) {
            Some(message) => self.on_message(message),
            None => {
                self.orphaned = true;
                self.drive(Input::Kill);
            }
        }
        Poll::Ready(())
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Start => self.drive(Input::Start),
            // An invoker that left before its turn to be heard; the notice of that came first.
            Message::Invoke { reply, .. } if reply.is_closed() => {}
            Message::Invoke { ticket, invoke, reply } => {
                let id = invoke.id.clone();
                self.invocations.insert(ticket, Invocation::new(invoke, reply, self.segments));
                self.drive(Input::Arrive { ticket, id });
            }
            Message::Next { reply, .. } if reply.is_closed() => {}
            Message::Next { caller, from, reply } => {
                let news = from.features.is_some() || self.release.as_str().is_empty();
                if news && !self.release.is_settled() {
                    let text = |value: &Option<_>| header_text(value.as_ref());
                    self.release.observe(&text(&from.user_agent), &text(&from.features));
                }
                self.callers.insert(caller, reply);
                let input = Input::Next { generation: from.generation, caller };
                if let Err(refusal) = self.runtime_calls(input) {
                    self.release_caller(caller, refusal);
                }
            }
            Message::Begin { generation, id, kind, reply } => {
                let input = match kind {
                    UploadKind::Response => Input::BeginResponse { generation, id },
                    UploadKind::Error => Input::BeginError { generation, id },
                };
                let begun = self.runtime_calls(input).and_then(|()| {
                    let ticket = self.sandbox.reserved().ok_or(RuntimeRefusal::Internal)?;
                    if let Some(invocation) = self.invocations.get_mut(&ticket) {
                        invocation.begun = self.now;
                        invocation.let_go_of_the_event();
                    }
                    let invocation = self.invocations.get(&ticket);
                    let is_response = kind == UploadKind::Response;
                    Ok(UploadToken {
                        notices: Some(self.handle_notices_sender.clone()),
                        ticket,
                        generation,
                        streams: is_response && invocation.is_some_and(Invocation::is_streamed),
                    })
                });
                // A handler that has gone drops the token, which says so.
                drop(reply.send(begun));
            }
            Message::Open { ticket, generation, headers, pieces } => {
                let invocation = self.invocations.get_mut(&ticket);
                let is_current = generation == self.sandbox.generation();
                if let Some(invocation) = invocation.filter(|_| is_current) {
                    invocation.open(headers, pieces);
                }
            }
            Message::Finish { ticket, generation, outcome: UploadOutcome::Truncated, reply } => {
                self.defer_truncation(ticket, generation, Some(reply));
            }
            Message::Finish { ticket, generation, outcome, reply } => {
                // A handler that has gone does not want to know.
                drop(reply.send(self.finish(ticket, generation, outcome)));
            }
            Message::InitError { generation, error, reply } => {
                let error_type = error.function_error.error_type.clone();
                let earlier = self.init_error.replace(error);
                let taken = self.runtime_calls(Input::InitError { generation, error_type });
                if taken.is_err() {
                    self.init_error = earlier;
                } else {
                    self.log_init_error();
                }
                // A handler that has gone does not want to know.
                drop(reply.send(taken));
            }
            Message::Register { generation, registration, reply } => {
                // A handler that has gone does not want to know.
                drop(reply.send(self.register(generation, registration)));
            }
            Message::NextEvent { caller, generation, id, reply } => {
                self.next_event(EventCall { caller, generation, id, reply }, false);
            }
            Message::ExtensionError { generation, id, report, reply } => {
                // A handler that has gone does not want to know.
                drop(reply.send(self.extension_error(generation, id, report)));
            }
            Message::ExtensionName { generation, id, reply } => {
                // A handler that has gone does not want to know.
                drop(reply.send(self.extension_name(generation, id)));
            }
        }
    }

    fn on_handle_notice(&mut self, notice: HandleNotice) {
        match notice {
            HandleNotice::InvokerGone(ticket) => self.drive(Input::Withdraw { ticket }),
            HandleNotice::CallerGone(caller) => {
                self.callers.remove(&caller);
                self.extension_callers.remove(&caller);
                self.sandbox.unpark(caller);
            }
            HandleNotice::Undelivered { ticket, generation } => {
                self.drive(Input::Vanished { ticket, generation });
            }
            HandleNotice::EventUndelivered { generation, id, ticket } => {
                self.drive(Input::EventVanished { generation, id, ticket });
            }
            HandleNotice::UploadDropped { ticket, generation } => {
                self.defer_truncation(ticket, generation, None);
            }
            HandleNotice::Shutdown { deadline } => self.drive(Input::Shutdown { deadline }),
            HandleNotice::Kill => self.drive(Input::Kill),
        }
    }

    fn finish(
        &mut self,
        ticket: Ticket,
        generation: Generation,
        outcome: UploadOutcome,
    ) -> Result<(), InteropError> {
        let metrics = answer::metrics(&outcome);
        let (end, content, trace) = answer::of_upload(outcome);
        self.upload = content;
        let step = self.runtime_calls(Input::Finish { ticket, generation, end });
        self.upload = None;
        if step.is_ok()
            && let Some(invocation) = self.invocations.get_mut(&ticket)
        {
            invocation.trace = trace;
            invocation.response = Some(metrics.between(invocation.begun, self.now));
        }
        step.map_err(|refusal| match refusal {
            RuntimeRefusal::InvalidStateTransition { .. } => InteropError::ResponseSent,
            RuntimeRefusal::InvalidRequestId => InteropError::InvalidInvokeId,
            RuntimeRefusal::TooManyIdleRuntimes | RuntimeRefusal::Internal => {
                InteropError::InternalPlatformError
            }
        })
    }

    // --- Step --------------------------------------------------------------------------------

    /// Feeds an input that the machine never refuses.
    fn drive(&mut self, input: Input) {
        if let Err(refusal) = self.try_drive(input) {
            tracing::error!(%refusal, "the lifecycle refused what it must accept");
        }
    }

    /// Feeds a call of the runtime.
    fn runtime_calls(&mut self, input: Input) -> Result<(), RuntimeRefusal> {
        self.try_drive(input).map_err(|refusal| match refusal {
            Refusal::Runtime(refusal) => refusal,
            Refusal::Extension(_) => RuntimeRefusal::Internal,
        })
    }

    /// Feeds a call of an extension.
    fn extension_calls(&mut self, input: Input) -> Result<(), ExtensionRefusal> {
        self.try_drive(input).map_err(|refusal| match refusal {
            Refusal::Extension(refusal) => refusal,
            Refusal::Runtime(_) => ExtensionRefusal::Internal,
        })
    }

    fn try_drive(&mut self, input: Input) -> Result<(), Refusal> {
        let before = self.sandbox.health();
        let mut effects = std::mem::take(&mut self.effects);
        self.now = self.clock.now();
        let stepped = self.sandbox.step(self.now, input, &mut effects);
        let after = self.sandbox.health();
        if before != after {
            tracing::debug!(from = before.as_str(), to = after.as_str(), "the sandbox moved on");
            self.health.set(after);
        }
        self.extensions_enabled.store(self.sandbox.extensions_enabled(), Ordering::Relaxed);
        // Before anything of the next generation is started: its connections must belong to it.
        let mut over = self.publish_generation();
        for effect in effects.drain(..) {
            // What the old generation is still needed for comes before the new one begins.
            if matches!(effect, Effect::Discover) && std::mem::take(&mut over) {
                self.forget_generation();
            }
            self.carry_out(effect);
        }
        self.effects = effects;
        if over {
            self.forget_generation();
        }
        stepped
    }
}

/// Moves the timer only when it would ring too late: ringing early costs one spurious look, and
/// moving it with every invocation would cost more.
fn rearm(timer: Pin<&mut Sleep>, deadline: Option<Instant>) {
    if let Some(deadline) = deadline
        && (timer.is_elapsed() || deadline < timer.deadline())
    {
        timer.reset(deadline);
    }
}

fn header_text(value: Option<&HeaderValue>) -> String {
    value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}
