//! [`Sandbox`]: the lifecycle of one execution environment, from input to effects.
//!
//! This file holds the state and the one way in; what an input does stands in the modules below,
//! by what it is about.

mod call;
mod ending;
mod initialisation;
mod invocation;

use std::collections::VecDeque;
use std::time::Duration;

use rapid_fatal_error::{ErrorType, FirstFatalError};
use rapid_interop::limits::DEFAULT_INIT_TIMEOUT;
use rapid_interop::ports::{Health, RuntimeRefusal};
use rapid_interop::{Generation, InitPhase, Mono, RequestId, ResetReason};

use crate::effect::{Effect, InitTime, Milestone};
use crate::input::{Caller, Input, Ticket};
use crate::runtime::{Call, Runtime};

/// What the sandbox decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long an invocation may take.
    pub function_timeout: Duration,
    /// How long an initialisation outside an invocation may take.
    pub init_timeout: Duration,
    /// How long a runtime may linger after it has reported that it cannot initialise.
    pub init_error_grace: Duration,
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
    /// A launch is under way. It may be overtaken by calls of the process that it starts.
    launching: bool,
    parked: VecDeque<Caller>,
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing runs.
    Idle,
    /// The runtime was or is being started and has not asked for an event yet.
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
    /// What the runtime reported as its reason.
    reported: Option<ErrorType>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stopping {
    reason: ResetReason,
    /// Reported once everything is gone.
    ended: Option<Milestone>,
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
    /// What the platform answered with instead of the runtime's response.
    fault: Option<ErrorType>,
}

type Out = Vec<Effect>;

impl Sandbox {
    /// A sandbox in which nothing runs yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            generation: Generation::FIRST,
            phase: Phase::Idle,
            runtime: Runtime::Started,
            launching: false,
            parked: VecDeque::new(),
            active: None,
            queue: VecDeque::new(),
            first_fatal: FirstFatalError::default(),
            suppressed: false,
            init_failed: false,
            init_time: None,
            closing: None,
        }
    }

    /// Takes one event in and appends what is to be done to `out`.
    ///
    /// # Errors
    /// Calls of the runtime that are not allowed now are refused; nothing changed then and `out`
    /// is untouched. Every other input is always accepted.
    pub fn step(&mut self, now: Mono, input: Input, out: &mut Out) -> Result<(), RuntimeRefusal> {
        match input {
            Input::Start => self.start(now, out),
            Input::Arrive { ticket, id } => self.arrive(now, ticket, id, out),
            Input::Withdraw { ticket } => self.withdraw(ticket, out),
            Input::Launched => self.launched(now, out),
            Input::LaunchFailed { error } => self.launch_failed(now, error, out),
            Input::Exited { generation, termination } => {
                self.exited(now, generation, termination, out);
            }
            Input::Stopped { generation, clean } => self.stopped(now, generation, clean, out),
            Input::Next { generation, caller } => return self.next(now, generation, caller, out),
            Input::Vanished { ticket, generation } => self.vanished(now, ticket, generation, out),
            Input::BeginResponse { generation, id } => {
                return self.begin_upload(generation, &id, Call::Response);
            }
            Input::BeginError { generation, id } => {
                return self.begin_upload(generation, &id, Call::Error);
            }
            Input::Finish { ticket, generation, end } => {
                return self.finish(now, ticket, generation, end, out);
            }
            Input::InitError { generation, error_type } => {
                return self.init_error(now, generation, error_type, out);
            }
            Input::Tick => self.tick(now, out),
            Input::Shutdown { deadline } => self.shutdown(now, deadline, out),
        }
        Ok(())
    }

    /// When to feed the next [`Input::Tick`], if time matters at all now.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let own = match &self.phase {
            Phase::Init(init) => init.deadline,
            Phase::Invoking => None,
            Phase::Idle | Phase::Ready | Phase::Stopping(_) | Phase::Closed => return None,
        };
        let invocation = self.active.as_ref().map(|active| active.deadline);
        [own, invocation, self.closing].into_iter().flatten().min()
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

    /// Forgets parked callers that are gone, for when there are too many.
    pub fn retain_parked(&mut self, still_there: impl FnMut(&Caller) -> bool) {
        self.parked.retain(still_there);
    }

    /// What it is doing, for health checks.
    #[must_use]
    pub fn health(&self) -> Health {
        match &self.phase {
            _ if self.closing.is_some() => Health::ShuttingDown,
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

#[cfg(test)]
mod tests;
