//! [`Settings`]: what the APIs are told besides the ports.

use crate::metadata::Metadata;
use crate::throttle::Bandwidth;

/// What the APIs are told besides the ports; made of [`Metadata`], the rest is as it is by default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the metadata route tells.
    pub metadata: Metadata,
    /// How fast streamed responses are passed on; `None`, the default, is as fast as they come.
    pub stream_bandwidth: Option<Bandwidth>,
}

impl From<Metadata> for Settings {
    fn from(metadata: Metadata) -> Self {
        Self { metadata, stream_bandwidth: None }
    }
}
