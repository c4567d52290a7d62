//! A console when the system refuses another thread.
//!
//! There is one test here and no more: what it takes away is taken from the whole process.

#[cfg(test)]
mod tests {
    use std::fmt::{self, Write as _};
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use nix::unistd::{Gid, Uid, setresgid, setresuid};
    use rapid_supervisor::Console;
    use tracing::field::{Field, Visit};
    use tracing::{Event, Metadata, span};

    /// A log that is printed through a console.
    struct Log(Console);

    impl tracing::Subscriber for Log {
        fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = Line::default();
            event.record(&mut line);
            self.0.write((line.0 + "\n").as_bytes());
        }

        fn enter(&self, _span: &span::Id) {}

        fn exit(&self, _span: &span::Id) {}
    }

    #[derive(Default)]
    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, _field: &Field, value: &dyn fmt::Debug) {
            write!(self.0, "{value:?}").unwrap();
        }
    }

    /// A socket is nothing that is written to by whoever brings a line, as little as a terminal.
    fn connected() -> (UnixStream, Console) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (theirs, Console::to(ours.into()).unwrap())
    }

    /// Has the system refuse every further thread; gives back what takes that back.
    fn refuse_threads() -> Option<impl FnOnce()> {
        if Uid::effective().is_root() {
            // The limit is not for root.
            let nobody = 65_534;
            let (user, group) = (Uid::from_raw(nobody), Gid::from_raw(nobody));
            setresgid(group, group, group).ok()?;
            setresuid(user, user, user).ok()?;
        }
        let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
        setrlimit(Resource::RLIMIT_NPROC, 0, hard).unwrap();
        thread::Builder::new().spawn(|| {}).err()?;
        Some(move || setrlimit(Resource::RLIMIT_NPROC, soft, hard).unwrap())
    }

    fn read(reader: &mut UnixStream, length: usize) -> String {
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn without_a_thread_everything_is_written_by_those_who_write_and_wait() {
        let Some(allow_threads) = refuse_threads() else {
            eprintln!("skipped: there is no way to run out of threads here");
            return;
        };
        let (mut logged, log) = connected();
        tracing::subscriber::set_global_default(Log(log.clone())).unwrap();

        tracing::warn!("one");
        tracing::warn!("two");
        // Nothing else is logged, and nobody overflows the stack.
        assert_eq!(read(&mut logged, 8), "one\ntwo\n");

        // What the other end does not take waits, and does not keep anybody.
        let (mut reader, console) = connected();
        let line = "x".repeat(1023) + "\n";
        for _ in 0..4096 {
            console.write(line.as_bytes());
        }
        assert!(!console.has_room());
        assert!(!console.close(Duration::from_millis(20)).await);
        let mut text = String::new();
        let mut bytes = vec![0; 64 << 10];
        while text.len() < 1 << 20 {
            let length = reader.read(&mut bytes).unwrap();
            text += std::str::from_utf8(&bytes[..length]).unwrap();
            let _ = tokio::time::timeout(Duration::from_millis(1), console.flush()).await;
        }

        // Whoever waits has the thread started as soon as there may be one.
        let (mut late, other) = connected();
        for _ in 0..4096 {
            other.write(line.as_bytes());
        }
        let room = async { other.flush().await };
        let allow = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            allow_threads();
            let reading = thread::spawn(move || read(&mut late, 4 << 20));
            while !reading.is_finished() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            reading.join().unwrap()
        };
        let ((), later) = tokio::join!(room, allow);
        assert!(later == line.repeat(4096));

        // The last owner, too.
        drop(console);
        text += &read(&mut reader, (4 << 20) - text.len());
        assert!(text == line.repeat(4096));
        drop(log);
    }
}
