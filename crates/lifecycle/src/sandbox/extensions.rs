//! The extensions of a generation, and their calls.

use rapid_fatal_error::ErrorType;
use rapid_interop::extension::{
    EventType, ExtensionErrorKind, ExtensionErrorReport, ExtensionRefusal, Registration,
    StateConflict, Subscriptions,
};
use rapid_interop::limits::MAX_EXTENSIONS;
use rapid_interop::{ExtensionId, ExtensionKind, Generation, Mono};

use super::{Doom, Init, Out, Pending, Phase, Sandbox, Stage};
use crate::effect::{Effect, ExtensionNotice, Milestone};
use crate::extension::{ExtensionCall as Call, ExtensionState};
use crate::input::{Caller, Ticket};

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) id: ExtensionId,
    pub(super) name: Box<str>,
    pub(super) kind: ExtensionKind,
    /// Its process was started, or is being started.
    pub(super) launched: bool,
    pub(super) state: ExtensionState,
    pub(super) events: Subscriptions,
    /// What it, or the platform, called its error.
    pub(super) error_type: Option<Box<str>>,
    pub(super) parked: Option<Caller>,
    /// An event that nobody was there to take.
    pub(super) due: Option<ExtensionNotice>,
    /// It was told of the end.
    pub(super) told: bool,
    /// Its process has ended.
    pub(super) gone: bool,
}

impl Extension {
    pub(super) fn new(id: ExtensionId, name: Box<str>, kind: ExtensionKind) -> Self {
        Self {
            id,
            name,
            kind,
            launched: false,
            state: ExtensionState::Started,
            events: Subscriptions::default(),
            error_type: None,
            parked: None,
            due: None,
            told: false,
            gone: false,
        }
    }

    /// Whether there is a process of its own to be ended.
    pub(super) fn has_process(&self) -> bool {
        self.launched && self.state != ExtensionState::LaunchError
    }

    /// Gives it an event, now if it waits for one, else with its next call. Does nothing unless it
    /// is [`ExtensionState::Ready`].
    pub(super) fn release(&mut self, event: ExtensionNotice, out: &mut Out) {
        let Some(running) = self.state.on(Call::Release) else { return };
        self.state = running;
        match self.parked.take() {
            Some(caller) => out.push(Effect::Notify { caller, id: self.id, event }),
            None => self.due = Some(event),
        }
    }

    /// Takes in what it says of itself.
    fn report(&mut self, report: &ExtensionErrorReport) -> Result<(), ExtensionRefusal> {
        let call = match report.kind {
            ExtensionErrorKind::Init => Call::InitError,
            ExtensionErrorKind::Exit => Call::ExitError,
        };
        self.advance(call)?;
        self.error_type.get_or_insert_with(|| report.error_type.clone());
        Ok(())
    }

    fn advance(&mut self, call: Call) -> Result<(), ExtensionRefusal> {
        let refused = || self.state.refuse(call, &self.id, StateConflict::NotAllowed);
        self.state = self.state.on(call).ok_or_else(refused)?;
        Ok(())
    }
}

/// The events of a registration, if an extension of this kind may have them all.
fn subscriptions(
    kind: ExtensionKind,
    events: &[Box<str>],
) -> Result<Subscriptions, ExtensionRefusal> {
    let mut subscriptions = Subscriptions::default();
    for event in events {
        match (EventType::parse(event), kind) {
            (None, _) => return Err(ExtensionRefusal::UnknownEvent { event: event.clone() }),
            (Some(EventType::Shutdown), ExtensionKind::Internal) => {
                return Err(ExtensionRefusal::ShutdownOfInternal);
            }
            (Some(event), _) => subscriptions.add(event),
        }
    }
    Ok(subscriptions)
}

