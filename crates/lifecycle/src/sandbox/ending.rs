//! Ends: exits, deadlines, stops and the shutdown.

use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, InvokeRefusal};
use rapid_interop::process::Termination;
use rapid_interop::{Generation, Mono, ResetReason};

use super::{Out, Phase, Sandbox, Stopping};
use crate::effect::{Effect, EndStatus, Milestone};
use crate::runtime::{Call, Runtime};
use crate::stop;

impl Sandbox {
    pub(super) fn exited(
        &mut self,
        now: Mono,
        generation: Generation,
        termination: Termination,
        out: &mut Out,
    ) {
        if generation != self.generation {
            return;
        }
        match &self.phase {
            Phase::Init(init) => {
                let reported = init.reported.clone();
                self.first_fatal.record(termination.error_type());
                let status = EndStatus::of(reported.unwrap_or_else(|| termination.error_type()));
                let failure = Failure::InitExit(termination);
                let runtime_done = Some(status.clone());
                self.init_failed(now, runtime_done, status, failure, ResetReason::Failure, out);
            }
            Phase::Ready => {
                self.first_fatal.record(termination.error_type());
                self.stop(ResetReason::Failure, None, out);
            }
            Phase::Invoking => {
                self.first_fatal.record(termination.error_type());
                self.fail_invoke(now, Failure::Exit(termination), ResetReason::Failure, out);
            }
            Phase::Idle | Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    pub(super) fn tick(&mut self, now: Mono, out: &mut Out) {
        let passed = |deadline: Option<Mono>| deadline.is_some_and(|deadline| deadline <= now);
        let (failure, reason) = if passed(self.active.as_ref().map(|active| active.deadline)) {
            let limit = self.policy.function_timeout;
            (Failure::Timeout { limit }, ResetReason::Timeout)
        } else if passed(self.closing) {
            (Failure::Shutdown, ResetReason::Spindown)
        } else if let Phase::Init(init) = &self.phase
            && passed(init.deadline)
        {
            let limit = self.policy.init_timeout;
            match init.reported {
                Some(_) => (Failure::InitReported, ResetReason::Failure),
                None => (Failure::Timeout { limit }, ResetReason::Timeout),
            }
        } else {
            return;
        };
        match self.phase {
            Phase::Init(_) => self.give_up_init(now, failure, reason, out),
            Phase::Invoking => self.fail_invoke(now, failure, reason, out),
            Phase::Idle | Phase::Ready | Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    /// Ends an initialisation whose runtime still runs but is not waited for any longer.
    pub(super) fn give_up_init(
        &mut self,
        now: Mono,
        failure: Failure,
        reason: ResetReason,
        out: &mut Out,
    ) {
        let Phase::Init(init) = &self.phase else {
            return;
        };
        let (runtime_done, status) = match (&init.reported, &failure) {
            (Some(reported), _) => (reported.clone(), EndStatus::of(reported.clone())),
            (None, Failure::Timeout { .. }) => (ErrorType::RuntimeUnknown, EndStatus::Timeout),
            (None, other) => (ErrorType::RuntimeUnknown, EndStatus::of(other.error_type())),
        };
        let runtime_done = Some(EndStatus::of(runtime_done));
        self.init_failed(now, runtime_done, status, failure, reason, out);
    }

    pub(super) fn stop(&mut self, reason: ResetReason, ended: Option<Milestone>, out: &mut Out) {
        self.phase = Phase::Stopping(Stopping { reason, ended });
        // While the launch is under way there is nothing to stop yet.
        if !self.launching {
            self.push_stop(reason, out);
        }
    }

    pub(super) fn push_stop(&self, reason: ResetReason, out: &mut Out) {
        let plan = stop::runtime_alone();
        out.push(Effect::Stop { generation: self.generation, plan, reason });
    }

    pub(super) fn stopped(
        &mut self,
        now: Mono,
        generation: Generation,
        clean: bool,
        out: &mut Out,
    ) {
        let Phase::Stopping(stopping) = &mut self.phase else {
            return;
        };
        if generation != self.generation || self.launching {
            return;
        }
        let ended = stopping.ended.take();
        let refusal = self.runtime.refuse(Call::Next);
        for caller in self.parked.drain(..) {
            out.push(Effect::Release { caller, refusal: refusal.clone() });
        }
        if let Some(ended) = ended {
            out.push(Effect::Reached(ended));
        }
        self.generation = self.generation.next();
        self.runtime = Runtime::Started;
        self.first_fatal.take();
        self.init_time = None;
        self.suppressed = true;
        self.phase = Phase::Idle;
        if self.closing.is_some() {
            self.close(clean, out);
        } else {
            self.proceed(now, out);
        }
    }

    pub(super) fn shutdown(&mut self, now: Mono, deadline: Mono, out: &mut Out) {
        self.closing = Some(self.closing.map_or(deadline, |earlier| earlier.min(deadline)));
        for (ticket, _) in self.queue.drain(..) {
            out.push(Effect::Refuse { ticket, refusal: InvokeRefusal::ShuttingDown });
        }
        match self.phase {
            Phase::Idle => self.close(true, out),
            Phase::Ready => self.stop(ResetReason::Spindown, None, out),
            // Nobody waits for it any longer.
            Phase::Init(_) if self.active.is_none() => {
                self.give_up_init(now, Failure::Shutdown, ResetReason::Spindown, out);
            }
            Phase::Init(_) | Phase::Invoking => self.tick(now, out),
            Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    pub(super) fn close(&mut self, clean: bool, out: &mut Out) {
        for caller in self.parked.drain(..) {
            let refusal = self.runtime.refuse(Call::Next);
            out.push(Effect::Release { caller, refusal });
        }
        self.phase = Phase::Closed;
        out.push(Effect::Closed { clean });
    }
}
