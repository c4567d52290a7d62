//! Extensions: where they come from, their calls, their events.

use std::sync::Arc;
use std::time::Duration;

use rapid_events::EventsApi;
use rapid_interop::extension::{
    EventType, ExtensionErrorKind, ExtensionErrorReport, ExtensionEvent, ExtensionRefusal,
    NextExtensionEvent, Registered, Registration,
};
use rapid_interop::process::{ExtensionDiscovery, Processes};
use rapid_interop::{ExtensionId, ExtensionKind, Generation};
use rapid_lifecycle::{Caller, ExtensionNotice, ExtensionState, Found, Input};
use uuid::Uuid;

use super::Engine;
use crate::handle::ExtensionReceipt;
use crate::message::{EventCall, Notice};
use crate::participants::ExtensionProcess;
use crate::report::brief;

/// How long the news of a client's hang-up may take after it has come again.
const NEWS_OF_HANG_UP: Duration = Duration::from_millis(25);

impl<P: Processes, E: EventsApi> Engine<P, E> {
    /// Looks for extensions. That reads a few directories, which is quicker done at once than
    /// handed to another thread; the news of it comes as all news does.
    pub(super) fn discover(&mut self) {
        self.launching = true;
        let sources = &self.config.extensions.sources;
        // Once turned off they stay off, and nobody wants to hear of it again.
        let discovery = if self.sandbox.extensions_enabled() {
            self.processes.find_extensions(sources)
        } else {
            ExtensionDiscovery::Disabled
        };
        let found = match discovery {
            ExtensionDiscovery::Disabled => Found::Disabled,
            ExtensionDiscovery::Found(files) => {
                self.participants.extensions = files
                    .into_iter()
                    .map(|file| ExtensionProcess {
                        id: Uuid::new_v4().into(),
                        name: file.name,
                        path: file.path,
                        process: None,
                    })
                    .collect();
                let extensions = &self.participants.extensions;
                Found::Files(extensions.iter().map(|e| (e.id, e.name.clone())).collect())
            }
        };
        // The engine holds the other end.
        drop(self.notices_sender.send(Notice::Discovered(found)));
    }

    pub(super) fn register(
        &mut self,
        generation: Generation,
        registration: Registration,
    ) -> Result<Registered, ExtensionRefusal> {
        let name = registration.name.clone();
        let id = Uuid::new_v4().into();
        if let Err(refusal) = self.extension_calls(Input::Register { generation, id, registration })
        {
            if refusal == ExtensionRefusal::ShutdownOfInternal {
                self.warn_of_a_misnomer(ExtensionKind::Internal, &name, "wants to register");
            }
            return Err(refusal);
        }
        let id = self.sandbox.extension_named(&name).ok_or(ExtensionRefusal::Internal)?;
        let kind = if self.participants.extension(id).is_some() {
            ExtensionKind::External
        } else {
            ExtensionKind::Internal
        };
        let what = match kind {
            ExtensionKind::External => "External",
            ExtensionKind::Internal => "Internal",
        };
        let events = self.sandbox.subscriptions(id).unwrap_or_default();
        tracing::info!(
            "{what} agent {} ({id}) registered, subscribed to [{}]",
            brief(&name),
            events.iter().map(EventType::as_str).collect::<Vec<_>>().join(" ")
        );
        self.warn_of_a_misnomer(kind, &name, "registered");
        Ok(Registered { id, function: Arc::clone(&self.config.function.metadata) })
    }

    /// Before the runtime is started, only extensions with a process can register.
    fn warn_of_a_misnomer(&self, kind: ExtensionKind, name: &str, fate: &str) {
        let awaited: Vec<&str> = self.sandbox.unregistered().collect();
        if kind == ExtensionKind::Internal && !awaited.is_empty() {
            tracing::warn!(
                "'{}' {fate}, but no extension was started under that name; it counts as an \
                 internal one, while {} has not registered yet: an external extension has to use \
                 the name of its file",
                brief(name),
                awaited.join(", ")
            );
        }
    }

