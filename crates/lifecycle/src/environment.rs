//! What processes find in their environment.
//!
//! Variables fall into classes, and each class has its own rule for who may see it and who wins.
//! Values are kept as the operating system gave them, valid UTF-8 or not.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Never given to a child.
const INTERNAL: [&str; 9] = [
    "_LAMBDA_SB_ID",
    "_LAMBDA_LOG_FD",
    "_LAMBDA_SHARED_MEM_FD",
    "_LAMBDA_CONTROL_SOCKET",
    "_LAMBDA_DIRECT_INVOKE_SOCKET",
    "_LAMBDA_RUNTIME_LOAD_TIME",
    "_LAMBDA_CONSOLE_SOCKET",
    "_X_AMZN_TRACE_ID",
    "_LAMBDA_TELEMETRY_API_PASSPHRASE",
];

/// Set by the platform; customers cannot override them.
const PLATFORM: [&str; 7] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_RUNTIME_API",
    "TZ",
];

/// Only the runtime sees them.
const RUNTIME: [&str; 6] = [
    "_HANDLER",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Only the runtime sees it, and customers may set it.
const PLATFORM_UNRESERVED: [&str; 1] = ["AWS_XRAY_DAEMON_ADDRESS"];

/// What SDKs sign requests with.
const CREDENTIALS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Names with a leading underscore that customers may set all the same.
///
/// `_LAMBDA_TELEMETRY_LOG_FD` is not among them: who makes the descriptor that it names also sets
/// it. Another's would make a client write its log into nothing.
const CUSTOMER_UNDERSCORE: [&str; 2] = ["_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT"];

/// Never shown to extensions, on top of every name with a leading underscore.
const HIDDEN_FROM_EXTENSIONS: [&str; 1] = ["AWS_XRAY_CONTEXT_MISSING"];

/// What the platform knows about the function.
#[derive(Clone, Debug, Default)]
pub struct FunctionSettings {
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// `AWS_LAMBDA_FUNCTION_VERSION`.
    pub version: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in MB.
    pub memory_mb: u32,
    /// `_HANDLER`; not set when there is none.
    pub handler: Option<OsString>,
    /// `AWS_REGION` and `AWS_DEFAULT_REGION`.
    pub region: String,
    /// `AWS_LAMBDA_LOG_GROUP_NAME`.
    pub log_group: String,
    /// `AWS_LAMBDA_LOG_STREAM_NAME`.
    pub log_stream: String,
    /// `LAMBDA_TASK_ROOT`.
    pub task_root: OsString,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub initialization_type: &'static str,
}

/// Where processes find the APIs meant for them.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// `AWS_LAMBDA_RUNTIME_API` and `AWS_LAMBDA_METADATA_API`: `host:port`.
    pub address: String,
    /// `AWS_LAMBDA_METADATA_TOKEN`.
    pub metadata_token: String,
}

/// The environment of a sandbox's processes, sorted into classes.
///
/// # Source
/// Environment, "Variable classes" and "What children get".
#[derive(Clone)]
pub struct Environment {
    customer: BTreeMap<OsString, OsString>,
    platform_unreserved: BTreeMap<OsString, OsString>,
    credentials: BTreeMap<OsString, OsString>,
    runtime: BTreeMap<OsString, OsString>,
    platform: BTreeMap<OsString, OsString>,
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("customer", &self.customer.keys())
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Sorts the variables that rapid itself was given, and adds what the platform sets.
    ///
    /// Variables that are set are kept even when they are empty; credentials that are unset stay
    /// unset, because SDKs take an empty one for a set one.
    #[must_use]
    pub fn new(
        own: impl IntoIterator<Item = (OsString, OsString)>,
        function: &FunctionSettings,
        api: &ApiSettings,
    ) -> Self {
        let mut environment = Self {
            customer: BTreeMap::new(),
            platform_unreserved: BTreeMap::new(),
            credentials: BTreeMap::new(),
            runtime: BTreeMap::new(),
            platform: BTreeMap::new(),
        };
        for (name, value) in own {
            environment.sort_in(name, value);
        }
        environment.add_platform(function, api);
        environment
    }

    fn sort_in(&mut self, name: OsString, value: OsString) {
        let is_in = |class: &[&str]| class.iter().any(|known| name == OsStr::new(known));
        if is_in(&INTERNAL) {
            return;
        }
        let underscore = name.as_encoded_bytes().first() == Some(&b'_');
        if is_in(&PLATFORM) {
            self.platform.insert(name, value);
        } else if is_in(&RUNTIME) {
            self.runtime.insert(name, value);
        } else if is_in(&PLATFORM_UNRESERVED) {
            self.platform_unreserved.insert(name, value);
        } else if is_in(&CREDENTIALS) {
            self.credentials.insert(name, value);
        } else if !underscore || is_in(&CUSTOMER_UNDERSCORE) {
            self.customer.insert(name, value);
        }
    }

