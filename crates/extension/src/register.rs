//! [`Register`] and [`StatusResponse`]: what the API says to a registration and to a report.

use crate::wire::{RegisterReply, StatusReply};

/// What the platform tells an extension that registers.
///
/// # Source
/// Extensions API, "Register".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// The function's name; empty when the platform gave none.
    pub function_name: String,
    /// The function's version, for instance `$LATEST`; empty when the platform gave none.
    pub function_version: String,
    /// The function's handler, for instance `app.handler`; empty when it has none.
    pub handler: String,
    /// The account that owns the function, twelve digits. Only after
    /// [`Client::ask_for_account_id`](crate::Client::ask_for_account_id), and only if the platform
    /// knows it.
    pub account_id: Option<String>,
    /// The identifier that every later call carries. The client keeps it; it is here for
    /// extensions that also call something else with it.
    pub extension_id: String,
}

impl Register {
    pub(crate) fn new(reply: RegisterReply, extension_id: String) -> Self {
        Self {
            function_name: reply.function_name.unwrap_or_default(),
            function_version: reply.function_version.unwrap_or_default(),
            handler: reply.handler.unwrap_or_default(),
            account_id: reply.account_id.filter(|id| !id.is_empty()),
            extension_id,
        }
    }
}

/// What the platform says to an error report that it has taken.
///
/// # Source
/// Extensions API, "Init error" and "Exit error".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusResponse {
    /// `OK`; empty when the platform said nothing.
    pub status: String,
}

impl From<StatusReply> for StatusResponse {
    fn from(reply: StatusReply) -> Self {
        Self { status: reply.status.unwrap_or_default() }
    }
}
