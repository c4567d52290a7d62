//! One launched process, its group, and what may still be done to it.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rapid_interop::process::Termination;
use tokio::sync::watch;

use crate::memory::Peak;
use crate::oom;
use crate::output::Pipe;
use crate::proc::Stat;
use crate::sys::{self, Ended, Ending, Whom};

/// A process group by its leader.
///
/// The leader is not reaped when it ends: its zombie keeps the id of the group from being given to
/// somebody else, so that the group can be signalled for as long as anything of it may be left.
/// Signals are sent and the leader is reaped under one lock, so that a signal never goes to an id
/// that has been given back.
pub(crate) struct Group {
    /// The name for logs.
    pub(crate) name: String,
    /// The process id of the leader, and the id of the group.
    pub(crate) pid: i32,
    /// When the leader was started, in clock ticks; nothing older descends from it.
    pub(crate) start: u64,
    /// The name of the group at the guard.
    pub(crate) token: u32,
    /// Standard output, standard error and the descriptor for log records, if it has one.
    pub(crate) pipes: Vec<Arc<Pipe>>,
    leader: Mutex<Leader>,
    ended: watch::Sender<Option<Termination>>,
    /// Whether SIGKILL came from us.
    killed: watch::Sender<bool>,
    peak: Mutex<Peak>,
    oom_kills: Option<u64>,
}

#[derive(Debug)]
struct Leader {
    stage: Stage,
    /// Whether nobody holds a handle any more.
    abandoned: bool,
    /// Whether it was said that no signal reaches the group.
    warned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// Ended, and kept as a zombie.
    Held,
    /// The id belongs to somebody else by now, perhaps.
    Reaped,
}

/// What a new group starts out with.
pub(crate) struct NewGroup {
    pub(crate) name: String,
    pub(crate) pid: i32,
    pub(crate) start: u64,
    pub(crate) token: u32,
    pub(crate) pipes: Vec<Arc<Pipe>>,
    pub(crate) peak: Peak,
    pub(crate) oom_kills: Option<u64>,
}

impl Group {
    pub(crate) fn new(new: NewGroup) -> Self {
        let NewGroup { name, pid, start, token, pipes, peak, oom_kills } = new;
        Self {
            name,
            pid,
            start,
            token,
            pipes,
            leader: Mutex::new(Leader { stage: Stage::Running, abandoned: false, warned: false }),
            ended: watch::Sender::new(None),
            killed: watch::Sender::new(false),
            peak: Mutex::new(peak),
            oom_kills,
        }
    }

    /// Looks whether the leader has ended, and tells who waits for that.
    pub(crate) fn look(&self) {
        let mut leader = self.leader();
        if leader.stage != Stage::Running {
            return;
        }
        match sys::peek(Whom::Pid(self.pid)) {
            Ok(None) => {}
            Ok(Some(ended)) => {
                self.note(ended);
                leader.stage = Stage::Held;
            }
            Err(error) => self.lost(&mut leader, &error),
        }
    }

    /// Publishes how the leader ended.
    fn note(&self, ended: Ended) {
        self.peak().ended(ended.max_rss);
        let termination = match ended.ending {
            Ending::Exited(status) => Termination::Exited(status),
            Ending::Signaled(signal)
                if signal == Signal::SIGKILL as i32
                    && !self.is_killed()
                    && self.memory_ran_out() =>
            {
                Termination::OutOfMemory
            }
            Ending::Signaled(signal) => Termination::Signaled(signal),
        };
        tracing::debug!(process.name = self.name, process.pid = self.pid, %termination, "process ended");
        self.ended.send_replace(Some(termination));
    }

    /// Somebody else has reaped our child.
    fn lost(&self, leader: &mut Leader, error: &io::Error) {
        tracing::warn!(
            process.name = self.name,
            process.pid = self.pid,
            %error,
            "how the process ended is unknown, somebody else has waited for it"
        );
        leader.stage = Stage::Reaped;
        self.ended.send_replace(Some(Termination::Exited(1)));
    }

    fn memory_ran_out(&self) -> bool {
        match (self.oom_kills, oom::kills()) {
            (Some(before), Some(now)) => now > before,
            _ => false,
        }
    }

    /// How the leader ended, once it has.
    pub(crate) fn termination(&self) -> watch::Receiver<Option<Termination>> {
        self.ended.subscribe()
    }

