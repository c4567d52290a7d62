//! The descriptor for framed log records, and the ends of streams.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use rapid_interop::process::{LaunchError, OutputSource, Process, Processes, Termination};
use rapid_supervisor::{Config, OutputSink, Stream, Supervisor};

use crate::support::{KILL, Kept, eventually, sh};

/// Says whether there is a descriptor 3, and writes what it is called.
const LOOK: &str = "if [ -e /proc/$$/fd/3 ]; then echo open; else echo closed; fi
echo ${_LAMBDA_TELEMETRY_LOG_FD-unnamed}";

/// A sink that wants the log, and keeps what is told apart from lines.
#[derive(Default)]
struct Logged {
    lines: Kept,
    log: Mutex<Vec<u8>>,
    ended: Mutex<Vec<Stream>>,
}

impl OutputSink for Logged {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        assert_ne!(stream, Stream::Log);
        self.lines.lines(source, stream, bytes);
    }

    fn wants_log(&self) -> bool {
        true
    }

    fn log(&self, source: &OutputSource, bytes: &[u8]) {
        assert_eq!(*source, OutputSource::Runtime);
        self.log.lock().unwrap().extend_from_slice(bytes);
    }

    fn ended(&self, _source: &OutputSource, stream: Stream) {
        self.ended.lock().unwrap().push(stream);
    }

    async fn room(&self) {}
}

impl Logged {
    fn written(&self) -> Vec<u8> {
        self.log.lock().unwrap().clone()
    }

    /// The streams that have ended, in the order of their numbers.
    fn closed(&self) -> Vec<Stream> {
        let mut ended = self.ended.lock().unwrap().clone();
        ended.sort_by_key(|stream| *stream as u8);
        ended
    }
}

fn supervised() -> (Supervisor, Arc<Logged>) {
    let sink = Arc::new(Logged::default());
    (Supervisor::new(Config::default(), Arc::clone(&sink)).unwrap(), sink)
}

#[tokio::test]
async fn what_a_runtime_writes_to_descriptor_3_comes_as_it_is() {
    let (supervisor, sink) = supervised();
    let script = r"printf '\245\132no line' >&3; echo a line; printf '\0\n\n' >&3";
    let child = supervisor.launch(sh(&format!("{LOOK}\n{script}"))).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    assert_eq!(sink.written(), b"\xA5\x5Ano line\0\n\n");
    assert_eq!(sink.lines.stdout(), "open\n3\na line\n");
}

#[tokio::test]
async fn children_of_a_runtime_inherit_it() {
    let (supervisor, sink) = supervised();
    let script = "sh -c 'sh -c \"printf child >&$_LAMBDA_TELEMETRY_LOG_FD\"'";
    let child = supervisor.launch(sh(script)).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    assert_eq!(sink.written(), b"child");
}

#[tokio::test]
async fn an_inherited_name_does_not_count() {
    let (supervisor, sink) = supervised();
    let mut launch = sh("echo $_LAMBDA_TELEMETRY_LOG_FD; tr '\\0' '\\n' </proc/$$/environ");
    launch.env.push(("_LAMBDA_TELEMETRY_LOG_FD".into(), "62".into()));
    let child = supervisor.launch(launch).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    let text = sink.lines.stdout();
    assert_eq!(text.lines().next(), Some("3"));
    assert_eq!(text.matches("_LAMBDA_TELEMETRY_LOG_FD").count(), 1, "{text}");
}

#[tokio::test]
async fn an_extension_gets_none() {
    let (supervisor, sink) = supervised();
    let mut launch = sh(LOOK);
    launch.source = OutputSource::Extension("agent".into());
    let child = supervisor.launch(launch).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    assert_eq!(sink.lines.stdout(), "closed\nunnamed\n");
    assert_eq!(sink.closed(), [Stream::Stdout, Stream::Stderr]);
}

#[tokio::test]
async fn nobody_gets_one_that_nobody_reads() {
    let kept = Kept::new();
    let supervisor = Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap();
    let child = supervisor.launch(sh(LOOK)).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    assert_eq!(kept.stdout(), "closed\nunnamed\n");
}

#[tokio::test]
async fn draining_reads_the_log_as_well() {
    let (supervisor, sink) = supervised();
    let child = supervisor.launch(sh("printf part >&3; kill -STOP $$")).await.unwrap();
    eventually("the shell has stopped itself", || crate::support::state(child.pid()) == Some('T'))
        .await;
    child.drain_output();
    assert_eq!(sink.written(), b"part");
    assert!(child.stop(KILL).await.clean);
}

#[tokio::test]
async fn the_end_of_each_stream_is_told_once() {
    let (supervisor, sink) = supervised();
    let child = supervisor.launch(sh("exec >&-; exec 3>&-; exec sleep 60")).await.unwrap();
    eventually("two streams have ended", || sink.closed().len() == 2).await;
    assert_eq!(sink.closed(), [Stream::Stdout, Stream::Log]);
    assert!(child.stop(KILL).await.clean);
    drop(child);
    assert_eq!(sink.closed(), [Stream::Stdout, Stream::Stderr, Stream::Log]);
}

#[tokio::test]
async fn what_cannot_be_executed_is_refused_with_a_log_as_well() {
    let (supervisor, sink) = supervised();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nonsense");
    std::fs::write(&path, "\0 is no program").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = supervisor.launch(crate::support::launch(&[path.to_str().unwrap()])).await;
    assert!(matches!(refused, Err(LaunchError::Refused { .. })), "{refused:?}");
    assert_eq!((sink.written(), sink.closed()), (Vec::new(), Vec::new()));
}
