//! [`deliver`]: tells a target, a few times if need be.

mod file;
mod http;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderValue;
use bytes::Bytes;
use rapid_interop::EpochMillis;
use tokio::sync::Mutex;

use crate::target::{Destinations, Target};

/// How long to wait between two tries; there is one more try than waits.
///
/// # Source
/// Asynchronous invocation, "Destinations": three tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// How long one try may wait for a disk: longer than for a network, as what was written is written
/// a second time otherwise.
const DISK: Duration = Duration::from_secs(10);

/// Files are written to by one at a time. Each waits for itself: one that hangs holds no other up.
#[derive(Debug, Default)]
pub(crate) struct Files(HashMap<PathBuf, Arc<Mutex<()>>>);

impl Files {
    pub(crate) fn of(destinations: &Destinations) -> Self {
        let file = |target: &Target| match target {
            Target::File(path) => Some((path.clone(), Arc::default())),
            Target::Directory(_) | Target::Http(_) | Target::Function { .. } => None,
        };
        Self(destinations.iter().filter_map(file).collect())
    }

    fn lock(&self, path: &Path) -> Arc<Mutex<()>> {
        self.0.get(path).cloned().unwrap_or_default()
    }
}

/// Makes the file or the directory that something is to be told to, and looks whether it takes it.
///
/// # Errors
/// The system's.
pub(crate) fn prepare(target: &Target) -> std::io::Result<()> {
    match target {
        Target::File(path) => file::prepare(path),
        Target::Directory(path) => file::prepare_directory(path),
        Target::Http(_) | Target::Function { .. } => Ok(()),
    }
}

/// What is told.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// JSON on one line.
    pub(crate) body: Bytes,
    /// The name of the function whose event it was.
    pub(crate) function: String,
    pub(crate) trace_id: HeaderValue,
    pub(crate) now: EpochMillis,
}

/// Why one try failed.
#[derive(Debug)]
enum Failed {
    /// Another try may do better.
    ForNow(String),
    /// No other try will.
    ForGood(String),
}

/// Tells a target.
///
/// # Errors
/// What the last try failed with.
pub(crate) async fn deliver(
    files: &Files,
    target: &Target,
    message: &Message,
) -> Result<(), String> {
    for pause in PAUSES {
        match attempt(files, target, message).await {
            Ok(()) => return Ok(()),
            Err(Failed::ForGood(reason)) => return Err(reason),
            Err(Failed::ForNow(reason)) => {
                tracing::warn!(%target, reason, "a destination was not reached; trying again");
            }
        }
        tokio::time::sleep(pause).await;
    }
    match attempt(files, target, message).await {
        Ok(()) => Ok(()),
        Err(Failed::ForNow(reason) | Failed::ForGood(reason)) => Err(reason),
    }
}

async fn attempt(files: &Files, target: &Target, message: &Message) -> Result<(), Failed> {
    match target {
        Target::File(path) => {
            let lock = files.lock(path);
            let (path, line) = (path.clone(), message.body.clone());
            in_time(async {
                // Waits without a thread, and is held for as long as the thread is.
                let one_by_one = lock.lock_owned().await;
                blocking(move || {
                    let _one_by_one = one_by_one;
                    file::append(&path, &line)
                })
                .await
            })
            .await
        }
        Target::Directory(path) => {
            let path = path.join(file::key(&message.function, message.now));
            let body = message.body.clone();
            in_time(blocking(move || file::create(&path, &body))).await
        }
        Target::Http(uri) => http::post(uri, message).await,
        Target::Function { api, name } => http::invoke(api, name, message).await,
    }
}

/// Waits for a disk, but not for ever: the thread may hang, what is to be told goes on.
async fn in_time(writing: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    match tokio::time::timeout(DISK, writing).await {
        Ok(written) => written,
        Err(_) => Err(Failed::ForNow(format!("not written within {} s", DISK.as_secs()))),
    }
}

/// Does what waits for the disk on a thread of its own.
async fn blocking(
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> Result<(), Failed> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failed::ForNow(error.to_string())),
        Err(error) => Err(Failed::ForNow(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            body: Bytes::from_static(b"{}"),
            function: "f".to_owned(),
            trace_id: HeaderValue::from_static(""),
            now: EpochMillis(0),
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_file_that_hangs_is_given_up_and_holds_no_other_up() {
        let directory = tempfile::tempdir().unwrap();
        let [hangs, other] = ["hangs", "other"].map(|name| directory.path().join(name));
        let (on_success, on_failure) =
            (Some(Target::File(hangs.clone())), Some(Target::File(other.clone())));
        let destinations = Destinations { on_success, on_failure, dead_letter: None };
        let files = Files::of(&destinations);
        // As a thread that never comes back from writing.
        let _hangs = files.lock(&hangs).lock_owned().await;
        deliver(&files, &Target::File(other.clone()), &message()).await.unwrap();
        assert_eq!(std::fs::read_to_string(other).unwrap(), "{}\n");
        let given_up = deliver(&files, &Target::File(hangs), &message()).await;
        assert_eq!(given_up, Err("not written within 10 s".to_owned()));
    }
}
