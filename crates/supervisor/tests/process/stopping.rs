//! Orderly and forced ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rapid_interop::process::{Grace, Process, Processes, StopPlan, Termination};
use rapid_supervisor::{Config, Supervisor};

use crate::support::{KILL, Kept, PATIENCE, alive, eventually, sh, state};

const GRACE: StopPlan = StopPlan { grace: Grace::Terminate(PATIENCE), reap_limit: PATIENCE };

fn supervised() -> (Supervisor, Arc<Kept>) {
    let kept = Kept::new();
    (Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap(), kept)
}

#[tokio::test]
async fn a_process_that_honours_sigterm_ends_by_itself() {
    let (supervisor, kept) = supervised();
    let script = "trap 'echo bye; exit 5' TERM; echo 1; while :; do sleep 0.01; done";
    let child = supervisor.launch(sh(script)).await.unwrap();
    kept.numbers(1).await;
    let begin = Instant::now();
    assert!(child.stop(GRACE).await.clean);
    assert!(begin.elapsed() < PATIENCE / 2);
    assert_eq!(child.exited().await, Termination::Exited(5));
    assert_eq!(kept.stdout(), "1\nbye\n");
    assert_eq!(state(child.pid()), None);
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed_when_the_grace_is_over() {
    let (supervisor, kept) = supervised();
    let script = "trap '' TERM; echo 1; while :; do sleep 0.01; done";
    let child = supervisor.launch(sh(script)).await.unwrap();
    kept.numbers(1).await;
    let grace = Duration::from_millis(100);
    let begin = Instant::now();
    let plan = StopPlan { grace: Grace::Terminate(grace), reap_limit: PATIENCE };
    assert!(child.stop(plan).await.clean);
    assert!(begin.elapsed() >= grace);
    assert_eq!(child.exited().await, Termination::Signaled(9));
    assert_eq!(state(child.pid()), None);
}

#[tokio::test]
async fn a_kill_overtakes_a_patient_stop() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("trap '' TERM; echo 1; sleep 60; sleep 60")).await.unwrap();
    kept.numbers(1).await;
    let begin = Instant::now();
    let (patient, forced) = tokio::join!(child.stop(GRACE), async {
        tokio::task::yield_now().await;
        child.stop(KILL).await
    });
    assert!(patient.clean && forced.clean);
    assert!(begin.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn grandchildren_end_with_their_group() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("sleep 60 & echo $!; sleep 60")).await.unwrap();
    let grandchild = kept.numbers(1).await[0];
    assert!(child.stop(KILL).await.clean);
    assert!(!alive(grandchild));
    assert_eq!(state(child.pid()), None);
}

#[tokio::test]
async fn grandchildren_end_although_their_leader_has_ended_before() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("sleep 60 & echo $!")).await.unwrap();
    let grandchild = kept.numbers(1).await[0];
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(alive(grandchild));
    assert!(child.stop(KILL).await.clean);
    assert!(!alive(grandchild));
}

#[tokio::test]
async fn the_grace_is_for_the_whole_group() {
    let (supervisor, kept) = supervised();
    // The leader ends at once, its child takes its time and then says so.
    let script = "sh -c 'trap \"sleep 0.2; echo 2; exit\" TERM; echo 1; while :; do sleep 0.01; done' & \
        trap 'exit 0' TERM; while :; do sleep 0.01; done";
    let child = supervisor.launch(sh(script)).await.unwrap();
    kept.numbers(1).await;
    assert!(child.stop(GRACE).await.clean);
    assert_eq!(kept.stdout(), "1\n2\n");
}

#[tokio::test]
async fn a_descendant_in_another_session_is_found_below_its_ancestors() {
    let (supervisor, kept) = supervised();
    // Not a leader of a group, or setsid would fork.
    let script = "sh -c 'exec setsid sh -c \"echo \\$\\$; exec sleep 60\"' & sleep 60";
    let child = supervisor.launch(sh(script)).await.unwrap();
    let escaped = kept.numbers(1).await[0];
    assert!(child.stop(KILL).await.clean);
    assert!(!alive(escaped));
}

