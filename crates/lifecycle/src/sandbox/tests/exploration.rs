//! The machine is small: every state it can get into, and every input in each of them.

use std::collections::BTreeSet;

use super::*;

/// Three tickets: one that runs, one that waits, one too many.
const TICKETS: [Ticket; 3] = [Ticket(1), Ticket(2), Ticket(3)];

const SMALL: Policy = Policy { queue_limit: 1, parked_limit: 2, ..POLICY };

/// What tells two states apart: everything but times, names and counts above two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    phase: &'static str,
    runtime: Runtime,
    launching: bool,
    parked: usize,
    waiting: usize,
    /// Announced, handed over, answered, at fault.
    active: Option<[bool; 4]>,
    holders: u32,
    init_error: bool,
    fatal: bool,
    suppressed: bool,
    init_time: bool,
    closing: bool,
    next_deadline: &'static str,
}

fn state(sandbox: &Sandbox) -> State {
    let active = sandbox.active.as_ref();
    let phase = match &sandbox.phase {
        Phase::Idle => "idle",
        Phase::Init(init) => init.phase.as_str(),
        Phase::Ready => "ready",
        Phase::Invoking => "invoking",
        Phase::Stopping(Stopping { ended: Some(_), .. }) => "stopping after an invocation",
        Phase::Stopping(Stopping { ended: None, .. }) => "stopping",
        Phase::Closed => "closed",
    };
    let next_deadline = match sandbox.deadline() {
        None => "none",
        due if due == active.map(|active| active.deadline) => "function",
        due if due == sandbox.closing => "closing",
        Some(_) => "init",
    };
    State {
        phase,
        runtime: sandbox.runtime,
        launching: sandbox.launching,
        parked: sandbox.parked.len(),
        waiting: sandbox.queue.len(),
        active: active.map(|active| {
            [
                active.announced,
                active.handed.is_some(),
                active.answered.is_some(),
                active.fault.is_some(),
            ]
        }),
        holders: active.map_or(0, |active| active.holders.min(2)),
        init_error: matches!(&sandbox.phase, Phase::Init(Init { reported: Some(_), .. })),
        fatal: sandbox.first_fatal.get().is_some(),
        suppressed: sandbox.suppressed,
        init_time: sandbox.init_time.is_some(),
        closing: sandbox.closing.is_some(),
        next_deadline,
    }
}

/// The inputs that carry no generation.
fn inputs(world: &World) -> Vec<Input> {
    let path = "/var/task/bootstrap".to_owned();
    let mut inputs = vec![
        Input::Start,
        Input::Launched,
        Input::LaunchFailed { error: LaunchError::NotFound { path: path.clone() } },
        Input::LaunchFailed { error: LaunchError::WorkingDirectory { path } },
        Input::Tick,
    ];
    inputs.extend(
        [0, 10, 2000]
            .map(|millis| Input::Shutdown { deadline: world.now + Duration::from_millis(millis) }),
    );
    inputs.extend(TICKETS.map(|ticket| Input::Withdraw { ticket }));
    let inside = |ticket: &Ticket| {
        world.sandbox.reserved() == Some(*ticket) || world.sandbox.waiting().any(|t| t == *ticket)
    };
    let newcomer = TICKETS.into_iter().find(|ticket| !inside(ticket));
    inputs.extend(newcomer.map(|ticket| Input::Arrive { ticket, id: id_of(ticket) }));
    inputs
}

/// The inputs that belong to a generation.
fn inputs_of(world: &World, generation: Generation) -> Vec<Input> {
    let caller = Caller(world.sandbox.parked.len() as u64);
    let mut inputs = vec![
        Input::Exited { generation, termination: Termination::Exited(0) },
        Input::Exited { generation, termination: Termination::OutOfMemory },
        Input::Stopped { generation, clean: true },
        Input::Stopped { generation, clean: false },
        Input::Next { generation, caller },
        Input::InitError { generation, error_type: ErrorType::RuntimeUnknown },
    ];
    for ticket in TICKETS {
        inputs.extend([
            Input::Vanished { ticket, generation },
            Input::BeginResponse { generation, id: id_of(ticket) },
            Input::BeginError { generation, id: id_of(ticket) },
            Input::Finish { ticket, generation, end: UploadEnd::Response },
            Input::Finish { ticket, generation, end: UploadEnd::Error },
            Input::Finish { ticket, generation, end: UploadEnd::Failed(Failure::Truncated) },
        ]);
    }
    inputs
}

fn assert_sound(world: &World) {
    let World { sandbox, .. } = world;
    let invoking = matches!(sandbox.phase, Phase::Invoking);
    let inside = matches!(&sandbox.phase, Phase::Init(Init { phase: InitPhase::Invoke, .. }));
    assert_eq!(sandbox.active.is_some(), invoking || inside, "{sandbox:?}");
    if matches!(sandbox.phase, Phase::Idle | Phase::Ready) {
        assert!(sandbox.queue.is_empty(), "somebody waits for nothing: {sandbox:?}");
    }
    if matches!(sandbox.phase, Phase::Ready) {
        assert_eq!(sandbox.runtime, Runtime::Ready, "{sandbox:?}");
    }
    if invoking && sandbox.runtime == Runtime::Ready {
        assert!(sandbox.parked.is_empty(), "an event and a caller wait: {sandbox:?}");
    }
    if sandbox.closing.is_some() {
        assert!(sandbox.queue.is_empty(), "somebody waits for a turn: {sandbox:?}");
        assert_eq!(sandbox.health(), Health::ShuttingDown);
    }
    let waiting = sandbox.queue.len() + usize::from(sandbox.active.is_some());
    assert!(waiting <= SMALL.queue_limit + 1, "{sandbox:?}");
}

#[test]
fn in_every_state_every_input_keeps_the_promises_and_the_end_can_be_reached() {
    let start = World::new(SMALL);
    let mut seen = BTreeSet::from([state(&start.sandbox)]);
    let mut todo = vec![start];
    while let Some(world) = todo.pop() {
        assert_sound(&world);
        world.assert_live();
        world.assert_closes();

        let current = world.sandbox.generation;
        for generation in [Generation::default(), current.next()] {
            for input in inputs_of(&world, generation) {
                let mut other = world.clone();
                let told = input.clone();
                let effects = other.step(input).unwrap_or_default();
                assert_eq!(effects, [], "{told:?} in {world:?}");
                assert_eq!(other.sandbox, world.sandbox, "{told:?}");
            }
        }

        let mut late = world.clone();
        late.now = world.sandbox.deadline().unwrap_or(world.now).max(world.now);
        let now = inputs(&world).into_iter().chain(inputs_of(&world, current));
        let steps = now.map(|input| (&world, input)).chain([(&late, Input::Tick)]);
        for (before, input) in steps {
            let mut after = before.clone();
            let told = input.clone();
            let Ok(effects) = after.step(input) else {
                continue;
            };
            if before.sandbox.phase == Phase::Closed {
                assert_eq!(after.sandbox.phase, Phase::Closed, "left by {told:?}");
                let refused = effects.iter().all(|e| matches!(e, Effect::Refuse { .. }));
                assert!(refused, "{told:?} in a closed sandbox led to {effects:?}");
            }
            if seen.insert(state(&after.sandbox)) {
                todo.push(after);
            }
        }
    }
    // A new state has to be owned up to here.
    assert_eq!(seen.len(), 926);
}
