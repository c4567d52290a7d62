//! [`FirstFatalError`]: one slot a generation, and the first writer wins.

use crate::ErrorType;

/// The fatal error of one generation: once recorded it stays until the slot is dropped or taken.
///
/// # Source
/// Lifecycle, "First fatal error".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FirstFatalError(Option<ErrorType>);

impl FirstFatalError {
    /// Records `error` unless an earlier one is there, and returns the one that counts.
    pub fn record(&mut self, error: ErrorType) -> &ErrorType {
        self.0.get_or_insert(error)
    }

    /// The error that counts, if any was recorded.
    #[must_use]
    pub fn get(&self) -> Option<&ErrorType> {
        self.0.as_ref()
    }

    /// Empties the slot, for the shutdown procedure and for the next generation.
    pub fn take(&mut self) -> Option<ErrorType> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_wins_until_the_slot_is_emptied() {
        let mut slot = FirstFatalError::default();
        assert_eq!(slot.get(), None);
        assert_eq!(slot.record(ErrorType::RuntimeExitError), &ErrorType::RuntimeExitError);
        assert_eq!(slot.record(ErrorType::ExtensionCrash), &ErrorType::RuntimeExitError);
        assert_eq!(slot.take(), Some(ErrorType::RuntimeExitError));
        assert_eq!(slot.record(ErrorType::ExtensionCrash), &ErrorType::ExtensionCrash);
    }
}
