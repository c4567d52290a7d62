//! The Extensions API.

mod errors;
mod events;
mod garbage;
mod gate;
mod not_supported;
mod register;
mod sockets;
mod subscribe;

use rapid_interop::extension::{ExtensionRefusal, StateConflict};

use crate::http_text::{INTERNAL, check};
use crate::port::FakePort;

/// The identifier of every extension here, as a client sends it.
const IDENTIFIER: &str = "Lambda-Extension-Identifier: 85083764-ff1e-476f-ada1-d51f26e4f6be";

const REGISTER: &str = "POST /2020-01-01/extension/register";
const NEXT: &str = "GET /2020-01-01/extension/event/next";
const REPORTS: [&str; 2] =
    ["POST /2020-01-01/extension/init/error", "POST /2020-01-01/extension/exit/error"];

const ROUTES: [(&str, &str); 6] = [
    ("POST", "/2020-01-01/extension/register"),
    ("GET", "/2020-01-01/extension/event/next"),
    ("POST", "/2020-01-01/extension/init/error"),
    ("POST", "/2020-01-01/extension/exit/error"),
    ("PUT", "/2020-08-15/logs"),
    ("PUT", "/2022-07-01/telemetry"),
];

/// The whole answer to a mistake.
fn forbidden(error_type: &str, message: &str) -> String {
    format!(
        "403\ncontent-type: application/json\n\n\
         {{\"errorMessage\":\"{message}\",\"errorType\":\"{error_type}\"}}\n"
    )
}

/// A call that the port refuses, and the whole answer to it.
async fn check_refusal(head: &str, refusal: ExtensionRefusal, error_type: &str, message: &str) {
    let port = FakePort::refusing_extensions(refusal);
    check(&port, head, "{}", &forbidden(error_type, message)).await;
    assert_eq!(port.heard().len(), 1, "{:?}", port.heard());
}

async fn check_internal(head: &str) {
    check(&FakePort::refusing_extensions(ExtensionRefusal::Internal), head, "{}", INTERNAL).await;
}

fn invalid_state(
    from: &'static str,
    to: &'static str,
    extension: &str,
    why: StateConflict,
) -> ExtensionRefusal {
    ExtensionRefusal::InvalidState { from, to, extension: extension.into(), why }
}
