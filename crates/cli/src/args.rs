//! The command line: words in, what was typed out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command, value_parser};

use rapid::Persona;

use crate::settings::{SETTINGS, Setting};

/// What was typed.
#[derive(Debug)]
pub(crate) struct Args {
    /// What to do.
    pub(crate) task: Task,
    /// The settings that have a flag, by key: one value, or all of a list.
    pub(crate) flags: BTreeMap<&'static str, Vec<String>>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// The bootstrap's command line.
    pub(crate) command: Vec<OsString>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Serve until a signal comes.
    Serve,
    /// Invoke and leave.
    Invoke(InvokeArgs),
}

/// What `rapid invoke` alone is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvokeArgs {
    /// `--payload`.
    pub(crate) payload: Option<String>,
    /// `--payload-file`; `-` is standard input.
    pub(crate) payload_file: Option<PathBuf>,
    /// `--repeat`.
    pub(crate) repeat: u32,
}

const AFTER_HELP: &str = "\
Examples:
  rapid -- python3 -m awslambdaric app.handler
  rapid invoke --payload '{\"name\":\"you\"}' -- ./bootstrap
  curl -d '{}' http://localhost:8080/2015-03-31/functions/function/invocations

Every option also has a RAPID_… environment variable and a key in rapid.toml
(docs/configuration.md); a flag beats a variable, a variable beats the file.
Without a command, /var/task/bootstrap, /opt/bootstrap and /var/runtime/bootstrap are tried.";

const INVOKE_AFTER_HELP: &str = "\
The response goes to standard output, everything else to standard error.

Exit status: 0 response, 1 function error, 2 wrong usage, 3 initialisation failed,
4 timeout, 5 the runtime or an extension crashed, or memory ran out, 6 throttled,
10 and above: rapid itself failed, or a signal ended it (130, 143).";

impl Args {
    /// Reads the command line, `words` including the program's name. A binary that is called like
    /// the emulator knows no subcommands: a bootstrap may be called `invoke`.
    ///
    /// # Errors
    /// What clap has to say, which includes `--help` and `--version`.
    pub(crate) fn parse(
        words: impl IntoIterator<Item = OsString>,
        color: ColorChoice,
        persona: Persona,
    ) -> Result<Self, clap::Error> {
        let mut definition = command(color, persona);
        let matches = definition.try_get_matches_from_mut(words)?;
        let (task, sub) = match matches.subcommand() {
            Some(("invoke", sub)) => {
                let invoke = InvokeArgs {
                    payload: sub.get_one::<String>("payload").cloned(),
                    payload_file: sub.get_one::<PathBuf>("payload-file").cloned(),
                    repeat: sub.get_one::<u32>("repeat").copied().unwrap_or(1),
                };
                (Task::Invoke(invoke), sub)
            }
            Some((_, sub)) => (Task::Serve, sub),
            None => (Task::Serve, &matches),
        };
        // Options may stand on either side of the subcommand; the later one counts, and of lists
        // both do.
        let mut flags: BTreeMap<&'static str, Vec<String>> =
            given(&matches).map(|(setting, values)| (setting.key, values)).collect();
        if matches.subcommand().is_some() {
            for (setting, values) in given(sub) {
                let before = flags.entry(setting.key).or_default();
                if !setting.is_list {
                    before.clear();
                }
                before.extend(values);
            }
        }
        let out_of_place = SETTINGS
            .iter()
            .filter(|setting| setting.serve_only && matches!(task, Task::Invoke(_)))
            .find(|setting| flags.contains_key(setting.key));
        if let Some(setting) = out_of_place {
            let message =
                format!("--{} is for `rapid serve`; `rapid invoke` takes no invokers", setting.key);
            return Err(definition.error(ErrorKind::ArgumentConflict, message));
        }
        Ok(Self {
            task,
            flags,
            config: config_of(sub).or_else(|| config_of(&matches)),
            command: sub
                .get_many::<OsString>("command")
                .map(|words| words.cloned().collect())
                .unwrap_or_default(),
        })
    }
}

