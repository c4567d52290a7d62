//! What is to be measured, and how often.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::bench::scenario::{SCENARIOS, Scenario};
use crate::bench::subject::Subject;

/// Enough for a median whose spread can be told, in about three minutes.
const ROUNDS: usize = 9;
const QUICK_ROUNDS: usize = 3;

/// What the arguments say.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// Fewer requests, where the number is not what is measured.
    pub(crate) quick: bool,
    /// Whether the exit status is to say if the limits are kept.
    pub(crate) check: bool,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) json: Option<PathBuf>,
    /// A binary to measure as rapid; nothing to build it.
    pub(crate) rapid: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// Names what is not expected, with what there is instead.
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self {
            rounds: 0,
            quick: false,
            check: false,
            scenarios: Vec::new(),
            subjects: Vec::new(),
            json: None,
            rapid: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("`{arg}` needs a value"));
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--check" => (options.quick, options.check) = (true, true),
                "--rounds" => options.rounds = rounds(value()?)?,
                "--only" => {
                    let one = scenario(value()?)?;
                    options.scenarios.retain(|other| other.name != one.name);
                    options.scenarios.push(one);
                }
                "--subject" => {
                    let one = subject(value()?)?;
                    options.subjects.retain(|other| *other != one);
                    options.subjects.push(one);
                }
                "--rapid" => options.rapid = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                _ => bail!("`{arg}` is not expected\n\n{}", usage()),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { QUICK_ROUNDS } else { ROUNDS };
        }
        if options.scenarios.is_empty() {
            options.scenarios = SCENARIOS.iter().collect();
        }
        if options.subjects.is_empty() {
            options.subjects = Subject::ALL.to_vec();
        }
        Ok(options)
    }

    /// How often anything is measured.
    pub(crate) fn steps(&self) -> usize {
        let times = self.scenarios.iter().map(|one| if one.once { 1 } else { self.rounds });
        times.sum::<usize>() * self.subjects.len()
    }

    /// The command that asks for the same.
    pub(crate) fn command(&self) -> String {
        let mut words = vec!["cargo xtask bench".to_owned()];
        match (self.check, self.quick) {
            (true, _) => words.push("--check".to_owned()),
            (false, true) => words.push("--quick".to_owned()),
            (false, false) => {}
        }
        words.push(format!("--rounds {}", self.rounds));
        if self.scenarios.len() < SCENARIOS.len() {
            words.extend(self.scenarios.iter().map(|one| format!("--only {}", one.name)));
        }
        if self.subjects.len() < Subject::ALL.len() {
            words.extend(self.subjects.iter().map(|one| format!("--subject {}", one.name())));
        }
        if let Some(path) = &self.rapid {
            words.push(format!("--rapid {}", path.display()));
        }
        words.join(" ")
    }
}

/// What may be asked for.
pub(crate) fn usage() -> String {
    let scenarios = SCENARIOS.iter().map(|one| format!("  {:<20} {}\n", one.name, one.about));
    let scenarios: String = scenarios.collect();
    format!(
        "\
Usage: cargo xtask bench [OPTIONS]

  --quick              {QUICK_ROUNDS} rounds and fewer requests: less than a minute after the build
  --rounds NUMBER      how often everything is measured; {ROUNDS} unless told otherwise
  --only SCENARIO      only this one; may be repeated
  --subject NAME       only rapid, emulator or floor; may be repeated
  --rapid FILE         measure this binary as rapid, an earlier build for instance
  --json FILE          write every figure of every round to a file as well
  --check              for CI: quick, and fails when rapid loses an invoke, or is much slower
                       than it should be twice in a row

Scenarios:
{scenarios}"
    )
}

fn rounds(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => bail!("`{text}` is no number of rounds: 1 or more"),
    }
}

fn scenario(name: &str) -> Result<&'static Scenario> {
    let names = || SCENARIOS.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
    let found = SCENARIOS.iter().find(|one| one.name == name);
    found.with_context(|| format!("no scenario is called {name}; there are: {}", names()))
}

fn subject(name: &str) -> Result<Subject> {
    let found = Subject::ALL.into_iter().find(|one| one.name() == name);
    found.with_context(|| {
        let names = Subject::ALL.map(Subject::name).join(", ");
        format!("no subject is called {name}; there are: {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_is_measured_unless_told_otherwise() {
        let options = parse("").unwrap();
        assert_eq!(options.command(), "cargo xtask bench --rounds 9");
        assert_eq!(options.subjects, Subject::ALL);
        assert_eq!(options.steps(), (SCENARIOS.len() - 2) * 9 * 3 + 2 * 3);
    }

    #[test]
    fn the_command_repeats_what_was_asked_for() {
        let line = "--check --rounds 2 --only warm --only size --subject floor --rapid ./old";
        let options = parse(line).unwrap();
        assert!(options.quick && options.check);
        assert_eq!(options.command(), format!("cargo xtask bench {line}"));
        assert_eq!(options.steps(), 2 + 1);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_there_is() {
        let error = |line| parse(line).unwrap_err();
        assert!(error("--fast").starts_with("`--fast` is not expected\n\nUsage:"));
        assert_eq!(error("--rounds 0"), "`0` is no number of rounds: 1 or more");
        assert_eq!(error("--only"), "`--only` needs a value");
        assert!(error("--only cold").starts_with("no scenario is called cold; there are: start, "));
        assert_eq!(
            error("--subject me"),
            "no subject is called me; there are: rapid, emulator, floor"
        );
    }
}
