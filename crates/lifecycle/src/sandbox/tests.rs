//! Tests in three layers: transcripts (what a script of inputs leads to), exploration (every state,
//! every input) and properties (long random lives). This module has the words they share.

mod exploration;
mod property;
mod transcript;

use rapid_fatal_error::ErrorType;
use rapid_interop::extension::{ExtensionErrorReport, Registration};
use rapid_interop::ports::{Failure, InvokeRefusal};
use rapid_interop::process::{LaunchError, Termination};
use rapid_interop::{ExtensionId, ExtensionKind};

use super::*;
use crate::effect::{Answer, ExtensionNotice, Milestone};
use crate::extension::ExtensionState;
use crate::input::{Found, UploadEnd};
use crate::stop;

/// Short times and short queues, all different.
const POLICY: Policy = Policy {
    function_timeout: Duration::from_millis(1000),
    init_timeout: Duration::from_millis(500),
    init_error_grace: Duration::from_millis(50),
    reminder: Duration::from_millis(40),
    shutdown_budget: Duration::from_millis(200),
    queue_limit: 2,
    parked_limit: 4,
};

const MILLISECOND: u64 = 1_000_000;

/// A sandbox at a point in time.
#[derive(Clone, Debug)]
struct World {
    sandbox: Sandbox,
    now: Mono,
    /// The extensions that lie there to be started: capital letters; or [`World::DISABLED`].
    files: &'static str,
}

impl World {
    /// Extensions are turned off.
    const DISABLED: &'static str = "disabled";

