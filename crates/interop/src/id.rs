//! Identifiers, parsed once at the edge and cheap to clone ever after.

use std::fmt;

use http::HeaderValue;

/// The id of one invocation: what `Lambda-Runtime-Aws-Request-Id` carries and paths name.
///
/// 1 to 128 letters, digits, `-`, `_` or `.`; a UUID unless the invoker chose another form. A
/// clone is a counter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The longest id accepted, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Parses an id, or `None` when it is empty, too long or has a character that is not allowed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return None;
        }
        HeaderValue::from_str(text).ok().map(Self)
    }

    /// The nil UUID, for when there is no better id.
    #[must_use]
    pub const fn nil() -> Self {
        Self(HeaderValue::from_static("00000000-0000-0000-0000-000000000000"))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only visible ASCII gets past `parse`.
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a header value, shared and not copied.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl PartialEq<str> for RequestId {
    fn eq(&self, other: &str) -> bool {
        self.0.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_str())
    }
}

/// The tenant on whose behalf an invocation runs.
///
/// 1 to 256 characters of `[a-zA-Z0-9._:/=+\-@ ]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TenantId(HeaderValue);

impl TenantId {
    /// The longest tenant id, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Parses a tenant id, or `None` when it is empty, too long or has a forbidden character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&b);
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return None;
        }
        HeaderValue::from_str(text).ok().map(Self)
    }

    /// The tenant id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only visible ASCII gets past `parse`.
        self.0.to_str().unwrap_or_default()
    }

    /// The tenant id as a header value, shared and not copied.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.as_str())
    }
}

/// Counts the lives of an execution environment: everything between two initialisations.
///
/// Processes, connections and parked calls belong to one generation and never outlive it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// The first generation.
    pub const FIRST: Self = Self(1);

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_bounded_and_fit_paths_and_headers() {
        assert!(RequestId::parse("6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11").is_some());
        for bad in ["", "a b", "a/b", "a\r\nb", "ä", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_none(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn tenant_ids_follow_the_pattern_of_the_invoke_api() {
        assert_eq!(TenantId::parse("acme corp/eu:1").map(|t| t.as_str().len()), Some(14));
        for bad in ["", "tenant!", "ü", &"x".repeat(257)] {
            assert!(TenantId::parse(bad).is_none(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn generations_count_up() {
        assert!(Generation::FIRST.next() > Generation::FIRST);
        assert_eq!(Generation::FIRST.next().to_string(), "2");
    }
}
