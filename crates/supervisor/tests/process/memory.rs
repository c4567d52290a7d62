//! The peak of memory.

use std::sync::Arc;

use rapid_interop::process::{Process, Processes};
use rapid_supervisor::{Config, Supervisor};

use crate::support::{KILL, Kept, launch, sh};

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
