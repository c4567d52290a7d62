//! Long random lives, with a ledger of what every invocation, caller and generation was given.

mod moves;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use moves::{Move, a_move};

use super::*;
use crate::effect::Awaited;

/// What an invocation was given.
#[derive(Debug, Default)]
struct Fate {
    /// `"answered"`, `"refused"` or `"forgotten"`.
    told: Option<&'static str>,
    started: bool,
    handed: bool,
    done: bool,
    ended: bool,
}

/// How far the initialisation of the current generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InitStage {
    NotBegun,
    Begun(InitPhase),
    RuntimeDone(InitPhase),
    Reported,
}

#[derive(Debug)]
struct Life {
    world: World,
    fates: Vec<Fate>,
    /// The invocations taken in that have not had their turn, as the ledger sees it.
    waiting: VecDeque<Ticket>,
    running: Option<Ticket>,
    /// The callers that are parked, out of all that ever called.
    parked: BTreeSet<Caller>,
    callers: u64,
    /// The calls of extensions that are parked.
    parked_extensions: BTreeMap<Caller, ExtensionId>,
    /// Which extension has an event: of an invocation, or of the end.
    events: BTreeSet<(ExtensionId, Option<Ticket>)>,
    generation: Generation,
    init: InitStage,
    launched: BTreeSet<Participant>,
    /// The processes that are known to run.
    known: BTreeSet<Participant>,
    stopped: BTreeSet<Participant>,
    killed: bool,
    closed: bool,
}

impl Life {
    fn new(files: &'static str) -> Self {
        let mut world = World::new(POLICY);
        world.files = files;
        Self {
            world,
            fates: Vec::new(),
            waiting: VecDeque::new(),
            running: None,
            parked: BTreeSet::new(),
            callers: 0,
            parked_extensions: BTreeMap::new(),
            events: BTreeSet::new(),
            generation: Generation::FIRST,
            init: InitStage::NotBegun,
            launched: BTreeSet::new(),
            known: BTreeSet::new(),
            stopped: BTreeSet::new(),
            killed: false,
            closed: false,
        }
    }

    fn go(&mut self, next: Move) {
        if let Move::Pass(millis) = next {
            self.world.pass(Duration::from_millis(millis));
        } else if let Some(input) = self.fit(next) {
            self.feed(input);
        }
    }

    fn feed(&mut self, input: Input) {
        let sandbox = &self.world.sandbox;
        let (before, was_full) = (sandbox.reserved(), sandbox.is_full());
        let pending = sandbox.pending;
        let Ok(effects) = self.world.step(input.clone()) else {
            return;
        };
        if let Input::Arrive { ticket, .. } = input {
            self.fates.push(Fate::default());
            self.waiting.push_back(ticket);
        } else if let Input::Next { caller, .. } = input {
            assert!(self.parked.insert(caller));
        } else if let Input::NextEvent { caller, id, .. } = input {
            assert_eq!(self.parked_extensions.insert(caller, id), None);
        } else if let Input::EventVanished { id, ticket, generation } = input
            && generation == self.generation
        {
            self.events.remove(&(id, ticket));
        } else if let Input::Launched { participant } = input
            && pending == Some(Pending::Launch(participant))
        {
            self.known.insert(participant);
        }
        self.killed |= matches!(input, Input::Kill);
        for effect in effects {
            assert!(!self.closed || matches!(effect, Effect::Refuse { .. }), "{effect:?} at last");
            if let Effect::Refuse { refusal: InvokeRefusal::TooManyRequests, .. } = effect {
                assert!(was_full, "refused for want of room that was there");
            }
            if let Effect::Answer { ticket, .. } = effect {
                assert_eq!(before, Some(ticket), "answered, but another one held the sandbox");
            }
            self.note(effect);
        }
        self.roll_over();
        self.compare(before);
    }

