//! [`Reporter`]: turns milestones of the lifecycle into platform events and done messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rapid_events::{
    EndData, EventsApi, ExtensionInitData, FaultData, InitReportData, InitReportMetrics,
    InitRuntimeDoneData, InitStartData, InvokeRuntimeDoneData, InvokeStartData, ReportData,
    ReportMetrics, RuntimeDoneInvokeMetrics, Span, Status, extension_overhead,
};
use rapid_fatal_error::ErrorType;
use rapid_interop::limits::MAX_EXTENSIONS;
use rapid_interop::ports::Failure;
use rapid_interop::process::Process;
use rapid_interop::time::millis;
use rapid_interop::{
    ActiveExtensions, Done, DoneFail, ErrorInvokeResponse, InitFailure, InitPhase, InitSuccess,
    InvokeFailure, InvokeMetrics, InvokeSuccess, Mono, RequestId, ResetFailure, ResetReason,
    ResetSuccess, RuntimeRelease,
};
use rapid_lifecycle::effect::{Awaited, InitTime};
use rapid_lifecycle::{EndStatus, Milestone, Ticket};

use crate::config::FunctionInfo;
use crate::invocation::Invocation;
use crate::participants::Participants;

/// How much of a text from elsewhere is worth a log line, in bytes.
const MAX_LOGGED: usize = 1024;

/// What is known besides, while something is reported.
pub(crate) struct Scene<'a, P> {
    pub(crate) participants: &'a Participants<P>,
    /// Only worked out when somebody asks.
    pub(crate) extensions: &'a dyn Fn() -> ActiveExtensions,
    pub(crate) release: &'a RuntimeRelease,
    /// The invocation that holds the sandbox.
    pub(crate) reserved: Option<Ticket>,
    /// Now, unless the runtime has answered and has not asked for the next event yet.
    pub(crate) back: Option<Mono>,
}

/// Tells whoever wants to know.
pub(crate) struct Reporter<E> {
    events: Arc<E>,
    function: FunctionInfo,
    /// The function's version and ARN, which every invocation shares.
    version: Option<Arc<str>>,
    arn: Option<Arc<str>>,
}

/// The end of an invocation, as the machine reports it.
struct End {
    ticket: Ticket,
    status: EndStatus,
    duration: Duration,
    init: Option<InitTime>,
    ready: Option<(Mono, Duration)>,
    overhead: Option<Duration>,
    reset: bool,
}

impl<E: EventsApi> Reporter<E> {
    pub(crate) fn new(events: E, function: FunctionInfo) -> Self {
        let version = known(&function.metadata.function_version);
        let arn = known(&function.arn);
        Self { events: Arc::new(events), function, version, arn }
    }

    /// Whoever wants to know.
    pub(crate) fn events(&self) -> Arc<E> {
        Arc::clone(&self.events)
    }

    /// Tells of an invocation that was refused because nothing was free.
    pub(crate) fn throttled(&self, id: &RequestId) {
        self.events.send_throttle(id);
    }