    fn add_platform(&mut self, function: &FunctionSettings, api: &ApiSettings) {
        let set = |map: &mut BTreeMap<OsString, OsString>, name: &str, value: &OsStr| {
            map.insert(name.into(), value.to_owned());
        };
        let default = |map: &mut BTreeMap<OsString, OsString>, name: &str, value: &str| {
            map.entry(name.into()).or_insert_with(|| value.into());
        };
        let platform = &mut self.platform;
        set(platform, "AWS_LAMBDA_RUNTIME_API", api.address.as_ref());
        set(platform, "AWS_LAMBDA_METADATA_API", api.address.as_ref());
        set(platform, "AWS_LAMBDA_METADATA_TOKEN", api.metadata_token.as_ref());
        set(platform, "AWS_LAMBDA_FUNCTION_NAME", function.name.as_ref());
        set(platform, "AWS_LAMBDA_FUNCTION_VERSION", function.version.as_ref());
        let memory = function.memory_mb.to_string();
        set(platform, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.as_ref());
        set(platform, "AWS_REGION", function.region.as_ref());
        set(platform, "AWS_DEFAULT_REGION", function.region.as_ref());
        set(platform, "AWS_LAMBDA_INITIALIZATION_TYPE", function.initialization_type.as_ref());
        default(platform, "TZ", ":UTC");

        let runtime = &mut self.runtime;
        set(runtime, "AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.as_ref());
        set(runtime, "AWS_LAMBDA_LOG_STREAM_NAME", function.log_stream.as_ref());
        set(runtime, "LAMBDA_TASK_ROOT", &function.task_root);
        default(runtime, "LAMBDA_RUNTIME_DIR", "/var/runtime");
        match &function.handler {
            Some(handler) => set(runtime, "_HANDLER", handler),
            None => {
                runtime.remove(OsStr::new("_HANDLER"));
            }
        }

        // Customers may choose these; the service's values stand in where they did not.
        let customer = &mut self.customer;
        default(customer, "LANG", "en_US.UTF-8");
        default(customer, "PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin");
        default(customer, "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
    }

    /// The environment of the runtime process.
    #[must_use]
    pub fn for_runtime(&self) -> Vec<(OsString, OsString)> {
        union([
            &self.customer,
            &self.platform_unreserved,
            &self.credentials,
            &self.runtime,
            &self.platform,
        ])
        .into_iter()
        .collect()
    }

    /// The environment of an extension process.
    #[must_use]
    pub fn for_extensions(&self) -> Vec<(OsString, OsString)> {
        union([&self.customer, &self.credentials, &self.platform])
            .into_iter()
            .filter(|(name, _)| {
                name.as_encoded_bytes().first() != Some(&b'_')
                    && !HIDDEN_FROM_EXTENSIONS.iter().any(|hidden| name == OsStr::new(hidden))
            })
            .collect()
    }
}

/// Later maps win.
fn union<const N: usize>(maps: [&BTreeMap<OsString, OsString>; N]) -> BTreeMap<OsString, OsString> {
    let mut all = BTreeMap::new();
    for map in maps {
        all.extend(map.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(own: &[(&str, &str)]) -> Environment {
        let own = own.iter().map(|(name, value)| (name.into(), value.into()));
        let function = FunctionSettings {
            name: "hello".into(),
            version: "$LATEST".into(),
            memory_mb: 128,
            handler: Some("app.handler".into()),
            region: "eu-west-1".into(),
            log_group: "/aws/lambda/hello".into(),
            log_stream: "stream".into(),
            task_root: "/var/task".into(),
            initialization_type: "on-demand",
        };
        let api = ApiSettings { address: "127.0.0.1:9001".into(), metadata_token: "t".into() };
        Environment::new(own, &function, &api)
    }

    fn find(list: &[(OsString, OsString)], name: &str) -> Option<String> {
        list.iter()
            .find(|(found, _)| found == OsStr::new(name))
            .map(|(_, value)| value.to_string_lossy().into_owned())
    }

    #[test]
    fn the_runtime_gets_every_reserved_variable_outside_of_images_too() {
        let runtime = environment(&[]).for_runtime();
        let rows = [
            ("_HANDLER", "app.handler"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ("AWS_LAMBDA_METADATA_API", "127.0.0.1:9001"),
            ("AWS_LAMBDA_METADATA_TOKEN", "t"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("TZ", ":UTC"),
            ("LANG", "en_US.UTF-8"),
            ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ];
        for (name, value) in rows {
            assert_eq!(find(&runtime, name).as_deref(), Some(value), "{name}");
        }
    }

    #[test]
    fn credentials_are_passed_on_when_set_and_never_invented() {
        let none = environment(&[]).for_runtime();
        assert_eq!(find(&none, "AWS_ACCESS_KEY_ID"), None);
        let some = environment(&[("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SESSION_TOKEN", "")]);
        assert_eq!(find(&some.for_runtime(), "AWS_ACCESS_KEY_ID").as_deref(), Some("AKIA"));
        assert_eq!(find(&some.for_extensions(), "AWS_SESSION_TOKEN").as_deref(), Some(""));
        assert_eq!(find(&some.for_runtime(), "AWS_SECRET_ACCESS_KEY"), None);
    }

    #[test]
    fn customers_choose_language_path_and_zone_but_not_what_is_reserved() {
        let runtime = environment(&[
            ("LANG", "C"),
            ("PATH", "/bin"),
            ("TZ", "Europe/Paris"),
            ("AWS_LAMBDA_RUNTIME_API", "evil:1"),
            ("AWS_LAMBDA_METADATA_TOKEN", "guess"),
        ])
        .for_runtime();
        assert_eq!(find(&runtime, "LANG").as_deref(), Some("C"));
        assert_eq!(find(&runtime, "PATH").as_deref(), Some("/bin"));
        assert_eq!(find(&runtime, "TZ").as_deref(), Some("Europe/Paris"));
        assert_eq!(find(&runtime, "AWS_LAMBDA_RUNTIME_API").as_deref(), Some("127.0.0.1:9001"));
        assert_eq!(find(&runtime, "AWS_LAMBDA_METADATA_TOKEN").as_deref(), Some("t"));
    }

    #[test]
    fn underscore_names_stay_behind_but_for_the_ones_customers_may_set() {
        let own = environment(&[
            ("_", "/usr/bin/rapid"),
            ("_X_AMZN_TRACE_ID", "Root=1"),
            ("_LAMBDA_SB_ID", "1"),
            ("_LAMBDA_TELEMETRY_LOG_FD", "3"),
            ("_AWS_XRAY_DAEMON_PORT", "2000"),
            ("CUSTOM", "a=b"),
        ]);
        let runtime = own.for_runtime();
        for hidden in ["_", "_X_AMZN_TRACE_ID", "_LAMBDA_SB_ID", "_LAMBDA_TELEMETRY_LOG_FD"] {
            assert_eq!(find(&runtime, hidden), None, "{hidden}");
        }
        assert_eq!(find(&runtime, "_AWS_XRAY_DAEMON_PORT").as_deref(), Some("2000"));
        assert_eq!(find(&runtime, "CUSTOM").as_deref(), Some("a=b"));
        assert_eq!(find(&own.for_extensions(), "_AWS_XRAY_DAEMON_PORT"), None);
    }

    #[test]
    fn extensions_do_not_see_what_the_service_hides_from_them() {
        let extensions = environment(&[
            ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13"),
            ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"),
            ("CUSTOM", "1"),
        ])
        .for_extensions();
        let hidden = RUNTIME.iter().chain(&PLATFORM_UNRESERVED).chain(&HIDDEN_FROM_EXTENSIONS);
        for name in hidden {
            assert_eq!(find(&extensions, name), None, "{name}");
        }
        assert_eq!(find(&extensions, "CUSTOM").as_deref(), Some("1"));
        assert_eq!(find(&extensions, "AWS_LAMBDA_FUNCTION_NAME").as_deref(), Some("hello"));
    }

    proptest! {
        #[test]
        fn no_variable_of_rapids_own_reaches_an_extension_with_an_underscore(
            own in prop::collection::btree_map("_?[A-Z_]{1,12}", ".{0,5}", 0..20)
        ) {
            let own: Vec<_> = own.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let sorted = environment(&own);
            for (name, _) in sorted.for_extensions() {
                prop_assert!(!name.to_string_lossy().starts_with('_'), "{name:?}");
            }
            let mut names: Vec<_> = sorted.for_runtime().into_iter().map(|(n, _)| n).collect();
            let before = names.len();
            names.dedup();
            prop_assert_eq!(names.len(), before);
        }
    }
}
