//! [`Sandbox`]: the lifecycle of one execution environment, from input to effects.
//!
//! This file holds the state and the one way in; what an input does stands in the modules below,
//! by what it is about.

mod call;
mod ending;
mod extensions;
mod initialisation;
mod invocation;
mod stopping;

use std::collections::VecDeque;
use std::time::Duration;

use rapid_fatal_error::{ErrorType, FirstFatalError};
use rapid_interop::extension::{ExtensionErrorKind, ExtensionRefusal};
use rapid_interop::limits::{DEFAULT_INIT_TIMEOUT, DEFAULT_SHUTDOWN_BUDGET};
use rapid_interop::ports::{Health, RuntimeRefusal};
use rapid_interop::{Generation, InitPhase, Mono, RequestId};

use self::extensions::Extension;
use self::stopping::Stopping;
use crate::effect::{Effect, EndStatus, InitTime};
use crate::input::{Caller, Input, Participant, Ticket};
use crate::runtime::{Call, Runtime};

/// What the sandbox decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long an invocation may take.
    pub function_timeout: Duration,
    /// How long an initialisation outside an invocation may take.
    pub init_timeout: Duration,
    /// How long a runtime or an extension may linger after it has reported that it cannot go on.
    pub init_error_grace: Duration,
    /// After how long an initialisation tells which extensions it waits for.
    pub reminder: Duration,
    /// How long runtime and extensions together may take to end.
    pub shutdown_budget: Duration,
    /// How many invocations may wait for their turn.
    pub queue_limit: usize,
    /// How many `next` calls may be parked.
    pub parked_limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            function_timeout: Duration::from_secs(300),
            init_timeout: DEFAULT_INIT_TIMEOUT,
            init_error_grace: Duration::from_secs(2),
            reminder: Duration::from_secs(1),
            shutdown_budget: DEFAULT_SHUTDOWN_BUDGET,
            queue_limit: 100,
            parked_limit: 10_000,
        }
    }
}

/// One execution environment, as pure state.
///
/// Drive it like this: feed every event to [`Sandbox::step`], carry out the effects in order, and
/// feed [`Input::Tick`] when [`Sandbox::deadline`] has passed. It never looks at a clock itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    policy: Policy,
    generation: Generation,
    phase: Phase,
    runtime: Runtime,
    /// What was asked for and not reported back yet. A launch may be overtaken by calls of the
    /// process that it starts.
    pending: Option<Pending>,
    parked: VecDeque<Caller>,
    /// External ones first, in the order of their launches; then internal ones as they came.
    extensions: Vec<Extension>,
    /// Until it was seen that they are turned off.
    extensions_enabled: bool,
    /// An extension has said that it will exit.
    doom: Option<Doom>,
    active: Option<Active>,
    queue: VecDeque<(Ticket, RequestId)>,
    first_fatal: FirstFatalError,
    /// The next initialisation runs inside an invocation.
    suppressed: bool,
    /// The last initialisation failed.
    init_failed: bool,
    /// What the next report tells of the initialisation before it.
    init_time: Option<InitTime>,
    /// Set once: when the running invocation must have ended, because everything ends.
    closing: Option<Mono>,
    /// Set once: everything is to be killed.
    abrupt: bool,
}

/// Something that takes time outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Discovery,
    Launch(Participant),
}

/// What an extension announced by `init/error` or `exit/error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doom {
    /// When it is not waited for any longer.
    deadline: Mono,
    kind: ExtensionErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing runs.
    Idle,
    /// Extensions and the runtime are being started and have not all asked for an event yet.
    Init(Init),
    /// The runtime waits, nothing is to be done.
    Ready,
    /// The invocation in `active` runs.
    Invoking,
    /// Processes are being ended.
    Stopping(Stopping),
    /// The end.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Init {
    phase: InitPhase,
    started: Mono,
    /// `None` while only the invocation's own deadline counts.
    deadline: Option<Mono>,
    stage: Stage,
    /// When to tell who is waited for.
    reminder: Option<Mono>,
    /// The runtime has said that it cannot initialise.
    reported: bool,
}

/// How far an initialisation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Extensions are looked for and started.
    Launching,
    /// Those that were started have not all registered.
    Registering,
    /// The runtime was or is being started.
    Runtime,
    /// The runtime is ready, extensions are waited for.
    Agents,
}

/// The invocation that holds the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Active {
    ticket: Ticket,
    id: RequestId,
    begun: Mono,
    deadline: Mono,
    /// `platform.start` was reported.
    announced: bool,
    /// When the event was first handed over.
    handed: Option<Mono>,
    /// Callers that hold the event; the event is taken back when the last one vanishes.
    holders: u32,
    /// When the invoker was answered.
    answered: Option<Mono>,
    /// When the runtime asked for the next event after its answer.
    ready: Option<Mono>,
    /// What the platform answered with instead of the runtime's response.
    fault: Option<ErrorType>,
}

impl Active {
    /// How it went, as far as the runtime goes.
    fn own_status(&self) -> EndStatus {
        self.fault.clone().map_or(EndStatus::Success, EndStatus::of)
    }

    /// How long the runtime has had it; zero when it was never handed over.
    fn with_runtime(&self, now: Mono) -> Duration {
        self.handed.map_or(Duration::ZERO, |handed| now.since(handed))
    }
}

type Out = Vec<Effect>;

