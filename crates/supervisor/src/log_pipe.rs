//! The descriptor to which a runtime writes framed log records.

use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::RawFd;

/// The number that the descriptor has in the process.
pub(crate) const NUMBER: RawFd = 3;

/// The variable that tells the number.
const VARIABLE: &str = "_LAMBDA_TELEMETRY_LOG_FD";

/// A pipe for framed log records.
///
/// # Source
/// Telemetry API, "Framed logging: `_LAMBDA_TELEMETRY_LOG_FD`".
#[derive(Debug)]
pub(crate) struct LogPipe {
    pub(crate) reader: PipeReader,
    /// Open until the process has its own.
    pub(crate) writer: PipeWriter,
}

impl LogPipe {
    /// Opens one.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub(crate) fn open() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        // The clone gets the lowest free number from 3 on. So 3 is in use until the process is
        // started, and what is opened for starting it cannot get it: it would be replaced there.
        let writer = writer.try_clone()?;
        Ok(Self { reader, writer })
    }
}

/// Tells the number of the descriptor in an environment.
pub(crate) fn tell(env: &mut Vec<(OsString, OsString)>) {
    env.retain(|(name, _)| name != OsStr::new(VARIABLE));
    env.push((VARIABLE.into(), NUMBER.to_string().into()));
}
