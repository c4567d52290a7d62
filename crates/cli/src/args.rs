//! The command line: words in, what was typed out.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command, value_parser};

use rapid::Persona;

use crate::endpoint::Endpoint;
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
    /// Start the function, invoke it and leave.
    Invoke(InvokeArgs),
    /// Invoke a function that is served elsewhere.
    Call(InvokeArgs, Target),
}

impl Task {
    /// Whether there will be processes of a function.
    pub(crate) const fn starts_a_function(&self) -> bool {
        match self {
            Self::Serve | Self::Invoke(_) => true,
            Self::Call(..) => false,
        }
    }
}

/// What `rapid invoke` alone is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvokeArgs {
    /// `--payload`.
    pub(crate) payload: Option<String>,
    /// `--payload-file`; `-` is standard input.
    pub(crate) payload_file: Option<PathBuf>,
    /// `--client-context`: JSON.
    pub(crate) client_context: Option<String>,
    /// `--repeat`.
    pub(crate) repeat: u32,
    /// `--stream`.
    pub(crate) stream: bool,
    /// `--tail`.
    pub(crate) tail: bool,
}

/// A function that is served elsewhere, and what is wanted of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `--endpoint`.
    pub(crate) endpoint: Endpoint,
    /// `--qualifier`.
    pub(crate) qualifier: Option<String>,
    /// `--async` and `--dry-run`.
    pub(crate) wanted: Wanted,
}

/// What is wanted of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Its response.
    Response,
    /// That it runs some time.
    Acceptance,
    /// To know whether it would be accepted.
    Check,
}

const AFTER_HELP: &str = "\
Examples:
  rapid -- python3 -m awslambdaric app.handler
  rapid invoke --payload '{\"name\":\"you\"}' -- ./bootstrap
  rapid invoke --payload '{\"name\":\"you\"}' --endpoint http://localhost:8080
  curl -d '{}' http://localhost:8080/2015-03-31/functions/function/invocations

Every option also has a RAPID_… environment variable and a key in rapid.toml
(docs/configuration.md); a flag beats a variable, a variable beats the file.
Without a command, /var/task/bootstrap, /opt/bootstrap and /var/runtime/bootstrap are tried.";

const INVOKE_AFTER_HELP: &str = "\
Examples:
  rapid invoke --payload '{\"name\":\"you\"}' -- ./bootstrap
  rapid invoke --stream --payload-file event.json -- ./bootstrap
  rapid invoke --endpoint http://localhost:8080 --tail
  rapid invoke --endpoint http://localhost:8080 --async

The response goes to standard output, everything else to standard error.

Exit status: 0 response, 1 function error, 2 wrong usage, 3 initialisation failed,
4 timeout, 5 the runtime or an extension crashed, or memory ran out, 6 throttled,
10 and above: rapid itself or the endpoint (12) failed, or a signal ended it (130, 143).";