#[tokio::test]
async fn a_descendant_in_another_session_is_found_below_an_orphan_of_the_group() {
    let (supervisor, kept) = supervised();
    let script = "sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 60\" & wait' & exit 0";
    let child = supervisor.launch(sh(script)).await.unwrap();
    let escaped = kept.numbers(1).await[0];
    child.exited().await;
    assert!(alive(escaped));
    assert!(child.stop(KILL).await.clean);
    assert!(!alive(escaped));
}

#[tokio::test]
async fn a_stop_that_runs_out_of_time_says_so_and_can_be_repeated() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("echo 1; exec sleep 60")).await.unwrap();
    kept.numbers(1).await;
    let hasty = StopPlan { grace: Grace::None, reap_limit: Duration::ZERO };
    assert!(!child.stop(hasty).await.clean);
    assert!(child.stop(KILL).await.clean);
    assert_eq!(state(child.pid()), None);
}

#[tokio::test]
async fn an_ended_leader_keeps_its_id_until_it_is_stopped() {
    let (supervisor, _) = supervised();
    let child = supervisor.launch(sh("exit 0")).await.unwrap();
    child.exited().await;
    assert_eq!(state(child.pid()), Some('Z'));
    assert!(child.stop(KILL).await.clean);
    assert_eq!(state(child.pid()), None);
    // Once more does no harm.
    assert!(child.stop(GRACE).await.clean);
}

#[tokio::test]
async fn a_dropped_handle_ends_the_group() {
    let (supervisor, kept) = supervised();
    let child = supervisor.launch(sh("sleep 60 & echo $!; echo $$; sleep 60")).await.unwrap();
    let pids = kept.numbers(2).await;
    let other = child.clone();
    drop(child);
    assert!(pids.iter().all(|&pid| alive(pid)));
    drop(other);
    eventually("the group is gone", || pids.iter().all(|&pid| !alive(pid))).await;
    eventually("the leader is reaped", || state(pids[1]).is_none()).await;
}

#[tokio::test]
async fn a_dropped_handle_on_an_ended_process_reaps_it() {
    let (supervisor, _) = supervised();
    let child = supervisor.launch(sh("exit 0")).await.unwrap();
    child.exited().await;
    let pid = child.pid();
    drop(child);
    assert_eq!(state(pid), None);
}

#[tokio::test]
async fn a_process_outlives_the_supervisor_as_long_as_somebody_holds_it() {
    let (supervisor, kept) = supervised();
    let script = "echo 1; trap 'exit 3' TERM; while :; do sleep 0.01; done";
    let child = supervisor.launch(sh(script)).await.unwrap();
    kept.numbers(1).await;
    drop(supervisor);
    assert!(child.stop(GRACE).await.clean);
    assert_eq!(child.exited().await, Termination::Exited(3));
}

#[test]
fn a_runtime_that_shuts_down_leaves_no_process() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (child, pids) = runtime.block_on(async {
        let (supervisor, kept) = supervised();
        let child = supervisor.launch(sh("sleep 60 & echo $!; echo $$; sleep 60")).await.unwrap();
        let pids = kept.numbers(2).await;
        (child, pids)
    });
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let gone = eventually("the group is gone", || pids.iter().all(|&pid| !alive(pid)));
    runtime.block_on(gone);
    drop(child);
}

#[tokio::test]
async fn an_abandoned_launch_leaves_no_process() {
    let (supervisor, kept) = supervised();
    let mut launch = Box::pin(supervisor.launch(sh("echo $$; exec sleep 60")));
    // Far enough for the request to be on its way.
    tokio::select! {
        biased;
        _ = &mut launch => {}
        () = std::future::ready(()) => {}
    }
    drop(launch);
    // Another one comes after it.
    let child = supervisor.launch(sh("exit 0")).await.unwrap();
    child.exited().await;
    assert!(child.stop(KILL).await.clean);
    if let Some(pid) = kept.stdout().lines().next().and_then(|line| line.parse().ok()) {
        eventually("the abandoned process is gone", || !alive(pid)).await;
    }
}