impl Sandbox {
    pub(super) fn register(
        &mut self,
        generation: Generation,
        id: ExtensionId,
        registration: &Registration,
        out: &mut Out,
    ) -> Result<(), ExtensionRefusal> {
        let Registration { name, events } = registration;
        if generation != self.generation {
            return Err(ExtensionRefusal::RegistrationClosed);
        }
        let external = |e: &&mut Extension| e.kind == ExtensionKind::External && e.name == *name;
        let Some(extension) = self.extensions.iter_mut().find(external) else {
            return self.register_internal(id, name, events);
        };
        let events = subscriptions(ExtensionKind::External, events)?;
        let refuse =
            |state: ExtensionState| state.refuse(Call::Register, name, StateConflict::NotAllowed);
        if matches!(self.phase, Phase::Stopping(_) | Phase::Closed) {
            return Err(refuse(extension.state));
        }
        extension.state =
            extension.state.on(Call::Register).ok_or_else(|| refuse(extension.state))?;
        extension.events = events;
        self.registered(out);
        Ok(())
    }

    fn register_internal(
        &mut self,
        id: ExtensionId,
        name: &str,
        events: &[Box<str>],
    ) -> Result<(), ExtensionRefusal> {
        let events = subscriptions(ExtensionKind::Internal, events)?;
        // Before it is known which files there are, nobody can tell who is internal.
        let open = matches!(&self.phase, Phase::Init(Init { stage, .. }) if *stage < Stage::Agents)
            && self.pending != Some(Pending::Discovery)
            && self.extensions_enabled;
        if !open {
            return Err(ExtensionRefusal::RegistrationClosed);
        }
        if self.extensions.len() >= MAX_EXTENSIONS {
            return Err(ExtensionRefusal::TooManyExtensions);
        }
        if self.extension_named(name).is_some() {
            return Err(ExtensionRefusal::NameTaken);
        }
        let mut extension = Extension::new(id, name.into(), ExtensionKind::Internal);
        extension.state = ExtensionState::Registered;
        extension.events = events;
        self.extensions.push(extension);
        Ok(())
    }

    pub(super) fn next_event(
        &mut self,
        now: Mono,
        generation: Generation,
        id: ExtensionId,
        caller: Caller,
        out: &mut Out,
    ) -> Result<(), ExtensionRefusal> {
        let extension = self.extension(generation, id)?;
        if let Some(event) = extension.due.take() {
            out.push(Effect::Notify { caller, id, event });
            return Ok(());
        }
        // Whoever was parked and has hung up may come again.
        if extension.state != ExtensionState::Ready || extension.parked.is_some() {
            extension.advance(Call::Next)?;
        }
        extension.parked = Some(caller);
        match &self.phase {
            Phase::Init(_) => self.extension_ready(now, out),
            Phase::Invoking => self.settle(now, out),
            Phase::Stopping(_) => self.offer_shutdown(id, out),
            Phase::Idle | Phase::Ready | Phase::Closed => {}
        }
        Ok(())
    }

    pub(super) fn extension_error(
        &mut self,
        now: Mono,
        generation: Generation,
        id: ExtensionId,
        report: &ExtensionErrorReport,
    ) -> Result<(), ExtensionRefusal> {
        let extension = self.extension(generation, id)?;
        extension.report(report)?;
        // What it was to be told does not matter to it any longer.
        extension.due = None;
        if !matches!(self.phase, Phase::Stopping(_)) {
            self.first_fatal.record(match report.kind {
                ExtensionErrorKind::Init => ErrorType::ExtensionInitError,
                ExtensionErrorKind::Exit => ErrorType::ExtensionExitError,
            });
            // It is expected to exit; one that lingers does not hold everybody up.
            let deadline = now + self.policy.init_error_grace;
            self.doom.get_or_insert(Doom { deadline, kind: report.kind });
        }
        Ok(())
    }

