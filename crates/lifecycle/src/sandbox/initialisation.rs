//! Initialisations: extensions first, then the runtime, and how each of them ends.

use rapid_fatal_error::ErrorType;
use rapid_interop::limits::MAX_EXTENSIONS;
use rapid_interop::ports::{ExtensionFault, Failure, RuntimeRefusal};
use rapid_interop::process::LaunchError;
use rapid_interop::{ExtensionKind, Generation, InitPhase, Mono, ResetReason};

use super::extensions::Extension;
use super::{Init, Out, Pending, Phase, Sandbox, Stage};
use crate::effect::{Answer, Awaited, Effect, EndStatus, InitTime, Milestone};
use crate::extension::ExtensionState;
use crate::input::{Found, Participant};
use crate::runtime::{Call, Runtime};

impl Sandbox {
    pub(super) fn begin_init(&mut self, now: Mono, phase: InitPhase, out: &mut Out) {
        let deadline = match phase {
            InitPhase::Init => Some(now + self.policy.init_timeout),
            InitPhase::Invoke => None,
        };
        self.phase = Phase::Init(Init {
            phase,
            started: now,
            deadline,
            stage: Stage::Launching,
            reminder: None,
            reported: false,
        });
        self.runtime = Runtime::Started;
        self.pending = Some(Pending::Discovery);
        out.push(Effect::Reached(Milestone::InitStart { phase }));
        out.push(Effect::Discover);
    }

    pub(super) fn discovered(&mut self, now: Mono, found: Found, out: &mut Out) {
        if self.pending != Some(Pending::Discovery) {
            return;
        }
        self.pending = None;
        let files = match found {
            Found::Files(files) if self.extensions_enabled => files,
            Found::Files(_) => Vec::new(),
            Found::Disabled => {
                self.extensions_enabled = false;
                Vec::new()
            }
        };
        match &self.phase {
            Phase::Init(_) => {
                let external = |(id, name)| Extension::new(id, name, ExtensionKind::External);
                self.extensions.extend(files.into_iter().map(external));
                self.launch_next(now, out);
            }
            Phase::Stopping(_) => self.begin_stop(now, out),
            Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Closed => {}
        }
    }

    /// Starts the next extension, or waits for those that were started.
    fn launch_next(&mut self, now: Mono, out: &mut Out) {
        let Phase::Init(init) = &mut self.phase else { return };
        let awaits = |e: &Extension| e.kind == ExtensionKind::External && !e.launched;
        let Some(place) = self.extensions.iter().position(awaits) else {
            init.stage = Stage::Registering;
            init.reminder = Some(now + self.policy.reminder);
            self.registered(out);
            return;
        };
        let Some(extension) = self.extensions.get_mut(place) else { return };
        if place < MAX_EXTENSIONS {
            extension.launched = true;
            let id = extension.id;
            self.launch(Participant::Extension(id), out);
        } else {
            extension.state = ExtensionState::LaunchError;
            extension.error_type = Some("TooManyExtensions".into());
            self.first_fatal.record(ErrorType::ExtensionLaunchError);
            self.extension_failed(now, ExtensionFault::TooMany, out);
        }
    }

    /// Starts the runtime once every extension that was started has registered.
    pub(super) fn registered(&mut self, out: &mut Out) {
        let all = self.unregistered().next().is_none();
        if let Phase::Init(init @ Init { stage: Stage::Registering, .. }) = &mut self.phase
            && all
        {
            init.stage = Stage::Runtime;
            init.reminder = None;
            self.launch(Participant::Runtime, out);
        }
    }

    fn launch(&mut self, participant: Participant, out: &mut Out) {
        self.pending = Some(Pending::Launch(participant));
        out.push(Effect::Launch { generation: self.generation, participant });
    }

    pub(super) fn launched(&mut self, now: Mono, participant: Participant, out: &mut Out) {
        if self.pending != Some(Pending::Launch(participant)) {
            return;
        }
        self.pending = None;
        match (&self.phase, participant) {
            (Phase::Init(_), Participant::Extension(_)) => self.launch_next(now, out),
            // Somebody may have asked before there was a runtime; that counts from now on.
            (Phase::Init(init), Participant::Runtime)
                if init.stage == Stage::Runtime && !self.parked.is_empty() =>
            {
                if let Ok(ready) = self.runtime.on(Call::Next) {
                    self.runtime = ready;
                    self.runtime_ready(now, out);
                }
            }
            (Phase::Stopping(_), _) => self.begin_stop(now, out),
            (Phase::Init(_) | Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Closed, _) => {}
        }
    }

