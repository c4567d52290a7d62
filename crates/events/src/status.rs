//! [`Status`]: how something ended.

use serde::{Deserialize, Serialize};

/// How an initialisation, an invocation or a restoration ended.
///
/// # Source
/// Telemetry API, "Event envelope".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should; an error that the runtime reported in its own words counts as well.
    Success,
    /// The function, the runtime or an extension failed.
    Error,
    /// The platform failed.
    Failure,
    /// Its time ran out.
    Timeout,
}

impl Status {
    /// The value in events and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
        }
    }

    /// Reads such a value; `None` if there is no such status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Error, Self::Failure, Self::Timeout]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}
