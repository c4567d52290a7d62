//! A Lambda runtime that answers every event with its own bytes. `--extension` registers an
//! internal extension for `INVOKE` as well; other words are ignored, since emulators add some.

#![forbid(unsafe_code)]

use std::env;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    rapid_bench::finish("bench-runtime", run())
}

fn run() -> io::Result<()> {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let api = api.parse().map_err(|_| io::Error::other(format!("no address: {api:?}")))?;
    rapid_bench::runtime::serve(api, env::args().skip(1).any(|word| word == "--extension"))
}
