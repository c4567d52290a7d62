//! [`Subscriptions`]: who has subscribed to what.

use rapid_events::SubscriptionState;

use crate::error::SubscribeError;
use crate::request::SubscribeRequest;

/// How many subscriptions there may be, of all extensions together. Each has a queue and a task of
/// its own, so there has to be an end.
pub const MAX_SUBSCRIPTIONS: usize = 64;

/// How many subscriptions an extension may have, so that it leaves some to others. Most make do
/// with one.
pub const MAX_SUBSCRIPTIONS_EACH: usize = 8;

/// Who has subscribed to what, and whether anybody may.
///
/// A subscription belongs to the name of an extension, not to its identifier: it stays when the
/// execution environment is reset and the extension comes back as another process.
///
/// # Source
/// Telemetry API, "Endpoints" and "When subscriptions close".
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    window: Window,
    /// How many initialisations there have been.
    initialisation: u64,
    /// Oldest first.
    all: Vec<Subscription>,
}

#[derive(Debug)]
struct Subscription {
    name: Box<str>,
    request: SubscribeRequest,
    /// The last initialisation in which it was asked for.
    asked_in: u64,
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

/// What has changed with a request that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) subscribed: Subscribed,
    /// The index of a subscription that made room; those behind it have moved up.
    pub(crate) replaced: Option<usize>,
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
    pub(crate) const fn open(&mut self) {
        self.window = Window::Open;
        self.initialisation += 1;
    }

    /// Takes none any more: the initialisation is over.
    pub(crate) const fn close(&mut self) {
        self.window = Window::Closed;
    }

    /// Whether subscriptions are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.window == Window::Open
    }

    /// Adds a subscription of the extension called `name`, behind all others. It adds to those that
    /// the extension has.
    ///
    /// If that is one too many, it replaces one that was not asked for in this initialisation: an
    /// extension that listens on another port in each of its lives leaves them behind.
    ///
    /// # Errors
    /// [`SubscribeError::Closed`], [`SubscribeError::OtherApi`], [`SubscribeError::TooManyOfOne`] or
    /// [`SubscribeError::TooMany`].
    pub(crate) fn subscribe(
        &mut self,
        name: &str,
        request: &SubscribeRequest,
    ) -> Result<Change, SubscribeError> {
        let api = request.api();
        if !self.is_open() {
            return Err(SubscribeError::Closed(api));
        }
        let asked_in = self.initialisation;
        let is_own = |held: &Subscription| *held.name == *name;
        let mut own = self.all.iter().filter(|held| is_own(held)).map(|held| held.request.api());
        if let Some(used) = own.find(|used| *used != api) {
            return Err(SubscribeError::OtherApi { api, used, name: name.into() });
        }
        let mut all = self.all.iter_mut();
        if let Some(held) = all.find(|held| is_own(held) && held.request == *request) {
            held.asked_in = asked_in;
            return Ok(Change { subscribed: Subscribed::Already, replaced: None });
        }
        let count = self.all.iter().filter(|held| is_own(held)).count();
        let replaced = if count >= MAX_SUBSCRIPTIONS_EACH {
            Some(self.left_behind(is_own).ok_or(SubscribeError::TooManyOfOne(api))?)
        } else if self.all.len() >= MAX_SUBSCRIPTIONS {
            let left = self.left_behind(is_own).or_else(|| self.left_behind(|_| true));
            Some(left.ok_or(SubscribeError::TooMany(api))?)
        } else {
            None
        };
        if let Some(index) = replaced {
            self.all.remove(index);
        }
        self.all.push(Subscription { name: name.into(), request: request.clone(), asked_in });
        Ok(Change { subscribed: Subscribed::Newly, replaced })
    }

    /// The oldest one of those that was not asked for in this initialisation.
    fn left_behind(&self, of: impl Fn(&Subscription) -> bool) -> Option<usize> {
        self.all.iter().position(|held| held.asked_in < self.initialisation && of(held))
    }
}

#[cfg(test)]
mod tests {
    use rapid_events::Api;

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

    const NEWLY: Result<Change, SubscribeError> =
        Ok(Change { subscribed: Subscribed::Newly, replaced: None });
    const ALREADY: Result<Change, SubscribeError> =
        Ok(Change { subscribed: Subscribed::Already, replaced: None });

    fn replacing(index: usize) -> Result<Change, SubscribeError> {
        Ok(Change { subscribed: Subscribed::Newly, replaced: Some(index) })
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
        assert_eq!(subscriptions.subscribe("a", &request), NEWLY);
        subscriptions.close();
        // Even what would change nothing, and what clashes, is refused for being late.
        assert_eq!(subscriptions.subscribe("a", &request), Err(SubscribeError::Closed(Api::Logs)));
        assert_eq!(subscriptions.all.len(), 1);
    }

    #[test]
    fn subscriptions_stay_for_the_next_initialisation() {
        let mut subscriptions = opened();
        let first = request(Api::Telemetry, "platform", 1);
        subscriptions.subscribe("a", &first).unwrap();
        subscriptions.close();
        subscriptions.open();
        assert_eq!(subscriptions.subscribe("a", &first), ALREADY);
        assert_eq!(subscriptions.all.len(), 1);
    }

