//! The known differences between the emulator and rapid, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::conformance::record::Record;

/// A field that has another value on the other side; without a value it is missing there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) emulator: Option<String>,
    pub(crate) rapid: Option<String>,
}

/// Every field that is not the same in both records.
pub(crate) fn compare(emulator: &Record, rapid: &Record) -> Vec<Difference> {
    let fields: BTreeSet<&String> = emulator.keys().chain(rapid.keys()).collect();
    let pairs = fields.into_iter().map(|field| Difference {
        field: field.clone(),
        emulator: emulator.get(field).cloned(),
        rapid: rapid.get(field).cloned(),
    });
    pairs.filter(|pair| pair.emulator != pair.rapid).collect()
}

/// An entry of the file; in everything but `reason`, `*` stands for any text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    transcripts: Vec<String>,
    reason: String,
    /// It depends on who is quicker, and need not appear.
    #[serde(default)]
    sometimes: bool,
    fields: BTreeMap<String, Sides>,
}

/// What a field has on either side; nothing where it does not exist.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    emulator: Option<String>,
    rapid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    difference: Vec<Known>,
}

/// The known differences, and which of them have been seen: for each transcript and each field
/// that an entry names.
#[derive(Debug)]
pub(crate) struct Ledger {
    known: Vec<Known>,
    seen: BTreeSet<(usize, usize, usize)>,
}

impl Ledger {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or an entry gives no reason.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let File { difference: known } = toml::from_str(text)?;
        if let Some(bare) = known.iter().find(|known| known.reason.trim().is_empty()) {
            bail!("a difference of {:?} gives no reason", bare.transcripts);
        }
        Ok(Self { known, seen: BTreeSet::new() })
    }

    /// How many differences are known.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether a difference is known; if so, it counts as seen.
    pub(crate) fn explains(&mut self, transcript: &str, difference: &Difference) -> bool {
        let mut explained = false;
        for (entry, known) in self.known.iter().enumerate() {
            let names = known.transcripts.iter().enumerate();
            for (name, _) in names.filter(|(_, name)| matches(name, transcript)) {
                let fields = known.fields.iter().enumerate();
                for (field, _) in fields.filter(|(_, (field, sides))| {
                    matches(field, &difference.field)
                        && fits(sides.emulator.as_deref(), difference.emulator.as_deref())
                        && fits(sides.rapid.as_deref(), difference.rapid.as_deref())
                }) {
                    self.seen.insert((entry, name, field));
                    explained = true;
                }
            }
        }
        explained
    }

    /// What was to be expected and did not come, of the transcripts that were played out of `all`.
    pub(crate) fn stale(&self, played: &[&str], all: &[&str]) -> Vec<String> {
        let mut stale = Vec::new();
        for (entry, known) in self.known.iter().enumerate().filter(|(_, known)| !known.sometimes) {
            for (name, pattern) in known.transcripts.iter().enumerate() {
                let mut meant = all.iter().filter(|name| matches(pattern, name));
                if !meant.all(|name| played.contains(name)) {
                    continue;
                }
                for (field, text) in known.fields.keys().enumerate() {
                    if !self.seen.contains(&(entry, name, field)) {
                        stale.push(format!("`{text}` of {pattern}: {}", known.reason));
                    }
                }
            }
        }
        stale
    }

    /// Patterns that fit no transcript at all.
    pub(crate) fn strangers(&self, transcripts: &[&str]) -> Vec<String> {
        let patterns = self.known.iter().flat_map(|known| &known.transcripts);
        let strange = |pattern: &&String| !transcripts.iter().any(|name| matches(pattern, name));
        patterns.filter(strange).cloned().collect()
    }
}

fn fits(pattern: Option<&str>, value: Option<&str>) -> bool {
    match (pattern, value) {
        (None, None) => true,
        (Some(pattern), Some(value)) => matches(pattern, value),
        _ => false,
    }
}

/// Whether a text fits a pattern, in which `*` stands for any text, also for none.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    while let Some((part, after)) = rest.split_once('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
        rest = after;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pairs: &[(&str, &str)]) -> Record {
        pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_missing_differs_from_what_is_empty() {
        let found = compare(&record(&[("a", "1"), ("b", "")]), &record(&[("a", "1"), ("c", "")]));
        let fields: Vec<&str> = found.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["b", "c"]);
        assert_eq!((&found[0].emulator, &found[0].rapid), (&Some(String::new()), &None));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in
            [("*", ""), ("a*", "abc"), ("a*c", "abc"), ("*b*", "abc"), ("a*b*c", "abxbc")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*b", "ab."), ("ab*ba", "aba"), ("a*x*c", "abc")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    const LEDGER: &str = "
        [[difference]]
        transcripts = ['one', 't*']
        reason = 'the emulator forgets it'
        fields.'invoker * header x' = { rapid = 'v' }";

    fn found(field: &str, rapid: Option<&str>) -> Difference {
        Difference { field: field.to_owned(), emulator: None, rapid: rapid.map(str::to_owned) }
    }

    #[test]
    fn only_what_fits_in_every_part_is_known() {
        let mut ledger = Ledger::parse(LEDGER).unwrap();
        assert!(ledger.explains("two", &found("invoker 1 header x", Some("v"))));
        assert!(!ledger.explains("four", &found("invoker 1 header x", Some("v"))));
        assert!(!ledger.explains("two", &found("invoker 1 header x", Some("w"))));
        assert!(!ledger.explains("two", &found("invoker 1 header x", None)));
        assert!(!ledger.explains("two", &found("invoker 1 header y", Some("v"))));
    }

    #[test]
    fn what_did_not_come_is_stale_for_each_transcript_that_names_it() {
        let mut ledger = Ledger::parse(LEDGER).unwrap();
        assert!(ledger.explains("two", &found("invoker 1 header x", Some("v"))));
        let all = ["one", "two", "three"];
        assert_eq!(ledger.stale(&["two", "three"], &all).len(), 0);
        assert_eq!(
            ledger.stale(&["one", "two"], &all),
            ["`invoker * header x` of one: the emulator forgets it"]
        );
        assert_eq!(ledger.strangers(&["two"]), ["one"]);
    }

    #[test]
    fn what_only_comes_sometimes_is_never_stale() {
        let ledger = LEDGER.replace("reason =", "sometimes = true\nreason =");
        assert_eq!(Ledger::parse(&ledger).unwrap().stale(&["one"], &["one", "two"]), [""; 0]);
    }

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        assert!(Ledger::parse(&LEDGER.replace("the emulator forgets it", " ")).is_err());
    }
}
