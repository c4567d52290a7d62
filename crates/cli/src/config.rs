//! From what was typed, set and written to what holds.

mod async_invokes;
mod function_url;

use std::ffi::OsString;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use rapid::async_invoke::Config as AsyncConfig;
use rapid::{Bandwidth, InitMode, Origins, Persona, TelemetryMode, UrlSettings};
use tracing_subscriber::filter::LevelFilter;

use crate::args::Args;
use crate::file::{self, File};
use crate::settings::{SETTINGS, Setting};

/// Where variables are looked up, so that tests need not touch the process.
pub(crate) trait Vars {
    /// The value of a variable, if it is set and is text.
    fn get(&self, name: &str) -> Option<String>;

    /// Whether a variable is set to something that is no text.
    fn is_garbled(&self, _name: &str) -> bool {
        false
    }
}

/// The variables of this process.
#[derive(Debug)]
pub(crate) struct ProcessVars;

impl Vars for ProcessVars {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn is_garbled(&self, name: &str) -> bool {
        matches!(std::env::var(name), Err(std::env::VarError::NotUnicode(_)))
    }
}

/// What holds.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) persona: Persona,
    pub(crate) address: SocketAddr,
    pub(crate) runtime_api_address: Option<SocketAddr>,
    pub(crate) init: Option<InitMode>,
    pub(crate) timeout: Duration,
    pub(crate) init_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) queue: usize,
    pub(crate) memory_mb: u32,
    pub(crate) handler: Option<OsString>,
    /// Absolute; `None`: where the service has them.
    pub(crate) extension_dirs: Option<Vec<PathBuf>>,
    pub(crate) telemetry: Option<TelemetryMode>,
    pub(crate) hosts_file: Option<PathBuf>,
    pub(crate) origins: Origins,
    /// `None`: the function is not served as plain HTTP.
    pub(crate) function_url: Option<UrlSettings>,
    pub(crate) tracing: Option<bool>,
    pub(crate) stream_bandwidth: Option<Bandwidth>,
    /// `None`: the emulator has none.
    pub(crate) async_invokes: Option<AsyncConfig>,
    /// `None`: nobody has named it.
    pub(crate) function_name: Option<String>,
    pub(crate) function_version: String,
    pub(crate) region: String,
    pub(crate) account: Option<String>,
    pub(crate) log_group: Option<String>,
    pub(crate) log_stream: Option<String>,
    pub(crate) log_level: LevelFilter,
    pub(crate) log_json: bool,
    pub(crate) threads: usize,
    pub(crate) enable_init_caching: bool,
}