    /// Reports a milestone; at the end of an initialisation also returns its result.
    pub(crate) fn report(
        &self,
        milestone: Milestone,
        invocations: &mut BTreeMap<Ticket, Invocation>,
        scene: &Scene<'_, impl Process>,
    ) -> Option<Result<InitSuccess, InitFailure>> {
        match milestone {
            Milestone::InitStart { phase } => {
                if let Some(invocation) = scene.reserved.and_then(|it| invocations.get(&it)) {
                    self.events.set_current_request_id(&invocation.invoke.id);
                }
                self.init_start(phase);
            }
            Milestone::InitRuntimeDone { phase, status } => {
                let (status, error_type) = wire(&status);
                self.events.send_init_runtime_done(&InitRuntimeDoneData {
                    initialization_type: self.function.init_type,
                    phase,
                    status,
                    error_type,
                    spans: Vec::new(),
                    tracing: None,
                });
            }
            Milestone::Extension { name, state, events, error_type } => {
                if error_type.as_deref() == Some("TooManyExtensions") {
                    tracing::error!(
                        "the extension {name} is one too many: there may be {MAX_EXTENSIONS}, \
                         external and internal ones together"
                    );
                }
                self.events.send_extension_init(&ExtensionInitData {
                    name,
                    state: state.name().into(),
                    events: events.iter().map(|event| event.as_str().into()).collect(),
                    error_type,
                });
            }
            Milestone::Awaiting { what, names, given_up } => awaiting(what, &names, given_up),
            Milestone::Reset { reason, extensions, late, failed } => {
                reset(reason, extensions, &late, &failed);
            }
            Milestone::InitReport { phase, status, duration } => {
                scene.participants.drain_output();
                return Some(self.init_report(phase, &status, duration, scene));
            }
            Milestone::Start { ticket } => {
                if let Some(invocation) = invocations.get(&ticket) {
                    self.events.set_current_request_id(&invocation.invoke.id);
                    self.events.send_invoke_start(&InvokeStartData {
                        request_id: invocation.invoke.id.clone(),
                        version: self.version.clone(),
                        function_arn: self.arn.clone(),
                        tenant_id: invocation.invoke.tenant_id.clone(),
                        tracing: invocation.tracing.clone(),
                    });
                }
            }
            Milestone::RuntimeDone { ticket, status, duration } => {
                if let Some(invocation) = invocations.get(&ticket) {
                    self.runtime_done(invocation, &status, duration, scene);
                }
            }
            Milestone::End { ticket, status, duration, init, ready, overhead, reset } => {
                if let Some(invocation) = invocations.remove(&ticket) {
                    let end = End { ticket, status, duration, init, ready, overhead, reset };
                    self.end(&invocation, end, scene);
                    invocation.let_go(|id| self.events.fetch_tail_logs(id));
                }
            }
        }
        None
    }

    fn init_start(&self, phase: InitPhase) {
        let function = &self.function;
        let metadata = &function.metadata;
        self.events.send_init_start(&InitStartData {
            initialization_type: function.init_type,
            phase,
            runtime_version: known(&metadata.runtime.version),
            runtime_version_arn: known(&metadata.runtime.arn),
            function_name: known(&metadata.function_name),
            function_arn: self.arn.clone(),
            function_version: self.version.clone(),
            instance_id: known(&function.log_stream),
            instance_max_memory: Some(u64::from(metadata.memory_mb) * 1024 * 1024),
            tracing: None,
        });
    }

    fn init_report(
        &self,
        phase: InitPhase,
        end: &EndStatus,
        duration: Duration,
        scene: &Scene<'_, impl Process>,
    ) -> Result<InitSuccess, InitFailure> {
        let (status, error_type) = wire(end);
        let duration_ms = millis(duration);
        let runtime_release = scene.release.as_str().to_owned();
        let extensions = (scene.extensions)();
        let result = if *end == EndStatus::Success {
            tracing::info!(phase = phase.as_str(), duration_ms, "initialised");
            Ok(InitSuccess { extensions, runtime_release })
        } else {
            let failure = InitFailure {
                extensions,
                error_type: error_type.clone().unwrap_or(ErrorType::RuntimeUnknown),
                error_message: format!("the initialisation ended with status {}", end.as_str()),
                runtime_release,
            };
            tracing::debug!(
                phase = phase.as_str(),
                done = ?DoneFail::from(&failure),
                "the initialisation failed"
            );
            Err(failure)
        };
        self.events.send_init_report(&InitReportData {
            initialization_type: self.function.init_type,
            phase,
            status: Some(status),
            error_type,
            metrics: InitReportMetrics { duration },
            spans: Vec::new(),
            tracing: None,
        });
        result
    }

    fn runtime_done(
        &self,
        invocation: &Invocation,
        status: &EndStatus,
        duration: Duration,
        scene: &Scene<'_, impl Process>,
    ) {
        // A function's own lines come before the platform's.
        scene.participants.runtime.iter().for_each(Process::drain_output);
        let (status, error_type) = wire(status);
        if invocation.trace.error_cause.is_some() {
            self.events.send_error_cause(&invocation.invoke.id, &invocation.trace);
        }
        let response = invocation.response.as_ref();
        let spans = invocation.handed.map(|(started, anchor)| {
            self.events.runtime_done_spans(anchor, Some(started), response, scene.back)
        });
        self.events.send_invoke_runtime_done(&InvokeRuntimeDoneData {
            request_id: invocation.invoke.id.clone(),
            status,
            error_type,
            metrics: Some(RuntimeDoneInvokeMetrics {
                duration,
                produced_bytes: response.map_or(0, |response| response.produced_bytes),
            }),
            spans: spans.unwrap_or_default(),
            tenant_id: invocation.invoke.tenant_id.clone(),
            tracing: invocation.tracing.clone(),
            internal_metrics: invocation.response,
        });
    }

