//! Lines: whole, in order, none lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rapid_interop::process::{OutputSource, Process, Processes, Termination};
use rapid_supervisor::{Config, OutputSink, Stream, Supervisor};
use tokio::sync::Semaphore;

use crate::support::{KILL, Kept, eventually, sh};

fn supervised() -> (Supervisor, Arc<Kept>) {
    let kept = Kept::new();
    (Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap(), kept)
}

#[tokio::test]
async fn two_writers_never_get_into_each_others_lines() {
    let (supervisor, kept) = supervised();
    // Each line in three writes, so that a reader that does not wait for whole lines would mix
    // the streams.
    let script = r"
import os, threading
def write(fd, word):
    for i in range(2000):
        for piece in (word, b' ' + str(i).encode(), b' ' + word * 20 + b'\n'):
            os.write(fd, piece)
threads = [threading.Thread(target=write, args=(1, b'out')), threading.Thread(target=write, args=(2, b'err'))]
[t.start() for t in threads]; [t.join() for t in threads]
";
    let launch = crate::support::launch(&["python3", "-c", script]);
    let child = supervisor.launch(launch).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    for (stream, word) in [(Stream::Stdout, "out"), (Stream::Stderr, "err")] {
        let text = kept.stream(stream);
        let expected: String =
            (0..2000).map(|i| format!("{word} {i} {}\n", word.repeat(20))).collect();
        assert!(text == expected, "{word} is not whole");
    }
}

#[tokio::test]
async fn of_a_hundred_thousand_lines_none_is_lost() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("seq 1 100000; exit 7")).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(7));
    assert!(child.stop(KILL).await.clean);
    assert!(kept.stdout().lines().map(|line| line.parse::<u32>().unwrap()).eq(1..=100_000));
}

#[tokio::test]
async fn an_unfinished_last_line_arrives_as_it_was_written() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("printf 'one\\ntw'; printf 'o'")).await.unwrap();
    child.exited().await;
    assert!(child.stop(KILL).await.clean);
    assert_eq!(kept.stdout(), "one\ntwo");
}

#[tokio::test]
async fn a_huge_line_arrives_complete() {
    let (supervisor, kept) = supervised();
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after";
    let child = supervisor.launch(sh(script)).await.unwrap();
    child.exited().await;
    assert!(child.stop(KILL).await.clean);
    let calls = kept.calls();
    assert!(calls.concat() == [&*vec![b'x'; 3_000_000], b"\nafter\n"].concat());
    // Eleven whole pieces, what is left of the line, and the next line, maybe at once.
    let lengths: Vec<usize> = calls.iter().map(Vec::len).collect();
    assert_eq!(lengths[..11], [256 * 1024; 11]);
    assert_eq!(lengths[11..].iter().sum::<usize>(), 3_000_000 - 11 * 256 * 1024 + 7);
    assert!(calls[11..].iter().all(|call| call.ends_with(b"\n")));
}

#[tokio::test]
async fn draining_passes_on_whole_lines_without_waiting_for_the_runtime() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("echo whole; printf part; kill -STOP $$; echo ial")).await;
    let child = child.unwrap();
    eventually("the shell has stopped itself", || crate::support::state(child.pid()) == Some('T'))
        .await;
    child.drain_output();
    assert_eq!(kept.stdout(), "whole\n");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.pid()), nix::sys::signal::SIGCONT)
        .unwrap();
    child.exited().await;
    assert!(child.stop(KILL).await.clean);
    assert_eq!(kept.stdout(), "whole\npartial\n");
}

#[tokio::test]
async fn draining_a_chatterbox_comes_to_an_end() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("exec yes")).await.unwrap();
    eventually("something is written", || !kept.stdout().is_empty()).await;
    child.drain_output();
    assert!(child.stop(KILL).await.clean);
    assert!(kept.stdout().lines().all(|line| line == "y"));
}

/// A sink without room.
struct Full(Arc<Kept>);

impl OutputSink for Full {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        self.0.lines(source, stream, bytes);
    }

    async fn room(&self) {
        std::future::pending().await
    }

    fn has_room(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn draining_leaves_in_the_pipe_what_has_no_room() {
    let kept = Kept::new();
    let supervisor = Supervisor::new(Config::default(), Arc::new(Full(Arc::clone(&kept)))).unwrap();
    let child = supervisor.launch(sh("echo later; kill -STOP $$")).await.unwrap();
    eventually("the shell has stopped itself", || crate::support::state(child.pid()) == Some('T'))
        .await;
    child.drain_output();
    assert_eq!(kept.stdout(), "");
    assert!(child.stop(KILL).await.clean);
    assert_eq!(kept.stdout(), "later\n");
}

#[tokio::test]
async fn stopping_does_not_wait_for_whoever_holds_the_pipe() {
    let (supervisor, kept) = supervised();
    // Out of the group and without an ancestor: in this mode nobody can know it.
    let script = "(setsid sh -c 'echo $$; exec sleep 60' &) ; sleep 60";
    let child = supervisor.launch(sh(script)).await.unwrap();
    let pid = kept.numbers(1).await[0];
    assert!(child.stop(KILL).await.clean);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
}

/// A sink that takes nothing until it is allowed to.
struct Slow {
    kept: Arc<Kept>,
    permits: Semaphore,
    asked: AtomicUsize,
}

impl OutputSink for Slow {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        self.kept.lines(source, stream, bytes);
    }

    async fn room(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let _permit = self.permits.acquire().await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_sink_slows_the_function_down() {
    let kept = Kept::new();
    let permits = Semaphore::new(0);
    let slow = Arc::new(Slow { kept: Arc::clone(&kept), permits, asked: AtomicUsize::new(0) });
    let supervisor = Supervisor::new(Config::default(), Arc::clone(&slow)).unwrap();
    let child = supervisor.launch(sh("exec seq 1 50000")).await.unwrap();
    eventually("the sink is asked for room", || slow.asked.load(Ordering::Relaxed) > 0).await;
    // The pipe is full now or soon; its writer sleeps in the write, and does not end.
    let waits = || {
        std::fs::read_to_string(format!("/proc/{}/wchan", child.pid()))
            .is_ok_and(|place| place.contains("pipe_write") || place.contains("anon_pipe"))
            || crate::support::state(child.pid()) == Some('S')
    };
    eventually("the function waits", waits).await;
    assert_eq!(kept.stdout(), "");
    slow.permits.add_permits(1);
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    assert!(kept.stdout().lines().map(|line| line.parse::<u32>().unwrap()).eq(1..=50_000));
}

#[tokio::test]
async fn a_sink_that_never_has_room_does_not_keep_a_process_from_being_stopped() {
    let kept = Kept::new();
    let permits = Semaphore::new(0);
    let slow = Arc::new(Slow { kept: Arc::clone(&kept), permits, asked: AtomicUsize::new(0) });
    let supervisor = Supervisor::new(Config::default(), Arc::clone(&slow)).unwrap();
    let child = supervisor.launch(sh("echo last words; exec sleep 60")).await.unwrap();
    eventually("the sink is asked for room", || slow.asked.load(Ordering::Relaxed) > 0).await;
    assert!(child.stop(KILL).await.clean);
    assert_eq!(kept.stdout(), "last words\n");
}
