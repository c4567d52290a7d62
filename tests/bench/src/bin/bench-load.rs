//! A load generator for the Invoke API:
//! `bench-load --address HOST:PORT [--count N | --seconds S] [--connections N] [--bytes N] [--warm-up N]`.
//! What it measured is one JSON object on standard output.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use rapid_bench::Flags;
use rapid_bench::load::{self, Plan};

fn main() -> ExitCode {
    rapid_bench::finish("bench-load", run())
}

fn run() -> io::Result<()> {
    let flags = Flags::parse(env::args().skip(1), &Plan::FLAGS)?;
    let report = load::run(&Plan::new(&flags)?)?;
    writeln!(io::stdout(), "{}", report.json())
}
