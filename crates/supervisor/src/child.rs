//! The handle on a launched process.

use std::fmt;
use std::sync::Arc;

use rapid_interop::process::{Process, StopPlan, StopReport, Termination};

use crate::group::Group;
use crate::hunt::Hunt;
use crate::stop;
use crate::supervisor::Lifeline;

/// A launched process and its group. Clones mean the same process.
///
/// When the last clone is dropped, the group is killed, if it is still there, and reaped.
#[derive(Clone)]
pub struct Child {
    handle: Arc<Handle>,
}

/// What the clones share.
struct Handle {
    life: Arc<Lifeline>,
    group: Arc<Group>,
}

impl Child {
    pub(crate) fn new(life: Arc<Lifeline>, group: Arc<Group>) -> Self {
        Self { handle: Arc::new(Handle { life, group }) }
    }

    /// The process id of the leader, which is also the id of the group.
    ///
    /// For messages: after [`Process::stop`] the system may give it to another process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.handle.group.pid
    }
}

impl Process for Child {
    /// Resolves once the leader has ended; any number may wait.
    ///
    /// The leader is still a zombie then, so that nobody else gets its id: it is reaped by
    /// [`Process::stop`], or when the last handle is dropped.
    ///
    /// # Cancel safety
    /// Nothing is lost, a new future tells the same.
    async fn exited(&self) -> Termination {
        let mut termination = self.handle.group.termination();
        // The sender lives in the group that we hold, so that there is always an answer.
        let ended = termination.wait_for(Option::is_some).await.ok().and_then(|ended| *ended);
        ended.unwrap_or(Termination::Exited(1))
    }

    /// Ends the group, and its descendants elsewhere as far as they can be known.
    ///
    /// Any number may be under way; each keeps its own limits, and the most impatient decides: once
    /// one of them has sent SIGKILL, none gives any more time.
    /// The output is closed at the end, whoever may hold the other end of it.
    ///
    /// # Cancel safety
    /// Signals that were sent stay sent. The leader is not reaped before another stop, or before
    /// the last handle is dropped.
    async fn stop(&self, plan: StopPlan) -> StopReport {
        stop::stop(&self.handle.life.shared, &self.handle.group, plan).await
    }

    /// Passes on what was written until now, at most 1 MiB of either stream, and nothing while the
    /// sink has no room.
    ///
    /// An unfinished line stays until it is finished.
    fn drain_output(&self) {
        for pipe in &self.handle.group.pipes {
            pipe.drain();
        }
    }

    /// The peak of resident memory over the leader and its descendants, in bytes.
    ///
    /// Each process counts with its own peak, so that the sum is an upper bound of what they had
    /// at the same time. Memory that they share counts for each of them.
    fn peak_memory(&self) -> u64 {
        self.handle.group.peak_memory()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let registry = &self.life.shared.registry;
        if !self.group.is_reaped() {
            let hunt = Hunt::new(registry, &self.group);
            // Nobody waits for the end, so only what is surely its own.
            let found = hunt.look_at_kin();
            hunt.strike(&found);
            self.group.abandon();
            registry.look();
        }
        self.group.close_output();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("group", &self.handle.group).finish_non_exhaustive()
    }
}