    pub(super) fn launch_failed(
        &mut self,
        now: Mono,
        participant: Participant,
        error: LaunchError,
        out: &mut Out,
    ) {
        if self.pending != Some(Pending::Launch(participant)) {
            return;
        }
        self.pending = None;
        if let Participant::Extension(id) = participant
            && let Some(extension) = self.extensions.iter_mut().find(|e| e.id == id)
        {
            extension.state = ExtensionState::LaunchError;
            let denied = matches!(error, LaunchError::NotExecutable { .. });
            extension.error_type =
                Some(if denied { "PermissionDenied" } else { "UnknownError" }.into());
        }
        match (&self.phase, participant) {
            (Phase::Init(_), Participant::Extension(_)) => {
                self.first_fatal.record(ErrorType::ExtensionLaunchError);
                self.extension_failed(now, ExtensionFault::Launch(error), out);
            }
            (Phase::Init(init), Participant::Runtime) if init.stage < Stage::Agents => {
                let error_type = error.error_type();
                self.first_fatal.record(error_type);
                let executed = !matches!(
                    error,
                    LaunchError::NoBootstrap { .. }
                        | LaunchError::WorkingDirectory { .. }
                        | LaunchError::RelativeWorkingDirectory { .. }
                );
                let status = EndStatus::of(self.fatal_or(&Failure::Launch(error.clone())));
                let runtime_done = executed.then(|| status.clone());
                let failure = Failure::Launch(error);
                self.init_failed(now, runtime_done, status, failure, ResetReason::Failure, out);
            }
            (Phase::Stopping(_), _) => self.begin_stop(now, out),
            // A caller from elsewhere stands in for the runtime that could not be started.
            (Phase::Init(_) | Phase::Idle | Phase::Ready | Phase::Invoking | Phase::Closed, _) => {}
        }
    }

    /// The runtime has asked for its first event: nobody else may register, and all who have are
    /// waited for.
    pub(super) fn runtime_ready(&mut self, now: Mono, out: &mut Out) {
        if let Phase::Init(init) = &mut self.phase {
            init.stage = Stage::Agents;
            init.reminder = Some(now + self.policy.reminder);
            self.extension_ready(now, out);
        }
    }

    /// Ends the initialisation once every extension has asked for its first event.
    pub(super) fn extension_ready(&mut self, now: Mono, out: &mut Out) {
        if matches!(&self.phase, Phase::Init(init) if init.stage == Stage::Agents)
            && self.extensions.iter().all(|e| e.state == ExtensionState::Ready)
        {
            self.init_succeeded(now, out);
        }
    }

    fn init_succeeded(&mut self, now: Mono, out: &mut Out) {
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
        self.report_extensions(out);
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
        self.report_extensions(out);
        out.push(Effect::Reached(Milestone::InitReport { phase, status, duration }));
        match phase {
            // Invocations that wait are kept: they get one more try, inside an invocation.
            InitPhase::Init => self.stop(now, reason, None, out),
            InitPhase::Invoke => self.fail_invoke(now, failure, reason, out),
        }
    }

    /// Names those that keep the initialisation from going on, if there are any.
    pub(super) fn remind(&mut self, given_up: bool, out: &mut Out) {
        let Phase::Init(init) = &mut self.phase else { return };
        init.reminder = None;
        match init.stage {
            Stage::Launching => {}
            Stage::Runtime if init.reported => {}
            Stage::Runtime => {
                let (what, names) = (Awaited::Runtime, vec!["runtime".into()]);
                out.push(Effect::Reached(Milestone::Awaiting { what, names, given_up }));
            }
            Stage::Registering => {
                self.name(Awaited::Registration, ExtensionState::Started, given_up, out);
            }
            Stage::Agents => {
                self.name(Awaited::FirstEvent, ExtensionState::Registered, given_up, out);
            }
        }
    }

    /// Names the extensions in a state that they should have left.
    pub(super) fn name(&self, what: Awaited, state: ExtensionState, given_up: bool, out: &mut Out) {
        let awaited = self.extensions.iter().filter(|extension| extension.state == state);
        let names: Vec<Box<str>> = awaited.map(|extension| extension.name.clone()).collect();
        if !names.is_empty() {
            out.push(Effect::Reached(Milestone::Awaiting { what, names, given_up }));
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
        let fatal = self.first_fatal.record(error_type.clone()).clone();
        init.reported = true;
        // The runtime is expected to exit; one that lingers does not hold everybody up.
        let grace = now + self.policy.init_error_grace;
        init.deadline = Some(init.deadline.map_or(grace, |deadline| deadline.min(grace)));
        if let Some(active) = self.active.as_mut().filter(|active| active.answered.is_none()) {
            active.answered = Some(now);
            active.fault = Some(fatal);
            let answer = Answer::InitError(error_type);
            out.push(Effect::Answer { ticket: active.ticket, answer });
        }
        Ok(())
    }
}
