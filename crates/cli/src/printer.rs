//! [`Printer`]: standard output, which is for responses alone, and standard error behind it.

use rapid::Console;

use crate::exit::Exit;
use crate::say;

/// Prints responses. What it prints is on its way when a call returns, so that whoever produces it
/// is never far ahead of whoever reads it.
#[derive(Debug)]
pub(crate) struct Printer {
    stdout: Console,
    stderr: Console,
}

/// Nobody reads standard output any more, or it is full.
#[derive(Debug)]
pub(crate) struct Unprintable;

impl Printer {
    /// # Errors
    /// The exit code; what is wrong was said.
    pub(crate) fn new(stderr: Console) -> Result<Self, Exit> {
        match Console::stdout() {
            Ok(stdout) => Ok(Self { stdout, stderr }),
            Err(error) => Err(say(&format!("rapid: {error}"), Exit::Internal)),
        }
    }

    /// Prints bytes, and waits until they have gone out.
    ///
    /// Never on this thread, which serves the function: a reader may take its time.
    pub(crate) async fn piece(&self, bytes: &[u8]) -> Result<(), Unprintable> {
        self.stdout.write(bytes);
        self.stdout.flush().await;
        if self.stdout.is_open() { Ok(()) } else { Err(Unprintable) }
    }

    /// Prints bytes and the end of a line.
    pub(crate) async fn line(&self, bytes: &[u8]) -> Result<(), Unprintable> {
        self.stdout.write(bytes);
        self.piece(b"\n").await
    }

    /// Prints the last of a log on standard error, as whole lines. A reader that has stopped
    /// reading is not waited for.
    pub(crate) fn tail(&self, log: &[u8]) {
        self.stderr.write(log);
        if !log.ends_with(b"\n") && !log.is_empty() {
            self.stderr.write(b"\n");
        }
    }
}

impl Unprintable {
    /// Says it on standard error.
    pub(crate) fn say(self) -> Exit {
        let problem = "rapid: the response cannot be printed: standard output is full or closed";
        say(problem, Exit::Internal)
    }
}

/// Says what has cut a response off whose beginning was printed.
pub(crate) fn cut_off(error: &[u8], exit: Exit) -> Exit {
    let error = String::from_utf8_lossy(error);
    say(&format!("rapid: the response was cut off: {}", error.trim_end()), exit)
}
