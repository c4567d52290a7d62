//! Long random lives, with a ledger of what every invocation, caller and generation was given.

mod moves;

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use moves::{Move, a_move};

use super::*;

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
    generation: Generation,
    init: InitStage,
    launched: bool,
    launch_news: bool,
    stopped: bool,
    closed: bool,
}

impl Life {
    fn new() -> Self {
        Self {
            world: World::new(POLICY),
            fates: Vec::new(),
            waiting: VecDeque::new(),
            running: None,
            parked: BTreeSet::new(),
            callers: 0,
            generation: Generation::FIRST,
            init: InitStage::NotBegun,
            launched: false,
            launch_news: false,
            stopped: false,
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
        let Ok(effects) = self.world.step(input.clone()) else {
            return;
        };
        if let Input::Arrive { ticket, .. } = input {
            self.fates.push(Fate::default());
            self.waiting.push_back(ticket);
        } else if let Input::Next { caller, .. } = input {
            assert!(self.parked.insert(caller));
        } else if matches!(input, Input::Launched | Input::LaunchFailed { .. }) {
            self.launch_news |= self.launched;
        }
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
    }

    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::Launch { generation } => {
                assert_eq!(generation, self.generation);
                assert!(!self.launched, "launched twice in generation {generation}");
                assert!(matches!(self.init, InitStage::Begun(_)));
                self.launched = true;
            }
            Effect::Stop { generation, .. } => {
                assert_eq!(generation, self.generation);
                assert!(self.launch_news, "stopped before the news of its launch");
                assert!(!self.stopped, "stopped twice in generation {generation}");
                self.stopped = true;
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
            Milestone::End { ticket, duration, .. } => {
                assert_eq!(self.running.take(), Some(*ticket));
                assert!(*duration <= POLICY.function_timeout);
                let fate = self.fate(*ticket);
                assert!(!fate.ended && fate.told == Some("answered"), "{fate:?}");
                assert!(fate.done || !fate.handed, "handed over and not done: {fate:?}");
                fate.ended = true;
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
        assert!(self.stopped, "a generation ended without a stop");
        assert_eq!(self.init, InitStage::Reported, "an initialisation was never reported");
        assert_eq!(self.running, None, "an invocation outlived its generation");
        assert_eq!(self.parked, BTreeSet::new(), "callers outlived their generation");
        self.generation = now;
        self.init = InitStage::NotBegun;
        (self.launched, self.launch_news, self.stopped) = (false, false, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_invocation_caller_and_generation_gets_what_it_is_owed_exactly_once(
        moves in prop::collection::vec(a_move(), 0..250),
        shutdown in 0_u64..1500,
        rest in prop::collection::vec(a_move(), 0..30),
    ) {
        let mut life = Life::new();
        moves.into_iter().for_each(|next| life.go(next));
        life.world.assert_live();
        life.go(Move::Shutdown(shutdown));
        rest.into_iter().for_each(|next| life.go(next));
        life.go(Move::Shutdown(0));
        for _ in 0..3 {
            life.go(Move::Sensible);
        }
        prop_assert!(life.closed, "{life:?}");
    }

    #[test]
    fn no_input_and_no_policy_leads_to_a_panic(
        moves in prop::collection::vec((a_move(), any::<u64>()), 0..60),
        limits in (0_usize..3, 0_usize..3),
        times in [0_u64..3, 0_u64..3, 0_u64..3],
    ) {
        let [function_timeout, init_timeout, init_error_grace] =
            times.map(|time| Duration::from_secs(time.pow(40)));
        let (queue_limit, parked_limit) = limits;
        let policy =
            Policy { function_timeout, init_timeout, init_error_grace, queue_limit, parked_limit };
        let mut life = Life::new();
        let mut sandbox = Sandbox::new(policy);
        for (next, instant) in moves {
            let Some(input) = life.fit(next) else { continue };
            let mut effects = Vec::new();
            let now = Mono::from_nanos(instant);
            if sandbox.step(now, input, &mut effects).is_err() {
                prop_assert_eq!(effects, []);
            }
            life.world = World { sandbox: sandbox.clone(), now };
            life.generation = sandbox.generation();
        }
    }
}
