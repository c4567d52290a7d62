//! The machine is small: every state it can get into, and every input in each of them.

use std::collections::BTreeSet;

use super::*;

/// What there is to walk through.
#[derive(Clone, Copy)]
struct Bounds {
    policy: Policy,
    /// The files that are found, by letter.
    files: &'static str,
    /// The internal extensions that may register, by letter.
    internal: &'static str,
    tickets: &'static [Ticket],
}

/// One invocation that runs, one that waits, one too many; two callers at a time.
const WITHOUT_EXTENSIONS: Bounds = Bounds {
    policy: Policy { queue_limit: 1, parked_limit: 2, ..POLICY },
    files: "",
    internal: "",
    tickets: &[Ticket(1), Ticket(2), Ticket(3)],
};

/// One invocation, one caller and one extension.
const WITH_AN_EXTENSION: Bounds = Bounds {
    policy: Policy { queue_limit: 0, parked_limit: 1, ..POLICY },
    files: "E",
    tickets: &[Ticket(1)],
    ..WITHOUT_EXTENSIONS
};

/// What tells two states apart: everything but times, names and counts above two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    phase: &'static str,
    stage: (&'static str, usize),
    runtime: Runtime,
    pending: bool,
    parked: usize,
    waiting: usize,
    /// Announced, handed over, answered, back, at fault.
    active: Option<[bool; 5]>,
    holders: u32,
    init_error: bool,
    enabled: bool,
    fatal: bool,
    suppressed: bool,
    init_time: bool,
    closing: bool,
    abrupt: bool,
    next_deadline: &'static str,
    /// State, launched, events, parked, due, told.
    extensions: Vec<(ExtensionState, [bool; 6])>,
}

fn state(sandbox: &Sandbox) -> State {
    let active = sandbox.active.as_ref();
    let phase = match &sandbox.phase {
        Phase::Idle => "idle",
        Phase::Init(init) => init.phase.as_str(),
        Phase::Ready => "ready",
        Phase::Invoking => "invoking",
        Phase::Stopping(stopping) if stopping.ends_an_invocation() => "stopping an invocation",
        Phase::Stopping(_) => "stopping",
        Phase::Closed => "closed",
    };
    let stage = match &sandbox.phase {
        Phase::Init(init) => match init.stage {
            Stage::Launching => ("launching", 0),
            Stage::Registering => ("registering", 0),
            Stage::Runtime => ("runtime", 0),
            Stage::Agents => ("agents", 0),
        },
        Phase::Stopping(stopping) => stopping.stage(),
        Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Closed => ("", 0),
    };
    let next_deadline = match sandbox.deadline() {
        None => "none",
        due if due == active.map(|active| active.deadline) => "function",
        due if due == sandbox.closing => "closing",
        due if due == sandbox.doom.map(|doom| doom.deadline) => "doom",
        due if matches!(&sandbox.phase, Phase::Init(init) if init.reminder == due) => "reminder",
        Some(_) => "init",
    };
    let extensions = sandbox.extensions.iter().map(|e| {
        let (parked, due) = (e.parked.is_some(), e.due.is_some());
        (e.state, [e.launched, e.events.invoke, e.events.shutdown, parked, due, e.told])
    });
    State {
        phase,
        stage,
        runtime: sandbox.runtime,
        pending: sandbox.pending.is_some(),
        parked: sandbox.parked.len(),
        waiting: sandbox.queue.len(),
        active: active.map(|active| {
            [
                active.announced,
                active.handed.is_some(),
                active.answered.is_some(),
                active.ready.is_some(),
                active.fault.is_some(),
            ]
        }),
        holders: active.map_or(0, |active| active.holders.min(2)),
        init_error: matches!(&sandbox.phase, Phase::Init(Init { reported: true, .. })),
        enabled: sandbox.extensions_enabled,
        fatal: sandbox.first_fatal.get().is_some(),
        suppressed: sandbox.suppressed,
        init_time: sandbox.init_time.is_some(),
        closing: sandbox.closing.is_some(),
        abrupt: sandbox.abrupt,
        next_deadline,
        extensions: extensions.collect(),
    }
}

/// Every process there may be.
fn participants(world: &World) -> Vec<Participant> {
    let extensions = world.files.chars().map(|name| Participant::Extension(extension_id(name)));
    [Participant::Runtime].into_iter().chain(extensions).collect()
}

/// The inputs that carry no generation.
fn inputs(world: &World, tickets: &[Ticket]) -> Vec<Input> {
    let path = "/var/task/bootstrap".to_owned();
    let mut inputs = vec![
        Input::Start,
        Input::Discovered { found: world.found() },
        Input::Discovered { found: Found::Disabled },
        Input::Tick,
        Input::Kill,
    ];
    for participant in participants(world) {
        let not_found = LaunchError::NotFound { path: path.clone() };
        let directory = LaunchError::WorkingDirectory { path: path.clone() };
        inputs.extend([
            Input::Launched { participant },
            Input::LaunchFailed { participant, error: not_found },
            Input::LaunchFailed { participant, error: directory },
        ]);
    }
    inputs.extend(
        [0, 10, 2000]
            .map(|millis| Input::Shutdown { deadline: world.now + Duration::from_millis(millis) }),
    );
    inputs.extend(tickets.iter().map(|&ticket| Input::Withdraw { ticket }));
    let inside = |ticket: &Ticket| {
        world.sandbox.reserved() == Some(*ticket) || world.sandbox.waiting().any(|t| t == *ticket)
    };
    let newcomer = tickets.iter().copied().find(|ticket| !inside(ticket));
    inputs.extend(newcomer.map(|ticket| Input::Arrive { ticket, id: id_of(ticket) }));
    inputs
}

