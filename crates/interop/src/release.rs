//! What the runtime calls itself, gathered from the requests it makes.

use crate::limits::MAX_RUNTIME_RELEASE_SIZE;

/// The runtime's own name and features: `Node.js/14.16.0 (httpcl/2.0 execwr)`.
///
/// The first name given in a generation stays; features are appended once.
///
/// # Source
/// Runtime API, "Runtime release tracking".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeRelease(String);

impl RuntimeRelease {
    /// Takes in the `User-Agent` and `Lambda-Runtime-Features` of one request.
    pub fn observe(&mut self, user_agent: &str, features: &str) {
        if self.0.is_empty() {
            self.0 = with_features(user_agent.split_whitespace().next().unwrap_or(""), features);
        } else if !self.is_settled() {
            self.0 = with_features(&self.0, features);
        }
    }

    /// Whether further requests cannot change it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.0.ends_with(')')
    }

    /// The name, empty before the first request that has one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn with_features(base: &str, features: &str) -> String {
    const UNKNOWN: &str = "Unknown";
    // Three bytes are for the space and the parentheses.
    let base_len = if base.is_empty() { UNKNOWN.len() } else { base.len() };
    let mut budget = MAX_RUNTIME_RELEASE_SIZE.saturating_sub(base_len + 3);
    let features: String = features.chars().filter(|c| !matches!(c, '(' | ')')).collect();
    let mut taken: Vec<&str> = Vec::new();
    for feature in features.split_whitespace() {
        if feature.len() + taken.len() <= budget {
            budget -= feature.len();
            taken.push(feature);
        }
    }
    match (base, taken.is_empty()) {
        (base, true) => base.to_owned(),
        ("", false) => format!("{UNKNOWN} ({})", taken.join(" ")),
        (base, false) => format!("{base} ({})", taken.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(calls: &[(&str, &str)]) -> String {
        let mut release = RuntimeRelease::default();
        for (user_agent, features) in calls {
            release.observe(user_agent, features);
        }
        release.as_str().to_owned()
    }

    #[test]
    fn names_and_features_combine_as_in_the_contract() {
        assert_eq!(observed(&[("", "")]), "");
        assert_eq!(observed(&[("", "httpcl/2.0 execwr")]), "Unknown (httpcl/2.0 execwr)");
        assert_eq!(
            observed(&[("Node.js/14.16.0 extra", "httpcl/2.0    execwr")]),
            "Node.js/14.16.0 (httpcl/2.0 execwr)"
        );
        assert_eq!(observed(&[("a", "nodewr/(4.33))")]), "a (nodewr/4.33)");
    }

    #[test]
    fn the_first_name_stays_and_features_are_appended_once() {
        assert_eq!(observed(&[("a/1", ""), ("b/2", "f1"), ("c/3", "f2")]), "a/1 (f1)");
    }

    #[test]
    fn features_that_do_not_fit_are_skipped_and_shorter_ones_still_taken() {
        let long = "x".repeat(130);
        assert_eq!(observed(&[("a", &format!("{long} ok"))]), "a (ok)");
        let release = observed(&[("a", &"feature ".repeat(40))]);
        assert!(release.len() <= MAX_RUNTIME_RELEASE_SIZE, "{} bytes", release.len());
    }
}
