//! What to do about a refusal.

use http::StatusCode;

use crate::error::Refusal;
use crate::wire::error_type;

/// What an author can do about a refusal; empty when only the API's words can help.
pub(crate) fn on(status: StatusCode, refusal: &Refusal) -> &'static str {
    if status == StatusCode::NOT_FOUND {
        return "; extensions are switched off here, or AWS_LAMBDA_RUNTIME_API leads elsewhere";
    }
    if status.is_server_error() {
        return "; the environment cannot go on: end the extension";
    }
    let Refusal::Typed { error_type, .. } = refusal else { return "" };
    match error_type.as_str() {
        error_type::INVALID_EVENT_TYPE => {
            "; only INVOKE and SHUTDOWN exist, and SHUTDOWN is for extensions whose name is that \
             of their file"
        }
        error_type::REGISTRATION_CLOSED => {
            "; register before the function's initialisation is over, or, as an external \
             extension, under the name of the file"
        }
        error_type::INVALID_STATE => {
            "; register once, then ask for events one after the other, and end after an error \
             report"
        }
        error_type::TOO_MANY => "; remove one: more cannot be registered",
        error_type::INVALID_IDENTIFIER | error_type::UNKNOWN_IDENTIFIER => {
            "; the identifier is of another environment: end the extension, it will be started anew"
        }
        error_type::TELEMETRY_CLOSED | error_type::LOGS_CLOSED => {
            "; subscribe after registering, and before the first request for an event"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_about_it() {
        let typed = |error_type: &str| Refusal::Typed {
            error_type: error_type.to_owned(),
            error_message: String::new(),
        };
        let text = Refusal::Text(String::new());
        for refusal in [
            "Extension.InvalidEventType",
            "Extension.RegistrationClosed",
            "Extension.InvalidExtensionState",
            "Extension.TooManyExtensions",
            "Extension.InvalidExtensionIdentifier",
            "Extension.UnknownExtensionIdentifier",
            "Telemetry.SubscriptionClosed",
            "Logs.SubscriptionClosed",
        ] {
            assert!(on(StatusCode::FORBIDDEN, &typed(refusal)).starts_with("; "), "{refusal}");
        }
        assert!(on(StatusCode::NOT_FOUND, &text).contains("switched off"));
        assert!(on(StatusCode::INTERNAL_SERVER_ERROR, &text).contains("end the extension"));
        assert_eq!(on(StatusCode::FORBIDDEN, &typed("Extension.Other")), "");
        assert_eq!(on(StatusCode::FORBIDDEN, &text), "");
    }
}
