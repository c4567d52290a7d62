//! Events about the subscriptions themselves, and their metrics.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::line::push_list;
use crate::{Api, Category, LineStyle};

/// `platform.telemetrySubscription` and `platform.logsSubscription`: an extension has subscribed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionData {
    /// The extension's name.
    pub name: Box<str>,
    /// Whether it is a new subscription.
    pub state: SubscriptionState,
    /// What it has subscribed to.
    pub types: Vec<Category>,
}

/// Whether a subscription is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SubscriptionState {
    /// It is.
    Subscribed,
    /// The same request was accepted before, maybe ahead of a reset.
    #[serde(rename = "Already subscribed")]
    AlreadySubscribed,
}

impl SubscriptionState {
    /// The value in events and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "Subscribed",
            Self::AlreadySubscribed => "Already subscribed",
        }
    }
}

impl SubscriptionData {
    /// Appends the log line of a subscription to `api`; the emulator's log does not tell of them.
    pub fn write_line(&self, api: Api, style: LineStyle, out: &mut String) {
        if style == LineStyle::Rie {
            return;
        }
        out.push_str(match api {
            Api::Telemetry => "TELEMETRY\tName: ",
            Api::Logs => "LOGS\tName: ",
        });
        out.push_str(&self.name);
        out.push_str("\tState: ");
        out.push_str(self.state.as_str());
        out.push_str("\tTypes: ");
        push_list(out, self.types.iter().map(|category| category.title()));
    }
}

/// `platform.logsDropped`: a subscriber was too slow for its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogsDroppedData {
    /// Why they were dropped.
    pub reason: Cow<'static, str>,
    /// How many.
    pub dropped_records: u64,
    /// How many bytes they had together.
    pub dropped_bytes: u64,
}

/// How requests to subscribe were answered.
///
/// # Source
/// Interop types, "TelemetrySubscriptionMetrics".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySubscriptionMetrics {
    /// Accepted.
    pub subscribe_success: u64,
    /// Refused for what the extension did.
    pub subscribe_client_err: u64,
    /// Refused for what the platform did.
    pub subscribe_server_err: u64,
    /// Subscribers there are.
    pub num_subscribers: u64,
}

impl TelemetrySubscriptionMetrics {
    /// The sums of both (`MergeSubscriptionMetrics`).
    #[must_use]
    pub const fn merge(self, other: Self) -> Self {
        Self {
            subscribe_success: self.subscribe_success.saturating_add(other.subscribe_success),
            subscribe_client_err: self
                .subscribe_client_err
                .saturating_add(other.subscribe_client_err),
            subscribe_server_err: self
                .subscribe_server_err
                .saturating_add(other.subscribe_server_err),
            num_subscribers: self.num_subscribers.saturating_add(other.num_subscribers),
        }
    }

    /// The metrics with the names that the service gives them.
    #[must_use]
    pub const fn named(self) -> [(&'static str, u64); 4] {
        [
            ("logs_api_subscribe_success", self.subscribe_success),
            ("logs_api_subscribe_client_err", self.subscribe_client_err),
            ("logs_api_subscribe_server_err", self.subscribe_server_err),
            ("logs_api_num_subscribers", self.num_subscribers),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_has_a_line_for_either_api() {
        let mut data = SubscriptionData {
            name: "probe.sh".into(),
            state: SubscriptionState::Subscribed,
            types: Category::ALL.to_vec(),
        };
        let line = |data: &SubscriptionData, api, style| {
            let mut line = String::new();
            data.write_line(api, style, &mut line);
            line
        };
        assert_eq!(
            line(&data, Api::Telemetry, LineStyle::Aws),
            "TELEMETRY\tName: probe.sh\tState: Subscribed\tTypes: [Platform, Function, Extension]"
        );
        (data.state, data.types) = (SubscriptionState::AlreadySubscribed, vec![Category::Function]);
        assert_eq!(
            line(&data, Api::Logs, LineStyle::Aws),
            "LOGS\tName: probe.sh\tState: Already subscribed\tTypes: [Function]"
        );
        assert_eq!(line(&data, Api::Logs, LineStyle::Rie), "");
    }

    #[test]
    fn metrics_add_up_by_name() {
        let telemetry = TelemetrySubscriptionMetrics {
            subscribe_success: 1,
            subscribe_client_err: 2,
            subscribe_server_err: 3,
            num_subscribers: 4,
        };
        let logs = TelemetrySubscriptionMetrics { subscribe_success: 10, ..telemetry };
        assert_eq!(
            telemetry.merge(logs).named(),
            [
                ("logs_api_subscribe_success", 11),
                ("logs_api_subscribe_client_err", 4),
                ("logs_api_subscribe_server_err", 6),
                ("logs_api_num_subscribers", 8),
            ]
        );
    }
}
