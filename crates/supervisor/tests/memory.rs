//! The peak of memory.
//!
//! Apart from the others, whose memory may be counted before a process executes anything.

#[cfg(test)]
mod support;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rapid_interop::process::{Grace, Process, Processes, StopPlan};
    use rapid_supervisor::{Config, Supervisor};

    use crate::support::{KILL, Kept, PATIENCE, launch, sh};

    const MIB: u64 = 1024 * 1024;

    #[tokio::test]
    async fn the_peak_of_a_running_process_and_of_its_child_is_seen() {
        let kept = Kept::new();
        let supervisor = Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap();
        let program = "import time; b = bytearray(64 << 20); print(1, flush=True); time.sleep(60)";
        let child = supervisor.launch(sh(&format!("python3 -c '{program}' & wait"))).await.unwrap();
        kept.numbers(1).await;
        let peak = child.peak_memory();
        assert!((64 * MIB..160 * MIB).contains(&peak), "{peak}");
        assert!(child.stop(KILL).await.clean);
        assert!(child.peak_memory() >= peak);
    }

    #[tokio::test]
    async fn the_peak_of_a_process_that_was_never_measured_is_known_after_its_end() {
        let supervisor = Supervisor::new(Config::default(), Kept::new()).unwrap();
        let argv = ["python3", "-c", "b = bytearray(64 << 20)"];
        let child = supervisor.launch(launch(&argv)).await.unwrap();
        child.exited().await;
        let peak = child.peak_memory();
        assert!((64 * MIB..160 * MIB).contains(&peak), "{peak}");
        assert!(child.stop(KILL).await.clean);
        assert_eq!(child.peak_memory(), peak);
    }

    /// A shell command that has 100 MiB, says so, and stays.
    const HUNDRED: &str =
        "python3 -c 'import time; b = bytearray(100 << 20); print(1, flush=True); time.sleep(60)'";

    #[tokio::test]
    async fn a_stop_measures_what_it_kills() {
        let kept = Kept::new();
        let supervisor = Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap();
        let grace = StopPlan { grace: Grace::Terminate(PATIENCE), reap_limit: PATIENCE };
        let patient = StopPlan { grace: Grace::Await(Duration::ZERO), reap_limit: PATIENCE };
        for (number, plan) in [(1, KILL), (2, grace), (3, patient)] {
            let child = supervisor.launch(sh(&format!("{HUNDRED} & wait"))).await.unwrap();
            kept.numbers(number).await;
            assert!(child.stop(plan).await.clean);
            let peak = child.peak_memory();
            assert!((100 * MIB..200 * MIB).contains(&peak), "{peak}");
        }
    }

    #[tokio::test]
    async fn what_a_leader_that_ended_has_left_behind_is_measured() {
        let kept = Kept::new();
        let supervisor = Supervisor::new(Config::default(), Arc::clone(&kept)).unwrap();
        for number in [1, 2] {
            let child = supervisor.launch(sh(&format!("{HUNDRED} &"))).await.unwrap();
            child.exited().await;
            kept.numbers(number).await;
            // Also by whoever asks before the stop.
            if number == 2 {
                assert!(child.peak_memory() >= 100 * MIB);
            }
            assert!(child.stop(KILL).await.clean);
            let peak = child.peak_memory();
            assert!((100 * MIB..200 * MIB).contains(&peak), "{peak}");
        }
    }
}
