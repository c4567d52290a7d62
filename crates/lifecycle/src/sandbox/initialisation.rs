//! Initialisations: launches, and how each of them ends.

use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{Failure, RuntimeRefusal};
use rapid_interop::process::LaunchError;
use rapid_interop::{Generation, InitPhase, Mono, ResetReason};

use super::{Init, Out, Phase, Sandbox};
use crate::effect::{Answer, Effect, EndStatus, InitTime, Milestone};
use crate::runtime::{Call, Runtime};

impl Sandbox {
    pub(super) fn begin_init(&mut self, now: Mono, phase: InitPhase, out: &mut Out) {
        let deadline = match phase {
            InitPhase::Init => Some(now + self.policy.init_timeout),
            InitPhase::Invoke => None,
        };
        let init = Init { phase, started: now, deadline, reported: None };
        self.phase = Phase::Init(init);
        self.runtime = Runtime::Started;
        self.launching = true;
        out.push(Effect::Reached(Milestone::InitStart { phase }));
        out.push(Effect::Launch { generation: self.generation });
    }

    pub(super) fn launched(&mut self, now: Mono, out: &mut Out) {
        if !std::mem::take(&mut self.launching) {
            return;
        }
        match &self.phase {
            // Somebody may have asked before there was a runtime; that counts from now on.
            Phase::Init(_) if !self.parked.is_empty() => {
                if let Ok(ready) = self.runtime.on(Call::Next) {
                    self.runtime = ready;
                    self.init_succeeded(now, out);
                }
            }
            Phase::Stopping(stopping) => self.push_stop(stopping.reason, out),
            Phase::Init(_) | Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Closed => {}
        }
    }

    pub(super) fn launch_failed(&mut self, now: Mono, error: LaunchError, out: &mut Out) {
        if !std::mem::take(&mut self.launching) {
            return;
        }
        match &self.phase {
            Phase::Init(_) => {
                let error_type = error.error_type();
                self.first_fatal.record(error_type.clone());
                let executed = !matches!(
                    error,
                    LaunchError::NoBootstrap { .. }
                        | LaunchError::WorkingDirectory { .. }
                        | LaunchError::RelativeWorkingDirectory { .. }
                );
                let status = EndStatus::of(error_type);
                let runtime_done = executed.then(|| status.clone());
                let failure = Failure::Launch(error);
                self.init_failed(now, runtime_done, status, failure, ResetReason::Failure, out);
            }
            Phase::Stopping(stopping) => self.push_stop(stopping.reason, out),
            // A caller from elsewhere stands in for the runtime that could not be started.
            Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Closed => {}
        }
    }

    pub(super) fn init_succeeded(&mut self, now: Mono, out: &mut Out) {
        let Phase::Init(init) = &self.phase else {
            return;
        };
        let (phase, duration) = (init.phase, now.since(init.started));
        self.init_time = Some(InitTime { duration, phase });
        self.suppressed = false;
        self.init_failed = false;
        self.phase = Phase::Ready;
        let status = EndStatus::Success;
        out.push(Effect::Reached(Milestone::InitRuntimeDone { phase, status: status.clone() }));
        out.push(Effect::Reached(Milestone::InitReport { phase, status, duration }));
        self.proceed(now, out);
    }

    pub(super) fn init_failed(
        &mut self,
        now: Mono,
        runtime_done: Option<EndStatus>,
        status: EndStatus,
        failure: Failure,
        reason: ResetReason,
        out: &mut Out,
    ) {
        let Phase::Init(init) = &self.phase else {
            return;
        };
        let (phase, duration) = (init.phase, now.since(init.started));
        self.init_failed = true;
        if let Some(status) = runtime_done {
            out.push(Effect::Reached(Milestone::InitRuntimeDone { phase, status }));
        }
        out.push(Effect::Reached(Milestone::InitReport { phase, status, duration }));
        match phase {
            // Invocations that wait are kept: they get one more try, inside an invocation.
            InitPhase::Init => self.stop(reason, None, out),
            InitPhase::Invoke => self.fail_invoke(now, failure, reason, out),
        }
    }

    pub(super) fn init_error(
        &mut self,
        now: Mono,
        generation: Generation,
        error_type: ErrorType,
        out: &mut Out,
    ) -> Result<(), RuntimeRefusal> {
        let runtime = self.runtime;
        let Phase::Init(init) = &mut self.phase else {
            return Err(runtime.refuse(Call::InitError));
        };
        if generation != self.generation {
            return Err(runtime.refuse(Call::InitError));
        }
        self.runtime = runtime.on(Call::InitError)?;
        init.reported = Some(error_type.clone());
        // The runtime is expected to exit; one that lingers does not hold everybody up.
        let grace = now + self.policy.init_error_grace;
        init.deadline = Some(init.deadline.map_or(grace, |deadline| deadline.min(grace)));
        if let Some(active) = self.active.as_mut().filter(|active| active.answered.is_none()) {
            active.answered = Some(now);
            active.fault = Some(error_type.clone());
            let answer = Answer::InitError(error_type);
            out.push(Effect::Answer { ticket: active.ticket, answer });
        }
        Ok(())
    }
}
