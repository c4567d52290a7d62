//! The end of a generation: the runtime first, then the extensions.

use std::collections::BTreeSet;
use std::time::Duration;

use rapid_interop::extension::StateConflict;
use rapid_interop::process::StopPlan;
use rapid_interop::{ExtensionId, Generation, Mono, ResetReason};

use super::{Out, Phase, Sandbox};
use crate::effect::{Effect, ExtensionNotice, Milestone};
use crate::extension::{ExtensionCall, ExtensionState};
use crate::input::Participant;
use crate::runtime::{Call, Runtime};
use crate::stop;

/// How far the end is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stopping {
    reason: ResetReason,
    /// Reported once everything is gone.
    ended: Option<Milestone>,
    begun: Mono,
    /// When extensions are killed.
    deadline: Mono,
    /// When those that have reported an error are, which may be earlier.
    patience: Option<Mono>,
    stage: StopStage,
    clean: bool,
    /// Those that were told and did not end in time.
    late: Vec<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum StopStage {
    /// A launch is under way: there is nothing to stop yet.
    Pending,
    /// The runtime is being ended.
    Runtime,
    /// These extensions are being ended.
    Extensions(BTreeSet<ExtensionId>),
}

impl Stopping {
    /// What extensions are told.
    pub(super) const fn event(&self) -> ExtensionNotice {
        ExtensionNotice::Shutdown { reason: self.reason, deadline: self.deadline }
    }

    /// Whether it is the end of an invocation.
    #[cfg(test)]
    pub(super) const fn ends_an_invocation(&self) -> bool {
        self.ended.is_some()
    }

    /// `"pending"`, `"runtime"` or `"extensions"`, and how many of these.
    #[cfg(test)]
    pub(super) fn stage(&self) -> (&'static str, usize) {
        match &self.stage {
            StopStage::Pending => ("pending", 0),
            StopStage::Runtime => ("runtime", 0),
            StopStage::Extensions(left) => ("extensions", left.len()),
        }
    }

    /// The next participant whose end is waited for.
    #[cfg(test)]
    pub(super) fn awaits(&self) -> Option<Participant> {
        match &self.stage {
            StopStage::Pending => None,
            StopStage::Runtime => Some(Participant::Runtime),
            StopStage::Extensions(left) => left.first().copied().map(Participant::Extension),
        }
    }
}

impl Sandbox {
    pub(super) fn stop(
        &mut self,
        now: Mono,
        reason: ResetReason,
        ended: Option<Milestone>,
        out: &mut Out,
    ) {
        self.first_fatal.take();
        let patience = self.doom.take().map(|doom| doom.deadline);
        // An invocation that nobody was there to hear of is over.
        for extension in &mut self.extensions {
            extension.due = None;
        }
        let stage = StopStage::Pending;
        self.phase = Phase::Stopping(Stopping {
            reason,
            ended,
            begun: now,
            deadline: now,
            patience,
            stage,
            clean: true,
            late: Vec::new(),
        });
        if self.pending.is_none() {
            self.begin_stop(now, out);
        }
    }

    /// Ends the runtime, now that all of its generation's processes are known.
    pub(super) fn begin_stop(&mut self, now: Mono, out: &mut Out) {
        let Phase::Stopping(stopping) = &mut self.phase else { return };
        let budget = if self.abrupt { Duration::ZERO } else { self.policy.shutdown_budget };
        stopping.begun = now;
        stopping.deadline = now + budget;
        stopping.stage = StopStage::Runtime;
        let plan = if self.abrupt || self.extensions.is_empty() {
            stop::kill()
        } else {
            stop::runtime_beside_extensions(budget)
        };
        self.push_stop(Participant::Runtime, plan, out);
    }

    fn push_stop(&self, participant: Participant, plan: StopPlan, out: &mut Out) {
        if let Phase::Stopping(Stopping { reason, .. }) = &self.phase {
            let (generation, reason) = (self.generation, *reason);
            out.push(Effect::Stop { generation, participant, plan, reason });
        }
    }

    pub(super) fn stopped(
        &mut self,
        now: Mono,
        generation: Generation,
        participant: Participant,
        clean: bool,
        out: &mut Out,
    ) {
        let Phase::Stopping(stopping) = &mut self.phase else {
            return;
        };
        if generation != self.generation {
            return;
        }
        match (&mut stopping.stage, participant) {
            (StopStage::Runtime, Participant::Runtime) => {
                stopping.clean &= clean;
                self.stop_extensions(now, out);
            }
            (StopStage::Extensions(left), Participant::Extension(id)) => {
                if left.remove(&id) {
                    stopping.clean &= clean;
                    let found = self.extensions.iter().find(|extension| extension.id == id);
                    // One that asks for more has finished; it only does not know how to leave.
                    let busy = found.filter(|extension| {
                        let finished = extension.state == ExtensionState::Ready;
                        extension.events.shutdown && !finished && !self.abrupt
                    });
                    if let Some(extension) = busy.filter(|_| now > stopping.deadline) {
                        stopping.late.push(extension.name.clone());
                    }
                    if left.is_empty() {
                        self.finish_stop(now, out);
                    }
                }
            }
            (StopStage::Pending | StopStage::Runtime | StopStage::Extensions(_), _) => {}
        }
    }

