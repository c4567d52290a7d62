//! What the port does for extensions.

use rapid_interop::extension::{
    ExtensionErrorReport, ExtensionPort, ExtensionRefusal, NextExtensionEvent, Registered,
    Registration, StateConflict,
};
use rapid_interop::ports::RuntimePort as _;
use rapid_interop::{ExtensionId, Generation};

use crate::port::{FakePort, FakeReceipt, Told};

/// The id that every extension gets.
pub(crate) const ID: ExtensionId = ExtensionId::from_u128(0x85083764_ff1e_476f_ada1_d51f26e4f6be);

impl FakePort {
    pub(crate) fn refusing_extensions(refusal: ExtensionRefusal) -> Self {
        Self::with(|script| script.extension_refusal = Some(refusal))
    }

    fn permitted_extension(&self) -> Result<(), ExtensionRefusal> {
        self.script().extension_refusal.map_or(Ok(()), Err)
    }
}

impl ExtensionPort for FakePort {
    type EventReceipt = FakeReceipt;

    fn extensions_enabled(&self) -> bool {
        self.script().extensions_enabled
    }

    async fn register(
        &self,
        generation: Generation,
        registration: Registration,
    ) -> Result<Registered, ExtensionRefusal> {
        let Registration { name, events } = registration;
        self.note(format!("register '{name}' for [{}] in {generation}", events.join(" ")));
        self.permitted_extension()?;
        Ok(Registered { id: ID, function: self.script().function })
    }

    async fn next_event(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<NextExtensionEvent<FakeReceipt>, ExtensionRefusal> {
        self.note(format!("next event of {id} in {generation}"));
        self.permitted_extension()?;
        if let Some(event) = self.script().extension_event {
            let receipt = FakeReceipt(Told::new(self, "receipt dropped"));
            return Ok(NextExtensionEvent { event, receipt });
        }
        let mut told = Told::new(self, "un-parked");
        self.ended(generation).await;
        told.keep_quiet();
        Err(ExtensionRefusal::InvalidState {
            from: "Ready",
            to: "Ready",
            extension: id.to_string().into(),
            why: StateConflict::Concurrent,
        })
    }

    async fn extension_error(
        &self,
        generation: Generation,
        id: ExtensionId,
        report: ExtensionErrorReport,
    ) -> Result<(), ExtensionRefusal> {
        let ExtensionErrorReport { kind, error_type } = report;
        self.note(format!("{kind:?} error of {id} in {generation}: {error_type}"));
        self.permitted_extension()
    }

    async fn extension_name(
        &self,
        generation: Generation,
        id: ExtensionId,
    ) -> Result<Box<str>, ExtensionRefusal> {
        self.note(format!("name of {id} in {generation}"));
        self.permitted_extension()?;
        Ok("probe.sh".into())
    }
}
