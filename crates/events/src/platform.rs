//! [`Platform`]: every event of the platform.

use rapid_interop::{InitType, RequestId};
use serde::Serialize;

use crate::{
    Api, EndData, ExtensionInitData, FaultData, InitReportData, InitRuntimeDoneData, InitStartData,
    InvokeRuntimeDoneData, InvokeStartData, Level, Line, LineStyle, LogsDroppedData, ReportData,
    RestoreReportData, RestoreRuntimeDoneData, RestoreStartData, Status, SubscriptionData,
};

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($data:ident) = $name:literal,)+) => {
        /// What the platform tells of, in the order of a lifecycle.
        ///
        /// Serialised, it is the record in the latest schema.
        ///
        /// # Source
        /// Telemetry API, "Platform records" and "Logs API records".
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Platform {
            $($(#[$doc])* $variant($data),)+
        }

        impl Platform {
            /// The `type` of the event.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)+
                }
            }

            /// Reads a record by the name of its type; `None` if there is no such type or if the
            /// record is not one of it.
            pub(crate) fn read(name: &str, record: &str) -> Option<Self> {
                match name {
                    $($name => serde_json::from_str(record).ok().map(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// `platform.initStart`.
    InitStart(InitStartData) = "platform.initStart",
    /// `platform.initRuntimeDone`.
    InitRuntimeDone(InitRuntimeDoneData) = "platform.initRuntimeDone",
    /// `platform.extension`.
    Extension(ExtensionInitData) = "platform.extension",
    /// `platform.initReport`.
    InitReport(InitReportData) = "platform.initReport",
    /// `platform.restoreStart`.
    RestoreStart(RestoreStartData) = "platform.restoreStart",
    /// `platform.restoreRuntimeDone`.
    RestoreRuntimeDone(RestoreRuntimeDoneData) = "platform.restoreRuntimeDone",
    /// `platform.restoreReport`.
    RestoreReport(RestoreReportData) = "platform.restoreReport",
    /// `platform.start`.
    Start(InvokeStartData) = "platform.start",
    /// `platform.runtimeDone`.
    RuntimeDone(InvokeRuntimeDoneData) = "platform.runtimeDone",
    /// `platform.fault`.
    Fault(FaultData) = "platform.fault",
    /// `platform.end`.
    End(EndData) = "platform.end",
    /// `platform.report`.
    Report(ReportData) = "platform.report",
    /// `platform.telemetrySubscription`.
    TelemetrySubscription(SubscriptionData) = "platform.telemetrySubscription",
    /// `platform.logsSubscription`.
    LogsSubscription(SubscriptionData) = "platform.logsSubscription",
    /// `platform.logsDropped`.
    LogsDropped(LogsDroppedData) = "platform.logsDropped",
}

impl Platform {
    /// The system log level.
    ///
    /// # Source
    /// Telemetry API, "Log format and level"; ours for `platform.end` and `platform.fault`.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::InitStart(data) => of_start(data.runtime_version.as_deref()),
            Self::RestoreStart(data) => of_start(data.runtime_version.as_deref()),
            Self::InitRuntimeDone(data) => of_end(Some(data.status), Level::Debug),
            Self::RestoreRuntimeDone(data) => of_end(Some(data.status), Level::Debug),
            Self::RuntimeDone(data) => of_end(Some(data.status), Level::Debug),
            Self::InitReport(data) if data.initialization_type == InitType::OnDemand => {
                of_end(data.status, Level::Debug)
            }
            Self::InitReport(data) => of_end(data.status, Level::Info),
            Self::RestoreReport(data) => of_end(Some(data.status), Level::Info),
            Self::Report(data) => of_end(data.status, Level::Info),
            Self::Extension(ExtensionInitData { error_type: None, .. })
            | Self::Start(_)
            | Self::End(_)
            | Self::TelemetrySubscription(_)
            | Self::LogsSubscription(_) => Level::Info,
            Self::Extension(_) | Self::Fault(_) | Self::LogsDropped(_) => Level::Warn,
        }
    }

    /// The invocation that it belongs to, if it belongs to one.
    #[must_use]
    pub const fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Start(data) => Some(&data.request_id),
            Self::RuntimeDone(data) => Some(&data.request_id),
            Self::Fault(data) => Some(&data.request_id),
            Self::End(data) => Some(&data.request_id),
            Self::Report(data) => Some(&data.request_id),
            Self::InitStart(_)
            | Self::InitRuntimeDone(_)
            | Self::Extension(_)
            | Self::InitReport(_)
            | Self::RestoreStart(_)
            | Self::RestoreRuntimeDone(_)
            | Self::RestoreReport(_)
            | Self::TelemetrySubscription(_)
            | Self::LogsSubscription(_)
            | Self::LogsDropped(_) => None,
        }
    }
}

const fn of_start(runtime_version: Option<&str>) -> Level {
    if runtime_version.is_some() { Level::Info } else { Level::Debug }
}

const fn of_end(status: Option<Status>, good: Level) -> Level {
    match status {
        Some(Status::Success) | None => good,
        Some(Status::Error | Status::Failure | Status::Timeout) => Level::Warn,
    }
}

impl Line for Platform {
    fn write_line(&self, style: LineStyle, out: &mut String) {
        match self {
            Self::InitStart(data) => data.write_line(style, out),
            Self::Extension(data) => data.write_line(style, out),
            Self::InitReport(data) => data.write_line(style, out),
            Self::RestoreStart(data) => data.write_line(style, out),
            Self::RestoreReport(data) => data.write_line(style, out),
            Self::Start(data) => data.write_line(style, out),
            Self::Fault(data) => data.write_line(style, out),
            Self::End(data) => data.write_line(style, out),
            Self::Report(data) => data.write_line(style, out),
            Self::TelemetrySubscription(data) => data.write_line(Api::Telemetry, style, out),
            Self::LogsSubscription(data) => data.write_line(Api::Logs, style, out),
            Self::InitRuntimeDone(_)
            | Self::RestoreRuntimeDone(_)
            | Self::RuntimeDone(_)
            | Self::LogsDropped(_) => {}
        }
    }
}

macro_rules! from_data {
    ($($variant:ident($data:ident),)+) => {
        $(impl From<$data> for Platform {
            fn from(data: $data) -> Self {
                Self::$variant(data)
            }
        })+
    };
}

from_data! {
    InitStart(InitStartData),
    InitRuntimeDone(InitRuntimeDoneData),
    Extension(ExtensionInitData),
    InitReport(InitReportData),
    RestoreStart(RestoreStartData),
    RestoreRuntimeDone(RestoreRuntimeDoneData),
    RestoreReport(RestoreReportData),
    Start(InvokeStartData),
    RuntimeDone(InvokeRuntimeDoneData),
    Fault(FaultData),
    End(EndData),
    Report(ReportData),
    LogsDropped(LogsDroppedData),
}

#[cfg(test)]
mod tests {
    use rapid_interop::InitPhase;

    use super::*;
    use crate::{Category, SubscriptionState};

    fn lines(style: LineStyle) -> Vec<Option<String>> {
        let request_id = RequestId::parse("r-1").unwrap();
        let subscription = SubscriptionData {
            name: "probe.sh".into(),
            state: SubscriptionState::Subscribed,
            types: vec![Category::Function],
        };
        let init = InitRuntimeDoneData {
            initialization_type: InitType::OnDemand,
            phase: InitPhase::Init,
            status: Status::Success,
            error_type: None,
            spans: Vec::new(),
            tracing: None,
        };
        let dropped =
            LogsDroppedData { reason: "slow".into(), dropped_records: 1, dropped_bytes: 2 };
        let events: [Platform; 5] = [
            EndData { request_id }.into(),
            Platform::TelemetrySubscription(subscription.clone()),
            Platform::LogsSubscription(subscription),
            init.into(),
            dropped.into(),
        ];
        events.iter().map(|event| event.line(style)).collect()
    }

    #[test]
    fn an_event_has_the_line_of_its_record_and_some_have_none() {
        let end = Some("END RequestId: r-1".to_owned());
        let subscription = "\tName: probe.sh\tState: Subscribed\tTypes: [Function]";
        assert_eq!(
            lines(LineStyle::Aws),
            [
                end.clone(),
                Some(format!("TELEMETRY{subscription}")),
                Some(format!("LOGS{subscription}")),
                None,
                None
            ]
        );
        assert_eq!(lines(LineStyle::Rie), [end, None, None, None, None]);
    }
}