    /// Parks a call for an event. One that is refused because another is parked gets a second look:
    /// a client that has lost its connection and comes again may be quicker than the news of its
    /// loss.
    pub(super) fn next_event(&mut self, call: EventCall, again: bool) {
        let EventCall { caller, generation, id, reply } = call;
        if reply.is_closed() {
            return;
        }
        self.extension_callers.insert(caller, reply);
        self.tell_of_return(generation, id);
        let Err(refusal) = self.extension_calls(Input::NextEvent { generation, id, caller }) else {
            return;
        };
        let Some(reply) = self.extension_callers.remove(&caller) else { return };
        if again || !matches!(refusal, ExtensionRefusal::InvalidState { from: "Ready", .. }) {
            // A handler that has gone does not want to know.
            drop(reply.send(Err(refusal)));
            return;
        }
        let notices = self.notices_sender.clone();
        let call = EventCall { caller, generation, id, reply };
        self.tasks.spawn(async move {
            tokio::time::sleep(NEWS_OF_HANG_UP).await;
            // The engine may have ended meanwhile; dropping the call says so.
            drop(notices.send(Notice::NextEventAgain(call)));
        });
    }

    /// Tells whoever records traces that an extension is back from the running invocation, before
    /// the call for the next event ends that.
    fn tell_of_return(&self, generation: Generation, id: ExtensionId) {
        let current = self.segments && generation == self.sandbox.generation();
        let invocation = self.sandbox.reserved().and_then(|ticket| self.invocations.get(&ticket));
        if let Some(invocation) = invocation.filter(|_| current)
            && self.sandbox.extension_state(id) == Some(ExtensionState::Running)
            && let Some(name) = self.sandbox.extension_name(id)
        {
            self.reporter.events().send_extension_done(&invocation.invoke.id, name);
        }
    }

    pub(super) fn extension_error(
        &mut self,
        generation: Generation,
        id: ExtensionId,
        mut report: ExtensionErrorReport,
    ) -> Result<(), ExtensionRefusal> {
        // It is kept, and told again in an event.
        report.error_type = brief(&report.error_type).into();
        let what = match report.kind {
            ExtensionErrorKind::Init => "could not initialise",
            ExtensionErrorKind::Exit => "cannot go on",
        };
        let error_type = report.error_type.clone();
        self.extension_calls(Input::ExtensionError { generation, id, report })?;
        let name = self.sandbox.extension_name(id).unwrap_or_default();
        tracing::warn!("the extension {} {what}: {error_type}", brief(name));
        Ok(())
    }

    /// Answered without a step: it is no call of the lifecycle.
    pub(super) fn extension_name(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<Box<str>, ExtensionRefusal> {
        let name = self.sandbox.extension_name(id);
        let current = name.filter(|_| generation == self.sandbox.generation());
        current.map(Into::into).ok_or(ExtensionRefusal::Unknown { id })
    }

    pub(super) fn notify(&mut self, caller: Caller, id: ExtensionId, notice: ExtensionNotice) {
        let generation = self.sandbox.generation();
        let (ticket, event) = match notice {
            ExtensionNotice::Invoke { ticket, deadline } => {
                let invocation = self.invocations.get_mut(&ticket);
                let event = invocation.map(|invocation| ExtensionEvent::Invoke {
                    invoke: Arc::clone(&invocation.invoke),
                    deadline: *invocation
                        .deadline
                        .get_or_insert_with(|| self.clock.epoch(deadline)),
                });
                (Some(ticket), event)
            }
            ExtensionNotice::Shutdown { reason, deadline } => {
                let deadline = self.clock.epoch(deadline);
                (None, Some(ExtensionEvent::Shutdown { reason, deadline }))
            }
        };
        let notices = Some(self.handle_notices_sender.clone());
        let receipt = ExtensionReceipt { notices, generation, id, ticket };
        let (Some(reply), Some(event)) = (self.extension_callers.remove(&caller), event) else {
            // The receipt is dropped unsettled, which says that nobody got the event.
            return;
        };
        // A caller that has gone drops the receipt, which says so.
        drop(reply.send(Ok(NextExtensionEvent { event, receipt })));
    }

    pub(super) fn release_extension(&mut self, caller: Caller, refusal: ExtensionRefusal) {
        if let Some(reply) = self.extension_callers.remove(&caller) {
            // A caller that has gone does not want to know.
            drop(reply.send(Err(refusal)));
        }
    }
}