    /// After each step the ledger and the sandbox agree on who waits and who is served.
    fn compare(&mut self, before: Option<Ticket>) {
        let sandbox = &self.world.sandbox;
        let reserved = sandbox.reserved();
        if reserved.is_some() && reserved != before {
            assert_eq!(self.waiting.pop_front(), reserved, "out of turn");
        }
        assert!(sandbox.waiting().eq(self.waiting.iter().copied()), "{self:?}");
        assert!(sandbox.parked.iter().eq(&self.parked), "{self:?}");
        let parked: BTreeMap<Caller, ExtensionId> = sandbox
            .extensions
            .iter()
            .filter_map(|extension| Some((extension.parked?, extension.id)))
            .collect();
        assert_eq!(parked, self.parked_extensions);
    }

    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::Discover => assert!(self.launched.is_empty(), "looked for too late"),
            Effect::Launch { generation, participant } => {
                assert_eq!(generation, self.generation);
                assert!(matches!(self.init, InitStage::Begun(_)));
                assert!(!self.launched.contains(&Participant::Runtime), "the runtime is last");
                assert!(self.launched.insert(participant), "{participant:?} launched twice");
            }
            Effect::Stop { generation, participant, plan, .. } => {
                assert_eq!(generation, self.generation);
                assert!(self.world.sandbox.pending.is_none(), "stopped during a launch");
                let again = !self.stopped.insert(participant);
                assert!(!again || self.killed, "{participant:?} stopped twice");
                assert!(!self.killed || plan == stop::kill(), "{participant:?} is to go at once");
                let last = participant == Participant::Runtime;
                assert!(last || self.stopped.contains(&Participant::Runtime), "before the runtime");
            }
            Effect::Notify { caller, id, event } => {
                assert_eq!(self.parked_extensions.remove(&caller), Some(id));
                let ticket = match event {
                    ExtensionNotice::Invoke { ticket, .. } => {
                        assert_eq!(self.running, Some(ticket), "{ticket:?} does not run");
                        Some(ticket)
                    }
                    ExtensionNotice::Shutdown { .. } => {
                        assert!(self.stopped.contains(&Participant::Runtime) && !self.killed);
                        None
                    }
                };
                assert!(self.events.insert((id, ticket)), "{id} was told twice");
            }
            Effect::ReleaseExtension { caller, .. } => {
                assert!(self.parked_extensions.remove(&caller).is_some(), "it was not there");
            }
            Effect::HandOver { caller, ticket, .. } => {
                assert!(self.parked.remove(&caller), "{caller:?} was not there");
                assert_eq!(self.running, Some(ticket), "{ticket:?} does not run");
                let fate = self.fate(ticket);
                assert!(fate.told.is_none() && !fate.done, "{ticket:?} was over");
                fate.handed = true;
            }
            Effect::Release { caller, .. } => {
                assert!(self.parked.remove(&caller), "{caller:?} was not there");
            }
            Effect::Answer { ticket, .. } => self.tell(ticket, "answered"),
            Effect::Refuse { ticket, .. } => self.tell(ticket, "refused"),
            Effect::Forget { ticket } => self.tell(ticket, "forgotten"),
            Effect::Reached(milestone) => self.reach(&milestone),
            Effect::Closed { .. } => {
                self.closed = true;
                assert_eq!(self.running, None);
                assert_eq!(self.parked, BTreeSet::new(), "left behind");
                assert_eq!(self.parked_extensions, BTreeMap::new(), "left behind");
                for fate in &self.fates {
                    assert!(fate.told.is_some() && fate.started == fate.ended, "{fate:?}");
                }
            }
        }
    }

    fn fate(&mut self, ticket: Ticket) -> &mut Fate {
        let index = usize::try_from(ticket.0).expect("a small number");
        self.fates.get_mut(index).expect("it arrived")
    }

    fn tell(&mut self, ticket: Ticket, what: &'static str) {
        let fate = self.fate(ticket);
        assert_eq!(fate.told, None, "{ticket:?} is {what} as well");
        fate.told = Some(what);
        if what != "answered" {
            assert!(!fate.started, "{ticket:?} had begun and is {what}");
            self.waiting.retain(|waiting| *waiting != ticket);
        }
    }

    fn reach(&mut self, milestone: &Milestone) {
        match milestone {
            Milestone::InitStart { phase } => {
                // The step that ends a generation may begin the next one.
                self.roll_over();
                assert_eq!(self.init, InitStage::NotBegun);
                self.init = InitStage::Begun(*phase);
            }
            Milestone::InitRuntimeDone { phase, .. } => {
                assert_eq!(self.init, InitStage::Begun(*phase));
                self.init = InitStage::RuntimeDone(*phase);
            }
            Milestone::InitReport { phase, status, .. } => {
                let done = self.init == InitStage::RuntimeDone(*phase);
                let failed = *status != EndStatus::Success;
                assert!(done || (failed && self.init == InitStage::Begun(*phase)), "{self:?}");
                self.init = InitStage::Reported;
            }
            Milestone::Extension { .. } => {
                assert!(!matches!(self.init, InitStage::NotBegun | InitStage::Reported));
            }
            Milestone::Awaiting { what, names, .. } => {
                assert!(!names.is_empty(), "nobody is awaited");
                let during_init = *what != Awaited::NextEvent;
                assert_eq!(matches!(self.init, InitStage::Begun(_)), during_init);
                assert_eq!(self.running.is_none(), during_init);
            }
            Milestone::Reset { extensions, .. } => {
                assert!(*extensions <= POLICY.shutdown_budget);
            }
            Milestone::Start { ticket } => {
                assert_eq!(self.init, InitStage::Reported);
                assert_eq!(self.running.replace(*ticket), None, "two at a time");
                let fate = self.fate(*ticket);
                assert!(!fate.started);
                fate.started = true;
            }
            Milestone::RuntimeDone { ticket, .. } => {
                assert_eq!(self.running, Some(*ticket));
                let fate = self.fate(*ticket);
                assert!(!fate.done, "{ticket:?} is done twice");
                fate.done = true;
            }
            Milestone::End { ticket, duration, reset, .. } => {
                assert_eq!(self.running.take(), Some(*ticket));
                assert!(*duration <= POLICY.function_timeout);
                let fate = self.fate(*ticket);
                assert!(!fate.ended && fate.told == Some("answered"), "{fate:?}");
                assert!(fate.done || !fate.handed, "handed over and not done: {fate:?}");
                fate.ended = true;
                for extension in self.world.sandbox.extensions.iter().filter(|_| !reset) {
                    let told = self.events.contains(&(extension.id, Some(*ticket)));
                    assert_eq!(told, extension.events.invoke, "{}", extension.name);
                }
            }
        }
    }

    /// Follows the sandbox into the next generation.
    fn roll_over(&mut self) {
        let now = self.world.sandbox.generation();
        if now == self.generation {
            return;
        }
        assert_eq!(now, self.generation.next(), "a generation was left out");
        assert!(self.stopped.contains(&Participant::Runtime), "it ended without a stop");
        assert!(self.known.is_subset(&self.stopped), "{:?} outlived", self.known);
        assert_eq!(self.init, InitStage::Reported, "an initialisation was never reported");
        assert_eq!(self.running, None, "an invocation outlived its generation");
        assert_eq!(self.parked, BTreeSet::new(), "callers outlived their generation");
        self.generation = now;
        self.init = InitStage::NotBegun;
        self.launched.clear();
        self.known.clear();
        self.stopped.clear();
        self.events.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_invocation_caller_and_generation_gets_what_it_is_owed_exactly_once(
        moves in prop::collection::vec(a_move(), 0..250),
        shutdown in 0_u64..1500,
        rest in prop::collection::vec(a_move(), 0..30),
        files in prop_oneof![Just(""), Just("E"), Just("EF")],
        kill in any::<bool>(),
    ) {
        let mut life = Life::new(files);
        moves.into_iter().for_each(|next| life.go(next));
        life.world.assert_live();
        life.go(Move::Shutdown(shutdown));
        rest.into_iter().for_each(|next| life.go(next));
        life.go(if kill { Move::Kill } else { Move::Shutdown(0) });
        for _ in 0..8 {
            life.go(Move::Sensible);
        }
        prop_assert!(life.closed, "{life:?}");
    }

    #[test]
    fn no_input_and_no_policy_leads_to_a_panic(
        moves in prop::collection::vec((a_move(), any::<u64>()), 0..60),
        limits in (0_usize..3, 0_usize..3),
        times in [0_u64..3, 0_u64..3, 0_u64..3, 0_u64..3, 0_u64..3],
    ) {
        let [function_timeout, init_timeout, init_error_grace, reminder, shutdown_budget] =
            times.map(|time| Duration::from_secs(time.pow(40)));
        let (queue_limit, parked_limit) = limits;
        let policy = Policy {
            function_timeout,
            init_timeout,
            init_error_grace,
            reminder,
            shutdown_budget,
            queue_limit,
            parked_limit,
        };
        let mut life = Life::new("EF");
        let mut sandbox = Sandbox::new(policy);
        for (next, instant) in moves {
            let Some(input) = life.fit(next) else { continue };
            let mut effects = Vec::new();
            let now = Mono::from_nanos(instant);
            if sandbox.step(now, input, &mut effects).is_err() {
                prop_assert_eq!(effects, []);
            }
            life.world = World { sandbox: sandbox.clone(), now, files: "EF" };
            life.generation = sandbox.generation();
        }
    }
}
