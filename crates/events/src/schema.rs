//! [`Category`], [`Schema`], [`Api`]: what subscribers choose from.

pub use rapid_interop::TelemetryApi as Api;
use serde::{Deserialize, Serialize};

/// Whose records a subscriber wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// The platform's events.
    Platform,
    /// What the runtime's processes write.
    Function,
    /// What extensions write.
    Extension,
}

impl Category {
    /// Every category, in the order in which the service lists them.
    pub const ALL: [Self; 3] = [Self::Platform, Self::Function, Self::Extension];

    /// The name in requests and records, and the `type` of log records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }

    /// The name in log lines.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::Function => "Function",
            Self::Extension => "Extension",
        }
    }
}

/// The version of the records that a subscriber gets; the later one is the greater one.
///
/// # Source
/// Telemetry API, "Subscribe request".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Schema {
    /// The Logs API's first.
    #[serde(rename = "2020-08-15")]
    Logs20200815,
    /// The Logs API's second, with `platform.runtimeDone`.
    #[serde(rename = "2021-03-18")]
    Logs20210318,
    /// The Telemetry API's first.
    #[serde(rename = "2022-07-01")]
    Telemetry20220701,
    /// The Telemetry API's second: names of the function, log records that are objects.
    #[serde(rename = "2022-12-13")]
    Telemetry20221213,
    /// The Telemetry API's third: tenants, managed instances.
    #[serde(rename = "2025-01-29")]
    Telemetry20250129,
}

impl Schema {
    /// Every schema, oldest first.
    pub const ALL: [Self; 5] = [
        Self::Logs20200815,
        Self::Logs20210318,
        Self::Telemetry20220701,
        Self::Telemetry20221213,
        Self::Telemetry20250129,
    ];

    /// The one that leaves nothing out of its records.
    pub const LATEST: Self = Self::Telemetry20250129;

    /// The value of `schemaVersion`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs20200815 => "2020-08-15",
            Self::Logs20210318 => "2021-03-18",
            Self::Telemetry20220701 => "2022-07-01",
            Self::Telemetry20221213 => "2022-12-13",
            Self::Telemetry20250129 => "2025-01-29",
        }
    }

    /// The API that it belongs to.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::Logs20200815 | Self::Logs20210318 => Api::Logs,
            Self::Telemetry20220701 | Self::Telemetry20221213 | Self::Telemetry20250129 => {
                Api::Telemetry
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_json() {
        for category in Category::ALL {
            assert_eq!(serde_json::to_value(category).unwrap(), category.as_str());
            assert_eq!(category.title().to_lowercase(), category.as_str());
        }
        for schema in Schema::ALL {
            assert_eq!(serde_json::to_value(schema).unwrap(), schema.as_str());
        }
        assert!(Schema::ALL.is_sorted());
        assert_eq!(Schema::ALL.last(), Some(&Schema::LATEST));
    }

    #[test]
    fn an_unknown_schema_is_refused_in_the_services_words() {
        let refusal = serde_json::from_str::<Schema>("\"2099-01-01\"").unwrap_err().to_string();
        assert!(refusal.starts_with(
            "unknown variant `2099-01-01`, expected one of `2020-08-15`, `2021-03-18`, \
             `2022-07-01`, `2022-12-13`, `2025-01-29`"
        ));
    }

    #[test]
    fn two_schemas_are_of_the_logs_api() {
        let logs = Schema::ALL.iter().filter(|schema| schema.api() == Api::Logs);
        assert_eq!(logs.count(), 2);
    }
}
