//! [`Subscriber`]: an extension with a real client that writes down what it is sent.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rapid_e2e::{Extensions, Options, eventually_some};
use serde_json::{Map, Value};

use crate::peers::installed;

/// Says a line in each life, and is told of nothing but the end.
const SPEAKER: &str = "register SHUTDOWN; echo the extension speaks; serve";

/// Which client it is, and what it asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// AWS's, with the processor of that name.
    Lambda(&'static str),
    /// rapid's, with that schema.
    Rapid(&'static str),
}

/// An extension that subscribes, and one that speaks.
pub(crate) struct Subscriber {
    extensions: Extensions,
    port: u16,
    setting: (&'static str, &'static str),
}

impl Subscriber {
    pub(crate) fn with(client: Client) -> Self {
        let (program, setting) = match client {
            Client::Lambda(processor) => ("with-lambda-telemetry", ("PROCESSOR", processor)),
            Client::Rapid(schema) => ("with-rapid-telemetry", ("SCHEMA", schema)),
        };
        let extensions = Extensions::none().bash("speaker", SPEAKER);
        symlink(installed("rust/debug").join(program), extensions.path(program))
            .expect("a link can be made");
        Self { extensions, port: free_port(), setting }
    }

    /// The options that start it.
    pub(crate) fn beside(&self, options: Options) -> Options {
        let (name, value) = self.setting;
        options
            .extensions(&self.extensions)
            .env("PORT", self.port.to_string())
            .env("RECORDS", self.file())
            .env(name, value)
    }

    fn file(&self) -> PathBuf {
        self.extensions.directory().with_file_name("records")
    }

    /// What it has written down so far. A batch whose answer got lost comes twice; one of them
    /// counts.
    pub(crate) fn records(&self) -> Vec<Value> {
        let mut records: Vec<Value> = Vec::new();
        for record in lines(&self.file()) {
            if !records.contains(&record) {
                records.push(record);
            }
        }
        records
    }

    /// Waits until there are as many of this type, and returns all there are.
    #[track_caller]
    pub(crate) fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        eventually_some(&format!("{count} records {kind}"), || {
            let records = self.records();
            (of(&records, kind).len() >= count).then_some(records)
        })
    }
}

/// The lines of a file, each of them JSON; the last one may not be complete yet.
pub(crate) fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// A port that is free now, and not soon somebody else's.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
    listener.local_addr().expect("it is bound").port()
}

/// The types in order, without `platform.`; what extensions write may come at any time.
pub(crate) fn order(records: &[Value]) -> Vec<&str> {
    let kinds = records.iter().map(|record| record["type"].as_str().expect("it has a type"));
    kinds
        .filter(|kind| *kind != "extension")
        .map(|kind| kind.strip_prefix("platform.").unwrap_or(kind))
        .collect()
}

/// What the records of one type are about.
pub(crate) fn of<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["type"] == kind).map(|record| &record["record"]).collect()
}

/// One member of the records of one type.
pub(crate) fn members<'a>(records: &'a [Value], kind: &str, name: &str) -> Vec<&'a Value> {
    let empty = Map::new();
    let of = of(records, kind).into_iter();
    of.map(|record| {
        assert!(record.as_object().unwrap_or(&empty).contains_key(name), "{name} in {record}");
        &record[name]
    })
    .collect()
}
