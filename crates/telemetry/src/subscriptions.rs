//! [`Subscriptions`]: who has subscribed to what.

use rapid_events::{Api, SubscriptionState};

use crate::error::SubscribeError;
use crate::request::SubscribeRequest;

/// How many subscriptions there may be, of all extensions together. Each has a queue and a task of
/// its own, so there has to be an end; an extension makes do with two.
pub const MAX_SUBSCRIPTIONS: usize = 64;

/// Who has subscribed to what, and whether anybody may.
///
/// A subscription belongs to the name of an extension, not to its identifier: it stays when the
/// execution environment is reset and the extension comes back as another process.
///
/// # Source
/// Telemetry API, "Endpoints" and "When subscriptions close".
#[derive(Debug, Default)]
pub struct Subscriptions {
    window: Window,
    all: Vec<(Box<str>, SubscribeRequest)>,
}

/// Whether subscriptions are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Window {
    #[default]
    Closed,
    /// While an initialisation runs.
    Open,
}

/// What became of a request that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// There is a subscription more.
    Newly,
    /// The same extension has asked for the very same before; nothing has changed.
    Already,
}

impl Subscribed {
    /// The body of the answer: JSON, `application/json`, with status 200.
    ///
    /// # Source
    /// Telemetry API, "Subscribe responses".
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::Newly => r#""OK""#,
            Self::Already => r#""AlreadySubscribed""#,
        }
    }

    /// The state in the event that tells of it.
    pub(crate) const fn state(self) -> SubscriptionState {
        match self {
            Self::Newly => SubscriptionState::Subscribed,
            Self::Already => SubscriptionState::AlreadySubscribed,
        }
    }
}

impl Subscriptions {
    /// Takes subscriptions from now on: an initialisation begins.
    pub const fn open(&mut self) {
        self.window = Window::Open;
    }

    /// Takes none any more: the initialisation is over.
    pub const fn close(&mut self) {
        self.window = Window::Closed;
    }