    fn end(&self, invocation: &Invocation, end: End, scene: &Scene<'_, impl Process>) {
        // Otherwise the runtime alone has written, and was done in the same step.
        if end.reset || end.overhead.is_some() {
            scene.participants.drain_output();
        }
        let request_id = invocation.invoke.id.clone();
        let (status, error_type) = wire(&end.status);
        let overhead = overhead(invocation, &end);
        if let Some(span) = &overhead {
            self.events.send_report_span(span);
        }
        if end.reset && status != Status::Success {
            self.events.send_fault(&FaultData {
                request_id: request_id.clone(),
                status: Some(status),
                error_type: error_type.clone(),
                error_message: fault_message(invocation, &end.status).into(),
            });
        }
        self.events.send_end(&EndData { request_id: request_id.clone() });
        self.events.send_report(&ReportData {
            request_id,
            status: Some(status),
            error_type,
            metrics: ReportMetrics {
                duration: end.duration,
                billed_duration_ms: Some(billed(end.duration, end.init, &end.status)),
                memory_size_mb: Some(u64::from(self.function.metadata.memory_mb)),
                max_memory_used_mb: Some(scene.participants.peak_memory().div_ceil(1024 * 1024)),
                init_duration: end.init.and_then(|init| init.of(InitPhase::Init)),
                suppressed_init_duration: end.init.and_then(|init| init.of(InitPhase::Invoke)),
                restore_duration: None,
                billed_restore_duration_ms: None,
            },
            spans: overhead.into_iter().collect(),
            tenant_id: invocation.invoke.tenant_id.clone(),
            tracing: invocation.tracing.clone(),
        });
        if tracing::enabled!(tracing::Level::DEBUG) {
            done(invocation, &end, (scene.extensions)(), scene.release);
        }
    }
}

/// As much of a text from elsewhere as is worth a log line.
pub(crate) fn brief(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_LOGGED)).unwrap_or_default()
}

/// Says for whom an initialisation waits; without that, one that hangs gives no hint.
fn awaiting(what: Awaited, names: &[Box<str>], given_up: bool) {
    let names = names.join(", ");
    let names = brief(&names);
    let (yet, advice) = match what {
        Awaited::Registration => (
            "registered",
            "an external extension has to POST /2020-01-01/extension/register under the name of \
             its file",
        ),
        Awaited::FirstEvent => (
            "asked for an event",
            "an extension that has registered has to GET /2020-01-01/extension/event/next",
        ),
        Awaited::Runtime => {
            tracing::error!(
                "the runtime has not asked for its first event in time; a runtime has to GET \
                 /2018-06-01/runtime/invocation/next: is the command a Lambda runtime?"
            );
            return;
        }
        Awaited::NextEvent => (
            "come back from the invocation",
            "an extension has to GET /2020-01-01/extension/event/next when it has dealt with an \
             event, within the function timeout",
        ),
    };
    if given_up {
        tracing::error!("extensions that have not {yet} in time: {names}; {advice}");
    } else {
        tracing::warn!("waiting for extensions that have not {yet} yet: {names}; {advice}");
    }
}

/// Says how long extensions took to end, and which of them did not end well.
fn reset(reason: ResetReason, extensions_reset: Duration, late: &[Box<str>], failed: &[Box<str>]) {
    let reason = reason.as_str();
    if late.is_empty() {
        let success = ResetSuccess { extensions_reset };
        tracing::debug!(reason, ?success, "the environment was reset");
    } else {
        let failure = ResetFailure { extensions_reset };
        tracing::warn!(
            reason,
            "extensions did not exit within {} ms of the end and were killed: {}",
            failure.extensions_reset.as_millis(),
            brief(&late.join(", "))
        );
    }
    if !failed.is_empty() {
        let names = failed.join(", ");
        tracing::warn!(reason, "extensions exited with an error at SHUTDOWN: {}", brief(&names));
    }
}

