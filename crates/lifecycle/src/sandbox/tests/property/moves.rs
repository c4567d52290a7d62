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
    Launched,
    LaunchFailed,
    Exited(Whose, Termination),
    Stopped(Whose, bool),
    Next(Whose),
    Vanished(Which, Whose),
    BeginResponse(Which, Whose),
    BeginError(Which, Whose),
    Finish(Which, Whose, UploadEnd),
    InitError(Whose),
    Tick,
    Shutdown(u64),
}

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
        1 => Just(Move::Launched),
        1 => Just(Move::LaunchFailed),
        2 => (whose(), termination()).prop_map(|(whose, how)| Move::Exited(whose, how)),
        2 => (whose(), any::<bool>()).prop_map(|(whose, clean)| Move::Stopped(whose, clean)),
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
            Move::Launched => Input::Launched,
            Move::LaunchFailed => {
                Input::LaunchFailed { error: LaunchError::NotFound { path: "x".to_owned() } }
            }
            Move::Exited(whose, termination) => {
                Input::Exited { generation: self.generation(whose), termination }
            }
            Move::Stopped(whose, clean) => {
                Input::Stopped { generation: self.generation(whose), clean }
            }
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
