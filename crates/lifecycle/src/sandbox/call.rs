//! The runtime's calls: for events, and with answers.

use rapid_interop::ports::RuntimeRefusal;
use rapid_interop::{Generation, Mono, RequestId};

use super::{Out, Phase, Sandbox, Stage};
use crate::effect::{Answer, Effect};
use crate::input::{Caller, Ticket, UploadEnd};
use crate::runtime::{Call, Runtime};

impl Sandbox {
    pub(super) fn next(
        &mut self,
        now: Mono,
        generation: Generation,
        caller: Caller,
        out: &mut Out,
    ) -> Result<(), RuntimeRefusal> {
        let refused = self.runtime.refuse(Call::Next);
        if generation != self.generation {
            return Err(refused);
        }
        if self.parked.len() >= self.policy.parked_limit {
            return Err(RuntimeRefusal::TooManyIdleRuntimes);
        }
        match &self.phase {
            Phase::Stopping(_) | Phase::Closed => return Err(refused),
            // Nothing runs yet: wait for this sandbox's own runtime to be started.
            Phase::Idle => self.parked.push_back(caller),
            // As above: there are extensions to be started first.
            Phase::Init(init) if init.stage < Stage::Runtime => self.parked.push_back(caller),
            Phase::Init(init) => {
                let first = init.stage == Stage::Runtime;
                self.runtime = self.runtime.on(Call::Next)?;
                self.parked.push_back(caller);
                if first {
                    self.runtime_ready(now, out);
                }
            }
            Phase::Ready => {
                self.runtime = self.runtime.on(Call::Next)?;
                self.parked.push_back(caller);
            }
            Phase::Invoking => {
                let before = self.runtime;
                self.runtime = before.on(Call::Next)?;
                match before {
                    Runtime::Running => self.give(now, caller, out),
                    Runtime::ResponseSent => {
                        self.parked.push_back(caller);
                        self.runtime_done(now, out);
                    }
                    Runtime::Started
                    | Runtime::InitError
                    | Runtime::Ready
                    | Runtime::InvocationResponse
                    | Runtime::InvocationErrorResponse => {
                        self.parked.push_back(caller);
                        self.hand_over(now, out);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn begin_upload(
        &mut self,
        generation: Generation,
        id: &RequestId,
        call: Call,
    ) -> Result<(), RuntimeRefusal> {
        let known = self.active.as_ref().is_some_and(|active| active.id == *id);
        if !known || generation != self.generation {
            return Err(RuntimeRefusal::InvalidRequestId);
        }
        self.runtime = self.runtime.on(call)?;
        Ok(())
    }

    pub(super) fn finish(
        &mut self,
        now: Mono,
        ticket: Ticket,
        generation: Generation,
        end: UploadEnd,
        out: &mut Out,
    ) -> Result<(), RuntimeRefusal> {
        let active = self.active.as_mut().filter(|active| active.ticket == ticket);
        let (Some(active), true) = (active, generation == self.generation) else {
            return Err(RuntimeRefusal::InvalidRequestId);
        };
        self.runtime = self.runtime.on(Call::Sent)?;
        active.answered = Some(now);
        let answer = match end {
            UploadEnd::Response | UploadEnd::Error => Answer::Upload,
            UploadEnd::Failed(failure) => {
                active.fault = Some(failure.error_type());
                Answer::Failure { error_type: failure.error_type(), failure }
            }
        };
        out.push(Effect::Answer { ticket, answer });
        Ok(())
    }
}
