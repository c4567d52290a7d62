//! The one table of settings: it feeds the parser, `--help`, the configuration file and
//! `docs/configuration.md`.

/// A setting, under every name it has.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in the configuration file, and its flag with `--` before it.
    pub(crate) key: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    /// Further variables, asked in this order when the first is not set. An empty one counts as
    /// not set.
    pub(crate) also: &'static [&'static str],
    /// A further flag: the emulator's name for it.
    pub(crate) alias: Option<&'static str>,
    /// What a value looks like; empty for a switch.
    pub(crate) value: &'static str,
    /// Whether it takes several values: the flag may be repeated, a text in the variable or in the
    /// file separates them by `:`, and the file may have an array.
    pub(crate) is_list: bool,
    /// What holds when nothing is said, in words.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
    /// Whether it means nothing to `rapid invoke`.
    pub(crate) serve_only: bool,
}

impl Setting {
    /// The values in a text: itself, or the items of a list.
    pub(crate) fn split(&self, text: &str) -> Vec<String> {
        if self.is_list {
            text.split(':').filter(|item| !item.is_empty()).map(str::to_owned).collect()
        } else {
            vec![text.to_owned()]
        }
    }
}

/// Every setting, in the order in which `--help` shows them.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "address",
        env: "RAPID_ADDRESS",
        also: &["RUNTIME_INTERFACE_EMULATOR_ADDRESS"],
        alias: Some("runtime-interface-emulator-address"),
        value: "HOST:PORT",
        is_list: false,
        default: "0.0.0.0:8080",
        help: "Where the Invoke API listens; port 0 picks a free port and says which",
        serve_only: true,
    },
    Setting {
        key: "cors-origin",
        env: "RAPID_CORS_ORIGIN",
        also: &[],
        alias: None,
        value: "ORIGIN|*|none",
        is_list: false,
        default: "the pages of this machine: localhost and loopback addresses",
        help: "Whose web pages may invoke: those of one origin, as in https://example.com, \
               everybody's (*) or nobody's (none)",
        serve_only: true,
    },
    Setting {
        key: "function-url",
        env: "RAPID_FUNCTION_URL",
        also: &[],
        alias: None,
        value: "HOST:PORT",
        is_list: false,
        default: "nowhere",
        help: "Where the function is served as plain HTTP, as a function URL does, with every path and every \
               method (docs/function-url.md)",
        serve_only: true,
    },
    Setting {
        key: "function-url-mode",
        env: "RAPID_FUNCTION_URL_MODE",
        also: &[],
        alias: None,
        value: "buffered|streamed",
        is_list: false,
        default: "buffered",
        help: "Whether the function URL sends responses whole, or while they are produced",
        serve_only: true,
    },
    Setting {
        key: "function-url-cors-origins",
        env: "RAPID_FUNCTION_URL_CORS_ORIGINS",
        also: &[],
        alias: None,
        value: "ORIGIN,…|*",
        is_list: false,
        default: "none: CORS is left to the function",
        help: "Whose web pages may use the function URL; turns CORS on, and preflight requests are then \
               answered without the function",
        serve_only: true,
    },
    Setting {
        key: "function-url-cors-methods",
        env: "RAPID_FUNCTION_URL_CORS_METHODS",
        also: &[],
        alias: None,
        value: "METHOD,…|*",
        is_list: false,
        default: "none beside GET, HEAD and POST",
        help: "The methods that they may use",
        serve_only: true,
    },
    Setting {
        key: "function-url-cors-headers",
        env: "RAPID_FUNCTION_URL_CORS_HEADERS",
        also: &[],
        alias: None,
        value: "HEADER,…|*",
        is_list: false,
        default: "none beside those that every page may send",
        help: "The headers that they may send",
        serve_only: true,
    },
    Setting {
        key: "function-url-cors-expose",
        env: "RAPID_FUNCTION_URL_CORS_EXPOSE",
        also: &[],
        alias: None,
        value: "HEADER,…|*",
        is_list: false,
        default: "none beside those that every page may read",
        help: "The headers of responses that they may read",
        serve_only: true,
    },
    Setting {
        key: "function-url-cors-max-age",
        env: "RAPID_FUNCTION_URL_CORS_MAX_AGE",
        also: &[],
        alias: None,
        value: "SECONDS",
        is_list: false,
        default: "left to the browser",
        help: "How long a browser may remember what they may do",
        serve_only: true,
    },
    Setting {
        key: "function-url-cors-credentials",
        env: "RAPID_FUNCTION_URL_CORS_CREDENTIALS",
        also: &[],
        alias: None,
        value: "on|off",
        is_list: false,
        default: "off",
        help: "Whether they may send cookies along",
        serve_only: true,
    },
    Setting {
        key: "runtime-api-address",
        env: "RAPID_RUNTIME_API_ADDRESS",
        also: &[],
        alias: None,
        value: "HOST:PORT",
        is_list: false,
        default: "127.0.0.1:9001; a free port for `rapid invoke`",
        help: "Where the Runtime API listens; loopback only",
        serve_only: false,
    },
    Setting {
        key: "compat",
        env: "RAPID_COMPAT",
        also: &[],
        alias: None,
        value: "aws|rie",
        is_list: false,
        default: "aws; rie when the binary is called aws-lambda-rie",
        help: "Whose manners to have: the service's or the Runtime Interface Emulator's",
        serve_only: false,
    },
    Setting {
        key: "init",
        env: "RAPID_INIT",
        also: &[],
        alias: None,
        value: "eager|lazy",
        is_list: false,
        default: "eager; lazy with --compat rie",
        help: "Start the runtime right away, or with the first invocation",
        serve_only: false,
    },
    Setting {
        key: "timeout",
        env: "RAPID_TIMEOUT",
        also: &["AWS_LAMBDA_FUNCTION_TIMEOUT"],
        alias: None,
        value: "SECONDS",
        is_list: false,
        default: "300",
        help: "How long an invocation may take",
        serve_only: false,
    },
    Setting {
        key: "init-timeout",
        env: "RAPID_INIT_TIMEOUT",
        also: &[],
        alias: None,
        value: "SECONDS",
        is_list: false,
        default: "10",
        help: "How long an initialisation may take before it is tried again inside an invocation",
        serve_only: false,
    },
    Setting {
        key: "shutdown-timeout",
        env: "RAPID_SHUTDOWN_TIMEOUT",
        also: &[],
        alias: None,
        value: "SECONDS",
        is_list: false,
        default: "2",
        help: "How long a running invocation may go on after SIGTERM or SIGINT; processes then have \
               two more seconds",
        serve_only: false,
    },
    Setting {
        key: "queue",
        env: "RAPID_QUEUE",
        also: &[],
        alias: None,
        value: "NUMBER",
        is_list: false,
        default: "100",
        help: "How many invocations may wait for their turn; more are answered with 429",
        serve_only: true,
    },
    Setting {
        key: "memory",
        env: "RAPID_MEMORY",
        also: &["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        alias: None,
        value: "MB",
        is_list: false,
        default: "3008",
        help: "The memory that the function is told it has; it is not enforced",
        serve_only: false,
    },
    Setting {
        key: "handler",
        env: "RAPID_HANDLER",
        also: &["AWS_LAMBDA_FUNCTION_HANDLER", "_HANDLER"],
        alias: None,
        value: "NAME",
        is_list: false,
        default: "the last of several words of the command",
        help: "The function's handler, for the runtime",
        serve_only: false,
    },
    Setting {
        key: "extensions-dir",
        env: "RAPID_EXTENSIONS_DIR",
        also: &[],
        alias: None,
        value: "DIR",
        is_list: true,
        default: "/opt/extensions",
        help: "Where extensions are started from; may be repeated, elsewhere separated by `:`",
        serve_only: false,
    },
    Setting {
        key: "telemetry",
        env: "RAPID_TELEMETRY",
        also: &[],
        alias: None,
        value: "on|strict|off",
        is_list: false,
        default: "on; off with --compat rie",
        help: "Whether extensions can subscribe to logs and events: to be sent to any address of \
               this machine, or, as the service demands, to sandbox.localdomain; with off they are \
               told that it is not supported",
        serve_only: false,
    },
    Setting {
        key: "hosts-file",
        env: "RAPID_HOSTS_FILE",
        also: &[],
        alias: None,
        value: "FILE|none",
        is_list: false,
        default: "/etc/hosts",
        help: "Where sandbox.localdomain and sandbox, under which extensions listen for \
               telemetry, are added if they are missing and there are extensions",
        serve_only: false,
    },
    Setting {
        key: "tracing",
        env: "RAPID_TRACING",
        also: &[],
        alias: None,
        value: "on|off",
        is_list: false,
        default: "on; off with --compat rie",
        help: "Whether rapid itself reports to an X-Ray daemon and an OpenTelemetry collector, if \
               AWS_XRAY_DAEMON_ADDRESS and OTEL_EXPORTER_OTLP_ENDPOINT name them",
        serve_only: false,
    },
    Setting {
        key: "stream-bandwidth",
        env: "RAPID_STREAM_BANDWIDTH",
        also: &[],
        alias: None,
        value: "BYTES_PER_SECOND",
        is_list: false,
        default: "not limited; 2097152 with --stream-burst",
        help: "How fast a streamed response goes on after its burst, from 32768 to 67108864; the \
               service's is 2097152",
        serve_only: false,
    },
    Setting {
        key: "stream-burst",
        env: "RAPID_STREAM_BURST",
        also: &[],
        alias: None,
        value: "BYTES",
        is_list: false,
        default: "not limited; 6291456 with --stream-bandwidth",
        help: "How much of a streamed response goes at full speed, from 32768 to 67108864; the \
               service's is 6291456",
        serve_only: false,
    },
    Setting {
        key: "async-dir",
        env: "RAPID_ASYNC_DIR",
        also: &[],
        alias: None,
        value: "DIR",
        is_list: false,
        default: "none: in memory",
        help: "Where asynchronous invocations (Event) are kept until they have come to their \
               end, so that they outlive rapid; it is made if it is missing",
        serve_only: true,
    },
    Setting {
        key: "async-max-events",
        env: "RAPID_ASYNC_MAX_EVENTS",
        also: &[],
        alias: None,
        value: "NUMBER",
        is_list: false,
        default: "10000",
        help: "How many asynchronous invocations may be there at the same time; more are \
               answered with 429",
        serve_only: true,
    },
    Setting {
        key: "async-retries",
        env: "RAPID_ASYNC_RETRIES",
        also: &[],
        alias: None,
        value: "0|1|2",
        is_list: false,
        default: "2",
        help: "How often an asynchronous invocation is tried again after a function error",
        serve_only: true,
    },
    Setting {
        key: "async-max-age",
        env: "RAPID_ASYNC_MAX_AGE",
        also: &[],
        alias: None,
        value: "SECONDS",
        is_list: false,
        default: "21600",
        help: "How old an asynchronous invocation may be when it is tried, from 60 to 21600",
        serve_only: true,
    },
    Setting {
        key: "async-retry-delays",
        env: "RAPID_ASYNC_RETRY_DELAYS",
        also: &[],
        alias: None,
        value: "SECONDS,SECONDS",
        is_list: false,
        default: "60,120",
        help: "How long to wait after its first and its second function error; fractions are \
               fine, and 0",
        serve_only: true,
    },
    Setting {
        key: "on-success",
        env: "RAPID_ON_SUCCESS",
        also: &[],
        alias: None,
        value: "file:PATH|dir:PATH|URL|lambda:URL/NAME",
        is_list: false,
        default: "none",
        help: "Who gets a record of every asynchronous invocation that has succeeded",
        serve_only: true,
    },
    Setting {
        key: "on-failure",
        env: "RAPID_ON_FAILURE",
        also: &[],
        alias: None,
        value: "file:PATH|dir:PATH|URL|lambda:URL/NAME",
        is_list: false,
        default: "none",
        help: "Who gets a record of every asynchronous invocation that has finally failed",
        serve_only: true,
    },
    Setting {
        key: "dead-letter",
        env: "RAPID_DEAD_LETTER",
        also: &[],
        alias: None,
        value: "file:PATH|dir:PATH|URL|lambda:URL/NAME",
        is_list: false,
        default: "none",
        help: "Who gets the event itself when it has finally failed",
        serve_only: true,
    },
    Setting {
        key: "function-name",
        env: "RAPID_FUNCTION_NAME",
        also: &["AWS_LAMBDA_FUNCTION_NAME"],
        alias: None,
        value: "NAME",
        is_list: false,
        default: "test_function",
        help: "The function's name; invokers may use any",
        serve_only: false,
    },
    Setting {
        key: "function-version",
        env: "RAPID_FUNCTION_VERSION",
        also: &["AWS_LAMBDA_FUNCTION_VERSION"],
        alias: None,
        value: "VERSION",
        is_list: false,
        default: "$LATEST",
        help: "The function's version",
        serve_only: false,
    },
    Setting {
        key: "region",
        env: "RAPID_REGION",
        also: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        alias: None,
        value: "REGION",
        is_list: false,
        default: "us-east-1",
        help: "The region, for ARNs and the function's environment",
        serve_only: false,
    },
    Setting {
        key: "account-id",
        env: "RAPID_ACCOUNT_ID",
        also: &["AWS_ACCOUNT_ID"],
        alias: None,
        value: "DIGITS",
        is_list: false,
        default: "123456789012; 012345678912 with --compat rie",
        help: "The account, for ARNs",
        serve_only: false,
    },
    Setting {
        key: "log-group",
        env: "RAPID_LOG_GROUP",
        also: &["AWS_LAMBDA_LOG_GROUP_NAME"],
        alias: None,
        value: "NAME",
        is_list: false,
        default: "/aws/lambda/<function name>; /aws/lambda/Functions with --compat rie",
        help: "The log group that the function is told of",
        serve_only: false,
    },
    Setting {
        key: "log-stream",
        env: "RAPID_LOG_STREAM",
        also: &["AWS_LAMBDA_LOG_STREAM_NAME"],
        alias: None,
        value: "NAME",
        is_list: false,
        default: "dated and unique; $LATEST with --compat rie",
        help: "The log stream that the function is told of",
        serve_only: false,
    },
    Setting {
        key: "log-level",
        env: "RAPID_LOG_LEVEL",
        also: &["LOG_LEVEL"],
        alias: None,
        value: "LEVEL",
        is_list: false,
        default: "warn; info with --compat rie",
        help: "What rapid itself logs: panic, fatal, error, warn, info, debug or trace",
        serve_only: false,
    },
    Setting {
        key: "log-format",
        env: "RAPID_LOG_FORMAT",
        also: &[],
        alias: None,
        value: "text|json",
        is_list: false,
        default: "text",
        help: "How rapid itself logs",
        serve_only: false,
    },
    Setting {
        key: "threads",
        env: "RAPID_THREADS",
        also: &[],
        alias: None,
        value: "NUMBER",
        is_list: false,
        default: "1",
        help: "How many threads serve; one is fastest for one function",
        serve_only: false,
    },
    Setting {
        key: "enable-init-caching",
        env: "RAPID_ENABLE_INIT_CACHING",
        also: &[],
        alias: None,
        value: "",
        is_list: false,
        default: "false",
        help: "Taken for the emulator's sake; initialisations are not cached yet, and it says so",
        serve_only: false,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in the documentation, made from the table above.
    fn documented() -> String {
        let mut table = String::from(
            "| flag | variable | key in rapid.toml | default | meaning |\n|---|---|---|---|---|\n",
        );
        for setting in SETTINGS {
            let value = if setting.value.is_empty() {
                String::new()
            } else {
                format!(" {}", setting.value.replace('|', "\\|"))
            };
            let mut flags = format!("`--{}{value}`", setting.key);
            if let Some(alias) = setting.alias {
                flags.push_str(&format!(", `--{alias}`"));
            }
            let mut variables = format!("`{}`", setting.env);
            for also in setting.also {
                variables.push_str(&format!(", `{also}`"));
            }
            table.push_str(&format!(
                "| {flags} | {variables} | `{}` | {} | {} |\n",
                setting.key, setting.default, setting.help
            ));
        }
        table
    }

    #[test]
    fn the_documentation_shows_this_very_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let page = std::fs::read_to_string(path).unwrap();
        assert!(
            page.contains(&documented()),
            "docs/configuration.md should hold:\n{}",
            documented()
        );
    }

    #[test]
    fn no_name_is_used_twice() {
        let mut names: Vec<&str> = SETTINGS
            .iter()
            .flat_map(|s| [s.key, s.env].into_iter().chain(s.also.iter().copied()).chain(s.alias))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
