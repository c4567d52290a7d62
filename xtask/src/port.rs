//! Ports for programs that have to be told one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

/// An address of loopback that nobody listens on.
///
/// Not one of those that the system picks: a client that waits for the emulator could get the very
/// same port as its own, and be connected to itself.
///
/// # Errors
/// When every port is taken.
pub(crate) fn free_address() -> Result<SocketAddr> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        // The process id keeps runs at the same time apart.
        let step =
            NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(process::id().wrapping_mul(256));
        let port = u16::try_from(FIRST + step % COUNT).context("a port")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of loopback is free")
}
