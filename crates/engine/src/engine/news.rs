//! News of processes, and what people are told of them.

use rapid_events::EventsApi;
use rapid_interop::ports::{Health, UploadOutcome};
use rapid_interop::process::{LaunchError, Processes, Termination};
use rapid_interop::{ExtensionId, Generation};
use rapid_lifecycle::{ExtensionState, Input, Participant};

use super::Engine;
use crate::message::Notice;
use crate::report::brief;

impl<P: Processes, E: EventsApi> Engine<P, E> {
    pub(super) fn on_notice(&mut self, notice: Notice<P::Process>) {
        match notice {
            Notice::Discovered(found) => {
                self.launching = false;
                self.drive(Input::Discovered { found });
            }
            Notice::Launched(participant, process) => {
                self.launch_error = None;
                self.launching = false;
                self.watch(participant, process.clone());
                self.participants.started(participant, process);
                self.drive(Input::Launched { participant });
            }
            Notice::LaunchFailed(participant, error) => {
                self.launching = false;
                self.log_launch_failure(participant, &error);
                self.drive(Input::LaunchFailed { participant, error });
            }
            Notice::Exited { generation, participant, termination } => {
                self.log_exit(generation, participant, termination);
                self.drive(Input::Exited { generation, participant, termination });
            }
            Notice::Truncated { ticket, generation, reply } => {
                let finished = self.finish(ticket, generation, UploadOutcome::Truncated);
                if let Some(reply) = reply {
                    // A handler that has gone does not want to know.
                    drop(reply.send(finished));
                }
            }
            Notice::NextEventAgain(call) => self.next_event(call, true),
            Notice::Stopped { generation, participant, clean } => {
                if !clean {
                    let who = self.participants.describe(participant);
                    tracing::error!(%generation, "processes of {who} survive SIGKILL");
                }
                self.drive(Input::Stopped { generation, participant, clean });
            }
        }
    }

    fn log_launch_failure(&mut self, participant: Participant, error: &LaunchError) {
        let who = self.participants.describe(participant);
        let hint = match (participant, error) {
            (Participant::Extension(_), LaunchError::NotFound { .. }) => {
                "the file, or what it links to, is missing"
            }
            (Participant::Extension(_), LaunchError::NotExecutable { .. }) => {
                "every file in the directory is started: make it executable (chmod +x), or take \
                 it out if it is no extension"
            }
            _ => error.hint(),
        };
        // The id of an extension is another in each generation, its path in the error is not.
        let known = self.launch_error.replace((participant, error.clone()));
        if known.is_some_and(|(_, known)| known == *error) {
            tracing::debug!("{who} could not be started again: {error}");
        } else {
            tracing::error!(
                "{who} could not be started: {error}; {hint}. Each invocation will try again"
            );
        }
    }

    /// An exit that nobody asked for is worth a line; one at the end of a generation is not.
    fn log_exit(&self, generation: Generation, participant: Participant, how: Termination) {
        let who = self.participants.describe(participant);
        // The news of a process that was ended may come after that of its end.
        let activity = if generation == self.sandbox.generation() {
            self.sandbox.activity()
        } else {
            Health::Resetting
        };
        match (activity, participant) {
            (Health::Initializing, Participant::Runtime) => {
                tracing::error!(
                    "the runtime exited before it asked for an event: {how}; a runtime has to go \
                     on asking for events until it is ended"
                );
            }
            (Health::Initializing, Participant::Extension(id)) if self.has_given_up(id) => {
                tracing::warn!("{who} exited after its error: {how}");
            }
            (Health::Initializing, Participant::Extension(_)) => {
                tracing::error!(
                    "{who} exited while the function was initialised: {how}; an extension has to \
                     register and then to go on asking for events until it is ended"
                );
            }
            (Health::Ready | Health::Invoking, _) => tracing::warn!("{who} exited: {how}"),
            (Health::Idle | Health::Failed | Health::Resetting | Health::ShuttingDown, _) => {
                tracing::debug!(%generation, termination = %how, "{who} ended");
            }
        }
    }

    /// Whether an extension has said that it will exit.
    fn has_given_up(&self, id: ExtensionId) -> bool {
        let state = self.sandbox.extension_state(id);
        matches!(state, Some(ExtensionState::InitError | ExtensionState::ExitError))
    }

    /// Outside an invocation nobody else is told what the runtime reported.
    pub(super) fn log_init_error(&self) {
        if let Some(error) = self.init_error.as_ref().filter(|_| self.sandbox.reserved().is_none())
        {
            let error_type = &error.function_error.error_type;
            let body = String::from_utf8_lossy(&error.payload);
            let body = brief(&body);
            tracing::warn!("the runtime could not initialise: {error_type}: {body}");
        }
    }
}
