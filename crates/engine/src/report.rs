//! [`Reporter`]: turns milestones of the lifecycle into platform events and done messages.

use std::collections::BTreeMap;
use std::time::Duration;

use rapid_events::{
    EndData, EventsApi, InitReportData, InitReportMetrics, InitRuntimeDoneData, InitStartData,
    InvokeRuntimeDoneData, InvokeStartData, ReportData, ReportMetrics, RuntimeDoneInvokeMetrics,
    Status,
};
use rapid_fatal_error::ErrorType;
use rapid_interop::process::Process;
use rapid_interop::time::millis;
use rapid_interop::{
    Done, DoneFail, ErrorInvokeResponse, InitFailure, InitPhase, InitSuccess, InvokeFailure,
    InvokeMetrics, InvokeSuccess, Mono, ResponseMetrics, RuntimeRelease,
};
use rapid_lifecycle::effect::InitTime;
use rapid_lifecycle::{EndStatus, Milestone, Ticket};

use crate::config::FunctionInfo;
use crate::engine::Invocation;

/// Tells whoever wants to know.
pub(crate) struct Reporter<E> {
    events: E,
    function: FunctionInfo,
}

/// The end of an invocation, as the machine reports it.
struct End {
    ticket: Ticket,
    status: EndStatus,
    duration: Duration,
    init: Option<InitTime>,
    ready: Option<(Mono, Duration)>,
    reset: bool,
}

impl<E: EventsApi> Reporter<E> {
    pub(crate) fn new(events: E, function: FunctionInfo) -> Self {
        Self { events, function }
    }

    /// Reports a milestone; at the end of an initialisation also returns its result.
    pub(crate) fn report(
        &self,
        milestone: Milestone,
        invocations: &mut BTreeMap<Ticket, Invocation>,
        runtime: Option<&impl Process>,
        release: &RuntimeRelease,
    ) -> Option<Result<InitSuccess, InitFailure>> {
        match milestone {
            Milestone::InitStart { phase } => self.init_start(phase),
            Milestone::InitRuntimeDone { phase, status } => {
                let (status, error_type) = wire(&status);
                self.events.send_init_runtime_done(InitRuntimeDoneData {
                    initialization_type: self.function.init_type,
                    status,
                    phase,
                    error_type,
                });
            }
            Milestone::InitReport { phase, status, duration } => {
                drain(runtime);
                return Some(self.init_report(phase, &status, duration, release));
            }
            Milestone::Start { ticket } => {
                if let Some(invocation) = invocations.get(&ticket) {
                    self.events.send_invoke_start(InvokeStartData {
                        request_id: invocation.invoke.id.clone(),
                        tenant_id: invocation.invoke.tenant_id.clone(),
                        version: self.function.version.clone(),
                    });
                }
            }
            Milestone::RuntimeDone { ticket, status, duration } => {
                if let Some(invocation) = invocations.get(&ticket) {
                    self.runtime_done(invocation, &status, duration);
                }
            }
            Milestone::End { ticket, status, duration, init, ready, reset } => {
                if let Some(invocation) = invocations.remove(&ticket) {
                    let end = End { ticket, status, duration, init, ready, reset };
                    self.end(&invocation, end, runtime, release);
                }
            }
        }
        None
    }

    fn init_start(&self, phase: InitPhase) {
        let function = &self.function;
        self.events.send_init_start(InitStartData {
            initialization_type: function.init_type,
            runtime_version: function.runtime.version.clone(),
            runtime_version_arn: function.runtime.arn.clone(),
            function_name: function.name.clone(),
            function_arn: function.arn.clone(),
            function_version: function.version.clone(),
            instance_id: function.log_stream.clone(),
            instance_max_memory: u64::from(function.memory_mb) * 1024 * 1024,
            phase,
        });
    }

