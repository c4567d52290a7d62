//! Events of extensions.

use std::fmt::Write as _;

use serde::Serialize;

/// `platform.extension`: how an extension came out of the initialisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtensionInitData {
    /// Its name (`AgentName`).
    pub name: Box<str>,
    /// The name of its state, `Ready` if all is well.
    pub state: &'static str,
    /// The events it has registered for (`Subscriptions`).
    pub events: Vec<&'static str>,
    /// What it, or the platform, called its error.
    #[serde(rename = "errorType", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<Box<str>>,
}

impl ExtensionInitData {
    /// The log line.
    #[must_use]
    pub fn line(&self) -> String {
        let events = self.events.join(", ");
        let mut line =
            format!("EXTENSION\tName: {}\tState: {}\tEvents: [{events}]", self.name, self.state);
        if let Some(error_type) = &self.error_type {
            // Writing to a string cannot fail.
            let _ = write!(line, "\tError Type: {error_type}");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_described_with_its_events_and_its_error_if_it_has_one() {
        let mut data = ExtensionInitData {
            name: "probe.sh".into(),
            state: "Ready",
            events: vec!["INVOKE", "SHUTDOWN"],
            error_type: None,
        };
        assert_eq!(
            serde_json::to_string(&data).unwrap(),
            r#"{"name":"probe.sh","state":"Ready","events":["INVOKE","SHUTDOWN"]}"#
        );
        assert_eq!(
            data.line(),
            "EXTENSION\tName: probe.sh\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
        );
        data.events.clear();
        data.error_type = Some("PermissionDenied".into());
        assert_eq!(
            serde_json::to_string(&data).unwrap(),
            r#"{"name":"probe.sh","state":"Ready","events":[],"errorType":"PermissionDenied"}"#
        );
        assert_eq!(
            data.line(),
            "EXTENSION\tName: probe.sh\tState: Ready\tEvents: []\tError Type: PermissionDenied"
        );
    }
}
