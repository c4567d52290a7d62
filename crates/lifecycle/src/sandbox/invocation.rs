//! Invocations: admission, hand-over, and how each of them ends.

use std::time::Duration;

use rapid_interop::ports::{Failure, InvokeRefusal};
use rapid_interop::{Generation, InitPhase, Mono, RequestId, ResetReason};

use super::{Active, Out, Phase, Sandbox};
use crate::effect::{Answer, Effect, EndStatus, Milestone};
use crate::input::{Caller, Ticket};
use crate::runtime::{Call, Runtime};

impl Sandbox {
    pub(super) fn start(&mut self, now: Mono, out: &mut Out) {
        if matches!(self.phase, Phase::Idle) && self.closing.is_none() && !self.suppressed {
            self.begin_init(now, InitPhase::Init, out);
        }
    }

    pub(super) fn arrive(&mut self, now: Mono, ticket: Ticket, id: RequestId, out: &mut Out) {
        let refusal = if self.closing.is_some() || matches!(self.phase, Phase::Closed) {
            Some(InvokeRefusal::ShuttingDown)
        } else if self.is_full() {
            Some(InvokeRefusal::TooManyRequests)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            out.push(Effect::Refuse { ticket, refusal });
            return;
        }
        self.queue.push_back((ticket, id));
        self.proceed(now, out);
    }

    pub(super) fn withdraw(&mut self, ticket: Ticket, out: &mut Out) {
        let before = self.queue.len();
        self.queue.retain(|(waiting, _)| *waiting != ticket);
        if self.queue.len() < before {
            out.push(Effect::Forget { ticket });
        }
    }