    fn new(policy: Policy) -> Self {
        Self { sandbox: Sandbox::new(policy), now: Mono::default(), files: "" }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// One step. After every one of them: a refusal changed nothing and said nothing, nothing waits
    /// without an end, and a tick is not asked for twice.
    fn step(&mut self, input: Input) -> Result<Vec<Effect>, Refusal> {
        let before = self.sandbox.clone();
        let mut effects = Vec::new();
        let told = input.clone();
        let result = self.sandbox.step(self.now, input, &mut effects);
        if result.is_err() {
            assert_eq!(self.sandbox, before, "refused {told:?} left a mark");
            assert_eq!(effects, [], "refused {told:?} was heard");
        }
        if matches!(self.sandbox.phase, Phase::Init(_) | Phase::Invoking) {
            let due = self.sandbox.deadline().expect("nothing may wait for ever");
            let closing = self.sandbox.closing.unwrap_or(due);
            assert!(due <= closing, "{self:?} outlasts its shutdown");
        }
        if matches!(told, Input::Tick) {
            let again = self.sandbox.deadline().is_some_and(|deadline| deadline <= self.now);
            assert!(!again, "{self:?} asks for a tick that was just fed");
        }
        result.map(|()| effects)
    }

    /// What a look at the places for extensions finds.
    fn found(&self) -> Found {
        if self.files == Self::DISABLED {
            return Found::Disabled;
        }
        let files = self.files.chars().map(|name| (extension_id(name), name.to_string().into()));
        Found::Files(files.collect())
    }

    /// What a well-behaved engine, runtime and extensions would feed next; `None` when nothing is
    /// to be done.
    fn sensible(&self, caller: Caller) -> Option<Input> {
        let sandbox = &self.sandbox;
        let generation = sandbox.generation;
        let next = Input::Next { generation, caller };
        let (ticket, id) = match &sandbox.active {
            Some(active) => (active.ticket, active.id.clone()),
            None => (Ticket(0), id_of(Ticket(0))),
        };
        match (&sandbox.phase, sandbox.runtime) {
            _ if sandbox.pending == Some(Pending::Discovery) => {
                Some(Input::Discovered { found: self.found() })
            }
            _ if sandbox.pending.is_some() => {
                let Some(Pending::Launch(participant)) = sandbox.pending else { return None };
                Some(Input::Launched { participant })
            }
            (Phase::Stopping(stopping), _) => stopping.awaits().map(|participant| Input::Stopped {
                generation,
                participant,
                clean: true,
            }),
            (Phase::Idle | Phase::Closed, _) => None,
            (Phase::Init(_), Runtime::InitError) => Some(self.exit_of(Participant::Runtime)),
            (Phase::Init(init), _) if init.stage == Stage::Runtime => Some(next),
            (Phase::Invoking, Runtime::Running) => Some(Input::BeginResponse { generation, id }),
            (Phase::Invoking, Runtime::InvocationResponse | Runtime::InvocationErrorResponse) => {
                Some(Input::Finish { ticket, generation, end: UploadEnd::Response })
            }
            (Phase::Invoking, _)
                if sandbox.active.as_ref().is_some_and(|active| active.ready.is_none()) =>
            {
                Some(next)
            }
            (Phase::Init(_) | Phase::Ready | Phase::Invoking, _) => self.sensible_extension(caller),
        }
    }

    /// What the first extension does that has something to do.
    fn sensible_extension(&self, caller: Caller) -> Option<Input> {
        let generation = self.sandbox.generation;
        let ready = matches!(self.sandbox.phase, Phase::Ready);
        self.sandbox.extensions.iter().find_map(|extension| {
            let (id, name) = (extension.id, extension.name.clone());
            match extension.state {
                ExtensionState::Started => Some(Input::Register {
                    generation,
                    id,
                    registration: Registration {
                        name,
                        events: vec!["INVOKE".into(), "SHUTDOWN".into()],
                    },
                }),
                ExtensionState::Ready => None,
                ExtensionState::Registered | ExtensionState::Running if !ready => {
                    Some(Input::NextEvent { generation, id, caller })
                }
                ExtensionState::InitError | ExtensionState::ExitError => {
                    Some(self.exit_of(match extension.kind {
                        ExtensionKind::External => Participant::Extension(id),
                        ExtensionKind::Internal => Participant::Runtime,
                    }))
                }
                state @ (ExtensionState::Registered
                | ExtensionState::Running
                | ExtensionState::ShutdownFailed
                | ExtensionState::Exited
                | ExtensionState::LaunchError) => {
                    panic!("an extension is {state} in {self:?}")
                }
            }
        })
    }

    fn exit_of(&self, participant: Participant) -> Input {
        let generation = self.sandbox.generation;
        Input::Exited { generation, participant, termination: Termination::Exited(1) }
    }

    /// Holds in every state: a new invocation gets its turn and succeeds, or, when everything is to
    /// end, the end comes without further inputs but news and time.
    fn assert_live(&self) {
        let mut world = self.clone();
        if world.sandbox.closing.is_some() {
            world.assert_closes();
            return;
        }
        let newcomer = Ticket(1000);
        let mut arrived = false;
        for caller in (5000..).map(Caller).take(120) {
            let input = if !arrived && !world.sandbox.is_full() {
                arrived = true;
                Input::Arrive { ticket: newcomer, id: id_of(newcomer) }
            } else if let Some(input) = world.sensible(caller) {
                input
            } else {
                panic!("{self:?} came to rest in {world:?}");
            };
            let effects = world.step(input).unwrap_or_else(|refusal| {
                panic!("{refusal} from {self:?}");
            });
            for effect in effects {
                if let Effect::Reached(Milestone::End { ticket, status, .. }) = effect
                    && ticket == newcomer
                {
                    assert_eq!(status, EndStatus::Success, "from {self:?}");
                    return;
                }
            }
        }
        panic!("a new invocation did not get through from {self:?}");
    }

    /// Shuts down and feeds nothing but news and time.
    fn assert_closes(&self) {
        let mut world = self.clone();
        let mut closed = 0;
        let deadline = world.now + Duration::from_millis(10);
        let mut input = Input::Shutdown { deadline };
        for _ in 0..20 {
            let effects = world.step(input).expect("no call of a client");
            closed += effects.iter().filter(|e| matches!(e, Effect::Closed { .. })).count();
            let news = world.sandbox.pending.is_some();
            let stopping = matches!(world.sandbox.phase, Phase::Stopping(_));
            input = if let Some(input) = world.sensible(Caller(0)).filter(|_| news || stopping) {
                input
            } else {
                world.now = world.sandbox.deadline().unwrap_or(world.now).max(world.now);
                Input::Tick
            };
        }
        assert_eq!(world.sandbox.phase, Phase::Closed, "from {self:?}");
        assert_eq!(closed, usize::from(self.sandbox.phase != Phase::Closed), "from {self:?}");
    }
}

/// The id that goes with a ticket unless a test says otherwise.
fn id_of(ticket: Ticket) -> RequestId {
    RequestId::parse(&format!("id-{}", ticket.0)).expect("a valid id")
}

/// The id of the extension with that letter.
fn extension_id(name: char) -> ExtensionId {
    ExtensionId::from_u128(u128::from(u32::from(name)))
}
