//! Function names: what a path may name, and what the function's own name is.

/// The service's pattern for function names, as its error message quotes it.
pub(crate) const NAME_PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
/// The service's pattern for qualifiers.
pub(crate) const QUALIFIER_PATTERN: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

const MAX_NAME: usize = 256;
const MAX_NAME_PART: usize = 64;
const MAX_QUALIFIER: usize = 128;

/// The function that this execution environment runs.
#[derive(Clone, Debug)]
pub struct FunctionIdentity {
    /// Its name.
    pub name: String,
    /// Its version: `$LATEST` or a number.
    pub version: String,
    /// The region in its ARN.
    pub region: String,
    /// The account in its ARN.
    pub account: String,
}

impl FunctionIdentity {
    /// The ARN, with a qualifier if there is one.
    #[must_use]
    pub fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let Self { region, account, .. } = self;
        match qualifier {
            Some(qualifier) => {
                format!("arn:aws:lambda:{region}:{account}:function:{name}:{qualifier}")
            }
            None => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        }
    }

    /// Whether a qualifier can mean this function. A number has to be its version; a name may be
    /// any alias.
    #[must_use]
    pub fn answers_to(&self, qualifier: &str) -> bool {
        let is_number = qualifier.bytes().all(|b| b.is_ascii_digit());
        !is_number || qualifier == self.version
    }
}

/// A function as a path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName<'a> {
    /// The name alone.
    pub name: &'a str,
    /// The version or alias that came with it.
    pub qualifier: Option<&'a str>,
}

impl<'a> FunctionName<'a> {
    /// Whether a text is a name alone, without ARN and qualifier.
    #[must_use]
    pub fn is_plain(text: &str) -> bool {
        !text.is_empty() && text.len() <= MAX_NAME_PART && text.bytes().all(is_name)
    }

    /// Parses a name, a partial or a full ARN; `None` when it does not fit the service's pattern.
    ///
    /// # Source
    /// Invoke API, "Routes".
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_NAME {
            return None;
        }
        let parts: Vec<&str> = text.split(':').collect();
        let mut rest = parts.as_slice();
        if let ["arn", partition, "lambda", after @ ..] = rest {
            if !is_partition(partition) {
                return None;
            }
            rest = after;
        }
        // Each part is taken for what it looks like, as long as a name can still follow.
        for optional in [is_region, is_account, is_function_word] {
            if let [part, after @ ..] = rest
                && after.first().is_some_and(|next| next.bytes().all(is_name))
                && optional(part)
            {
                rest = after;
            }
        }
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return None,
        };
        let name_fits = Self::is_plain(name);
        let qualifier_fits = qualifier.is_none_or(|qualifier| {
            matches!(qualifier, "$LATEST" | "$LATEST.PUBLISHED")
                || (!qualifier.is_empty() && qualifier.bytes().all(is_alias))
        });
        (name_fits && qualifier_fits).then_some(Self { name, qualifier })
    }
}

/// Whether a text fits the service's pattern for qualifiers in the query.
#[must_use]
pub(crate) fn is_qualifier(text: &str) -> bool {
    matches!(text, "$LATEST" | "$LATEST.PUBLISHED")
        || (!text.is_empty()
            && text.len() <= MAX_QUALIFIER
            && text.bytes().all(|b| is_alias(b) || b == b'$'))
}

/// A name and the qualifier that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualified {
    /// The name alone.
    pub name: String,
    /// From the name or the query.
    pub qualifier: Option<String>,
}

fn is_name(b: u8) -> bool {
    is_alias(b) || b == b'.'
}

fn is_alias(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

fn is_partition(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix("aws")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'))
}

/// Whether a text is the number of an account: twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_function_word(text: &str) -> bool {
    text == "function"
}

/// Whether a text is `$LATEST` or the number of a version.
#[must_use]
pub fn is_version(text: &str) -> bool {
    text == "$LATEST" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a text has the form of a region:
/// `(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let text = text.strip_prefix("eusc-").unwrap_or(text);
    let parts: Vec<&str> = text.split('-').collect();
    let (area, kind, place, number) = match parts.as_slice() {
        [area, place, number] => (*area, None, *place, *number),
        [area, kind, place, number] => (*area, Some(*kind), *place, *number),
        _ => return false,
    };
    let kind_fits = kind.is_none_or(|kind| {
        kind == "gov"
            || kind.strip_prefix("iso").is_some_and(|letter| {
                letter.len() <= 1 && letter.bytes().all(|b| b.is_ascii_lowercase())
            })
    });
    area.len() == 2
        && lower(area)
        && kind_fits
        && lower(place)
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_arns_of_every_form_are_taken_apart() {
        let rows = [
            ("f", "f", None),
            ("function", "function", None),
            ("function:$LATEST", "function", Some("$LATEST")),
            ("f:1", "f", Some("1")),
            ("f:$LATEST", "f", Some("$LATEST")),
            ("f:live", "f", Some("live")),
            ("my.f-1_x", "my.f-1_x", None),
            ("123456789012:function:f", "f", None),
            ("123456789012:f:live", "f", Some("live")),
            ("function:f", "f", None),
            ("us-east-1:123456789012:function:f", "f", None),
            ("arn:aws:lambda:us-east-1:123456789012:function:f", "f", None),
            ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:3", "f", Some("3")),
            ("arn:aws:lambda:eu-isoe-west-1:123456789012:function:f", "f", None),
        ];
        for (text, name, qualifier) in rows {
            assert_eq!(FunctionName::parse(text), Some(FunctionName { name, qualifier }), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_the_pattern_is_no_name() {
        let long = "x".repeat(65);
        for bad in [
            "",
            ":",
            "f:",
            "f g",
            "f/g",
            "ü",
            "a:b:c",
            "arn:aws:s3:us-east-1:1:function:f",
            "arn:gcp:lambda:us-east-1:123456789012:function:f",
            "f:$OTHER",
            &long,
        ] {
            assert_eq!(FunctionName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_version_has_to_be_the_functions_own_and_an_alias_may_be_any() {
        let function = FunctionIdentity {
            name: "f".into(),
            version: "7".into(),
            region: "us-east-1".into(),
            account: "123456789012".into(),
        };
        assert!(function.answers_to("7") && function.answers_to("live"));
        assert!(function.answers_to("$LATEST") && !function.answers_to("8"));
        assert_eq!(
            function.arn("f", Some("live")),
            "arn:aws:lambda:us-east-1:123456789012:function:f:live"
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_accepts_only_what_it_can_spell_again(text in ".{0,80}") {
            if let Some(found) = FunctionName::parse(&text) {
                prop_assert!(text.contains(found.name));
                prop_assert!(found.name.bytes().all(is_name));
            }
        }
    }
}
