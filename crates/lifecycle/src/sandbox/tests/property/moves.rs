//! What random lives are made of.

use super::*;

/// An input that still has to be fitted to what is going on.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// Let this many milliseconds pass.
    Pass(u64),
    /// Let time pass until it matters.
    Expire,
    /// What a well-behaved engine and runtime would do next.
    Sensible,
    Start,
    Arrive,
    Withdraw(Which),
    Discovered(bool),
    Launched(Part),
    LaunchFailed(Part),
    Exited(Part, Whose, Termination),
    Stopped(Part, Whose, bool),
    Register(char, Whose, usize),
    NextEvent(char, Whose),
    ExtensionError(char, Whose, ExtensionErrorKind),
    EventVanished(char, Whose, Option<Which>),
    Unpark(usize),
    Next(Whose),
    Vanished(Which, Whose),
    BeginResponse(Which, Whose),
    BeginError(Which, Whose),
    Finish(Which, Whose, UploadEnd),
    InitError(Whose),
    Tick,
    Shutdown(u64),
    Kill,
}

/// The runtime, or the extension of that name.
pub(super) type Part = Option<char>;

/// What extensions may register for.
const EVENTS: [&[&str]; 5] =
    [&["INVOKE", "SHUTDOWN"], &["INVOKE"], &["SHUTDOWN"], &[], &["INVOKE", "BOGUS"]];

/// Which invocation: the one that runs, or one of the last that arrived.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    Reserved,
    Recent(u64),
}

/// Whose generation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose {
    Current,
    Older,
    Newer,
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![3 => Just(Which::Reserved), 2 => (0_u64..4).prop_map(Which::Recent)]
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![10 => Just(Whose::Current), 1 => Just(Whose::Older), 1 => Just(Whose::Newer)]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![Just(None), Just(Some('E')), Just(Some('F'))]
}

/// Two that may be external, two that never are.
fn extension() -> impl Strategy<Value = char> {
    prop_oneof![3 => Just('E'), 2 => Just('F'), 2 => Just('I'), 1 => Just('J')]
}

fn kind() -> impl Strategy<Value = ExtensionErrorKind> {
    prop_oneof![Just(ExtensionErrorKind::Init), Just(ExtensionErrorKind::Exit)]
}

fn termination() -> impl Strategy<Value = Termination> {
    prop_oneof![
        Just(Termination::Exited(0)),
        Just(Termination::Signaled(9)),
        Just(Termination::OutOfMemory),
    ]
}

fn upload_end() -> impl Strategy<Value = UploadEnd> {
    prop_oneof![
        Just(UploadEnd::Response),
        Just(UploadEnd::Error),
        Just(UploadEnd::Failed(Failure::ResponseTooLarge)),
    ]
}

pub(super) fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        8 => (0_u64..200).prop_map(Move::Pass),
        2 => Just(Move::Expire),
        30 => Just(Move::Sensible),
        1 => Just(Move::Start),
        10 => Just(Move::Arrive),
        2 => which().prop_map(Move::Withdraw),
        1 => any::<bool>().prop_map(Move::Discovered),
        1 => part().prop_map(Move::Launched),
        1 => part().prop_map(Move::LaunchFailed),
        2 => (part(), whose(), termination()).prop_map(|(p, w, how)| Move::Exited(p, w, how)),
        2 => (part(), whose(), any::<bool>()).prop_map(|(p, w, clean)| Move::Stopped(p, w, clean)),
        5 => (extension(), whose(), 0..EVENTS.len()).prop_map(|(e, w, n)| Move::Register(e, w, n)),
        8 => (extension(), whose()).prop_map(|(e, w)| Move::NextEvent(e, w)),
        1 => (extension(), whose(), kind()).prop_map(|(e, w, k)| Move::ExtensionError(e, w, k)),
        2 => (extension(), whose(), prop::option::of(which()))
            .prop_map(|(e, w, which)| Move::EventVanished(e, w, which)),
        2 => (0_usize..3).prop_map(Move::Unpark),
        6 => whose().prop_map(Move::Next),
        4 => (which(), whose()).prop_map(|(which, whose)| Move::Vanished(which, whose)),
        3 => (which(), whose()).prop_map(|(which, whose)| Move::BeginResponse(which, whose)),
        3 => (which(), whose()).prop_map(|(which, whose)| Move::BeginError(which, whose)),
        3 => (which(), whose(), upload_end())
            .prop_map(|(which, whose, end)| Move::Finish(which, whose, end)),
        2 => whose().prop_map(Move::InitError),
        4 => Just(Move::Tick),
    ]
}