/// Where a value came from, for messages.
#[derive(Clone, Debug)]
enum Source {
    Flag(&'static str),
    Variable(&'static str),
    File(PathBuf, &'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(key) => write!(f, "--{key}"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path, key) => write!(f, "the key {key} in {}", path.display()),
        }
    }
}

/// Everything that is wrong, one line for each thing.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct ConfigError(pub(crate) Vec<String>);

impl Config {
    /// Brings flags, variables and the configuration file together.
    ///
    /// # Errors
    /// All that is wrong at once, each with where it stands and what is allowed.
    pub(crate) fn resolve(
        args: &Args,
        vars: &impl Vars,
        program: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let file = file::read(args.config.as_deref().map(Path::to_owned).or_else(|| {
            vars.get("RAPID_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
        }))?;
        let garbled = SETTINGS.iter().filter(|setting| vars.is_garbled(setting.env));
        let problems = garbled
            .map(|setting| format!("the environment variable {} is not UTF-8", setting.env))
            .collect();
        let mut values = Values { args, vars, file, problems };
        let persona = values.read("compat", "aws or rie", |text| match text {
            "aws" => Some(Persona::Aws),
            "rie" => Some(Persona::Rie),
            _ => None,
        });
        let persona = persona.unwrap_or_else(|| persona_of_program(program));
        let default_level = match persona {
            Persona::Aws => LevelFilter::WARN,
            Persona::Rie => LevelFilter::INFO,
        };
        let default_address = SocketAddr::from(([0, 0, 0, 0], 8080));
        let config = Self {
            persona,
            address: values.address("address", "0.0.0.0").unwrap_or(default_address),
            runtime_api_address: values.address("runtime-api-address", "127.0.0.1"),
            init: values.read("init", "eager or lazy", |text| match text {
                "eager" => Some(InitMode::Eager),
                "lazy" => Some(InitMode::Lazy),
                _ => None,
            }),
            timeout: values.seconds("timeout", 1).unwrap_or(Duration::from_secs(300)),
            init_timeout: values.seconds("init-timeout", 1).unwrap_or(Duration::from_secs(10)),
            shutdown_timeout: values
                .seconds("shutdown-timeout", 0)
                .unwrap_or(rapid::DEFAULT_SHUTDOWN_BUDGET),
            queue: values
                .read("queue", "a whole number from 0", |text| text.parse().ok())
                .unwrap_or(100),
            memory_mb: values
                .read("memory", "a whole number of MB from 1", |text| {
                    text.parse().ok().filter(|mb| *mb > 0)
                })
                .unwrap_or(3008),
            handler: values.text("handler").map(OsString::from),
            extension_dirs: values.directories("extensions-dir"),
            telemetry: values.read("telemetry", "on, strict or off", |text| match text {
                "on" | "true" => Some(TelemetryMode::On),
                "strict" => Some(TelemetryMode::Strict),
                "off" | "false" => Some(TelemetryMode::Off),
                _ => None,
            }),
            origins: values
                .read("cors-origin", "an origin like https://example.com, * or none", origins)
                .unwrap_or_default(),
            function_url: values.function_url(),
            hosts_file: match values.text("hosts-file") {
                Some(file) => (file != "none").then(|| PathBuf::from(file)),
                None => Some(PathBuf::from("/etc/hosts")),
            },
            tracing: values.read("tracing", "on or off", |text| match text {
                "on" | "true" => Some(true),
                "off" | "false" => Some(false),
                _ => None,
            }),
            stream_bandwidth: values.bandwidth(),
            async_invokes: values.async_invokes(persona),
            function_name: values.text("function-name"),
            function_version: values
                .text("function-version")
                .unwrap_or_else(|| "$LATEST".to_owned()),
            region: values.text("region").unwrap_or_else(|| "us-east-1".to_owned()),
            account: values.read("account-id", "twelve digits", |text| {
                let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
                digits.then(|| text.to_owned())
            }),
            log_group: values.text("log-group"),
            log_stream: values.text("log-stream"),
            log_level: values.log_level(persona).unwrap_or(default_level),
            log_json: values
                .read("log-format", "text or json", |text| match text {
                    "text" => Some(false),
                    "json" => Some(true),
                    _ => None,
                })
                .unwrap_or(false),
            threads: values
                .read("threads", "a whole number from 1 to 64", |text| {
                    text.parse().ok().filter(|threads| (1..=64).contains(threads))
                })
                .unwrap_or(1),
            enable_init_caching: values
                .read("enable-init-caching", "true or false", |text| match text {
                    "true" | "1" => Some(true),
                    "false" | "0" => Some(false),
                    _ => None,
                })
                .unwrap_or(false),
        };
        if values.problems.is_empty() { Ok(config) } else { Err(ConfigError(values.problems)) }
    }
}

/// Whose manners the binary has by its name.
pub(crate) fn persona_of_program(program: Option<&Path>) -> Persona {
    let name = program.and_then(Path::file_name).map(|name| name.to_string_lossy());
    if name.is_some_and(|name| name.starts_with("aws-lambda-rie")) {
        Persona::Rie
    } else {
        Persona::Aws
    }
}

/// Variables that look as if they were meant for rapid, and are not: misspelled ones, most likely.
pub(crate) fn unknown_variables() -> Vec<String> {
    let known =
        |name: &str| name == "RAPID_CONFIG" || SETTINGS.iter().any(|setting| setting.env == name);
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("RAPID_") && !known(name))
        .collect()
}

/// Looks values up and notes what is wrong with them.
struct Values<'a, V> {
    args: &'a Args,
    vars: &'a V,
    file: Option<File>,
    problems: Vec<String>,
}

