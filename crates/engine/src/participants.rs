//! [`Participants`]: the processes of a generation.

use std::path::PathBuf;

use rapid_interop::process::Process;
use rapid_interop::{ExtensionId, Generation};
use rapid_lifecycle::Participant;

/// The processes of a generation, as far as they were started.
#[derive(Debug)]
pub(crate) struct Participants<P> {
    pub(crate) runtime: Option<P>,
    pub(crate) extensions: Vec<ExtensionProcess<P>>,
}

/// An external extension.
#[derive(Debug)]
pub(crate) struct ExtensionProcess<P> {
    pub(crate) id: ExtensionId,
    pub(crate) name: Box<str>,
    pub(crate) path: PathBuf,
    /// Once it was started.
    pub(crate) process: Option<P>,
}

impl<P> Default for Participants<P> {
    fn default() -> Self {
        Self { runtime: None, extensions: Vec::new() }
    }
}

impl<P: Process> Participants<P> {
    /// The file of an extension.
    pub(crate) fn extension(&self, id: ExtensionId) -> Option<&ExtensionProcess<P>> {
        self.extensions.iter().find(|extension| extension.id == id)
    }

    /// The process of a participant, if it was started.
    pub(crate) fn process(&self, participant: Participant) -> Option<&P> {
        match participant {
            Participant::Runtime => self.runtime.as_ref(),
            Participant::Extension(id) => self.extension(id)?.process.as_ref(),
        }
    }

    /// Remembers a process that was started.
    pub(crate) fn started(&mut self, participant: Participant, process: P) {
        match participant {
            Participant::Runtime => self.runtime = Some(process),
            Participant::Extension(id) => {
                if let Some(found) = self.extensions.iter_mut().find(|found| found.id == id) {
                    found.process = Some(process);
                }
            }
        }
    }

    /// What to call a participant in a message: `the runtime`, `the extension agent`.
    pub(crate) fn describe(&self, participant: Participant) -> String {
        match participant {
            Participant::Runtime => "the runtime".to_owned(),
            Participant::Extension(id) => match self.extension(id) {
                Some(extension) => format!("the extension {}", extension.name),
                None => format!("the extension {id}"),
            },
        }
    }

    /// The name of a participant's process: `runtime-1`, `extension-agent-1`.
    pub(crate) fn process_name(&self, participant: Participant, generation: Generation) -> String {
        match participant {
            Participant::Runtime => format!("runtime-{generation}"),
            Participant::Extension(id) => {
                let name = self.extension(id).map_or("", |extension| &*extension.name);
                format!("extension-{name}-{generation}")
            }
        }
    }

    /// Passes on what all of them have written so far.
    pub(crate) fn drain_output(&self) {
        self.all().for_each(Process::drain_output);
    }

    /// The peak of memory over all of them, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.all().map(Process::peak_memory).sum()
    }

    fn all(&self) -> impl Iterator<Item = &P> {
        let extensions = self.extensions.iter().filter_map(|extension| extension.process.as_ref());
        self.runtime.iter().chain(extensions)
    }
}