    #[test]
    fn different_requests_of_one_extension_add_up() {
        let mut subscriptions = opened();
        for (what, port) in [("platform", 1), ("function", 1), ("platform", 2)] {
            let request = request(Api::Telemetry, what, port);
            assert_eq!(subscriptions.subscribe("a", &request), NEWLY);
            assert_eq!(subscriptions.subscribe("a", &request), ALREADY);
        }
        assert_eq!(subscriptions.all.len(), 3);
    }

    #[test]
    fn extensions_do_not_share_subscriptions() {
        let mut subscriptions = opened();
        let request = request(Api::Telemetry, "platform", 1);
        assert_eq!(subscriptions.subscribe("a", &request), NEWLY);
        assert_eq!(subscriptions.subscribe("b", &request), NEWLY);
        let owners: Vec<&str> = subscriptions.all.iter().map(|held| &*held.name).collect();
        assert_eq!(owners, ["a", "b"]);
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
                    ALREADY
                } else {
                    NEWLY
                };
                assert_eq!(subscriptions.subscribe("a", second), expected);
                // A refusal leaves no trace, and does not concern others.
                let count = usize::from(expected == NEWLY) + 1;
                assert_eq!(subscriptions.all.len(), count);
                assert_eq!(subscriptions.subscribe("b", second), NEWLY);
            }
        }
    }

    #[test]
    fn there_is_an_end_to_subscribing() {
        let mut subscriptions = opened();
        for number in 0..MAX_SUBSCRIPTIONS {
            let name = format!("e{}", number / MAX_SUBSCRIPTIONS_EACH);
            subscriptions.subscribe(&name, &request(Api::Logs, "function", number + 1)).unwrap();
        }
        let more = request(Api::Logs, "function", MAX_SUBSCRIPTIONS + 1);
        assert_eq!(subscriptions.subscribe("b", &more), Err(SubscribeError::TooMany(Api::Logs)));
        let known = request(Api::Logs, "function", 1);
        assert_eq!(subscriptions.subscribe("e0", &known), ALREADY);
    }

    #[test]
    fn an_extension_cannot_use_up_what_others_need() {
        let mut subscriptions = opened();
        for port in 1..=MAX_SUBSCRIPTIONS_EACH {
            subscriptions.subscribe("a", &request(Api::Logs, "function", port)).unwrap();
        }
        let more = request(Api::Logs, "function", MAX_SUBSCRIPTIONS_EACH + 1);
        let refusal = Err(SubscribeError::TooManyOfOne(Api::Logs));
        assert_eq!(subscriptions.subscribe("a", &more), refusal);
        let known = request(Api::Logs, "function", 1);
        assert_eq!(subscriptions.subscribe("a", &known), ALREADY);
        assert_eq!(subscriptions.subscribe("b", &more), NEWLY);
    }

    #[test]
    fn what_an_earlier_life_has_left_behind_makes_room_oldest_first() {
        let mut subscriptions = opened();
        let at = |port| request(Api::Logs, "function", port);
        // Another one's is not in the way.
        subscriptions.subscribe("b", &at(1)).unwrap();
        for port in 1..=MAX_SUBSCRIPTIONS_EACH {
            assert_eq!(subscriptions.subscribe("a", &at(port)), NEWLY);
        }
        subscriptions.close();
        subscriptions.open();
        // What is asked for again stays.
        assert_eq!(subscriptions.subscribe("a", &at(1)), ALREADY);
        for port in 101..101 + MAX_SUBSCRIPTIONS_EACH - 1 {
            assert_eq!(subscriptions.subscribe("a", &at(port)), replacing(2));
        }
        let refusal = Err(SubscribeError::TooManyOfOne(Api::Logs));
        assert_eq!(subscriptions.subscribe("a", &at(200)), refusal);
        for life in 0..20 {
            subscriptions.open();
            assert_eq!(subscriptions.subscribe("a", &at(300 + life)), replacing(1));
        }
        assert_eq!(subscriptions.all.len(), MAX_SUBSCRIPTIONS_EACH + 1);
    }

    #[test]
    fn when_there_are_too_many_in_all_ones_own_make_room_first() {
        let mut subscriptions = opened();
        let at = |port| request(Api::Logs, "function", port);
        let name = |number: usize| format!("e{}", number / MAX_SUBSCRIPTIONS_EACH);
        for number in 0..MAX_SUBSCRIPTIONS - 1 {
            subscriptions.subscribe(&name(number), &at(number + 1)).unwrap();
        }
        subscriptions.subscribe("last", &at(1)).unwrap();
        subscriptions.open();
        assert_eq!(subscriptions.subscribe("e0", &at(1)), ALREADY);
        assert_eq!(subscriptions.subscribe("last", &at(2)), replacing(MAX_SUBSCRIPTIONS - 1));
        assert_eq!(subscriptions.subscribe("new", &at(3)), replacing(1));
        assert_eq!(subscriptions.all.len(), MAX_SUBSCRIPTIONS);
    }
}