impl<V: Vars> Values<'_, V> {
    /// What was given for a setting, and where: one value, unless it is a list.
    fn find(&self, setting: &Setting) -> Option<(Vec<String>, Source)> {
        if let Some(values) = self.args.flags.get(setting.key) {
            return Some((values.clone(), Source::Flag(setting.key)));
        }
        let variables = std::iter::once(setting.env).chain(setting.also.iter().copied());
        for name in variables {
            // An empty variable says nothing: images and compose files set them by accident.
            if let Some(value) = self.vars.get(name).filter(|value| !value.is_empty()) {
                return Some((setting.split(&value), Source::Variable(name)));
            }
        }
        let file = self.file.as_ref()?;
        let values = file.keys.get(setting.key)?;
        Some((values.clone(), Source::File(file.path.clone(), setting.key)))
    }

    fn find_one(&self, setting: &Setting) -> Option<(String, Source)> {
        let (mut values, source) = self.find(setting)?;
        Some((values.pop()?, source))
    }

    /// Where a setting was given, if it was.
    fn source(&self, key: &str) -> Option<Source> {
        let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
        self.find(setting).map(|(_, source)| source)
    }

    /// Parses a value; one that does not parse is a problem, and counts as absent.
    fn read<T>(
        &mut self,
        key: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
        let (value, source) = self.find_one(setting)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            self.problems.push(format!("{source}: '{value}' is not {allowed}"));
        }
        parsed
    }

    fn log_level(&mut self, persona: Persona) -> Option<LevelFilter> {
        let setting = SETTINGS.iter().find(|setting| setting.key == "log-level")?;
        let (value, source) = self.find_one(setting)?;
        // Many functions have a LOG_LEVEL of their own; only the emulator insists on its words.
        let functions_own = matches!(source, Source::Variable("LOG_LEVEL"));
        if functions_own && persona == Persona::Aws && level(&value).is_none() {
            return None;
        }
        self.read("log-level", "panic, fatal, error, warn, info, debug or trace", level)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.read(key, "text", |text| Some(text.to_owned()))
    }

    fn seconds(&mut self, key: &str, from: u32) -> Option<Duration> {
        let allowed = format!("a whole number of seconds from {from}");
        self.read(key, &allowed, |text| {
            let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds >= from)?;
            Some(Duration::from_secs(seconds.into()))
        })
    }

    /// Both halves of it, if one of them was given.
    fn bandwidth(&mut self) -> Option<Bandwidth> {
        let (least, most) = (Bandwidth::RANGE.start(), Bandwidth::RANGE.end());
        let allowed = format!("a whole number of bytes from {least} to {most}");
        let mut half = |key| {
            self.read(key, &allowed, |text| {
                text.parse().ok().filter(|bytes| Bandwidth::RANGE.contains(bytes))
            })
        };
        let (rate, burst) = (half("stream-bandwidth"), half("stream-burst"));
        rate.or(burst)?;
        let rate = rate.unwrap_or(Bandwidth::DEFAULT_RATE);
        let burst = burst.unwrap_or(Bandwidth::DEFAULT_BURST);
        // Both were checked.
        Bandwidth::new(rate, burst).ok()
    }

    /// Directories that are there, as absolute paths.
    fn directories(&mut self, key: &str) -> Option<Vec<PathBuf>> {
        let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
        let (values, source) = self.find(setting)?;
        let mut directories = Vec::with_capacity(values.len());
        for value in values {
            match std::path::absolute(&value) {
                Ok(directory) if directory.is_dir() => directories.push(directory),
                Ok(_) | Err(_) => {
                    self.problems.push(format!("{source}: '{value}' is not an existing directory"));
                }
            }
        }
        Some(directories)
    }

    /// An address; without a host it is `any_host`.
    fn address(&mut self, key: &str, any_host: &str) -> Option<SocketAddr> {
        let allowed = "a valid network address: a host and a port, as in 127.0.0.1:8080";
        self.read(key, allowed, |text| {
            let whole =
                if text.starts_with(':') { format!("{any_host}{text}") } else { text.into() };
            // A name may stand for several addresses; the APIs are served on the old family.
            let found: Vec<SocketAddr> = whole.to_socket_addrs().ok()?.collect();
            found.iter().find(|found| found.is_ipv4()).or(found.first()).copied()
        })
    }
}

