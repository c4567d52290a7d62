//! The one task that learns of ended children.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::sys::signal::Signal as Kill;
use tokio::signal::unix::Signal;
use tokio::task::yield_now;

use crate::supervisor::Shared;

/// Looks after the children whenever one of them has ended, or a launch asks for it.
///
/// Ends when the supervisor and the handles on its processes are gone, and all are reaped.
pub(crate) async fn run(shared: Arc<Shared>, mut children: Signal) {
    let last = LastOrders(shared);
    let shared = &last.0;
    loop {
        let any_left = shared.registry.look();
        shared.changed.notify_waiters();
        // Whoever waits for an end comes first; and a stop may leave less to look through.
        yield_now().await;
        shared.registry.reap_orphans();
        if !any_left && shared.closing.load(Ordering::Acquire) {
            return;
        }
        tokio::select! {
            _ = children.recv() => {}
            () = shared.wake.notified() => {}
        }
    }
}

/// Ends everything should the runtime be shut down under us.
struct LastOrders(Arc<Shared>);

impl Drop for LastOrders {
    fn drop(&mut self) {
        for group in self.0.registry.groups() {
            group.signal(Kill::SIGKILL);
            group.abandon();
        }
        self.0.registry.look();
        self.0.registry.reap_orphans();
    }
}
