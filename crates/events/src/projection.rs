//! What of an event each schema carries.

use std::borrow::Cow;

use crate::{
    Api, ExtensionInitData, InvokeRuntimeDoneData, InvokeStartData, Platform, ReportData,
    ReportMetrics, Schema, Status,
};

/// `event` as subscribers of `schema` see it, `None` if they do not.
///
/// # Source
/// Telemetry API, "Platform records", schema differences, and "Logs API records".
pub(crate) fn project(event: &Platform, schema: Schema) -> Option<Cow<'_, Platform>> {
    match schema.api() {
        Api::Telemetry => telemetry(event, schema),
        Api::Logs => logs(event, schema),
    }
}

fn telemetry(event: &Platform, schema: Schema) -> Option<Cow<'_, Platform>> {
    let names_told = schema >= Schema::Telemetry20221213;
    let everything_told = schema >= Schema::Telemetry20250129;
    let projected: Platform = match event {
        Platform::Fault(_) | Platform::End(_) | Platform::LogsSubscription(_) => return None,
        Platform::InitStart(data) if !names_told => {
            let mut data = data.clone();
            (data.function_name, data.function_version) = (None, None);
            (data.instance_id, data.instance_max_memory) = (None, None);
            data.into()
        }
        Platform::RestoreStart(data) if !names_told => {
            let mut data = data.clone();
            (data.function_name, data.function_version) = (None, None);
            (data.instance_id, data.instance_max_memory) = (None, None);
            data.into()
        }
        Platform::InitReport(data) if !names_told => {
            let mut data = data.clone();
            // An error type says something only beside a status.
            (data.status, data.error_type) = (None, None);
            data.into()
        }
        Platform::Start(data) if !everything_told => {
            InvokeStartData { function_arn: None, tenant_id: None, ..data.clone() }.into()
        }
        Platform::RuntimeDone(data) if !everything_told && data.tenant_id.is_some() => {
            InvokeRuntimeDoneData { tenant_id: None, ..data.clone() }.into()
        }
        Platform::Report(data) if !everything_told => {
            let metrics = ReportMetrics { billed_restore_duration_ms: None, ..data.metrics };
            ReportData { metrics, tenant_id: None, ..data.clone() }.into()
        }
        Platform::Extension(data) if !everything_told && data.error_type.is_some() => {
            ExtensionInitData { error_type: None, ..data.clone() }.into()
        }
        Platform::InitStart(_)
        | Platform::InitRuntimeDone(_)
        | Platform::Extension(_)
        | Platform::InitReport(_)
        | Platform::RestoreStart(_)
        | Platform::RestoreRuntimeDone(_)
        | Platform::RestoreReport(_)
        | Platform::Start(_)
        | Platform::RuntimeDone(_)
        | Platform::Report(_)
        | Platform::TelemetrySubscription(_)
        | Platform::LogsDropped(_) => return Some(Cow::Borrowed(event)),
    };
    Some(Cow::Owned(projected))
}

fn logs(event: &Platform, schema: Schema) -> Option<Cow<'_, Platform>> {
    let projected: Platform = match event {
        Platform::Start(data) => InvokeStartData {
            request_id: data.request_id.clone(),
            version: data.version.clone(),
            function_arn: None,
            tenant_id: None,
            tracing: None,
        }
        .into(),
        Platform::RuntimeDone(data) if schema >= Schema::Logs20210318 => InvokeRuntimeDoneData {
            request_id: data.request_id.clone(),
            status: match data.status {
                Status::Error | Status::Failure => Status::Failure,
                Status::Success => Status::Success,
                Status::Timeout => Status::Timeout,
            },
            error_type: None,
            metrics: None,
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
            internal_metrics: None,
        }
        .into(),
        Platform::Report(data) => ReportData {
            request_id: data.request_id.clone(),
            status: None,
            error_type: None,
            metrics: ReportMetrics {
                restore_duration: None,
                billed_restore_duration_ms: None,
                ..data.metrics
            },
            spans: Vec::new(),
            tenant_id: None,
            tracing: None,
        }
        .into(),
        Platform::Extension(data) if data.error_type.is_some() => {
            ExtensionInitData { error_type: None, ..data.clone() }.into()
        }
        Platform::Extension(_)
        | Platform::End(_)
        | Platform::Fault(_)
        | Platform::LogsSubscription(_)
        | Platform::LogsDropped(_) => return Some(Cow::Borrowed(event)),
        Platform::InitStart(_)
        | Platform::InitRuntimeDone(_)
        | Platform::InitReport(_)
        | Platform::RestoreStart(_)
        | Platform::RestoreRuntimeDone(_)
        | Platform::RestoreReport(_)
        | Platform::RuntimeDone(_)
        | Platform::TelemetrySubscription(_) => return None,
    };
    Some(Cow::Owned(projected))
}
