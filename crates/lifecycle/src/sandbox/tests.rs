//! Tests in three layers: transcripts (what a script of inputs leads to), exploration (every state,
//! every input) and properties (long random lives). This module has the words they share.

mod exploration;
mod property;
mod transcript;

use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, InvokeRefusal};
use rapid_interop::process::{LaunchError, Termination};

use super::*;
use crate::effect::{Answer, EndStatus};
use crate::input::UploadEnd;
use crate::stop;

/// Short times and short queues, all different.
const POLICY: Policy = Policy {
    function_timeout: Duration::from_millis(1000),
    init_timeout: Duration::from_millis(500),
    init_error_grace: Duration::from_millis(50),
    queue_limit: 2,
    parked_limit: 4,
};

const MILLISECOND: u64 = 1_000_000;

/// A sandbox at a point in time.
#[derive(Clone, Debug)]
struct World {
    sandbox: Sandbox,
    now: Mono,
}

impl World {
    fn new(policy: Policy) -> Self {
        Self { sandbox: Sandbox::new(policy), now: Mono::default() }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// One step. After every one of them: a refusal changed nothing and said nothing, nothing waits
    /// without an end, and a tick is not asked for twice.
    fn step(&mut self, input: Input) -> Result<Vec<Effect>, RuntimeRefusal> {
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

    /// What a well-behaved engine and runtime would feed next; `None` when nothing is to be done.
    fn sensible(&self, caller: Caller) -> Option<Input> {
        let sandbox = &self.sandbox;
        let generation = sandbox.generation;
        let next = Input::Next { generation, caller };
        let (ticket, id) = match &sandbox.active {
            Some(active) => (active.ticket, active.id.clone()),
            None => (Ticket(0), id_of(Ticket(0))),
        };
        let exited = Input::Exited { generation, termination: Termination::Exited(1) };
        match (&sandbox.phase, sandbox.runtime) {
            _ if sandbox.launching => Some(Input::Launched),
            (Phase::Idle | Phase::Ready | Phase::Closed, _) => None,
            (Phase::Stopping(_), _) => Some(Input::Stopped { generation, clean: true }),
            (Phase::Init(_), Runtime::InitError) => Some(exited),
            (Phase::Init(_), _) => Some(next),
            (Phase::Invoking, Runtime::Running) => Some(Input::BeginResponse { generation, id }),
            (Phase::Invoking, Runtime::InvocationResponse | Runtime::InvocationErrorResponse) => {
                Some(Input::Finish { ticket, generation, end: UploadEnd::Response })
            }
            (Phase::Invoking, _) => Some(next),
        }
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
        for caller in (5000..).map(Caller).take(60) {
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
        for _ in 0..5 {
            let effects = world.step(input).expect("no call of the runtime");
            closed += effects.iter().filter(|e| matches!(e, Effect::Closed { .. })).count();
            input = if world.sandbox.launching {
                Input::Launched
            } else if matches!(world.sandbox.phase, Phase::Stopping(_)) {
                Input::Stopped { generation: world.sandbox.generation, clean: true }
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
