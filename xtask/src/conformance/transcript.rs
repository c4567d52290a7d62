//! Transcripts: what a runtime and an invoker do, played against both emulators.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::conformance::step::{self, Step};

/// A transcript as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Transcript {
    /// How differences refer to it.
    pub(crate) name: String,
    /// The script of each process of the runtime; the last serves all later ones.
    #[serde(default)]
    pub(crate) runtime: Vec<String>,
    /// The script of each external extension, by its name; of every process of it.
    #[serde(default)]
    pub(crate) extensions: BTreeMap<String, String>,
    /// The script of the invoker.
    #[serde(default)]
    pub(crate) invoker: String,
    /// Environment variables of the emulator.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// More flags; a later flag beats an earlier one.
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    /// The bootstrap's command instead of the scripted runtime.
    #[serde(default)]
    pub(crate) command: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    transcript: Vec<Transcript>,
}

impl Transcript {
    /// What the invoker does.
    ///
    /// # Errors
    /// When a step cannot be read.
    pub(crate) fn invoker_steps(&self) -> Result<Vec<Step>> {
        step::parse(&self.invoker)
    }
}

/// Reads all transcripts.
///
/// # Errors
/// When the file cannot be read, a script means nothing, or a name is used twice.
pub(crate) fn read(path: &Path) -> Result<Vec<Transcript>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Transcript>> {
    let File { transcript: transcripts } = toml::from_str(text)?;
    for (index, transcript) in transcripts.iter().enumerate() {
        let scripts = transcript.runtime.iter().chain(transcript.extensions.values());
        let scripts = scripts.chain([&transcript.invoker]);
        for script in scripts {
            step::parse(script).with_context(|| format!("the transcript {}", transcript.name))?;
        }
        if transcripts.iter().take(index).any(|other| other.name == transcript.name) {
            bail!("two transcripts are called {}", transcript.name);
        }
    }
    Ok(transcripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
        [[transcript]]
        name = 'a'
        runtime = ['next']
        invoker = 'invoke'
        [[transcript]]
        name = 'b'";

    #[test]
    fn what_is_not_said_is_empty() {
        let transcripts = parse(TWO).unwrap();
        assert_eq!(transcripts[0].invoker_steps().unwrap().len(), 1);
        assert!(transcripts[1].runtime.is_empty() && transcripts[1].flags.is_empty());
    }

    #[test]
    fn mistakes_are_found_before_anything_runs() {
        assert!(parse(&TWO.replace("'b'", "'a'")).is_err());
        assert!(parse(&TWO.replace("'next'", "'nxet'")).is_err());
        assert!(parse(&TWO.replace("name = 'b'", "nam = 'b'")).is_err());
    }
}