/// The settings that have a flag in `matches`, and their values.
fn given(matches: &ArgMatches) -> impl Iterator<Item = (&'static Setting, Vec<String>)> {
    SETTINGS.iter().filter_map(|setting| {
        // An unknown id is one that this subcommand does not have.
        let values = if setting.value.is_empty() {
            let switch = matches.try_get_one::<bool>(setting.key).ok().flatten();
            switch.filter(|on| **on).map(|_| vec!["true".to_owned()])
        } else {
            let values = matches.try_get_many::<String>(setting.key).ok().flatten();
            values.map(|values| values.cloned().collect())
        };
        values.map(|values| (setting, values))
    })
}

fn config_of(matches: &ArgMatches) -> Option<PathBuf> {
    matches.get_one::<PathBuf>("config").cloned()
}

/// What the command line may look like.
pub(crate) fn command(color: ColorChoice, persona: Persona) -> Command {
    let root = Command::new("rapid")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The AWS Lambda execution environment, on your machine")
        .override_usage("rapid [OPTIONS] [--] [COMMAND [ARGS]...]\n       rapid serve|invoke [OPTIONS] [--] [COMMAND [ARGS]...]")
        .after_help(AFTER_HELP)
        .color(color)
        .args_override_self(true)
        .disable_help_subcommand(true)
        .args(settings(|_| true))
        .arg(words());
    if persona == Persona::Rie {
        return root;
    }
    root.subcommand_precedence_over_arg(true)
        .subcommand(
            Command::new("serve")
                .about("Serve the function until SIGTERM or SIGINT (the default)")
                .override_usage("rapid serve [OPTIONS] [--] [COMMAND [ARGS]...]")
                .args_override_self(true)
                .args(settings(|_| true))
                .arg(words()),
        )
        .subcommand(
            Command::new("invoke")
                .about("Start the function, invoke it, print its response and leave")
                .override_usage("rapid invoke [OPTIONS] [--] [COMMAND [ARGS]...]")
                .after_help(INVOKE_AFTER_HELP)
                .args_override_self(true)
                .args(invoke_args())
                .args(settings(|setting| !setting.serve_only))
                .arg(words()),
        )
}

/// The flags of the settings that `wanted` picks, and `--config`.
fn settings(wanted: impl Fn(&Setting) -> bool) -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("The configuration file [default: rapid.toml, if it is there]")
        .value_parser(value_parser!(PathBuf));
    let flags = SETTINGS.iter().filter(|setting| wanted(setting)).map(|setting| {
        let arg = Arg::new(setting.key)
            .long(setting.key)
            .help(format!("{} [default: {}]", setting.help, setting.default));
        let arg = if setting.value.is_empty() {
            arg.action(ArgAction::SetTrue)
        } else if setting.is_list {
            arg.action(ArgAction::Append).value_name(setting.value)
        } else {
            arg.value_name(setting.value)
        };
        match setting.alias {
            Some(alias) => arg.visible_alias(alias),
            None => arg,
        }
    });
    std::iter::once(config).chain(flags).collect()
}

/// The bootstrap's command line: everything from the first word that is no option.
fn words() -> Arg {
    Arg::new("command")
        .value_name("COMMAND")
        .help("The bootstrap and its arguments; the last of several words names the handler")
        .num_args(0..)
        .trailing_var_arg(true)
        .value_parser(OsStringValueParser::new())
}