    pub(super) fn event_vanished(
        &mut self,
        generation: Generation,
        id: ExtensionId,
        ticket: Option<Ticket>,
        out: &mut Out,
    ) {
        let event = match (&self.phase, &self.active, ticket) {
            (Phase::Invoking, Some(active), Some(ticket)) if active.ticket == ticket => {
                ExtensionNotice::Invoke { ticket, deadline: active.deadline }
            }
            (Phase::Stopping(stopping), _, None) => stopping.event(),
            _ => return,
        };
        let Ok(extension) = self.extension(generation, id) else { return };
        if !(if ticket.is_some() { extension.events.invoke } else { extension.told }) {
            return;
        }
        match extension.state {
            ExtensionState::Running => extension.due = Some(event),
            // It has lost its event and asks again already.
            ExtensionState::Ready => extension.release(event, out),
            ExtensionState::Started
            | ExtensionState::Registered
            | ExtensionState::InitError
            | ExtensionState::ExitError
            | ExtensionState::ShutdownFailed
            | ExtensionState::Exited
            | ExtensionState::LaunchError => {}
        }
    }

    /// Tells everybody who has registered for it that an invocation begins.
    pub(super) fn tell_extensions(&mut self, out: &mut Out) {
        let Some(active) = &self.active else { return };
        let event = ExtensionNotice::Invoke { ticket: active.ticket, deadline: active.deadline };
        for extension in self.extensions.iter_mut().filter(|extension| extension.events.invoke) {
            extension.release(event, out);
        }
    }

    /// Whether all that were told of the invocation have asked for the next event.
    pub(super) fn extensions_are_back(&self) -> bool {
        self.extensions
            .iter()
            .all(|extension| !extension.events.invoke || extension.state == ExtensionState::Ready)
    }

    /// Reports how each extension came out of the initialisation.
    pub(super) fn report_extensions(&self, out: &mut Out) {
        let known = |extension: &&Extension| {
            let external = extension.kind == ExtensionKind::External;
            !external || extension.launched || extension.state == ExtensionState::LaunchError
        };
        out.extend(self.extensions.iter().filter(known).map(|extension| {
            Effect::Reached(Milestone::Extension {
                name: extension.name.clone(),
                state: extension.state,
                events: extension.events,
                error_type: extension.error_type.clone(),
            })
        }));
    }

    pub(super) fn extension(
        &mut self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<&mut Extension, ExtensionRefusal> {
        let found = self.extensions.iter_mut().find(|extension| extension.id == id);
        found.filter(|_| generation == self.generation).ok_or(ExtensionRefusal::Unknown { id })
    }

    /// The id of the extension of that name.
    #[must_use]
    pub fn extension_named(&self, name: &str) -> Option<ExtensionId> {
        self.extensions.iter().find(|extension| *extension.name == *name).map(|found| found.id)
    }

    /// The events that the extension with that id has registered for.
    #[must_use]
    pub fn subscriptions(&self, id: ExtensionId) -> Option<Subscriptions> {
        self.known(id).map(|found| found.events)
    }

    /// The name of the extension with that id.
    #[must_use]
    pub fn extension_name(&self, id: ExtensionId) -> Option<&str> {
        self.known(id).map(|found| &*found.name)
    }

    /// The state of the extension with that id.
    #[must_use]
    pub fn extension_state(&self, id: ExtensionId) -> Option<ExtensionState> {
        self.known(id).map(|found| found.state)
    }

    fn known(&self, id: ExtensionId) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.id == id)
    }

    /// The names of all extensions, external ones first.
    pub fn extension_names(&self) -> impl Iterator<Item = &str> {
        self.extensions.iter().map(|extension| &*extension.name)
    }

    /// The extensions that were started and that the initialisation waits for to register.
    pub fn unregistered(&self) -> impl Iterator<Item = &str> {
        let awaited =
            self.extensions.iter().filter(|e| e.launched && e.state == ExtensionState::Started);
        awaited.map(|extension| &*extension.name)
    }

    /// Whether extensions take part.
    #[must_use]
    pub const fn extensions_enabled(&self) -> bool {
        self.extensions_enabled
    }
}