    /// Takes the next thing up, if the sandbox is free for it.
    pub(super) fn proceed(&mut self, now: Mono, out: &mut Out) {
        match self.phase {
            Phase::Idle if self.closing.is_some() => self.close(true, out),
            Phase::Idle if self.queue.is_empty() => {}
            Phase::Idle if self.suppressed => {
                // The initialisation runs inside the invocation, on the invocation's time.
                self.activate(now);
                self.begin_init(now, InitPhase::Invoke, out);
            }
            Phase::Idle => self.begin_init(now, InitPhase::Init, out),
            Phase::Ready if self.active.is_some() => self.start_invoke(now, out),
            Phase::Ready if self.closing.is_some() => {
                self.stop(now, ResetReason::Spindown, None, out);
            }
            // An extension is about to exit: whoever waits gets the next generation.
            Phase::Ready if self.doom.is_some() => {}
            Phase::Ready => {
                self.activate(now);
                if self.active.is_some() {
                    self.start_invoke(now, out);
                }
            }
            Phase::Init(_) | Phase::Invoking | Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    /// Gives the sandbox to the first of the waiting; its time starts now.
    pub(super) fn activate(&mut self, now: Mono) {
        self.active = self.queue.pop_front().map(|(ticket, id)| Active {
            ticket,
            id,
            begun: now,
            deadline: now + self.policy.function_timeout,
            announced: false,
            handed: None,
            holders: 0,
            answered: None,
            ready: None,
            fault: None,
        });
    }

    pub(super) fn start_invoke(&mut self, now: Mono, out: &mut Out) {
        self.phase = Phase::Invoking;
        self.announce(out);
        // All in one step, and the runtime first: it is the one that the invoker waits for.
        self.hand_over(now, out);
        self.tell_extensions(out);
    }

    pub(super) fn announce(&mut self, out: &mut Out) {
        if let Some(active) = self.active.as_mut().filter(|active| !active.announced) {
            active.announced = true;
            out.push(Effect::Reached(Milestone::Start { ticket: active.ticket }));
        }
    }

    /// Whether the runtime's part of the running invocation is over.
    pub(super) fn is_back(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.ready.is_some())
    }

    /// Gives the event to the caller that has waited longest, if there is one.
    pub(super) fn hand_over(&mut self, now: Mono, out: &mut Out) {
        if self.is_back() || self.runtime != Runtime::Ready || self.parked.is_empty() {
            return;
        }
        if let (Some(caller), Ok(running)) =
            (self.parked.pop_front(), self.runtime.on(Call::HandOver))
        {
            self.runtime = running;
            self.give(now, caller, out);
        }
    }

    pub(super) fn give(&mut self, now: Mono, caller: Caller, out: &mut Out) {
        if let Some(active) = &mut self.active {
            active.handed.get_or_insert(now);
            active.holders += 1;
            out.push(Effect::HandOver { caller, ticket: active.ticket, deadline: active.deadline });
        }
    }

    pub(super) fn vanished(
        &mut self,
        now: Mono,
        ticket: Ticket,
        generation: Generation,
        out: &mut Out,
    ) {
        let Some(active) = self.active.as_mut().filter(|active| active.ticket == ticket) else {
            return;
        };
        if generation != self.generation {
            return;
        }
        active.holders = active.holders.saturating_sub(1);
        if active.holders == 0
            && let Ok(ready) = self.runtime.on(Call::TakeBack)
        {
            self.runtime = ready;
            self.hand_over(now, out);
        }
    }

    /// The runtime has answered and asked for the next event: its part is over.
    pub(super) fn runtime_done(&mut self, now: Mono, out: &mut Out) {
        let Some(active) = &mut self.active else { return };
        active.ready = Some(now);
        let (ticket, status, duration) =
            (active.ticket, active.own_status(), active.with_runtime(now));
        out.push(Effect::Reached(Milestone::RuntimeDone { ticket, status, duration }));
        self.settle(now, out);
    }

    /// Ends the invocation once the extensions that were told of it are back as well.
    pub(super) fn settle(&mut self, now: Mono, out: &mut Out) {
        let ready = self.active.as_ref().and_then(|active| active.ready);
        let (Some(ready), true) = (ready, self.extensions_are_back()) else { return };
        let Some(active) = self.active.take() else { return };
        let overhead = (!self.extensions.is_empty()).then(|| now.since(ready));
        let end = self.end_of(now, &active, active.own_status(), overhead, false);
        out.push(Effect::Reached(end));
        self.phase = Phase::Ready;
        self.proceed(now, out);
    }

    /// Ends the running invocation with `failure`, and the generation with it.
    pub(super) fn fail_invoke(
        &mut self,
        now: Mono,
        failure: Failure,
        reason: ResetReason,
        out: &mut Out,
    ) {
        let initialised = matches!(self.phase, Phase::Invoking);
        self.announce(out);
        let Some(active) = self.active.take() else {
            self.stop(now, reason, None, out);
            return;
        };
        let error_type = self.fatal_or(&failure);
        let fatal = self.first_fatal.get();
        let status = match (&failure, &active.fault) {
            (Failure::Timeout { .. }, _) => EndStatus::Timeout,
            (Failure::Shutdown, None) if active.answered.is_some() => match fatal {
                Some(fatal) => EndStatus::of(fatal.clone()),
                // It did its work; only the environment ended before it could take up more.
                None => EndStatus::Success,
            },
            (_, Some(fault)) => EndStatus::of(fault.clone()),
            (_, None) => EndStatus::of(error_type.clone()),
        };
        if active.answered.is_none() {
            let answer = Answer::Failure { failure, error_type };
            out.push(Effect::Answer { ticket: active.ticket, answer });
        }
        if initialised && active.ready.is_none() {
            out.push(Effect::Reached(Milestone::RuntimeDone {
                ticket: active.ticket,
                status: status.clone(),
                duration: active.with_runtime(now),
            }));
        }
        let end = self.end_of(now, &active, status, None, true);
        self.stop(now, reason, Some(end), out);
    }

    fn end_of(
        &mut self,
        now: Mono,
        active: &Active,
        status: EndStatus,
        overhead: Option<Duration>,
        reset: bool,
    ) -> Milestone {
        let completion =
            |ready: Mono| active.answered.map_or(Duration::ZERO, |answered| ready.since(answered));
        Milestone::End {
            ticket: active.ticket,
            status,
            duration: now.since(active.begun).min(self.policy.function_timeout),
            init: self.init_time.take(),
            ready: active.ready.map(|ready| (ready, completion(ready))),
            overhead,
            reset,
        }
    }
}