    fn is_killed(&self) -> bool {
        *self.killed.borrow()
    }

    /// Resolves once SIGKILL has been sent to the group, by whichever stop.
    pub(crate) async fn killed(&self) {
        // The sender lives in the group, so that waiting cannot fail.
        let _ = self.killed.subscribe().wait_for(|killed| *killed).await;
    }

    /// Whether the leader has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        self.leader().stage != Stage::Running
    }

    /// Whether the leader has been reaped; nothing may be sent to the group then.
    pub(crate) fn is_reaped(&self) -> bool {
        self.leader().stage == Stage::Reaped
    }

    /// Sends a signal to every process of the group, unless its id has been given back.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut leader = self.leader();
        if leader.stage == Stage::Reaped {
            return;
        }
        if signal == Signal::SIGKILL {
            // Also wakes those who give it time still.
            self.killed.send_if_modified(|killed| !mem::replace(killed, true));
        }
        // The held or running leader is a member, so that this can only fail for want of rights
        // over all of them, set-user-id programs say. Then it fails every time, and a stop sends
        // many.
        if let Err(errno) = killpg(Pid::from_raw(self.pid), signal)
            && !mem::replace(&mut leader.warned, true)
        {
            tracing::warn!(
                process.name = self.name,
                process.pid = self.pid,
                error = %errno,
                "the process group cannot be signalled"
            );
        }
    }

    /// Has the leader reaped as soon as it ends.
    pub(crate) fn abandon(&self) {
        self.leader().abandoned = true;
    }

    /// Whether the leader has ended and nobody needs it as a zombie.
    pub(crate) fn is_left(&self) -> bool {
        let leader = self.leader();
        leader.abandoned && leader.stage == Stage::Held
    }

    /// Reaps an ended leader: from here on nothing is sent to the group.
    pub(crate) fn reap(&self) {
        let mut leader = self.leader();
        if leader.stage == Stage::Held {
            if let Err(error) = sys::reap(self.pid) {
                tracing::debug!(process.pid = self.pid, %error, "there was nothing left to reap");
            }
            leader.stage = Stage::Reaped;
        }
    }

    /// The peak of memory, measured now unless that was done a moment ago.
    pub(crate) fn peak_memory(&self) -> u64 {
        let is_there = !self.is_reaped();
        let mut peak = self.peak();
        if is_there {
            peak.sample(self.pid);
        }
        peak.bytes()
    }

    /// Measures the leader and `others` before they are ended, and their memory with them.
    pub(crate) fn last_measure(&self, others: &[Stat]) {
        let others = others.iter().map(|stat| stat.pid).filter(|&pid| pid != self.pid);
        self.peak().sample_of(self.pid, others);
    }

    /// Passes on what has been written and lets go of the pipes.
    pub(crate) fn close_output(&self) {
        for pipe in &self.pipes {
            pipe.close();
        }
    }

    fn leader(&self) -> MutexGuard<'_, Leader> {
        self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peak(&self) -> MutexGuard<'_, Peak> {
        self.peak.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("name", &self.name)
            .field("pid", &self.pid)
            .field("leader", &self.leader)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing::span;
    use tracing::{Event, Level, Metadata};

    use super::*;

    /// Counts warnings.
    #[derive(Default)]
    struct Warnings(AtomicUsize);

    impl tracing::Subscriber for Warnings {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::WARN
        }

        fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

        fn event(&self, _event: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn enter(&self, _span: &span::Id) {}

        fn exit(&self, _span: &span::Id) {}
    }

    #[test]
    fn a_group_that_no_signal_reaches_is_mentioned_once() {
        let group = Group::new(NewGroup {
            name: "runtime-1".to_owned(),
            // Beyond every id that the kernel gives away.
            pid: i32::MAX,
            start: 0,
            token: 0,
            pipes: Vec::new(),
            peak: Peak::new(0),
            oom_kills: None,
        });
        let warnings = Arc::new(Warnings::default());
        tracing::subscriber::with_default(Arc::clone(&warnings), || {
            group.signal(Signal::SIGTERM);
            for _ in 0..10 {
                group.signal(Signal::SIGKILL);
            }
        });
        assert_eq!(warnings.0.load(Ordering::Relaxed), 1);
    }
}
