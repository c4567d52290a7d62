//! Real processes under a supervisor that reaps every child of its process.
//!
//! There can be only one of these at a time, so that the tests wait for each other.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{ChildStdout, Command, Stdio};
    use std::sync::Arc;
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use rapid_interop::process::{Grace, Process, Processes, StopPlan, Termination};
    use rapid_supervisor::{Config, Reaping, Supervisor, SupervisorError};
    use tokio::sync::{Mutex, MutexGuard};

    use crate::support::{KILL, Kept, PATIENCE, alive, eventually, launch, sh, state};

    /// No process at all.
    const NONE: [i32; 0] = [];

    static ALONE: Mutex<()> = Mutex::const_new(());

    fn config() -> Config {
        Config { reaping: Reaping::All, guard: None }
    }

    /// Whatever is a child of this process now, zombies included.
    fn children() -> Vec<i32> {
        let own = i32::try_from(std::process::id()).unwrap();
        let parent = |pid: i32| -> Option<i32> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|&pid| parent(pid) == Some(own))
            .collect()
    }

    async fn supervised() -> (MutexGuard<'static, ()>, Supervisor, Arc<Kept>) {
        let alone = ALONE.lock().await;
        let (supervisor, kept) = supervisor().await;
        (alone, supervisor, kept)
    }

    /// For who holds the lock.
    async fn supervisor() -> (Supervisor, Arc<Kept>) {
        let kept = Kept::new();
        // The last one lets go a moment after its test.
        let begin = std::time::Instant::now();
        loop {
            match Supervisor::new(config(), Arc::clone(&kept)) {
                Ok(supervisor) => return (supervisor, kept),
                Err(SupervisorError::AlreadyReapingAll) if begin.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn only_one_supervisor_can_reap_everything() {
        let (_alone, supervisor, _) = supervised().await;
        let second = Supervisor::new(config(), Kept::new());
        assert!(matches!(second, Err(SupervisorError::AlreadyReapingAll)));
        assert!(Supervisor::new(Config::default(), Kept::new()).is_ok());
        drop(supervisor);
    }

    #[tokio::test]
    async fn a_daemon_that_left_group_and_ancestors_is_found() {
        let (_alone, supervisor, kept) = supervised().await;
        let script = "(setsid sh -c 'sleep 60 & echo $!; echo $$; sleep 60' &); exec sleep 60";
        let child = supervisor.launch(sh(script)).await.unwrap();
        let pids = kept.numbers(2).await;
        assert!(child.stop(KILL).await.clean);
        assert!(pids.iter().all(|&pid| state(pid).is_none()), "something is left, or not reaped");
        assert_eq!(children(), NONE);
    }

    #[tokio::test]
    async fn a_daemon_of_a_leader_that_ended_by_itself_is_found() {
        let (_alone, supervisor, kept) = supervised().await;
        let child =
            supervisor.launch(sh("setsid sh -c 'echo $$; sleep 60' & sleep 0.05")).await.unwrap();
        let pid = kept.numbers(1).await[0];
        assert_eq!(child.exited().await, Termination::Exited(0));
        assert!(alive(pid));
        assert!(child.stop(KILL).await.clean);
        assert_eq!(children(), NONE);
    }

    #[tokio::test]
    async fn orphans_are_reaped_behind_a_leader_that_is_kept() {
        let (_alone, supervisor, kept) = supervised().await;
        let first = supervisor.launch(sh("exit 0")).await.unwrap();
        first.exited().await;
        assert_eq!(state(first.pid()), Some('Z'));
        // An orphan that ends, in and out of its group, while both leaders are there.
        let script = "(sh -c 'echo $$' &); (setsid sh -c 'echo $$' &); exec sleep 60";
        let second = supervisor.launch(sh(script)).await.unwrap();
        let orphans = kept.numbers(2).await;
        eventually("orphans are reaped", || orphans.iter().all(|&pid| state(pid).is_none())).await;
        assert_eq!(state(first.pid()), Some('Z'));
        assert!(first.stop(KILL).await.clean && second.stop(KILL).await.clean);
        assert_eq!(children(), NONE);
    }

    #[tokio::test]
    async fn stopping_one_leaves_the_groups_of_the_others_alone() {
        let (_alone, supervisor, kept) = supervised().await;
        let stopped = supervisor.launch(sh("exec sleep 60")).await.unwrap();
        // An orphan inside its group, and a child of the leader.
        let other = supervisor.launch(sh("(sleep 60 & echo $!); sleep 60 & echo $!; wait")).await;
        let other = other.unwrap();
        let pids = kept.numbers(2).await;
        assert!(stopped.stop(KILL).await.clean);
        assert!(pids.iter().all(|&pid| alive(pid)) && alive(other.pid()));
        assert!(other.stop(KILL).await.clean);
        assert_eq!(children(), NONE);
    }

    /// A child of this process that no supervisor has launched, in its own words.
    struct Sidecar {
        pid: i32,
        output: BufReader<ChildStdout>,
    }

    impl Sidecar {
        #[expect(clippy::zombie_processes, reason = "the supervisor reaps every child")]
        fn start(script: &str) -> Self {
            let mut child = Command::new("/bin/sh")
                .args(["-c", script])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let output = BufReader::new(child.stdout.take().unwrap());
            Self { pid: i32::try_from(child.id()).unwrap(), output }
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        }
    }

    async fn end(pid: i32) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        eventually("it is reaped", || state(pid).is_none()).await;
    }

    /// Ends, with a word, as soon as somebody kills one of its children.
    const FORKING: &str = "while sleep 0.04; do :; done; echo killed";

    async fn launch_and_stop(supervisor: &Supervisor) {
        for _ in 0..10 {
            let child = supervisor.launch(sh("exec sleep 60")).await.unwrap();
            // Long enough for the others to make children that are younger than the leader.
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(child.stop(KILL).await.clean);
        }
    }

    #[tokio::test]
    async fn children_of_a_child_that_was_there_before_are_left_alone() {
        let _alone = ALONE.lock().await;
        let sidecar = Sidecar::start(FORKING);
        let (supervisor, _) = supervisor().await;
        launch_and_stop(&supervisor).await;
        assert!(alive(sidecar.pid), "it has ended");
        end(sidecar.pid).await;
        eventually("its last child is reaped", || children() == NONE).await;
    }

    #[tokio::test]
    async fn a_child_that_was_there_a_moment_before_is_left_alone() {
        let _alone = ALONE.lock().await;
        for _ in 0..5 {
            let sidecar = Sidecar::start("exec sleep 60");
            let (supervisor, _) = supervisor().await;
            // In the same tick of the kernel's clock, more often than not.
            let child = supervisor.launch(sh("exec sleep 60")).await.unwrap();
            assert!(child.stop(KILL).await.clean);
            assert!(alive(sidecar.pid));
            end(sidecar.pid).await;
        }
    }

    #[tokio::test]
    async fn an_orphan_of_somebody_else_is_left_alone_with_its_children() {
        let _alone = ALONE.lock().await;
        let script = format!("setsid sh -c 'echo $$; {FORKING}' & exec sleep 60");
        let mut sidecar = Sidecar::start(&script);
        let (supervisor, _) = supervisor().await;
        let orphan: i32 = sidecar.line().parse().unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let child = supervisor.launch(sh("exec sleep 60")).await.unwrap();
        end(sidecar.pid).await;
        eventually("it is adopted", || children().contains(&orphan)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(child.stop(KILL).await.clean);
        launch_and_stop(&supervisor).await;
        assert!(alive(orphan), "it has ended");
        end(orphan).await;
        eventually("its last child is reaped", || children() == NONE).await;
    }

    #[tokio::test]
    async fn a_stop_measures_the_daemons_that_it_kills() {
        let (_alone, supervisor, kept) = supervised().await;
        let program = "import time; b = bytearray(100 << 20); print(1, flush=True); time.sleep(60)";
        let script = format!("(setsid python3 -c '{program}' &)");
        let child = supervisor.launch(sh(&script)).await.unwrap();
        child.exited().await;
        kept.numbers(1).await;
        assert!(child.stop(KILL).await.clean);
        assert!(child.peak_memory() >= 100 << 20, "{}", child.peak_memory());
    }

    #[tokio::test]
    async fn what_keeps_forking_away_is_hunted_down() {
        let (_alone, supervisor, kept) = supervised().await;
        let script = "
import os, time
os.write(1, b'1\\n')
for _ in range(200):
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.002)
time.sleep(60)";
        let child = supervisor.launch(launch(&["python3", "-c", script])).await.unwrap();
        kept.numbers(1).await;
        assert!(child.stop(KILL).await.clean);
        assert_eq!(children(), NONE);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn launching_and_stopping_at_the_same_time_hits_the_right_ones() {
        let (_alone, supervisor, _) = supervised().await;
        let supervisor = Arc::new(supervisor);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let supervisor = Arc::clone(&supervisor);
                tokio::spawn(async move {
                    for round in 0..10 {
                        let script = format!("(setsid sleep 60 &); exit {round}");
                        let child = supervisor.launch(sh(&script)).await.unwrap();
                        assert_eq!(child.exited().await, Termination::Exited(round));
                        assert!(child.stop(KILL).await.clean);
                        let missing = supervisor.launch(launch(&["/nowhere"])).await;
                        assert!(missing.is_err());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(children(), NONE);
    }

    #[tokio::test]
    async fn two_hundred_launches_leave_no_descriptor_and_no_zombie() {
        let (_alone, supervisor, _) = supervised().await;
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let cycle = async || {
            let child = supervisor.launch(launch(&["/bin/echo", "hello"])).await.unwrap();
            let plan = StopPlan { grace: Grace::Terminate(PATIENCE), reap_limit: PATIENCE };
            child.exited().await;
            assert!(child.stop(plan).await.clean);
        };
        cycle().await;
        tokio::task::yield_now().await;
        let before = descriptors();
        for _ in 0..200 {
            cycle().await;
        }
        eventually("descriptors are closed", || descriptors() <= before).await;
        assert_eq!(children(), NONE);
    }

    #[tokio::test]
    async fn the_right_to_reap_everything_is_given_back() {
        let (alone, supervisor, kept) = supervised().await;
        let child = supervisor.launch(sh("echo $$; exec sleep 60")).await.unwrap();
        let pid = kept.numbers(1).await[0];
        drop(supervisor);
        assert!(alive(pid));
        drop(child);
        eventually("the process is reaped", || state(pid).is_none()).await;
        drop(alone);
        let (_alone, _, _) = supervised().await;
    }
}
