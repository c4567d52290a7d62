//! What the engine does: each effect of the machine, carried out without waiting.

use std::sync::Arc;
use std::time::Duration;

use rapid_events::EventsApi;
use rapid_interop::ports::{Failure, InvokeRefusal, NextEvent, RuntimeRefusal};
use rapid_interop::process::{
    Grace, Launch, LaunchError, OutputSource, Process, Processes, StopPlan,
};
use rapid_interop::{
    ActiveExtensions, ExtensionId, Generation, InteropError, Mono, RequestId, ResetReason,
    RuntimeRelease, ShutdownSuccess,
};
use rapid_lifecycle::{Answer, Caller, Effect, Participant, Runtime, Ticket};
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use crate::answer::{self, Content};
use crate::handle::EngineReceipt;
use crate::message::{HandleNotice, Notice};
use crate::participants::Participants;
use crate::report::Scene;

/// How long what was told may take to arrive before extensions are ended, at most.
///
/// # Source
/// Telemetry API, "Shutdown".
const MAX_FLUSH: Duration = Duration::from_secs(1);

/// How long the news of a process's end may take after its connections broke off.
const NEWS_OF_EXIT: Duration = Duration::from_millis(25);

impl<P: Processes, E: EventsApi> Engine<P, E> {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Discover => self.discover(),
            Effect::Launch { generation, participant } => self.launch(generation, participant),
            Effect::HandOver { caller, ticket, deadline } => {
                self.hand_over(caller, ticket, deadline);
            }
            Effect::Notify { caller, id, event } => self.notify(caller, id, event),
            Effect::ReleaseExtension { caller, refusal } => {
                self.release_extension(caller, refusal);
            }
            Effect::Release { caller, refusal } => self.release_caller(caller, refusal),
            Effect::Answer { ticket, answer } => self.answer(ticket, answer),
            Effect::Refuse { ticket, refusal } => {
                if let Some(invocation) = self.invocations.remove(&ticket) {
                    if refusal == InvokeRefusal::TooManyRequests {
                        self.reporter.throttled(&invocation.invoke.id);
                    }
                    if let Some(reply) = invocation.reply {
                        // An invoker that has gone does not want to know.
                        drop(reply.send(Err(refusal)));
                    }
                }
            }
            Effect::Forget { ticket } => {
                self.invocations.remove(&ticket);
            }
            Effect::Stop { generation, participant, plan, reason } => {
                self.stop(generation, participant, plan, reason);
            }
            Effect::Reached(milestone) => {
                let scene = Scene {
                    participants: &self.participants,
                    extensions: &|| ActiveExtensions::of(self.sandbox.extension_names()),
                    release: &self.release,
                    reserved: self.sandbox.reserved(),
                    // One that has come back waits, or has the next event.
                    back: (self.sandbox.runtime() != Runtime::ResponseSent).then_some(self.now),
                };
                let init = self.reporter.report(milestone, &mut self.invocations, &scene);
                if let Some(result) = init {
                    self.init.send_replace(Some(result));
                }
            }
            Effect::Closed { clean } => {
                let done = ShutdownSuccess { clean };
                self.finished = Some(done);
                self.generation.send_modify(|generation| *generation = generation.next());
                self.closed.send_replace(Some(done));
            }
        }
    }

    /// Tells connections which generation runs; `true` when an earlier one has just ended.
    pub(super) fn publish_generation(&self) -> bool {
        let current = self.sandbox.generation();
        self.generation.send_if_modified(|published| {
            let over = *published != current;
            *published = current;
            over
        })
    }

    /// Lets go of what belonged to the generation that has just ended.
    pub(super) fn forget_generation(&mut self) {
        self.participants = Participants::default();
        self.init_error = None;
        self.release = RuntimeRelease::default();
    }

    /// Waits a moment before an upload counts as truncated: a runtime that was killed breaks its
    /// connections off first, and its exit says more.
    pub(super) fn defer_truncation(
        &self,
        ticket: Ticket,
        generation: Generation,
        reply: Option<oneshot::Sender<Result<(), InteropError>>>,
    ) {
        let notices = self.notices_sender.clone();
        self.tasks.spawn(async move {
            tokio::time::sleep(NEWS_OF_EXIT).await;
            send(&notices, Notice::Truncated { ticket, generation, reply });
        });
    }

    fn launch(&mut self, generation: Generation, participant: Participant) {
        self.launching = true;
        let notices = self.notices_sender.clone();
        let launch = match participant {
            Participant::Runtime => self.runtime_launch(generation),
            Participant::Extension(id) => self.extension_launch(generation, id),
        };
        let launch = match launch {
            Ok(launch) => launch,
            Err(error) => {
                send(&notices, Notice::LaunchFailed(participant, error));
                return;
            }
        };
        tracing::debug!(?launch, "starting a process");
        let processes = Arc::clone(&self.processes);
        self.tasks.spawn(async move {
            let notice = match processes.launch(launch).await {
                Ok(process) => Notice::Launched(participant, process),
                Err(error) => Notice::LaunchFailed(participant, error),
            };
            send(&notices, notice);
        });
    }

    fn runtime_launch(&self, generation: Generation) -> Result<Launch, LaunchError> {
        let resolved = self.config.bootstrap.resolve(|path| path.exists() && !path.is_dir());
        let (argv, cwd) = resolved.map_err(|searched| LaunchError::NoBootstrap { searched })?;
        Ok(Launch {
            name: self.participants.process_name(Participant::Runtime, generation),
            source: OutputSource::Runtime,
            argv,
            env: self.config.runtime_env.clone(),
            cwd,
        })
    }

    fn extension_launch(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<Launch, LaunchError> {
        let Some(extension) = self.participants.extension(id) else {
            return Err(LaunchError::NotFound { path: id.to_string() });
        };
        Ok(Launch {
            name: self.participants.process_name(Participant::Extension(id), generation),
            source: OutputSource::Extension(extension.name.clone()),
            argv: vec![extension.path.clone().into()],
            env: self.config.extensions.env.clone(),
            cwd: self.config.extensions.cwd.clone(),
        })
    }

    pub(super) fn watch(&self, participant: Participant, process: P::Process) {
        let notices = self.notices_sender.clone();
        let generation = self.sandbox.generation();
        self.tasks.spawn(async move {
            let termination = process.exited().await;
            send(&notices, Notice::Exited { generation, participant, termination });
        });
    }

    fn stop(
        &mut self,
        generation: Generation,
        participant: Participant,
        plan: StopPlan,
        reason: ResetReason,
    ) {
        let who = self.participants.describe(participant);
        tracing::debug!(%generation, reason = reason.as_str(), ?plan, "ending {who}");
        let notices = self.notices_sender.clone();
        // Extensions that subscribe to the log get the runtime's before they are ended.
        let flush = match (participant, plan.grace) {
            (Participant::Runtime, Grace::Terminate(_) | Grace::Await(_)) => {
                Some((self.reporter.events(), self.config.policy.shutdown_budget / 2))
            }
            (Participant::Runtime, Grace::None) | (Participant::Extension(_), _) => None,
        };
        let flushed = async move {
            if let Some((events, budget)) = flush
                && let Some(flushed) = events.flush(budget.min(MAX_FLUSH))
            {
                flushed.await;
            }
        };
        let Some(process) = self.participants.process(participant).cloned() else {
            self.tasks.spawn(async move {
                flushed.await;
                send(&notices, Notice::Stopped { generation, participant, clean: true });
            });
            return;
        };
        self.tasks.spawn(async move {
            let report = process.stop(plan).await;
            process.drain_output();
            flushed.await;
            if report.clean {
                // How it ended has to be known before it counts as gone.
                let termination = process.exited().await;
                send(&notices, Notice::Exited { generation, participant, termination });
            }
            send(&notices, Notice::Stopped { generation, participant, clean: report.clean });
        });
    }

    fn hand_over(&mut self, caller: Caller, ticket: Ticket, deadline: Mono) {
        let generation = self.sandbox.generation();
        let (Some(reply), Some(invocation)) =
            (self.callers.remove(&caller), self.invocations.get_mut(&ticket))
        else {
            send_handle(
                &self.handle_notices_sender,
                HandleNotice::Undelivered { ticket, generation },
            );
            return;
        };
        let (_, anchor) = *invocation.handed.get_or_insert_with(|| (self.now, self.clock.anchor()));
        let event = NextEvent {
            invoke: invocation.event(),
            deadline: *invocation.deadline.get_or_insert_with(|| anchor.epoch(deadline)),
            receipt: EngineReceipt {
                notices: Some(self.handle_notices_sender.clone()),
                ticket,
                generation,
            },
        };
        // A caller that has gone drops the receipt, which says so.
        drop(reply.send(Ok(event)));
    }

    pub(super) fn release_caller(&mut self, caller: Caller, refusal: RuntimeRefusal) {
        if let Some(reply) = self.callers.remove(&caller) {
            // A caller that has gone does not want to know.
            drop(reply.send(Err(refusal)));
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        let upload = self.upload.take();
        let init_error = self.init_error.clone();
        let Some(invocation) = self.invocations.get_mut(&ticket) else { return };
        let id: &RequestId = &invocation.invoke.id;
        let content = match answer {
            Answer::Upload => upload,
            Answer::InitError(_) => {
                init_error.map(|error| Content::Failed(Failure::InitReported, error))
            }
            Answer::Failure { failure, error_type } => {
                let error = answer::describe(&failure, error_type, id);
                Some(Content::Failed(failure, error))
            }
        };
        let Some(content) = content else {
            tracing::error!(%ticket, "there is nothing to answer an invocation with");
            return;
        };
        if let Content::Failed(failure, error) = &content {
            invocation.told = Some((failure.clone(), error.clone()));
        }
        invocation.answer(content);
    }
}

/// A notice is sent for as long as the engine runs; afterwards nobody needs it.
fn send<P>(notices: &mpsc::UnboundedSender<Notice<P>>, notice: Notice<P>) {
    drop(notices.send(notice));
}

/// As [`send`], for the notices that handles share with the engine.
fn send_handle(notices: &mpsc::UnboundedSender<HandleNotice>, notice: HandleNotice) {
    drop(notices.send(notice));
}