/// A call was refused; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A call of the runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeRefusal),
    /// A call of an extension.
    #[error(transparent)]
    Extension(#[from] ExtensionRefusal),
}

impl Sandbox {
    /// A sandbox in which nothing runs yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            generation: Generation::FIRST,
            phase: Phase::Idle,
            runtime: Runtime::Started,
            pending: None,
            parked: VecDeque::new(),
            extensions: Vec::new(),
            extensions_enabled: true,
            doom: None,
            active: None,
            queue: VecDeque::new(),
            first_fatal: FirstFatalError::default(),
            suppressed: false,
            init_failed: false,
            init_time: None,
            closing: None,
            abrupt: false,
        }
    }

    /// Takes one event in and appends what is to be done to `out`.
    ///
    /// # Errors
    /// Calls of the runtime and of extensions that are not allowed now are refused; nothing
    /// changed then and `out` is untouched. Every other input is always accepted.
    pub fn step(&mut self, now: Mono, input: Input, out: &mut Out) -> Result<(), Refusal> {
        match input {
            Input::Start => self.start(now, out),
            Input::Arrive { ticket, id } => self.arrive(now, ticket, id, out),
            Input::Withdraw { ticket } => self.withdraw(ticket, out),
            Input::Discovered { found } => self.discovered(now, found, out),
            Input::Launched { participant } => self.launched(now, participant, out),
            Input::LaunchFailed { participant, error } => {
                self.launch_failed(now, participant, error, out);
            }
            Input::Exited { generation, participant, termination } => {
                self.exited(now, generation, participant, termination, out);
            }
            Input::Stopped { generation, participant, clean } => {
                self.stopped(now, generation, participant, clean, out);
            }
            Input::Next { generation, caller } => self.next(now, generation, caller, out)?,
            Input::Vanished { ticket, generation } => self.vanished(now, ticket, generation, out),
            Input::BeginResponse { generation, id } => {
                self.begin_upload(generation, &id, Call::Response)?;
            }
            Input::BeginError { generation, id } => {
                self.begin_upload(generation, &id, Call::Error)?;
            }
            Input::Finish { ticket, generation, end } => {
                self.finish(now, ticket, generation, end, out)?;
            }
            Input::InitError { generation, error_type } => {
                self.init_error(now, generation, error_type, out)?;
            }
            Input::Register { generation, id, registration } => {
                self.register(generation, id, &registration, out)?;
            }
            Input::NextEvent { generation, id, caller } => {
                self.next_event(now, generation, id, caller, out)?;
            }
            Input::ExtensionError { generation, id, report } => {
                self.extension_error(now, generation, id, &report)?;
            }
            Input::EventVanished { generation, id, ticket } => {
                self.event_vanished(generation, id, ticket, out);
            }
            Input::Tick => self.tick(now, out),
            Input::Shutdown { deadline } => self.shutdown(now, deadline, out),
            Input::Kill => self.kill(now, out),
        }
        Ok(())
    }

    /// When to feed the next [`Input::Tick`], if time matters at all now.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let (own, reminder) = match &self.phase {
            Phase::Init(init) => (init.deadline, init.reminder),
            Phase::Ready | Phase::Invoking => (None, None),
            Phase::Idle | Phase::Stopping(_) | Phase::Closed => return None,
        };
        let invocation = self.active.as_ref().map(|active| active.deadline);
        let doom = self.doom.map(|doom| doom.deadline);
        earlier(earlier(own, reminder), earlier(invocation, earlier(doom, self.closing)))
    }

    /// The generation that runs or will run next.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The state of the runtime.
    #[must_use]
    pub const fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// The invocation that holds the sandbox.
    #[must_use]
    pub fn reserved(&self) -> Option<Ticket> {
        self.active.as_ref().map(|active| active.ticket)
    }

    /// The invocations that wait for their turn, first come first.
    pub fn waiting(&self) -> impl Iterator<Item = Ticket> + '_ {
        self.queue.iter().map(|(ticket, _)| *ticket)
    }

    /// Whether one more invocation that arrives would be refused for want of room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        // Without a running invocation one of the waiting is only waiting for the runtime.
        self.queue.len() >= self.policy.queue_limit + usize::from(self.active.is_none())
    }

    /// Forgets a parked caller that has gone.
    pub fn unpark(&mut self, gone: Caller) {
        self.parked.retain(|parked| *parked != gone);
        for extension in &mut self.extensions {
            extension.parked = extension.parked.filter(|parked| *parked != gone);
        }
    }

    /// What it is doing, for health checks.
    #[must_use]
    pub fn health(&self) -> Health {
        if self.closing.is_some() { Health::ShuttingDown } else { self.activity() }
    }

    /// What it is doing, whether or not that is the last thing it does.
    #[must_use]
    pub fn activity(&self) -> Health {
        match &self.phase {
            Phase::Idle if self.init_failed => Health::Failed,
            Phase::Idle => Health::Idle,
            Phase::Init(_) => Health::Initializing,
            Phase::Ready => Health::Ready,
            Phase::Invoking => Health::Invoking,
            Phase::Stopping(_) => Health::Resetting,
            Phase::Closed => Health::ShuttingDown,
        }
    }
}

/// The earlier of two, if there is one. Asked several times for each invocation: the shortest of
/// an array of options would be a line, and 700 instructions.
fn earlier(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
