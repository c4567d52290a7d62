//! The floor that emulators are measured against:
//! `bench-relay --address HOST:PORT --runtime-api-address HOST:PORT -- RUNTIME [ARGS]...`.
//! It starts the runtime as an emulator does, and says on standard output where it listens.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write};
use std::process::{Command, ExitCode};

use rapid_bench::Flags;
use rapid_bench::relay::Relay;

fn main() -> ExitCode {
    rapid_bench::finish("bench-relay", run())
}

fn run() -> io::Result<()> {
    let flags = Flags::parse(env::args().skip(1), &["address", "runtime-api-address"])?;
    let relay = Relay::bind(flags.require("address")?, flags.require("runtime-api-address")?)?;
    let (invokers, runtimes) = relay.addresses()?;
    writeln!(io::stdout(), "{invokers}")?;
    if let [program, args @ ..] = flags.command.as_slice() {
        // Nobody waits for it: it ends when this process does, and its connection with it.
        Command::new(program)
            .args(args)
            .env("AWS_LAMBDA_RUNTIME_API", runtimes.to_string())
            .spawn()?;
    }
    relay.serve()
}
