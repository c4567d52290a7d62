//! The orderly and the forced end of a group.

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use rapid_interop::process::{Grace, StopPlan, StopReport};
use tokio::time::{Instant, sleep, timeout};

use crate::group::Group;
use crate::hunt::Hunt;
use crate::supervisor::Shared;

/// Nothing tells of the end of a process that is not our child, so that we have to look.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const SLOWEST_LOOK: Duration = Duration::from_millis(20);

/// Ends a group by `plan`. Any number of these may work on the same group.
pub(crate) async fn stop(shared: &Shared, group: &Arc<Group>, plan: StopPlan) -> StopReport {
    if group.is_reaped() {
        group.close_output();
        return StopReport { clean: true };
    }
    let mut hunt = Hunt::new(&shared.registry, group);
    group.look();
    give_grace(shared, group, &hunt, plan.grace).await;
    let report = end_by_force(shared, group, &mut hunt, plan.reap_limit).await;
    group.close_output();
    report
}

/// Lets the group end by itself, until its time is over or another stop has sent SIGKILL.
async fn give_grace(shared: &Shared, group: &Group, hunt: &Hunt<'_>, grace: Grace) {
    let name = &group.name;
    let in_time = match grace {
        Grace::None => return,
        Grace::Terminate(time) => {
            tracing::debug!(process.name = name, ?time, "asking the process group to end");
            group.last_measure(&hunt.look_at_kin());
            group.signal(Signal::SIGTERM);
            timeout(time, first(emptied(shared, group, hunt), group.killed())).await
        }
        Grace::Await(time) => {
            tracing::debug!(process.name = name, ?time, "waiting for the process to end");
            group.last_measure(&hunt.look_at_kin());
            timeout(time, first(ended(group), group.killed())).await
        }
    };
    if in_time.is_err() {
        tracing::debug!(process.name = name, "it has not ended in time");
    }
}

/// Resolves with whichever comes first.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

/// Resolves when the leader has ended, and then the rest of its group.
async fn emptied(shared: &Shared, group: &Group, hunt: &Hunt<'_>) {
    ended(group).await;
    let mut pace = Pace::new();
    loop {
        let mut change = pin!(shared.changed.notified());
        change.as_mut().enable();
        if hunt.group_is_empty() {
            return;
        }
        pace.pause(change, SLOWEST_LOOK).await;
    }
}

/// Resolves when the leader has ended.
async fn ended(group: &Group) {
    // The sender lives in the group, so that waiting cannot fail.
    let _ = group.termination().wait_for(Option::is_some).await;
}

/// Kills until nothing is left, or until `limit` has passed.
async fn end_by_force(
    shared: &Shared,
    group: &Arc<Group>,
    hunt: &mut Hunt<'_>,
    limit: Duration,
) -> StopReport {
    let begin = Instant::now();
    let mut pace = Pace::new();
    let mut is_measured = false;
    loop {
        let mut change = pin!(shared.changed.notified());
        change.as_mut().enable();
        group.look();
        // Asked before the look around: until it ends, it may make more.
        let ended = group.has_ended();
        let sight = hunt.look();
        if !mem::replace(&mut is_measured, true) {
            group.last_measure(&sight.found);
        }
        // Also if nobody was seen: a member may have come too late for that, and this reaches it.
        hunt.strike(&sight.found);
        if ended && sight.is_empty() {
            shared.registry.release(group);
            tracing::debug!(process.name = group.name, "process group is over");
            return StopReport { clean: true };
        }
        let left = limit.saturating_sub(begin.elapsed());
        if left.is_zero() {
            hunt.report(&sight);
            return StopReport { clean: false };
        }
        pace.pause(change, left).await;
    }
}

/// Looks often at first, and then less and less.
struct Pace(Duration);

impl Pace {
    const fn new() -> Self {
        Self(FIRST_LOOK)
    }

    /// Waits for `change`, but not for longer than it pays, nor than `limit`.
    async fn pause(&mut self, change: impl Future<Output = ()>, limit: Duration) {
        tokio::select! {
            () = change => {}
            () = sleep(self.0.min(limit)) => {}
        }
        self.0 = (self.0 * 2).min(SLOWEST_LOOK);
    }
}
