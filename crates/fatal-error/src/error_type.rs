//! [`ErrorType`]: the closed list of error types, with a way out for names that customers make.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! taxonomy {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// An error type as it appears in `errorType` members and `Error-Type` headers.
        ///
        /// The names are those of the service. A name outside the list (an exception class of a
        /// handler, say) is kept verbatim in [`ErrorType::Custom`].
        ///
        /// # Source
        /// Lifecycle, "Error taxonomy"; Runtime API, "Error-type allow-list".
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorType {
            $($(#[$doc])* $variant,)+
            /// Any other name, exactly as it was given.
            Custom(Box<str>),
        }

        impl ErrorType {
            /// Every named type, in the order of a lifecycle; [`ErrorType::Custom`] is not listed.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)+];

            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Custom(name) => name,
                }
            }
        }

        impl From<&str> for ErrorType {
            fn from(name: &str) -> Self {
                match name {
                    $($text => Self::$variant,)+
                    other => Self::Custom(other.into()),
                }
            }
        }
    };
}

taxonomy! {
    /// The bootstrap command is missing, is not executable or could not be executed.
    RuntimeInvalidEntrypoint = "Runtime.InvalidEntrypoint",
    /// The working directory is not absolute or does not exist.
    RuntimeInvalidWorkingDir = "Runtime.InvalidWorkingDir",
    /// Reserved for bootstraps that validate an image's configuration.
    RuntimeInvalidTaskConfig = "Runtime.InvalidTaskConfig",
    /// An extension could not be executed, or there were more than ten.
    ExtensionLaunchError = "Extension.LaunchError",
    /// An extension posted `init/error`.
    ExtensionInitError = "Extension.InitError",
    /// An extension posted `exit/error`.
    ExtensionExitError = "Extension.ExitError",
    /// An extension's process ended outside shutdown.
    ExtensionCrash = "Extension.Crash",
    /// The runtime's process ended outside shutdown.
    RuntimeExitError = "Runtime.ExitError",
    /// The runtime's process was killed for want of memory.
    RuntimeOutOfMemory = "Runtime.OutOfMemory",
    /// The runtime reported a type outside the allow-list, or nothing at all is known.
    RuntimeUnknown = "Runtime.Unknown",
    /// The runtime cut its response short.
    RuntimeTruncatedResponse = "Runtime.TruncatedResponse",
    /// The runtime named a response mode that does not exist.
    RuntimeInvalidResponseModeHeader = "Runtime.InvalidResponseModeHeader",
    /// The restore hook exceeded its time.
    RuntimeRestoreHookUserTimeout = "Runtime.RestoreHookUserTimeout",
    /// The response is larger than the limit.
    FunctionResponseSizeTooLarge = "Function.ResponseSizeTooLarge",
    /// The runtime reported a `Function.` type outside the allow-list.
    FunctionUnknown = "Function.Unknown",
    /// The invocation ran into the function timeout, as invokers see it.
    SandboxTimedout = "Sandbox.Timedout",
    /// The invocation ran into the function timeout, as trailers of a direct invoke say it.
    SandboxTimeout = "Sandbox.Timeout",
    /// The execution environment failed and nothing more precise is known.
    SandboxFailure = "Sandbox.Failure",
}

impl ErrorType {
    /// Scrubs what a runtime put into `Lambda-Runtime-Function-Error-Type`.
    ///
    /// A value that starts with `Runtime.` or `Function.` and an upper-case ASCII letter followed
    /// by another letter is kept whole. Otherwise `Function.…` becomes
    /// [`ErrorType::FunctionUnknown`] and anything else [`ErrorType::RuntimeUnknown`]. Values with
    /// control characters are never kept: they end up in headers and log lines.
    ///
    /// # Source
    /// Runtime API, "Error-type allow-list" (anchored at the start, unlike the emulator).
    #[must_use]
    pub fn from_runtime(header: &str) -> Self {
        if is_allowed(header) {
            Self::from(header)
        } else if header.starts_with("Function.") {
            Self::FunctionUnknown
        } else {
            Self::RuntimeUnknown
        }
    }
}

fn is_allowed(name: &str) -> bool {
    let Some(class) = name.strip_prefix("Runtime.").or_else(|| name.strip_prefix("Function."))
    else {
        return false;
    };
    let mut letters = class.bytes();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && letters.next().is_some_and(|second| second.is_ascii_alphabetic())
        && !name.chars().any(char::is_control)
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer).map(|name| Self::from(name.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_allow_list_keeps_and_replaces_as_the_contract_says() {
        let rows = [
            ("", "Runtime.Unknown"),
            ("MyCustomError", "Runtime.Unknown"),
            ("MyCustomError.Error", "Runtime.Unknown"),
            ("Runtime.MyCustomErrorTypeHere", "Runtime.MyCustomErrorTypeHere"),
            ("Function.MyCustomErrorTypeHere", "Function.MyCustomErrorTypeHere"),
            ("Function.lower", "Function.Unknown"),
            ("Function.", "Function.Unknown"),
            ("Runtime.X", "Runtime.Unknown"),
            ("Runtime.lower", "Runtime.Unknown"),
            ("xxRuntime.Foo bar", "Runtime.Unknown"),
            ("Runtime.Foo\nbar", "Runtime.Unknown"),
            ("unhandled", "Runtime.Unknown"),
        ];
        for (given, expected) in rows {
            assert_eq!(ErrorType::from_runtime(given).as_str(), expected, "for {given:?}");
        }
    }

    #[test]
    fn every_runtime_and_function_type_of_the_taxonomy_passes_the_allow_list() {
        for named in ErrorType::NAMED {
            let text = named.as_str();
            if text.starts_with("Runtime.") || text.starts_with("Function.") {
                assert_eq!(&ErrorType::from_runtime(text), named);
            }
        }
    }

    #[test]
    fn names_survive_text_and_json() {
        for named in ErrorType::NAMED {
            assert_eq!(&ErrorType::from(named.as_str()), named);
        }
        let json = serde_json::to_string(&ErrorType::ExtensionCrash).unwrap();
        assert_eq!(json, "\"Extension.Crash\"");
        let custom: ErrorType = serde_json::from_str("\"ValueError\"").unwrap();
        assert_eq!(custom, ErrorType::Custom("ValueError".into()));
    }

    proptest! {
        #[test]
        fn whatever_a_runtime_claims_the_result_is_in_one_of_the_two_families(claim in ".*") {
            let scrubbed = ErrorType::from_runtime(&claim);
            let text = scrubbed.as_str();
            prop_assert!(text.starts_with("Runtime.") || text.starts_with("Function."));
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
}
