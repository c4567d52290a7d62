//! [`Status`]: how something ended.

use serde::{Deserialize, Serialize};

/// How an initialisation or an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should.
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
}
