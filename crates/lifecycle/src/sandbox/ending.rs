//! Ends: exits, deadlines and the shutdown.

use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{ExtensionFault, Failure, InvokeRefusal};
use rapid_interop::process::Termination;
use rapid_interop::{ExtensionId, Generation, Mono, ResetReason};

use super::{Doom, Out, Phase, Sandbox, Stage};
use crate::effect::{Awaited, Effect, EndStatus};
use crate::extension::{ExtensionCall, ExtensionState};
use crate::input::Participant;

impl Sandbox {
    pub(super) fn exited(
        &mut self,
        now: Mono,
        generation: Generation,
        participant: Participant,
        termination: Termination,
        out: &mut Out,
    ) {
        if generation != self.generation {
            return;
        }
        match participant {
            Participant::Runtime => self.runtime_exited(now, termination, out),
            Participant::Extension(id) => self.extension_exited(now, id, termination, out),
        }
    }

    fn runtime_exited(&mut self, now: Mono, termination: Termination, out: &mut Out) {
        match &self.phase {
            Phase::Init(_) => {
                self.first_fatal.record(termination.error_type());
                let failure = Failure::InitExit(termination);
                let status = EndStatus::of(self.fatal_or(&failure));
                let runtime_done = Some(status.clone());
                self.init_failed(now, runtime_done, status, failure, ResetReason::Failure, out);
            }
            Phase::Ready => self.stop(now, ResetReason::Failure, None, out),
            Phase::Invoking => {
                self.first_fatal.record(termination.error_type());
                self.fail_invoke(now, Failure::Exit(termination), ResetReason::Failure, out);
            }
            Phase::Idle | Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    fn extension_exited(
        &mut self,
        now: Mono,
        id: ExtensionId,
        termination: Termination,
        out: &mut Out,
    ) {
        let Some(extension) = self.extensions.iter_mut().find(|extension| extension.id == id)
        else {
            return;
        };
        if std::mem::replace(&mut extension.gone, true) {
            return;
        }
        if matches!(self.phase, Phase::Stopping(_)) {
            let call = if termination.success() {
                ExtensionCall::Exit
            } else {
                ExtensionCall::ShutdownFail
            };
            // One that was busy with something else stays what it was.
            extension.state = extension.state.on(call).unwrap_or(extension.state);
            return;
        }
        self.first_fatal.record(ErrorType::ExtensionCrash);
        self.extension_failed(now, ExtensionFault::Exit(termination), out);
    }

    /// Ends whatever runs because of what an extension did.
    pub(super) fn extension_failed(&mut self, now: Mono, fault: ExtensionFault, out: &mut Out) {
        match &self.phase {
            Phase::Init(init) => {
                let executed = init.stage >= Stage::Runtime;
                let failure = Failure::InitExtension(fault);
                let status = EndStatus::of(self.fatal_or(&failure));
                let runtime_done = executed.then(|| status.clone());
                self.init_failed(now, runtime_done, status, failure, ResetReason::Failure, out);
            }
            Phase::Ready => self.stop(now, ResetReason::Failure, None, out),
            Phase::Invoking => {
                self.fail_invoke(now, Failure::Extension(fault), ResetReason::Failure, out);
            }
            Phase::Idle | Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    /// What a failure is called: as the first fatal error, if it is one of those.
    pub(super) fn fatal_or(&self, failure: &Failure) -> ErrorType {
        let fatal = match failure {
            Failure::InitExit(_)
            | Failure::Exit(_)
            | Failure::Launch(_)
            | Failure::InitExtension(_)
            | Failure::Extension(_) => self.first_fatal.get().cloned(),
            Failure::Reported
            | Failure::InitReported
            | Failure::Timeout { .. }
            | Failure::ResponseTooLarge
            | Failure::Truncated
            | Failure::InvalidResponseMode
            | Failure::Shutdown => None,
        };
        fatal.unwrap_or_else(|| failure.error_type())
    }

    pub(super) fn tick(&mut self, now: Mono, out: &mut Out) {
        let passed = |deadline: Option<Mono>| deadline.is_some_and(|deadline| deadline <= now);
        let init = match &self.phase {
            Phase::Init(init) => Some(init),
            Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Stopping(_) | Phase::Closed => {
                None
            }
        };
        let (failure, reason) = if passed(self.active.as_ref().map(|active| active.deadline)) {
            let limit = self.policy.function_timeout;
            (Failure::Timeout { limit }, ResetReason::Timeout)
        } else if passed(self.closing) {
            (Failure::Shutdown, ResetReason::Spindown)
        } else if let Some(Doom { deadline, kind }) = self.doom
            && deadline <= now
        {
            self.extension_failed(now, ExtensionFault::Lingered(kind), out);
            return;
        } else if let Some(init) = init
            && passed(init.deadline)
        {
            let limit = self.policy.init_timeout;
            if init.reported {
                (Failure::InitReported, ResetReason::Failure)
            } else {
                (Failure::Timeout { limit }, ResetReason::Timeout)
            }
        } else if init.is_some_and(|init| passed(init.reminder)) {
            self.remind(false, out);
            return;
        } else {
            return;
        };
        match self.phase {
            Phase::Init(_) => self.give_up_init(now, failure, reason, out),
            Phase::Invoking => {
                // Otherwise it is the function that takes too long.
                if reason == ResetReason::Timeout && self.is_back() {
                    self.name(Awaited::NextEvent, ExtensionState::Running, true, out);
                }
                self.fail_invoke(now, failure, reason, out);
            }
            Phase::Idle | Phase::Ready | Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    /// Ends an initialisation that is not waited for any longer although nothing has ended.
    pub(super) fn give_up_init(
        &mut self,
        now: Mono,
        failure: Failure,
        reason: ResetReason,
        out: &mut Out,
    ) {
        if reason == ResetReason::Timeout {
            self.remind(true, out);
        }
        let Phase::Init(init) = &self.phase else {
            return;
        };
        let known = self.first_fatal.get().cloned();
        let status = match (&known, &failure) {
            (Some(known), _) => EndStatus::of(known.clone()),
            (None, Failure::Timeout { .. }) => EndStatus::Timeout,
            (None, other) => EndStatus::of(other.error_type()),
        };
        let executed = init.stage >= Stage::Runtime;
        let runtime_done =
            executed.then(|| EndStatus::of(known.unwrap_or(ErrorType::RuntimeUnknown)));
        self.init_failed(now, runtime_done, status, failure, reason, out);
    }

    pub(super) fn shutdown(&mut self, now: Mono, deadline: Mono, out: &mut Out) {
        self.closing = Some(self.closing.map_or(deadline, |earlier| earlier.min(deadline)));
        for (ticket, _) in self.queue.drain(..) {
            out.push(Effect::Refuse { ticket, refusal: InvokeRefusal::ShuttingDown });
        }
        match self.phase {
            Phase::Idle => self.close(true, out),
            Phase::Ready => self.stop(now, ResetReason::Spindown, None, out),
            // Nobody waits for it any longer.
            Phase::Init(_) if self.active.is_none() => {
                self.give_up_init(now, Failure::Shutdown, ResetReason::Spindown, out);
            }
            Phase::Init(_) | Phase::Invoking => self.tick(now, out),
            Phase::Stopping(_) | Phase::Closed => {}
        }
    }

    pub(super) fn kill(&mut self, now: Mono, out: &mut Out) {
        self.abrupt = true;
        self.hasten(out);
        self.shutdown(now, now, out);
    }

    pub(super) fn close(&mut self, clean: bool, out: &mut Out) {
        self.release_parked(out);
        self.phase = Phase::Closed;
        out.push(Effect::Closed { clean });
    }
}