impl Life {
    /// The input that a move is now, if it is one.
    pub(super) fn fit(&mut self, next: Move) -> Option<Input> {
        Some(match next {
            Move::Pass(_) => return None,
            Move::Expire => {
                self.world.now = self.world.sandbox.deadline()?.max(self.world.now);
                Input::Tick
            }
            Move::Sensible => {
                let caller = self.new_caller();
                return self.world.sensible(caller);
            }
            Move::Start => Input::Start,
            Move::Arrive => {
                let ticket = Ticket(self.fates.len() as u64);
                Input::Arrive { ticket, id: id_of(Ticket(ticket.0 % 3)) }
            }
            Move::Withdraw(which) => Input::Withdraw { ticket: self.ticket(which) },
            Move::Discovered(true) => Input::Discovered { found: self.world.found() },
            Move::Discovered(false) => Input::Discovered { found: Found::Files(Vec::new()) },
            Move::Launched(part) => Input::Launched { participant: participant(part) },
            Move::LaunchFailed(part) => Input::LaunchFailed {
                participant: participant(part),
                error: LaunchError::NotFound { path: "x".to_owned() },
            },
            Move::Exited(part, whose, termination) => Input::Exited {
                generation: self.generation(whose),
                participant: participant(part),
                termination,
            },
            Move::Stopped(part, whose, clean) => Input::Stopped {
                generation: self.generation(whose),
                participant: participant(part),
                clean,
            },
            Move::Register(name, whose, events) => Input::Register {
                generation: self.generation(whose),
                id: extension_id(name),
                registration: Registration {
                    name: name.to_string().into(),
                    events: EVENTS[events].iter().map(|event| Box::from(*event)).collect(),
                },
            },
            Move::NextEvent(name, whose) => Input::NextEvent {
                generation: self.generation(whose),
                id: extension_id(name),
                caller: self.new_caller(),
            },
            Move::ExtensionError(name, whose, kind) => Input::ExtensionError {
                generation: self.generation(whose),
                id: extension_id(name),
                report: ExtensionErrorReport { kind, error_type: "Some.Error".into() },
            },
            Move::EventVanished(name, whose, which) => Input::EventVanished {
                generation: self.generation(whose),
                id: extension_id(name),
                ticket: which.map(|which| self.ticket(which)),
            },
            Move::Unpark(nth) => {
                let gone = self.parked_extensions.keys().nth(nth).copied()?;
                self.parked_extensions.remove(&gone);
                self.world.sandbox.unpark(gone);
                return None;
            }
            Move::Kill => Input::Kill,
            Move::Next(whose) => {
                Input::Next { generation: self.generation(whose), caller: self.new_caller() }
            }
            Move::Vanished(which, whose) => {
                Input::Vanished { ticket: self.ticket(which), generation: self.generation(whose) }
            }
            Move::BeginResponse(which, whose) => {
                Input::BeginResponse { generation: self.generation(whose), id: self.id(which) }
            }
            Move::BeginError(which, whose) => {
                Input::BeginError { generation: self.generation(whose), id: self.id(which) }
            }
            Move::Finish(which, whose, end) => {
                let (ticket, generation) = (self.ticket(which), self.generation(whose));
                Input::Finish { ticket, generation, end }
            }
            Move::InitError(whose) => {
                let error_type = ErrorType::RuntimeUnknown;
                Input::InitError { generation: self.generation(whose), error_type }
            }
            Move::Tick => Input::Tick,
            Move::Shutdown(millis) => {
                Input::Shutdown { deadline: self.world.now + Duration::from_millis(millis) }
            }
        })
    }

    fn new_caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    fn ticket(&self, which: Which) -> Ticket {
        let latest = self.fates.len() as u64;
        match (which, self.world.sandbox.reserved()) {
            (Which::Reserved, Some(ticket)) => ticket,
            (Which::Reserved, None) => Ticket(latest),
            (Which::Recent(back), _) => Ticket(latest.saturating_sub(back)),
        }
    }

    fn id(&self, which: Which) -> RequestId {
        id_of(Ticket(self.ticket(which).0 % 3))
    }

    fn generation(&self, whose: Whose) -> Generation {
        match whose {
            Whose::Current => self.generation,
            Whose::Older => Generation::default(),
            Whose::Newer => self.generation.next(),
        }
    }
}

fn participant(part: Part) -> Participant {
    part.map_or(Participant::Runtime, |name| Participant::Extension(extension_id(name)))
}