fn invoke_args() -> [Arg; 3] {
    [
        Arg::new("payload")
            .long("payload")
            .value_name("JSON")
            .help("The event [default: {}]")
            .allow_negative_numbers(true)
            .conflicts_with("payload-file"),
        Arg::new("payload-file")
            .long("payload-file")
            .value_name("FILE")
            .help("A file with the event; - is standard input")
            .value_parser(value_parser!(PathBuf)),
        Arg::new("repeat")
            .long("repeat")
            .value_name("NUMBER")
            .help("How often to invoke, one after the other; stops at the first error [default: 1]")
            .value_parser(value_parser!(u32).range(1..)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let words = line.split_whitespace().map(OsString::from);
        Args::parse(words, ColorChoice::Never, Persona::Aws)
    }

    fn command_of(line: &str) -> Vec<String> {
        let args = parse(line).unwrap();
        args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        for persona in [Persona::Aws, Persona::Rie] {
            command(ColorChoice::Never, persona).debug_assert();
        }
    }

    #[test]
    fn options_end_at_the_first_word_of_the_command() {
        let line = "rapid --timeout 3 python3 -m awslambdaric --timeout 9 app.handler";
        assert_eq!(
            command_of(line),
            ["python3", "-m", "awslambdaric", "--timeout", "9", "app.handler"]
        );
        assert_eq!(parse(line).unwrap().flags["timeout"], ["3"]);
        assert_eq!(command_of("rapid -- serve --help"), ["serve", "--help"]);
        assert_eq!(command_of("rapid"), [""; 0]);
    }

    #[test]
    fn the_emulators_flags_keep_their_names_in_both_spellings() {
        for line in [
            "rapid --runtime-interface-emulator-address 0.0.0.0:80 x",
            "rapid --runtime-interface-emulator-address=0.0.0.0:80 x",
        ] {
            assert_eq!(parse(line).unwrap().flags["address"], ["0.0.0.0:80"]);
        }
        let cached = parse("rapid --enable-init-caching x").unwrap();
        assert_eq!(cached.flags["enable-init-caching"], ["true"]);
    }

    #[test]
    fn subcommands_take_options_on_either_side() {
        let args = parse("rapid --timeout 3 invoke --memory 128 --payload {} -- ./b h").unwrap();
        assert_eq!(args.flags["timeout"], ["3"]);
        assert_eq!(args.flags["memory"], ["128"]);
        let Task::Invoke(invoke) = args.task else { panic!("not an invoke") };
        assert_eq!(invoke.payload.as_deref(), Some("{}"));
        assert_eq!(args.command, ["./b", "h"]);
        assert_eq!(parse("rapid serve -- x").unwrap().task, Task::Serve);
    }

    #[test]
    fn the_last_of_a_flag_counts_and_every_one_of_a_list() {
        let line = "rapid --timeout 1 --timeout 2 --extensions-dir a --extensions-dir=b:c x";
        let args = parse(line).unwrap();
        assert_eq!(args.flags["timeout"], ["2"]);
        assert_eq!(args.flags["extensions-dir"], ["a", "b:c"]);
        let line = "rapid --timeout 1 --extensions-dir a invoke --timeout 2 --extensions-dir b x";
        let args = parse(line).unwrap();
        assert_eq!(args.flags["timeout"], ["2"]);
        assert_eq!(args.flags["extensions-dir"], ["a", "b"]);
        let before = parse("rapid --extensions-dir a serve x").unwrap();
        assert_eq!(before.flags["extensions-dir"], ["a"]);
    }

    #[test]
    fn the_emulator_knows_no_subcommands() {
        let words = ["aws-lambda-rie", "invoke", "handler"].map(OsString::from);
        let args = Args::parse(words, ColorChoice::Never, Persona::Rie).unwrap();
        assert_eq!((args.task, args.command.len()), (Task::Serve, 2));
    }

    #[test]
    fn what_is_unknown_or_incomplete_is_an_error() {
        for line in [
            "rapid --nonsense",
            "rapid --timeout",
            "rapid --extensions-dir",
            "rapid invoke --repeat 0 -- x",
            "rapid invoke --payload {} --payload-file f -- x",
            "rapid invoke --address 127.0.0.1:1 -- x",
            "rapid --queue 1 invoke -- x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
