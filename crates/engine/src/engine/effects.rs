//! What the engine does: each effect of the machine, carried out without waiting.

use std::sync::Arc;
use std::time::Duration;

use rapid_events::EventsApi;
use rapid_interop::ports::{Failure, InvokeAnswer, NextEvent, RuntimeRefusal};
use rapid_interop::process::{Launch, LaunchError, OutputSource, Process, Processes, StopPlan};
use rapid_interop::{
    Generation, InteropError, Mono, RequestId, ResetReason, RuntimeRelease, ShutdownSuccess,
};
use rapid_lifecycle::{Answer, Caller, Effect, Ticket};
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use crate::answer;
use crate::handle::EngineReceipt;
use crate::message::{HandleNotice, Notice};

/// How long the news of a process's end may take after its connections broke off.
const NEWS_OF_EXIT: Duration = Duration::from_millis(25);

impl<P: Processes, E: EventsApi> Engine<P, E> {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Launch { generation } => self.launch(generation),
            Effect::HandOver { caller, ticket, deadline } => {
                self.hand_over(caller, ticket, deadline);
            }
            Effect::Release { caller, refusal } => self.release_caller(caller, refusal),
            Effect::Answer { ticket, answer } => self.answer(ticket, answer),
            Effect::Refuse { ticket, refusal } => {
                let invocation = self.invocations.remove(&ticket);
                if let Some(reply) = invocation.and_then(|invocation| invocation.reply) {
                    // An invoker that has gone does not want to know.
                    drop(reply.send(Err(refusal)));
                }
            }
            Effect::Forget { ticket } => {
                self.invocations.remove(&ticket);
            }
            Effect::Stop { generation, plan, reason } => self.stop(generation, plan, reason),
            Effect::Reached(milestone) => {
                let invocations = &mut self.invocations;
                let runtime = self.runtime.as_ref();
                let init = self.reporter.report(milestone, invocations, runtime, &self.release);
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
        self.runtime = None;
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

    fn launch(&mut self, generation: Generation) {
        self.launching = true;
        let resolved = self.config.bootstrap.resolve(|path| path.exists() && !path.is_dir());
        let notices = self.notices_sender.clone();
        let (argv, cwd) = match resolved {
            Ok(resolved) => resolved,
            Err(searched) => {
                let error = LaunchError::NoBootstrap { searched };
                send(&notices, Notice::LaunchFailed(error));
                return;
            }
        };
        let launch = Launch {
            name: format!("runtime-{generation}"),
            source: OutputSource::Runtime,
            argv,
            env: self.config.runtime_env.clone(),
            cwd,
        };
        tracing::debug!(?launch, "starting the runtime");
        let processes = Arc::clone(&self.processes);
        self.tasks.spawn(async move {
            let notice = match processes.launch(launch).await {
                Ok(process) => Notice::Launched(process),
                Err(error) => Notice::LaunchFailed(error),
            };
            send(&notices, notice);
        });
    }

    pub(super) fn watch(&self, process: P::Process) {
        let notices = self.notices_sender.clone();
        let generation = self.sandbox.generation();
        self.tasks.spawn(async move {
            let termination = process.exited().await;
            send(&notices, Notice::Exited { generation, termination });
        });
    }

    fn stop(&mut self, generation: Generation, plan: StopPlan, reason: ResetReason) {
        tracing::debug!(%generation, reason = reason.as_str(), "ending the processes");
        let notices = self.notices_sender.clone();
        let Some(process) = self.runtime.clone() else {
            send(&notices, Notice::Stopped { generation, clean: true });
            return;
        };
        self.tasks.spawn(async move {
            let report = process.stop(plan).await;
            process.drain_output();
            send(&notices, Notice::Stopped { generation, clean: report.clean });
        });
    }

    fn hand_over(&mut self, caller: Caller, ticket: Ticket, deadline: Mono) {
        let generation = self.sandbox.generation();
        let (Some(reply), Some(invocation)) =
            (self.callers.remove(&caller), self.invocations.get(&ticket))
        else {
            send_handle(
                &self.handle_notices_sender,
                HandleNotice::Undelivered { ticket, generation },
            );
            return;
        };
        let event = NextEvent {
            invoke: Arc::clone(&invocation.invoke),
            deadline: self.clock.epoch(deadline),
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
                init_error.map(|error| InvokeAnswer::Failed(Failure::InitReported, error))
            }
            Answer::Failure(failure) => Some(answer::of_failure(failure, id)),
        };
        let Some(content) = content else {
            tracing::error!(%ticket, "there is nothing to answer an invocation with");
            return;
        };
        invocation.produced_bytes = answer::produced_bytes(&content);
        if let InvokeAnswer::Failed(_, error) = &content {
            invocation.told = Some(error.clone());
        }
        if let Some(reply) = invocation.reply.take() {
            // An invoker that has gone does not want to know; the invocation goes on all the same.
            drop(reply.send(Ok(content)));
        }
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