/// The inputs that belong to a generation.
fn inputs_of(world: &World, tickets: &[Ticket], generation: Generation) -> Vec<Input> {
    let caller = Caller(world.sandbox.parked.len() as u64);
    let mut inputs = vec![
        Input::Next { generation, caller },
        Input::InitError { generation, error_type: ErrorType::RuntimeUnknown },
    ];
    for participant in participants(world) {
        inputs.extend([
            Input::Exited { generation, participant, termination: Termination::Exited(0) },
            Input::Exited { generation, participant, termination: Termination::OutOfMemory },
            Input::Stopped { generation, participant, clean: true },
            Input::Stopped { generation, participant, clean: false },
        ]);
    }
    for &ticket in tickets {
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

/// What extensions may say.
fn inputs_of_extensions(world: &World, internal: &str, generation: Generation) -> Vec<Input> {
    let mut inputs = Vec::new();
    let names = world.files.chars().chain(internal.chars());
    for (name, caller) in names.zip((900..).map(Caller)) {
        let id = extension_id(name);
        for events in [&["INVOKE", "SHUTDOWN"][..], &["INVOKE"], &[], &["BOGUS"]] {
            let events = events.iter().map(|event| Box::from(*event)).collect();
            let registration = Registration { name: name.to_string().into(), events };
            inputs.push(Input::Register { generation, id, registration });
        }
        for kind in [ExtensionErrorKind::Init, ExtensionErrorKind::Exit] {
            let report = ExtensionErrorReport { kind, error_type: "Some.Error".into() };
            inputs.push(Input::ExtensionError { generation, id, report });
        }
        inputs.push(Input::NextEvent { generation, id, caller });
        inputs.push(Input::EventVanished { generation, id, ticket: None });
        let ticket = world.sandbox.reserved().or(Some(Ticket(77)));
        inputs.push(Input::EventVanished { generation, id, ticket });
    }
    inputs
}

fn assert_sound(world: &World) {
    let World { sandbox, .. } = world;
    let invoking = matches!(sandbox.phase, Phase::Invoking);
    let inside = matches!(&sandbox.phase, Phase::Init(Init { phase: InitPhase::Invoke, .. }));
    assert_eq!(sandbox.active.is_some(), invoking || inside, "{sandbox:?}");
    let doomed = sandbox.doom.is_some();
    if matches!(sandbox.phase, Phase::Idle) || (matches!(sandbox.phase, Phase::Ready) && !doomed) {
        assert!(sandbox.queue.is_empty(), "somebody waits for nothing: {sandbox:?}");
    }
    if matches!(sandbox.phase, Phase::Ready) {
        assert_eq!(sandbox.runtime, Runtime::Ready, "{sandbox:?}");
    }
    let back = sandbox.active.as_ref().is_some_and(|active| active.ready.is_some());
    if invoking && sandbox.runtime == Runtime::Ready && !back {
        assert!(sandbox.parked.is_empty(), "an event and a caller wait: {sandbox:?}");
    }
    if sandbox.closing.is_some() {
        assert!(sandbox.queue.is_empty(), "somebody waits for a turn: {sandbox:?}");
        assert_eq!(sandbox.health(), Health::ShuttingDown);
    }
    let waiting = sandbox.queue.len() + usize::from(sandbox.active.is_some());
    assert!(waiting <= sandbox.policy.queue_limit + 1, "{sandbox:?}");
}

/// Walks through every state, and returns how many there are.
fn explore(bounds: Bounds) -> usize {
    let Bounds { policy, files, internal, tickets } = bounds;
    let mut start = World::new(policy);
    start.files = files;
    let mut seen = BTreeSet::from([state(&start.sandbox)]);
    let mut todo = vec![start];
    while let Some(world) = todo.pop() {
        assert_sound(&world);
        world.assert_live();
        world.assert_closes();

        let current = world.sandbox.generation;
        let of = |generation| {
            let own = inputs_of(&world, tickets, generation);
            own.into_iter().chain(inputs_of_extensions(&world, internal, generation))
        };
        for generation in [Generation::default(), current.next()] {
            for input in of(generation) {
                let mut other = world.clone();
                let told = input.clone();
                let effects = other.step(input).unwrap_or_default();
                assert_eq!(effects, [], "{told:?} in {world:?}");
                assert_eq!(other.sandbox, world.sandbox, "{told:?}");
            }
        }

        let mut late = world.clone();
        late.now = world.sandbox.deadline().unwrap_or(world.now).max(world.now);
        let mut alone = world.clone();
        for extension in world.sandbox.extensions.iter().filter_map(|extension| extension.parked) {
            alone.sandbox.unpark(extension);
        }
        if seen.insert(state(&alone.sandbox)) {
            todo.push(alone);
        }
        let now = inputs(&world, tickets).into_iter().chain(of(current));
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
    seen.len()
}

// A new state has to be owned up to here.

#[test]
fn without_extensions_every_input_in_every_state_keeps_the_promises() {
    assert_eq!(explore(WITHOUT_EXTENSIONS), 1_665);
}

#[test]
fn with_an_external_extension_every_input_in_every_state_keeps_the_promises() {
    assert_eq!(explore(WITH_AN_EXTENSION), 9_655);
}

#[test]
fn with_an_internal_extension_every_input_in_every_state_keeps_the_promises() {
    assert_eq!(explore(Bounds { files: "", internal: "I", ..WITH_AN_EXTENSION }), 4_846);
}