/// The settings that say something of a call to an endpoint; the others are about a function that
/// rapid itself starts.
const SETTINGS_OF_CALLS: [&str; 5] =
    ["function-name", "compat", "log-level", "log-format", "threads"];

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
                let task = invocation(sub).map_err(|(kind, text)| definition.error(kind, text))?;
                (task, sub)
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
        if let Some(text) = out_of_place(&task, &flags) {
            return Err(definition.error(ErrorKind::ArgumentConflict, text));
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

/// What `rapid invoke` is to do, or what is wrong with that.
fn invocation(matches: &ArgMatches) -> Result<Task, (ErrorKind, String)> {
    let switch = |name| matches.get_flag(name);
    let text = |name| matches.get_one::<String>(name).cloned();
    let invoke = InvokeArgs {
        payload: text("payload"),
        payload_file: matches.get_one::<PathBuf>("payload-file").cloned(),
        client_context: text("client-context"),
        repeat: matches.get_one::<u32>("repeat").copied().unwrap_or(1),
        stream: switch("stream"),
        tail: switch("tail"),
    };
    let qualifier = text("qualifier");
    let wanted = match (switch("async"), switch("dry-run")) {
        (true, _) => Wanted::Acceptance,
        (false, true) => Wanted::Check,
        (false, false) => Wanted::Response,
    };
    if let Some(endpoint) = matches.get_one::<Endpoint>("endpoint") {
        if matches.contains_id("command") {
            let text = "--endpoint calls a function that is served already; leave the command out, \
                        or --endpoint to have it started";
            return Err((ErrorKind::ArgumentConflict, text.to_owned()));
        }
        let endpoint = endpoint.clone();
        return Ok(Task::Call(invoke, Target { endpoint, qualifier, wanted }));
    }
    let missing = match (wanted, qualifier) {
        (Wanted::Acceptance, _) => {
            "--async needs --endpoint: what is invoked so runs later, in a rapid that goes on \
             running. Start one with `rapid -- COMMAND`, and call it with `rapid invoke --async \
             --endpoint http://localhost:8080`"
        }
        (Wanted::Check, _) => {
            "--dry-run needs --endpoint: it asks a rapid that runs whether it would take the \
             invocation"
        }
        (Wanted::Response, Some(_)) => {
            "--qualifier needs --endpoint: a function that is started here has the version that \
             --function-version says"
        }
        (Wanted::Response, None) => return Ok(Task::Invoke(invoke)),
    };
    Err((ErrorKind::MissingRequiredArgument, missing.to_owned()))
}

/// What is wrong with a flag that means nothing to the task, if there is one.
fn out_of_place(task: &Task, flags: &BTreeMap<&'static str, Vec<String>>) -> Option<String> {
    let mut given = SETTINGS.iter().filter(|setting| flags.contains_key(setting.key));
    match task {
        Task::Serve => None,
        Task::Invoke(_) => given.find(|setting| setting.serve_only).map(|setting| {
            format!("--{} is for `rapid serve`; `rapid invoke` takes no invokers", setting.key)
        }),
        Task::Call(..) => {
            given.find(|setting| !SETTINGS_OF_CALLS.contains(&setting.key)).map(|setting| {
                format!(
                    "--{} is for a function that rapid starts; what is served at --endpoint has \
                     settings of its own",
                    setting.key
                )
            })
        }
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
                .about("Start the function, or call one that is served; print its response and leave")
                .override_usage("rapid invoke [OPTIONS] [--] [COMMAND [ARGS]...]\n       rapid invoke --endpoint URL [OPTIONS]")
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

fn invoke_args() -> [Arg; 10] {
    let switch = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
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
        Arg::new("client-context")
            .long("client-context")
            .value_name("JSON")
            .help("What the function's context tells of the client"),
        Arg::new("repeat")
            .long("repeat")
            .value_name("NUMBER")
            .help("How often to invoke, one after the other; stops at the first error [default: 1]")
            .value_parser(value_parser!(u32).range(1..)),
        switch("stream").help(
            "Print the response piece by piece, as the function produces it, and nothing else",
        ),
        switch("tail").help(
            "Print the last 4 KiB of the invocation's log after the response; of a function \
                   that is started here, instead of all of its log",
        ),
        Arg::new("endpoint")
            .long("endpoint")
            .value_name("URL")
            .help(
                "Call a function that is served at an Invoke API, as in http://localhost:8080, \
                   instead of starting one; --function-name says which [default: function]",
            )
            .value_parser(Endpoint::parse),
        Arg::new("qualifier")
            .long("qualifier")
            .value_name("QUALIFIER")
            .help("With --endpoint: the version or alias to call"),
        switch("async")
            .help("With --endpoint: do not wait for the response; prints the request id")
            .conflicts_with_all(["stream", "tail", "dry-run", "client-context"]),
        switch("dry-run")
            .help("With --endpoint: ask whether the invocation would be taken; nothing runs")
            .conflicts_with_all(["stream", "tail"]),
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

    #[test]
    fn an_endpoint_makes_it_a_call() {
        let line = "rapid invoke --endpoint http://localhost:8080 --function-name f \
                    --qualifier live --stream --tail --repeat 2";
        let args = parse(line).unwrap();
        let Task::Call(invoke, target) = args.task else { panic!("not a call") };
        assert!(invoke.stream && invoke.tail && invoke.repeat == 2);
        assert_eq!(target.qualifier.as_deref(), Some("live"));
        assert_eq!(target.wanted, Wanted::Response);
        assert_eq!(args.flags["function-name"], ["f"]);
        for (flag, wanted) in [("--async", Wanted::Acceptance), ("--dry-run", Wanted::Check)] {
            let line = format!("rapid invoke --endpoint http://localhost:8080 {flag}");
            let Task::Call(_, target) = parse(&line).unwrap().task else { panic!("not a call") };
            assert_eq!(target.wanted, wanted);
        }
    }

    #[test]
    fn what_only_a_call_or_only_a_start_can_do_says_so() {
        let call = "rapid invoke --endpoint http://localhost:8080";
        for (line, told) in [
            ("rapid invoke --async -- x".to_owned(), "--async needs --endpoint"),
            ("rapid invoke --dry-run -- x".to_owned(), "--dry-run needs --endpoint"),
            ("rapid invoke --qualifier 1 -- x".to_owned(), "--qualifier needs --endpoint"),
            (format!("{call} -- ./bootstrap"), "leave the command out"),
            (format!("{call} --timeout 3"), "--timeout is for a function that rapid starts"),
            ("rapid --queue 3 invoke --endpoint http://a".to_owned(), "--queue is for a function"),
            (format!("{call} --async --stream"), "cannot be used with"),
            (format!("{call} --async --tail"), "cannot be used with"),
            (format!("{call} --async --dry-run"), "cannot be used with"),
            (format!("{call} --async --client-context {{}}"), "cannot be used with"),
            (format!("{call} --dry-run --stream"), "cannot be used with"),
            ("rapid invoke --endpoint https://a".to_owned(), "https"),
        ] {
            let error = parse(&line).unwrap_err().to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn every_setting_of_calls_is_one() {
        for key in SETTINGS_OF_CALLS {
            assert!(SETTINGS.iter().any(|setting| setting.key == key), "{key}");
        }
    }
}
