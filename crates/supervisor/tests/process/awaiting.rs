//! Ends that are waited for, because the process has been told in another way.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rapid_interop::process::{Grace, Process, Processes, StopPlan, Termination};
use rapid_supervisor::{Config, Supervisor};
use tempfile::TempDir;

use crate::support::{KILL, Kept, PATIENCE, alive, sh, state};

/// Longer than any test may take: whoever waits it out has waited in vain.
const LONG: Duration = Duration::from_secs(3600);

fn awaiting(time: Duration) -> StopPlan {
    StopPlan { grace: Grace::Await(time), reap_limit: PATIENCE }
}

fn supervised() -> (Supervisor, Arc<Kept>) {
    let kept = Kept::new();
    (Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap(), kept)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("not in time")
}

/// What tells a script to end, in the place of an API.
struct Word {
    file: PathBuf,
    _directory: TempDir,
}

impl Word {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { file: directory.path().join("end"), _directory: directory }
    }

    /// A piece of script that lasts until the word is given.
    fn listen(&self) -> String {
        format!("while [ ! -e {} ]; do sleep 0.01; done", self.file.display())
    }

    async fn give(&self) {
        std::fs::write(&self.file, "").unwrap();
    }
}

#[tokio::test]
async fn a_process_that_ends_in_its_time_gets_no_signal() {
    let (supervisor, kept) = supervised();
    let word = Word::new();
    let script = format!("trap 'echo signalled; exit 1' TERM; echo 1; {}; exit 7", word.listen());
    let child = supervisor.launch(sh(&script)).await.unwrap();
    kept.numbers(1).await;
    let (report, ()) = soon(async { tokio::join!(child.stop(awaiting(LONG)), word.give()) }).await;
    assert!(report.clean);
    assert_eq!(child.exited().await, Termination::Exited(7));
    assert_eq!(kept.stdout(), "1\n");
    assert_eq!(state(child.pid()), None);
}

#[tokio::test]
async fn a_process_that_does_not_end_is_killed_when_its_time_is_over() {
    let (supervisor, kept) = supervised();
    let script = "trap 'echo signalled' TERM; echo 1; while :; do sleep 0.01; done";
    let child = supervisor.launch(sh(script)).await.unwrap();
    kept.numbers(1).await;
    let time = Duration::from_millis(100);
    let begin = Instant::now();
    assert!(child.stop(awaiting(time)).await.clean);
    assert!(begin.elapsed() >= time);
    assert_eq!(child.exited().await, Termination::Signaled(9));
    assert_eq!(kept.stdout(), "1\n");
    assert_eq!(state(child.pid()), None);
}

#[tokio::test]
async fn a_process_that_has_ended_is_not_waited_for() {
    let (supervisor, _) = supervised();
    let child = supervisor.launch(sh("exit 3")).await.unwrap();
    child.exited().await;
    assert!(soon(child.stop(awaiting(LONG))).await.clean);
    assert_eq!(child.exited().await, Termination::Exited(3));
    // Nor is one that has been reaped.
    assert!(soon(child.stop(awaiting(LONG))).await.clean);
}

#[tokio::test]
async fn what_a_process_leaves_behind_when_it_ends_is_killed_without_delay() {
    let (supervisor, kept) = supervised();
    let word = Word::new();
    let script = format!("sleep 3600 & echo $!; {}; exit 0", word.listen());
    let child = supervisor.launch(sh(&script)).await.unwrap();
    let left = kept.numbers(1).await[0];
    let (report, ()) = soon(async { tokio::join!(child.stop(awaiting(LONG)), word.give()) }).await;
    assert!(report.clean);
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(!alive(left));
}

#[tokio::test]
async fn what_a_process_has_left_behind_before_is_killed_without_delay() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("sleep 3600 & echo $!")).await.unwrap();
    let left = kept.numbers(1).await[0];
    child.exited().await;
    assert!(alive(left));
    assert!(soon(child.stop(awaiting(LONG))).await.clean);
    assert!(!alive(left));
}

#[tokio::test]
async fn a_hasty_stop_cuts_every_patient_one_short() {
    let (supervisor, kept) = supervised();
    for (number, patient) in [(1, Grace::Await(LONG)), (2, Grace::Terminate(LONG))] {
        let script = "trap '' TERM; echo 1; while :; do sleep 0.01; done";
        let child = supervisor.launch(sh(script)).await.unwrap();
        kept.numbers(number).await;
        let patient = StopPlan { grace: patient, reap_limit: PATIENCE };
        // It leaves at once: the patient one has to see to the end by itself.
        let hasty = StopPlan { grace: Grace::None, reap_limit: Duration::ZERO };
        let both = async { tokio::join!(biased; child.stop(patient), child.stop(hasty)) };
        let (report, hasty) = soon(both).await;
        assert!(report.clean && !hasty.clean);
        assert_eq!(child.exited().await, Termination::Signaled(9));
        assert_eq!(state(child.pid()), None);
    }
}

#[tokio::test]
async fn who_comes_after_a_kill_gives_no_more_time() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("echo 1; exec sleep 3600")).await.unwrap();
    kept.numbers(1).await;
    let hasty = StopPlan { grace: Grace::None, reap_limit: Duration::ZERO };
    assert!(!child.stop(hasty).await.clean);
    assert!(soon(child.stop(awaiting(LONG))).await.clean);
}

#[tokio::test]
async fn a_request_to_end_is_not_held_up_by_a_wait() {
    let (supervisor, kept) = supervised();
    let script = "trap 'exit 5' TERM; echo 1; while :; do sleep 0.01; done";
    let child = supervisor.launch(sh(script)).await.unwrap();
    kept.numbers(1).await;
    let asking = StopPlan { grace: Grace::Terminate(LONG), reap_limit: PATIENCE };
    let both = async { tokio::join!(child.stop(awaiting(LONG)), child.stop(asking)) };
    let (waited, asked) = soon(both).await;
    assert!(waited.clean && asked.clean);
    assert_eq!(child.exited().await, Termination::Exited(5));
}

#[tokio::test]
async fn no_time_is_no_time() {
    let (supervisor, kept) = supervised();
    let running = supervisor.launch(sh("echo 1; exec sleep 3600")).await.unwrap();
    kept.numbers(1).await;
    assert!(soon(running.stop(awaiting(Duration::ZERO))).await.clean);
    assert_eq!(running.exited().await, Termination::Signaled(9));

    let ended = supervisor.launch(sh("exit 4")).await.unwrap();
    ended.exited().await;
    assert!(soon(ended.stop(awaiting(Duration::ZERO))).await.clean);
    assert_eq!(ended.exited().await, Termination::Exited(4));
}

#[tokio::test]
async fn a_wait_that_nobody_waits_for_changes_nothing() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("echo 1; exec sleep 3600")).await.unwrap();
    kept.numbers(1).await;
    tokio::select! {
        biased;
        _ = child.stop(awaiting(LONG)) => panic!("nothing told it to end"),
        () = std::future::ready(()) => {}
    }
    assert!(alive(child.pid()));
    assert!(child.stop(KILL).await.clean);
}
