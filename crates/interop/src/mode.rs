//! String enums of the vocabulary: response modes, and kinds and phases of init.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::InteropError;

/// `Buffered` or `Streaming`: the value behind both [`FunctionResponseMode`] and
/// [`InvokeResponseMode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResponseMode {
    /// The response is handed over whole.
    #[default]
    Buffered,
    /// The response is handed over while it is produced.
    Streaming,
}

impl ResponseMode {
    /// The name in metrics and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "Buffered",
            Self::Streaming => "Streaming",
        }
    }
}

impl fmt::Display for ResponseMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the runtime says it delivers the response of an invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FunctionResponseMode(pub ResponseMode);

impl FunctionResponseMode {
    /// Reads `Lambda-Runtime-Function-Response-Mode` as the Runtime API does: absent or empty is
    /// buffered, exactly `streaming` is streaming.
    ///
    /// # Errors
    /// [`InteropError::InvalidFunctionResponseMode`] for any other text.
    ///
    /// # Source
    /// Runtime API, R3 step 3.
    pub fn from_runtime(header: Option<&[u8]>) -> Result<Self, InteropError> {
        match header {
            None | Some(b"") => Ok(Self(ResponseMode::Buffered)),
            Some(b"streaming") => Ok(Self(ResponseMode::Streaming)),
            Some(_) => Err(InteropError::InvalidFunctionResponseMode),
        }
    }
}

/// How the invoker asked for the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvokeResponseMode(pub ResponseMode);

/// Why an initialisation runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InitType {
    /// For an invocation, or at the start of an emulator.
    #[default]
    #[serde(rename = "on-demand")]
    OnDemand,
    /// Ahead of traffic.
    #[serde(rename = "provisioned-concurrency")]
    ProvisionedConcurrency,
    /// For a snapshot.
    #[serde(rename = "snap-start")]
    SnapStart,
}

impl InitType {
    /// The value of `AWS_LAMBDA_INITIALIZATION_TYPE` and of `initializationType` in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
            Self::SnapStart => "snap-start",
        }
    }
}

/// In which phase of the lifecycle an initialisation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitPhase {
    /// On its own, before invocations (`LifecyclePhaseInit`).
    Init,
    /// Suppressed, inside an invocation (`LifecyclePhaseInvoke`).
    Invoke,
}

impl InitPhase {
    /// The value of `phase` in events and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Invoke => "invoke",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_has_exactly_two_ways_to_name_a_mode() {
        let mode =
            |header: &'static str| FunctionResponseMode::from_runtime(Some(header.as_bytes()));
        assert_eq!(FunctionResponseMode::from_runtime(None), Ok(FunctionResponseMode::default()));
        assert_eq!(mode(""), Ok(FunctionResponseMode::default()));
        assert_eq!(mode("streaming"), Ok(FunctionResponseMode(ResponseMode::Streaming)));
        for bad in ["Streaming", "buffered", "stream", " streaming"] {
            assert_eq!(mode(bad), Err(InteropError::InvalidFunctionResponseMode), "{bad:?}");
        }
    }
}
