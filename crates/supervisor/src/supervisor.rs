//! The supervisor: what its processes share, and how they are launched.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use nix::sys::prctl;
use rapid_interop::process::{
    ExtensionDiscovery, ExtensionSources, Launch, LaunchError, Processes,
};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};

use crate::child::Child;
use crate::config::{Config, Reaping};
use crate::error::SupervisorError;
use crate::output::{AnySink, OutputSink};
use crate::registry::Registry;
use crate::{discovery, lookup, reaper, spawn};

/// Launches processes and looks after them.
///
/// It lives on the tokio runtime on which it was built, and needs that runtime's IO and time
/// drivers. Dropping it changes nothing for processes that somebody holds a [`Child`] of.
///
/// # Source
/// Lifecycle, "Supervisor".
pub struct Supervisor {
    life: Arc<Lifeline>,
}

/// What the supervisor, its tasks and its processes share.
pub(crate) struct Shared {
    pub(crate) registry: Registry,
    pub(crate) sink: Arc<dyn AnySink>,
    pub(crate) runtime: Handle,
    /// Has the reaper look after the children.
    pub(crate) wake: Notify,
    /// The reaper has looked after the children.
    pub(crate) changed: Notify,
    /// Nobody can launch or hold anything any more.
    pub(crate) closing: AtomicBool,
    /// The next name of a group at the guard.
    pub(crate) tokens: AtomicU32,
    /// Dropped last: gives back the right to reap everything.
    _adoption: Option<Adoption>,
}

/// Held by whoever needs the launching thread: the supervisor and each handle on a process.
///
/// Its last owner ends that thread, and with it, by their death signal, what it has launched.
pub(crate) struct Lifeline {
    pub(crate) shared: Arc<Shared>,
    requests: Mutex<Option<mpsc::Sender<spawn::Request>>>,
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

impl Supervisor {
    /// Sets up a supervisor whose processes write to `sink`.
    ///
    /// # Errors
    /// [`SupervisorError::NoRuntime`] outside a tokio runtime, [`SupervisorError::ChildSignal`],
    /// and with [`Reaping::All`] also [`SupervisorError::Subreaper`] and
    /// [`SupervisorError::AlreadyReapingAll`].
    ///
    /// # Panics
    /// When the runtime has no IO driver.
    pub fn new(config: Config, sink: impl OutputSink) -> Result<Self, SupervisorError> {
        let Config { reaping, guard } = config;
        let runtime = Handle::try_current().map_err(|_| SupervisorError::NoRuntime)?;
        let adoption = match reaping {
            Reaping::All => Some(Adoption::begin()?),
            Reaping::Known => None,
        };
        // Before the first launch, so that no end can be missed.
        let children = signal(SignalKind::child()).map_err(SupervisorError::ChildSignal)?;
        let shared = Arc::new(Shared {
            registry: Registry::new(reaping, guard),
            sink: Arc::new(sink),
            runtime,
            wake: Notify::new(),
            changed: Notify::new(),
            closing: AtomicBool::new(false),
            tokens: AtomicU32::new(1),
            _adoption: adoption,
        });
        shared.runtime.spawn(reaper::run(Arc::clone(&shared), children));
        Ok(Self { life: Arc::new(Lifeline { shared, requests: Mutex::new(None) }) })
    }
}

impl Processes for Supervisor {
    type Process = Child;

    /// Looks for extensions; logs what is missing, cannot be read or comes twice.
    ///
    /// Everything in a directory counts but the directories in it: also what is hidden, empty or
    /// not executable, and links wherever they lead.
    fn find_extensions(&self, sources: &ExtensionSources) -> ExtensionDiscovery {
        discovery::find(sources)
    }

    /// Launches a process from a thread made for that alone.
    ///
    /// # Errors
    /// [`LaunchError`] when it could not be executed; nothing was started then.
    ///
    /// # Cancel safety
    /// Dropping the future ends what may have been started already.
    async fn launch(&self, launch: Launch) -> Result<Child, LaunchError> {
        let path = lookup::given(&launch);
        let refused = |reason: String| LaunchError::Refused { path, reason };
        let (reply, answer) = oneshot::channel();
        let request = spawn::Request { launch, life: Arc::clone(&self.life), reply };
        if let Err(error) = self.life.request(request) {
            return Err(refused(lookup::words(&error)));
        }
        match answer.await {
            Ok(result) => result,
            Err(_) => Err(refused("the launching thread is gone".to_owned())),
        }
    }
}

impl Lifeline {
    /// Hands a request to the launching thread, which is started for the first one.
    fn request(&self, request: spawn::Request) -> std::io::Result<()> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*requests {
            Some(sender) => sender,
            None => requests.insert(spawn::start(Arc::clone(&self.shared))?),
        };
        // A thread that is gone has dropped the request, and its reply tells.
        let _ = sender.send(request);
        Ok(())
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("registry", &self.life.shared.registry)
            .finish_non_exhaustive()
    }
}

/// Whether a supervisor of this process reaps every child.
static ADOPTING: AtomicBool = AtomicBool::new(false);

/// The right to reap every child of the process, orphaned descendants included.
struct Adoption {
    was_subreaper: bool,
}

impl Adoption {
    fn begin() -> Result<Self, SupervisorError> {
        if ADOPTING.swap(true, Ordering::AcqRel) {
            return Err(SupervisorError::AlreadyReapingAll);
        }
        let was_subreaper = prctl::get_child_subreaper().unwrap_or(false);
        let adoption = Self { was_subreaper };
        prctl::set_child_subreaper(true)
            .map_err(|errno| SupervisorError::Subreaper(errno.into()))?;
        Ok(adoption)
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        if !self.was_subreaper {
            let _ = prctl::set_child_subreaper(false);
        }
        ADOPTING.store(false, Ordering::Release);
    }
}
