//! Subscribers of the Telemetry API: `bench-subscriber [--good PORT] [--slow PORT]
//! [--silent PORT] [--garbage PORT] [--endless PORT]`. Its name says what each of them does.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::thread;

use rapid_bench::Flags;
use rapid_bench::subscriber::{self, Manner};

fn main() -> ExitCode {
    rapid_bench::finish("bench-subscriber", run())
}

fn run() -> io::Result<()> {
    let flags = Flags::parse(env::args().skip(1), &Manner::ALL.map(Manner::name))?;
    let mut threads = Vec::new();
    for manner in Manner::ALL {
        if let Some(port) = flags.get::<u16>(manner.name())? {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            threads.push(thread::spawn(move || subscriber::serve(&listener, manner)));
        }
    }
    // All of them listen.
    writeln!(io::stdout(), "ready")?;
    for thread in threads {
        thread.join().map_err(|_| io::Error::other("a thread panicked"))?;
    }
    Ok(())
}
