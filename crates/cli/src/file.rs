//! The configuration file: TOML in, values by key out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::settings::{SETTINGS, Setting};

/// The configuration file that is read when none is named.
const DEFAULT_FILE: &str = "rapid.toml";

/// What a configuration file says.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its settings: one value, or all of a list.
    pub(crate) keys: BTreeMap<&'static str, Vec<String>>,
}

/// Reads the file that was `named`, or the default one if it is there.
///
/// # Errors
/// What is wrong with it; only a missing default is fine.
pub(crate) fn read(named: Option<PathBuf>) -> Result<Option<File>, ConfigError> {
    let (path, optional) = match named {
        Some(path) => (path, false),
        None => (PathBuf::from(DEFAULT_FILE), true),
    };
    let failed = |what: &dyn fmt::Display| {
        Err(ConfigError(vec![format!("the configuration file {}: {what}", path.display())]))
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return failed(&error),
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return failed(&error),
    };
    let mut keys = BTreeMap::new();
    for (key, value) in &table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
            return failed(&format!("the key {key} is unknown; known are {}", known.join(", ")));
        };
        let Some(values) = values(setting, value) else {
            let allowed = if setting.is_list {
                "a text or a list of texts"
            } else {
                "a text, a number or true or false"
            };
            return failed(&format!("the key {key} takes {allowed}"));
        };
        keys.insert(setting.key, values);
    }
    Ok(Some(File { path, keys }))
}

/// What a key says; `None` when that is of a kind that the setting does not take.
fn values(setting: &Setting, value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(setting.split(text)),
        toml::Value::Array(items) if setting.is_list => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        }
        toml::Value::Integer(number) if !setting.is_list => Some(vec![number.to_string()]),
        toml::Value::Boolean(switch) if !setting.is_list => Some(vec![switch.to_string()]),
        toml::Value::Integer(_)
        | toml::Value::Boolean(_)
        | toml::Value::Array(_)
        | toml::Value::Float(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => None,
    }
}