/// Whose web pages may invoke.
fn origins(text: &str) -> Option<Origins> {
    match text {
        "*" => Some(Origins::Anybody),
        "none" => Some(Origins::Nobody),
        origin => {
            let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin(origin))?;
            Some(Origins::These(vec![value]))
        }
    }
}

/// An origin has a scheme and a host, and nothing behind them.
fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        !scheme.is_empty() && !host.is_empty() && !host.contains(['/', ' ', '?'])
    })
}

/// The emulator's names of levels; the two worst count as errors here.
fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::ColorChoice;

    use super::*;

    struct Given(Vec<(&'static str, String)>);

    impl Vars for Given {
        fn get(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone())
        }
    }

    pub(super) fn resolve(
        line: &str,
        vars: &[(&'static str, &str)],
    ) -> Result<Config, ConfigError> {
        let words = line.split_whitespace().map(OsString::from);
        let args = Args::parse(words, ColorChoice::Never, Persona::Aws).unwrap();
        let given = Given(vars.iter().map(|(name, value)| (*name, (*value).to_owned())).collect());
        Config::resolve(&args, &given, Path::new(line.split(' ').next().unwrap()).into())
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "timeout = 5\nmemory = \"256\"\nfunction-name = \"file\"").unwrap();
        let path = file.path().to_str().unwrap();
        let config = resolve(
            "rapid --timeout 3 x",
            &[("RAPID_CONFIG", path), ("RAPID_TIMEOUT", "4"), ("RAPID_MEMORY", "512")],
        )
        .unwrap();
        assert_eq!(config.timeout, Duration::from_secs(3));
        assert_eq!(config.memory_mb, 512);
        assert_eq!(config.function_name.as_deref(), Some("file"));
        assert_eq!(config.queue, 100);
    }

    #[test]
    fn the_emulators_variables_count_and_empty_ones_do_not() {
        let config = resolve(
            "rapid x",
            &[
                ("AWS_LAMBDA_FUNCTION_TIMEOUT", "7"),
                ("AWS_LAMBDA_FUNCTION_HANDLER", "strong"),
                ("_HANDLER", "weak"),
                ("LOG_LEVEL", ""),
                ("AWS_REGION", "eu-west-1"),
            ],
        )
        .unwrap();
        assert_eq!(config.timeout, Duration::from_secs(7));
        assert_eq!(config.handler, Some("strong".into()));
        assert_eq!(config.log_level, LevelFilter::WARN);
        assert_eq!(config.region, "eu-west-1");
    }

    #[test]
    fn every_wrong_value_is_told_with_its_place_and_what_is_allowed() {
        let error = resolve(
            "rapid --address nowhere --queue=-- x",
            &[("AWS_LAMBDA_FUNCTION_TIMEOUT", "0"), ("RAPID_MEMORY", "big")],
        );
        let error = error.unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(
            lines,
            [
                "--address: 'nowhere' is not a valid network address: a host and a port, as in \
                 127.0.0.1:8080",
                "the environment variable AWS_LAMBDA_FUNCTION_TIMEOUT: '0' is not a whole number \
                 of seconds from 1",
                "--queue: '--' is not a whole number from 0",
                "the environment variable RAPID_MEMORY: 'big' is not a whole number of MB from 1",
            ]
        );
    }

    #[test]
    fn a_log_level_of_the_functions_own_is_left_alone() {
        let own = resolve("rapid x", &[("LOG_LEVEL", "verbose")]).unwrap();
        assert_eq!(own.log_level, LevelFilter::WARN);
        assert!(resolve("aws-lambda-rie x", &[("LOG_LEVEL", "verbose")]).is_err());
        assert!(resolve("rapid x", &[("RAPID_LOG_LEVEL", "verbose")]).is_err());
    }

    #[test]
    fn telemetry_is_switched_by_a_word_or_a_boolean_and_left_to_the_persona_otherwise() {
        let switched = |value| resolve("rapid x", &[("RAPID_TELEMETRY", value)]).unwrap().telemetry;
        for (value, expected) in [
            ("on", Some(TelemetryMode::On)),
            ("true", Some(TelemetryMode::On)),
            ("strict", Some(TelemetryMode::Strict)),
            ("off", Some(TelemetryMode::Off)),
            ("false", Some(TelemetryMode::Off)),
            ("", None),
        ] {
            assert_eq!(switched(value), expected, "{value:?}");
        }
        let error = resolve("rapid --telemetry maybe x", &[]).unwrap_err();
        assert_eq!(error.to_string(), "--telemetry: 'maybe' is not on, strict or off");
    }

    #[test]
    fn web_pages_of_this_machine_may_invoke_unless_others_are_named() {
        let read = |value| resolve("rapid x", &[("RAPID_CORS_ORIGIN", value)]);
        let these = Origins::These(vec![HeaderValue::from_static("https://example.com:8443")]);
        for (value, expected) in [
            ("", Origins::Loopback),
            ("*", Origins::Anybody),
            ("none", Origins::Nobody),
            ("https://example.com:8443", these),
        ] {
            assert_eq!(read(value).unwrap().origins, expected, "{value:?}");
        }
        for value in ["example.com", "https://", "https://example.com/", "://x"] {
            assert!(read(value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn the_machines_hosts_are_changed_unless_another_file_or_none_is_named() {
        let file = |value| resolve("rapid x", &[("RAPID_HOSTS_FILE", value)]).unwrap().hosts_file;
        assert_eq!(file(""), Some(PathBuf::from("/etc/hosts")));
        assert_eq!(file("/tmp/hosts"), Some(PathBuf::from("/tmp/hosts")));
        assert_eq!(file("none"), None);
    }

    #[test]
    fn tracing_is_switched_by_a_word_or_a_boolean_and_left_to_the_persona_otherwise() {
        let switched = |value| resolve("rapid x", &[("RAPID_TRACING", value)]).unwrap().tracing;
        assert_eq!((switched("on"), switched("true")), (Some(true), Some(true)));
        assert_eq!((switched("off"), switched("false")), (Some(false), Some(false)));
        assert_eq!(switched(""), None);
        let error = resolve("rapid --tracing maybe x", &[]).unwrap_err();
        assert_eq!(error.to_string(), "--tracing: 'maybe' is not on or off");
    }

    #[test]
    fn a_bandwidth_is_limited_by_either_half_and_the_other_is_the_services() {
        assert_eq!(resolve("rapid x", &[]).unwrap().stream_bandwidth, None);
        for (flags, rate, burst) in [
            ("--stream-bandwidth 32768", 32_768, 6_291_456),
            ("--stream-burst 67108864", 2_097_152, 67_108_864),
            ("--stream-bandwidth 100000 --stream-burst 200000", 100_000, 200_000),
        ] {
            let expected = Bandwidth::new(rate, burst).unwrap();
            let line = format!("rapid {flags} x");
            assert_eq!(resolve(&line, &[]).unwrap().stream_bandwidth, Some(expected), "{flags}");
        }
        let flags = "rapid --stream-bandwidth 32767 --stream-burst 64MiB x";
        assert_eq!(
            resolve(flags, &[]).unwrap_err().to_string(),
            "--stream-bandwidth: '32767' is not a whole number of bytes from 32768 to 67108864\n\
             --stream-burst: '64MiB' is not a whole number of bytes from 32768 to 67108864"
        );
    }

    #[test]
    fn addresses_may_leave_the_host_out_or_name_it() {
        let config = resolve("rapid --address :80 --runtime-api-address localhost:0 x", &[]);
        let config = config.unwrap();
        assert_eq!(config.address.to_string(), "0.0.0.0:80");
        assert_eq!(config.runtime_api_address.unwrap().to_string(), "127.0.0.1:0");
        let short = resolve("rapid --runtime-api-address :9 x", &[]).unwrap();
        assert_eq!(short.runtime_api_address.unwrap().to_string(), "127.0.0.1:9");
    }

    #[test]
    fn the_binarys_name_and_a_flag_choose_the_manners() {
        assert_eq!(resolve("rapid x", &[]).unwrap().persona, Persona::Aws);
        let rie = resolve("/usr/local/bin/aws-lambda-rie x", &[]).unwrap();
        assert_eq!(rie.persona, Persona::Rie);
        assert_eq!(rie.log_level, LevelFilter::INFO);
        assert_eq!(resolve("aws-lambda-rie --compat aws x", &[]).unwrap().persona, Persona::Aws);
    }

    #[test]
    fn a_file_that_is_named_has_to_be_there_and_to_make_sense() {
        let missing = resolve("rapid --config /nowhere/rapid.toml x", &[]).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/rapid.toml"), "{missing}");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "tiemout = 5").unwrap();
        let path = file.path().to_str().unwrap();
        let unknown = resolve("rapid x", &[("RAPID_CONFIG", path)]).unwrap_err().to_string();
        assert!(unknown.contains("the key tiemout is unknown; known are address,"), "{unknown}");
    }

    #[test]
    fn directories_of_extensions_come_from_a_flag_a_variable_or_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let (one, two) = (path("one"), path("two:too"));
        for name in [&one, &two] {
            std::fs::create_dir(name).unwrap();
        }
        let file = path("rapid.toml");
        std::fs::write(&file, format!("extensions-dir = ['{two}', '{one}']")).unwrap();
        let in_file = ("RAPID_CONFIG", file.as_str());
        let variable = format!(":{one}:{one}:");
        let in_variable = ("RAPID_EXTENSIONS_DIR", variable.as_str());
        let flags = format!("rapid --extensions-dir {two} --extensions-dir {one} x");
        let rows = [
            (flags.as_str(), vec![in_file, in_variable], vec![&two, &one]),
            ("rapid x", vec![in_file, in_variable], vec![&one, &one]),
            ("rapid x", vec![in_file, ("RAPID_EXTENSIONS_DIR", "")], vec![&two, &one]),
        ];
        for (line, vars, expected) in rows {
            let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(resolve(line, &vars).unwrap().extension_dirs, Some(expected), "{line}");
        }
        std::fs::write(&file, format!("extensions-dir = '{one}:{one}'")).unwrap();
        let expected = vec![PathBuf::from(&one); 2];
        assert_eq!(resolve("rapid x", &[in_file]).unwrap().extension_dirs, Some(expected));
        std::fs::write(&file, "extensions-dir = []").unwrap();
        assert_eq!(resolve("rapid x", &[in_file]).unwrap().extension_dirs, Some(Vec::new()));
        assert_eq!(resolve("rapid x", &[]).unwrap().extension_dirs, None);
    }

    #[test]
    fn relative_directories_of_extensions_are_those_of_the_current_directory() {
        let here = std::env::current_dir().unwrap();
        let config = resolve("rapid --extensions-dir src x", &[]).unwrap();
        assert_eq!(config.extension_dirs, Some(vec![here.join("src")]));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "extensions-dir = ['.', 'src']").unwrap();
        let config =
            resolve("rapid x", &[("RAPID_CONFIG", file.path().to_str().unwrap())]).unwrap();
        assert_eq!(config.extension_dirs, Some(vec![here.clone(), here.join("src")]));
    }

    #[test]
    fn a_named_directory_of_extensions_has_to_be_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let flags = format!("rapid --extensions-dir /nowhere --extensions-dir {path} x");
        let error = resolve(&flags, &[]).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(
            lines,
            [
                "--extensions-dir: '/nowhere' is not an existing directory",
                &format!("--extensions-dir: '{path}' is not an existing directory"),
            ]
        );
        let error = resolve("rapid x", &[("RAPID_EXTENSIONS_DIR", "src:nowhere")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable RAPID_EXTENSIONS_DIR: 'nowhere' is not an existing directory"
        );
        std::fs::write(file.path(), "extensions-dir = ['']").unwrap();
        let error = resolve("rapid x", &[("RAPID_CONFIG", path)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the key extensions-dir in {path}: '' is not an existing directory")
        );
    }

    #[test]
    fn a_list_in_the_file_is_one_of_texts_and_only_where_a_list_is_meant() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for (text, problem) in [
            ("timeout = [1]", "the key timeout takes a text, a number or true or false"),
            ("extensions-dir = [1]", "the key extensions-dir takes a text or a list of texts"),
            ("extensions-dir = true", "the key extensions-dir takes a text or a list of texts"),
        ] {
            std::fs::write(file.path(), text).unwrap();
            let error = resolve("rapid x", &[("RAPID_CONFIG", path)]).unwrap_err();
            assert_eq!(error.to_string(), format!("the configuration file {path}: {problem}"));
        }
    }
}