/// A text that says something.
fn known(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

/// What extensions took of an invocation whose runtime was ready.
fn overhead(invocation: &Invocation, end: &End) -> Option<Span> {
    let ((overhead, (ready, _)), (_, anchor)) =
        end.overhead.zip(end.ready).zip(invocation.handed)?;
    Some(extension_overhead(anchor, ready, ready + overhead))
}

/// What went wrong, in words: those that the invoker was told, if the platform told them.
fn fault_message(invocation: &Invocation, status: &EndStatus) -> String {
    match &invocation.told {
        Some((failure, _)) if *failure != Failure::Reported => failure.message(),
        // It failed when the invoker had the runtime's answer already.
        Some(_) | None => status.as_str().to_owned(),
    }
}

fn wire(status: &EndStatus) -> (Status, Option<ErrorType>) {
    let wire = match status {
        EndStatus::Success => Status::Success,
        EndStatus::Error(_) => Status::Error,
        EndStatus::Failure(_) => Status::Failure,
        EndStatus::Timeout => Status::Timeout,
    };
    (wire, status.error_type().cloned())
}

/// Whole milliseconds, at least one; an initialisation before the invocation counts in, one inside
/// it does already. A timeout is billed as the timeout itself.
///
/// # Source
/// Telemetry API, "Platform records", metrics.
fn billed(duration: Duration, init: Option<InitTime>, status: &EndStatus) -> u64 {
    let before = init
        .filter(|_| *status != EndStatus::Timeout)
        .and_then(|init| init.of(InitPhase::Init))
        .unwrap_or_default();
    let micros = (duration + before).as_micros();
    u64::try_from(micros.div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

/// Logs the done message of an invocation.
fn done(
    invocation: &Invocation,
    end: &End,
    extensions: ActiveExtensions,
    release: &RuntimeRelease,
) {
    let invoke = &invocation.invoke;
    let runtime_release = release.as_str().to_owned();
    let invoke_metrics = InvokeMetrics {
        request_read_time: invoke.request_read_time,
        request_size: invocation.request_size,
        runtime_ready: end.ready.map(|(at, _)| at),
    };
    if end.status == EndStatus::Success {
        let success = InvokeSuccess {
            id: invoke.id.clone(),
            extensions,
            runtime_release,
            invoke_completion_time: end.ready.map_or(Duration::ZERO, |(_, completion)| completion),
            invoke_received_time: invoke.received,
            invoke_metrics,
            response_metrics: invocation.response_metrics(),
            invoke_response_mode: invoke.response_mode,
        };
        let told = invocation.told.as_ref().map(|(_, told)| &told.function_error.error_type);
        tracing::debug!(
            request.id = %success.id,
            ?told,
            extension_overhead = ?end.overhead,
            cause = ?invocation.trace.error_cause,
            done = ?Done::from(&success), "the invocation ended"
        );
    } else {
        let error_type = end.status.error_type().cloned().unwrap_or(ErrorType::SandboxTimedout);
        let told = invocation.told.as_ref().map(|(_, error)| error.clone());
        let default_error_response = told.unwrap_or_else(|| {
            ErrorInvokeResponse::formatted(
                error_type.clone(),
                &end.status.as_str(),
                Some(&invoke.id),
            )
        });
        let failure = InvokeFailure {
            id: invoke.id.clone(),
            extensions,
            request_reset: end.reset,
            error_message: default_error_response.function_error.message.clone(),
            error_type,
            runtime_release,
            invoke_received_time: invoke.received,
            invoke_metrics,
            response_metrics: invocation.response_metrics(),
            default_error_response,
            invoke_response_mode: invoke.response_mode,
        };
        tracing::debug!(
            request.id = %failure.id,
            ticket = %end.ticket,
            cause = ?invocation.trace.error_cause,
            done = ?DoneFail::from(&failure),
            "the invocation failed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn billing_rounds_up_and_counts_an_initialisation_once() {
        let ms = Duration::from_micros;
        let before = Some(InitTime { duration: ms(79_220), phase: InitPhase::Init });
        let inside = Some(InitTime { duration: ms(79_220), phase: InitPhase::Invoke });
        let rows = [
            (ms(10), None, EndStatus::Success, 1),
            (ms(2_030), None, EndStatus::Success, 3),
            (ms(2_030), before, EndStatus::Success, 82),
            (ms(100_000), inside, EndStatus::Success, 100),
            (ms(3_000_000), before, EndStatus::Timeout, 3000),
        ];
        for (duration, init, status, expected) in rows {
            let found = billed(duration, init, &status);
            assert_eq!(found, expected, "{duration:?} {init:?}");
        }
    }
}