    /// Whether subscriptions are taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.window == Window::Open
    }

    /// Adds a subscription of the extension called `name`. It adds to those that the extension has.
    ///
    /// # Errors
    /// [`SubscribeError::Closed`], [`SubscribeError::OtherApi`] or [`SubscribeError::TooMany`].
    pub fn subscribe(
        &mut self,
        name: &str,
        request: &SubscribeRequest,
    ) -> Result<Subscribed, SubscribeError> {
        let api = request.api();
        if !self.is_open() {
            return Err(SubscribeError::Closed(api));
        }
        let mut own = self.all.iter().filter(|(owner, _)| **owner == *name);
        if let Some(used) = own.clone().map(|(_, held)| held.api()).find(|used| *used != api) {
            return Err(SubscribeError::OtherApi { api, used, name: name.into() });
        }
        if own.any(|(_, held)| held == request) {
            return Ok(Subscribed::Already);
        }
        if self.all.len() >= MAX_SUBSCRIPTIONS {
            return Err(SubscribeError::TooMany(api));
        }
        self.all.push((name.into(), request.clone()));
        Ok(Subscribed::Newly)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether this extension has one, through this API.
    #[must_use]
    pub fn has(&self, name: &str, api: Api) -> bool {
        self.all.iter().any(|(owner, held)| **owner == *name && held.api() == api)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Rules;

    fn request(api: Api, what: &str, port: usize) -> SubscribeRequest {
        let version = match api {
            Api::Telemetry => "2022-12-13",
            Api::Logs => "2021-03-18",
        };
        let body = format!(
            r#"{{"schemaVersion":"{version}","types":["{what}"],"destination":{{"protocol":"TCP","port":{port}}}}}"#
        );
        SubscribeRequest::parse(api, body.as_bytes(), &Rules::default()).unwrap()
    }

    fn opened() -> Subscriptions {
        let mut subscriptions = Subscriptions::default();
        subscriptions.open();
        subscriptions
    }

    #[test]
    fn nobody_subscribes_unless_an_initialisation_runs() {
        let mut subscriptions = Subscriptions::default();
        for api in [Api::Telemetry, Api::Logs] {
            let request = request(api, "platform", 1);
            assert_eq!(subscriptions.subscribe("a", &request), Err(SubscribeError::Closed(api)));
        }
        subscriptions.open();
        let request = request(Api::Logs, "platform", 1);
        assert_eq!(subscriptions.subscribe("a", &request), Ok(Subscribed::Newly));
        subscriptions.close();
        // Even what would change nothing, and what clashes, is refused for being late.
        assert_eq!(subscriptions.subscribe("a", &request), Err(SubscribeError::Closed(Api::Logs)));
        assert_eq!(subscriptions.len(), 1);
    }

    #[test]
    fn subscriptions_stay_for_the_next_initialisation() {
        let mut subscriptions = opened();
        let first = request(Api::Telemetry, "platform", 1);
        subscriptions.subscribe("a", &first).unwrap();
        subscriptions.close();
        subscriptions.open();
        assert_eq!(subscriptions.subscribe("a", &first), Ok(Subscribed::Already));
        assert_eq!(subscriptions.len(), 1);
    }

    #[test]
    fn different_requests_of_one_extension_add_up() {
        let mut subscriptions = opened();
        for (what, port) in [("platform", 1), ("function", 1), ("platform", 2)] {
            let request = request(Api::Telemetry, what, port);
            assert_eq!(subscriptions.subscribe("a", &request), Ok(Subscribed::Newly));
            assert_eq!(subscriptions.subscribe("a", &request), Ok(Subscribed::Already));
        }
        assert_eq!(subscriptions.len(), 3);
    }

    #[test]
    fn extensions_do_not_share_subscriptions() {
        let mut subscriptions = opened();
        let request = request(Api::Telemetry, "platform", 1);
        assert_eq!(subscriptions.subscribe("a", &request), Ok(Subscribed::Newly));
        assert_eq!(subscriptions.subscribe("b", &request), Ok(Subscribed::Newly));
        assert!(subscriptions.has("b", Api::Telemetry) && !subscriptions.has("b", Api::Logs));
    }

    /// Every pair of what one extension may ask for, as a table: the two requests, and what becomes
    /// of the second.
    #[test]
    fn an_extension_uses_one_of_the_two_apis() {
        let all: Vec<SubscribeRequest> = [Api::Telemetry, Api::Logs]
            .into_iter()
            .flat_map(|api| ["platform", "function", "extension"].map(|what| request(api, what, 1)))
            .collect();
        for first in &all {
            for second in &all {
                let mut subscriptions = opened();
                subscriptions.subscribe("a", first).unwrap();
                let expected = if first.api() != second.api() {
                    let (api, used, name) = (second.api(), first.api(), "a".into());
                    Err(SubscribeError::OtherApi { api, used, name })
                } else if first == second {
                    Ok(Subscribed::Already)
                } else {
                    Ok(Subscribed::Newly)
                };
                assert_eq!(subscriptions.subscribe("a", second), expected);
                // A refusal leaves no trace, and does not concern others.
                let count = usize::from(expected == Ok(Subscribed::Newly)) + 1;
                assert_eq!(subscriptions.len(), count);
                assert_eq!(subscriptions.subscribe("b", second), Ok(Subscribed::Newly));
            }
        }
    }

    #[test]
    fn there_is_an_end_to_subscribing() {
        let mut subscriptions = opened();
        for port in 1..=MAX_SUBSCRIPTIONS {
            subscriptions.subscribe("a", &request(Api::Logs, "function", port)).unwrap();
        }
        let more = request(Api::Logs, "function", MAX_SUBSCRIPTIONS + 1);
        assert_eq!(subscriptions.subscribe("b", &more), Err(SubscribeError::TooMany(Api::Logs)));
        let known = request(Api::Logs, "function", 1);
        assert_eq!(subscriptions.subscribe("a", &known), Ok(Subscribed::Already));
    }
}