    fn stop_extensions(&mut self, now: Mono, out: &mut Out) {
        let Phase::Stopping(stopping) = &mut self.phase else { return };
        let mine = self.extensions.iter().filter(|extension| extension.has_process());
        let plans: Vec<(ExtensionId, StopPlan)> = mine
            .map(|extension| {
                let erring = [ExtensionState::InitError, ExtensionState::ExitError];
                let until = if erring.contains(&extension.state) {
                    // It has said that it will exit, and is waited for already.
                    stopping.patience.unwrap_or(stopping.deadline).min(stopping.deadline)
                } else {
                    stopping.deadline
                };
                let waited_for = extension.events.shutdown && !self.abrupt && until > now;
                let plan =
                    if waited_for { stop::told_extension(until.since(now)) } else { stop::kill() };
                (extension.id, plan)
            })
            .collect();
        if plans.is_empty() {
            self.finish_stop(now, out);
            return;
        }
        stopping.stage = StopStage::Extensions(plans.iter().map(|(id, _)| *id).collect());
        for (id, plan) in plans {
            self.offer_shutdown(id, out);
            self.push_stop(Participant::Extension(id), plan, out);
        }
    }

    /// Tells an extension of the end if it is to know, and if it is there to listen.
    pub(super) fn offer_shutdown(&mut self, id: ExtensionId, out: &mut Out) {
        let Phase::Stopping(stopping) = &self.phase else { return };
        if self.abrupt || !matches!(stopping.stage, StopStage::Extensions(_)) {
            return;
        }
        let event = stopping.event();
        let Some(extension) = self.extensions.iter_mut().find(|extension| extension.id == id)
        else {
            return;
        };
        if !extension.events.shutdown || extension.told || extension.gone {
            return;
        }
        if extension.state == ExtensionState::Ready && extension.parked.is_some() {
            extension.release(event, out);
            extension.told = true;
        } else if let Some(caller) = extension.parked.take() {
            let (state, next) = (extension.state, ExtensionCall::Next);
            let refusal = state.refuse(next, &extension.id, StateConflict::Concurrent);
            out.push(Effect::ReleaseExtension { caller, refusal });
        }
    }

    /// Everything is gone: the next generation may begin.
    fn finish_stop(&mut self, now: Mono, out: &mut Out) {
        let Phase::Stopping(stopping) = &mut self.phase else { return };
        let clean = stopping.clean;
        let ended = stopping.ended.take();
        let reset = self.reset_time(now);
        self.release_parked(out);
        out.extend(reset.map(Effect::Reached));
        out.extend(ended.map(Effect::Reached));
        self.extensions.clear();
        self.generation = self.generation.next();
        self.runtime = Runtime::Started;
        self.init_time = None;
        self.suppressed = true;
        self.phase = Phase::Idle;
        if self.closing.is_some() {
            self.close(clean, out);
        } else {
            self.proceed(now, out);
        }
    }

    /// How long extensions kept the end waiting; `None` without extensions.
    ///
    /// # Source
    /// Lifecycle, "Shutdown procedure" (`extensionsResetMs`).
    fn reset_time(&mut self, now: Mono) -> Option<Milestone> {
        let Phase::Stopping(Stopping { reason, begun, deadline, late, .. }) = &mut self.phase
        else {
            return None;
        };
        if self.extensions.is_empty() {
            return None;
        }
        let (took, may) = (now.since(*begun), deadline.since(*begun));
        let told = self.extensions.iter().any(|extension| extension.events.shutdown);
        let extensions = if told { took.min(may) } else { Duration::ZERO };
        let late = std::mem::take(late);
        let failed = self
            .extensions
            .iter()
            .filter(|e| e.told && e.state == ExtensionState::ShutdownFailed)
            .map(|extension| extension.name.clone())
            .filter(|name| !self.abrupt && !late.contains(name))
            .collect();
        Some(Milestone::Reset { reason: *reason, extensions, late, failed })
    }

    pub(super) fn release_parked(&mut self, out: &mut Out) {
        let refusal = self.runtime.refuse(Call::Next);
        for caller in self.parked.drain(..) {
            out.push(Effect::Release { caller, refusal: refusal.clone() });
        }
        for extension in &mut self.extensions {
            if let Some(caller) = extension.parked.take() {
                let (state, next) = (extension.state, ExtensionCall::Next);
                let refusal = state.refuse(next, &extension.id, StateConflict::Concurrent);
                out.push(Effect::ReleaseExtension { caller, refusal });
            }
        }
    }

    /// Kills what is being ended in order.
    pub(super) fn hasten(&self, out: &mut Out) {
        let Phase::Stopping(stopping) = &self.phase else { return };
        match &stopping.stage {
            StopStage::Pending => {}
            StopStage::Runtime => self.push_stop(Participant::Runtime, stop::kill(), out),
            StopStage::Extensions(left) => {
                for id in left {
                    self.push_stop(Participant::Extension(*id), stop::kill(), out);
                }
            }
        }
    }
}
