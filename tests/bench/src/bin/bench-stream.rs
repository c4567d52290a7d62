//! Asks for streamed responses, one after the other:
//! `bench-stream --address HOST:PORT --count N --bytes N`.
//! What it measured is one JSON object on standard output.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use rapid_bench::Flags;
use rapid_bench::stream::{self, Plan};

fn main() -> ExitCode {
    rapid_bench::finish("bench-stream", run())
}

fn run() -> io::Result<()> {
    let flags = Flags::parse(env::args().skip(1), &Plan::FLAGS)?;
    let report = stream::run(&Plan::new(&flags)?)?;
    writeln!(io::stdout(), "{}", report.json())
}
