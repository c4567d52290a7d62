//! Events of extensions.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::line::{push_error_type, push_list};
use crate::{Line, LineStyle};

/// `platform.extension`: how an extension came out of the initialisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionInitData {
    /// Its name (`AgentName`).
    pub name: Box<str>,
    /// The name of its state, `Ready` if all is well.
    pub state: Cow<'static, str>,
    /// The events it has registered for (`Subscriptions`).
    pub events: Vec<Cow<'static, str>>,
    /// What it, or the platform, called its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<Box<str>>,
}

impl Line for ExtensionInitData {
    /// The emulator's log does not tell of extensions.
    fn write_line(&self, style: LineStyle, out: &mut String) {
        if style == LineStyle::Rie {
            return;
        }
        out.push_str("EXTENSION\tName: ");
        out.push_str(&self.name);
        out.push_str("\tState: ");
        out.push_str(&self.state);
        out.push_str("\tEvents: ");
        push_list(out, self.events.iter().map(AsRef::as_ref));
        push_error_type(out, self.error_type.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_described_with_its_events_and_its_error_if_it_has_one() {
        let mut data = ExtensionInitData {
            name: "probe.sh".into(),
            state: "Ready".into(),
            events: vec!["INVOKE".into(), "SHUTDOWN".into()],
            error_type: None,
        };
        assert_eq!(
            data.line(LineStyle::Aws).as_deref(),
            Some("EXTENSION\tName: probe.sh\tState: Ready\tEvents: [INVOKE, SHUTDOWN]")
        );
        data.events.clear();
        data.error_type = Some("PermissionDenied".into());
        assert_eq!(
            data.line(LineStyle::Aws).as_deref(),
            Some(
                "EXTENSION\tName: probe.sh\tState: Ready\tEvents: []\tError Type: PermissionDenied"
            )
        );
        assert_eq!(data.line(LineStyle::Rie), None);
    }
}
