//! A Lambda runtime that answers every event with its own bytes:
//! `bench-runtime [--extension | --subscribe PORT,…] [--lines N] [--stream BYTES]`.
//!
//! `--extension` registers an internal extension for `INVOKE` as well; `--subscribe` one for nothing,
//! which subscribes to telemetry for each port, of which there may be none. `--lines` writes as many
//! lines for every event. `--stream` answers with a stream that is so long. Other words are ignored, since emulators add some.

#![forbid(unsafe_code)]

use std::env;
use std::io;
use std::process::ExitCode;
use std::str::FromStr;

use rapid_bench::runtime::{self, Extension, Manner};

fn main() -> ExitCode {
    rapid_bench::finish("bench-runtime", run())
}

fn run() -> io::Result<()> {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let api = api.parse().map_err(|_| io::Error::other(format!("no address: {api:?}")))?;
    let mut manner = Manner::default();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        match word.as_str() {
            "--extension" => manner.extension = Some(Extension::Told),
            "--subscribe" => {
                let ports = value();
                let ports = ports.split(',').filter(|port| !port.is_empty()).map(number);
                manner.extension = Some(Extension::Subscribing(ports.collect::<io::Result<_>>()?));
            }
            "--lines" => manner.lines = number(&value())?,
            "--stream" => manner.stream = Some(number(&value())?),
            _ => {}
        }
    }
    runtime::serve(api, &manner)
}

fn number<T: FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("no number: {text:?}")))
}