    fn init_report(
        &self,
        phase: InitPhase,
        end: &EndStatus,
        duration: Duration,
        release: &RuntimeRelease,
    ) -> Result<InitSuccess, InitFailure> {
        let (status, error_type) = wire(end);
        let duration_ms = millis(duration);
        let runtime_release = release.as_str().to_owned();
        let result = if *end == EndStatus::Success {
            tracing::info!(phase = phase.as_str(), duration_ms, "initialised");
            Ok(InitSuccess { runtime_release })
        } else {
            let failure = InitFailure {
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
        self.events.send_init_report(InitReportData {
            initialization_type: self.function.init_type,
            metrics: InitReportMetrics { duration_ms },
            phase,
            status,
            error_type,
        });
        result
    }

    fn runtime_done(&self, invocation: &Invocation, status: &EndStatus, duration: Duration) {
        let (status, error_type) = wire(status);
        self.events.send_invoke_runtime_done(InvokeRuntimeDoneData {
            request_id: invocation.invoke.id.clone(),
            tenant_id: invocation.invoke.tenant_id.clone(),
            status,
            metrics: RuntimeDoneInvokeMetrics {
                produced_bytes: invocation.produced_bytes,
                duration_ms: millis(duration),
            },
            error_type,
        });
    }

    fn end(
        &self,
        invocation: &Invocation,
        end: End,
        runtime: Option<&impl Process>,
        release: &RuntimeRelease,
    ) {
        // A function's own lines come before the platform's.
        drain(runtime);
        let request_id = invocation.invoke.id.clone();
        let (status, error_type) = wire(&end.status);
        self.events.send_end(EndData { request_id: request_id.clone() });
        self.events.send_report(ReportData {
            request_id,
            status,
            metrics: ReportMetrics {
                duration_ms: millis(end.duration),
                billed_duration_ms: billed(end.duration, end.init, &end.status),
                memory_size_mb: u64::from(self.function.memory_mb),
                max_memory_used_mb: runtime.map_or(0, |r| r.peak_memory().div_ceil(1024 * 1024)),
                init_duration_ms: end.init.map(|init| millis(init.duration)),
            },
            error_type,
        });
        if tracing::enabled!(tracing::Level::DEBUG) {
            done(invocation, &end, release);
        }
    }
}

fn drain(runtime: Option<&impl Process>) {
    if let Some(runtime) = runtime {
        runtime.drain_output();
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
fn billed(duration: Duration, init: Option<InitTime>, status: &EndStatus) -> f64 {
    let before = match init {
        Some(InitTime { duration, phase: InitPhase::Init }) if *status != EndStatus::Timeout => {
            duration
        }
        _ => Duration::ZERO,
    };
    millis(duration + before).ceil().max(1.0)
}

/// Logs the done message of an invocation.
fn done(invocation: &Invocation, end: &End, release: &RuntimeRelease) {
    let invoke = &invocation.invoke;
    let runtime_release = release.as_str().to_owned();
    let invoke_metrics = InvokeMetrics {
        request_read_time: invoke.request_read_time,
        request_size: invoke.payload.len() as u64,
        runtime_ready: end.ready.map(|(at, _)| at),
    };
    if end.status == EndStatus::Success {
        let success = InvokeSuccess {
            id: invoke.id.clone(),
            runtime_release,
            invoke_completion_time: end.ready.map_or(Duration::ZERO, |(_, completion)| completion),
            invoke_received_time: invoke.received,
            invoke_metrics,
            response_metrics: ResponseMetrics::default(),
            invoke_response_mode: invoke.response_mode,
        };
        let told = invocation.told.as_ref().map(|told| &told.function_error.error_type);
        tracing::debug!(
            request.id = %success.id,
            ?told,
            cause = ?invocation.trace.error_cause,
            done = ?Done::from(&success), "the invocation ended"
        );
    } else {
        let error_type = end.status.error_type().cloned().unwrap_or(ErrorType::SandboxTimedout);
        let default_error_response = invocation.told.clone().unwrap_or_else(|| {
            ErrorInvokeResponse::formatted(
                error_type.clone(),
                &end.status.as_str(),
                Some(&invoke.id),
            )
        });
        let failure = InvokeFailure {
            id: invoke.id.clone(),
            request_reset: end.reset,
            error_message: default_error_response.function_error.message.clone(),
            error_type,
            runtime_release,
            invoke_received_time: invoke.received,
            invoke_metrics,
            response_metrics: ResponseMetrics::default(),
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
            (ms(10), None, EndStatus::Success, 1.0),
            (ms(2_030), None, EndStatus::Success, 3.0),
            (ms(2_030), before, EndStatus::Success, 82.0),
            (ms(100_000), inside, EndStatus::Success, 100.0),
            (ms(3_000_000), before, EndStatus::Timeout, 3000.0),
        ];
        for (duration, init, status, expected) in rows {
            let found = billed(duration, init, &status);
            assert!((found - expected).abs() < 1e-9, "{duration:?} {init:?}: {found}");
        }
    }
}
