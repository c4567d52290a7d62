//! [`TraceHeader`]: the tracing header `X-Amzn-Trace-Id`, and how it meets W3C's `traceparent`.
//!
//! Reading is lenient, as the grammar asks for: a root may be any text. Ids that leave the world of
//! headers, for X-Ray or OpenTelemetry, are checked: [`TraceId`] and [`SpanId`].
//!
//! # Source
//! Lifecycle, "Tracing"; Invoke API, "Invoke request"; W3C Trace Context, "traceparent Header".

use std::fmt;

use uuid::Uuid;

/// A tracing header, taken apart. Texts are as they came; an absent one is empty.
///
/// ```
/// use rapid_interop::trace::TraceHeader;
///
/// let text = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
/// let header = TraceHeader::parse(text);
/// assert!(header.is_sampled());
/// assert_eq!(
///     header.traceparent().as_deref(),
///     Some("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")
/// );
/// assert_eq!(header.to_string(), text);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceHeader {
    /// The trace, `1-<8 hex>-<24 hex>` if it is a proper one.
    pub root: Box<str>,
    /// The segment from which the call comes, 16 hexadecimal digits if it is a proper one.
    pub parent: Box<str>,
    /// `1` if the trace is recorded; anything else counts as not.
    pub sampled: Box<str>,
    /// Through which functions the call came.
    pub lineage: Box<str>,
}

impl TraceHeader {
    /// Takes a header apart.
    ///
    /// Pairs with not exactly one `=`, and unknown keys, are left out. Of a key that comes twice
    /// the last one counts.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut header = Self::default();
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if value.contains('=') {
                continue;
            }
            match key {
                "Root" => header.root = value.into(),
                "Parent" => header.parent = value.into(),
                "Sampled" => header.sampled = value.into(),
                "Lineage" => header.lineage = value.into(),
                _ => {}
            }
        }
        header
    }

    /// The header that says the same as W3C's `traceparent`; `None` if that is malformed.
    ///
    /// A later version than `00` may have more fields, which are left out.
    #[must_use]
    pub fn from_traceparent(traceparent: &str) -> Option<Self> {
        let mut fields = traceparent.trim().split('-');
        let (version, trace, parent, flags) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let version = u8::from_hex(version)?;
        if version == 0xFF || (version == 0 && fields.next().is_some()) {
            return None;
        }
        let trace = TraceId(u128::from_hex(trace).filter(|id| *id != 0)?);
        let parent = SpanId(u64::from_hex(parent).filter(|id| *id != 0)?);
        let sampled = u8::from_hex(flags)? & 1 == 1;
        Some(Self {
            root: trace.to_string().into(),
            parent: parent.to_string().into(),
            sampled: if sampled { "1" } else { "0" }.into(),
            lineage: "".into(),
        })
    }

    /// W3C's `traceparent` that says the same; `None` without a proper root and parent.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        let (trace, parent) = (self.trace_id()?, self.parent_id()?);
        Some(format!("00-{:032x}-{parent}-{:02x}", trace.0, u8::from(self.is_sampled())))
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        &*self.sampled == "1"
    }

    /// The trace, if the root is a proper one.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        TraceId::parse(&self.root)
    }

    /// The parent, if it is a proper one.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        SpanId::parse(&self.parent)
    }

    /// The same trace, seen from another segment: what the callee of that segment gets.
    #[must_use]
    pub fn under(&self, parent: SpanId) -> Self {
        Self { parent: parent.to_string().into(), ..self.clone() }
    }
}

impl fmt::Display for TraceHeader {
    /// The header; empty without a root. Without a word on it, the trace is not sampled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.root.is_empty() {
            return Ok(());
        }
        write!(f, "Root={}", self.root)?;
        if !self.parent.is_empty() {
            write!(f, ";Parent={}", self.parent)?;
        }
        write!(f, ";Sampled={}", if self.sampled.is_empty() { "0" } else { &self.sampled })?;
        if !self.lineage.is_empty() {
            write!(f, ";Lineage={}", self.lineage)?;
        }
        Ok(())
    }
}

/// The id of a trace: seconds since the epoch in the upper 32 bits, then 96 random ones.
///
/// Never zero. It is shown as X-Ray writes it, `1-<8 hex>-<24 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// A new id of a trace that begins at so many seconds since the epoch.
    #[must_use]
    pub fn random(epoch_seconds: u64) -> Self {
        let seconds = u128::from(epoch_seconds & 0xFFFF_FFFF);
        Self((seconds << 96 | random_96()).max(1))
    }

    /// Parses an id as X-Ray writes it; hexadecimal digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, unique) = text.strip_prefix("1-")?.split_once('-')?;
        let epoch = u32::from_hex(epoch)?;
        if unique.len() != 24 {
            return None;
        }
        let (upper, lower) = (u32::from_hex(unique.get(..8)?)?, u64::from_hex(unique.get(8..)?)?);
        let id = u128::from(epoch) << 96 | u128::from(upper) << 64 | u128::from(lower);
        (id != 0).then_some(Self(id))
    }

    /// The bytes, the most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1-{:08x}-{:024x}", self.0 >> 96, self.0 & ((1 << 96) - 1))
    }
}

/// The id of a segment or span: 64 random bits, never zero, shown as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

impl SpanId {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        let (_, lower) = Uuid::from_u128(random_96()).as_u64_pair();
        Self(lower.max(1))
    }

    /// Parses 16 hexadecimal digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_hex(text).filter(|id| *id != 0).map(Self)
    }

    /// The bytes, the most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A header for an invocation that came without one: a new trace, begun at so many seconds since
/// the epoch, that is not sampled, with a new segment and a new lineage:
/// `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0;Lineage=1:<8 hex>:0`.
///
/// # Source
/// Invoke API, "Invoke request".
#[must_use]
pub fn new_header(epoch_seconds: u64) -> String {
    // Put together without `format!`, which takes several times as long: nearly every invocation
    // gets one. The UUIDs are none; they only write digits quickly.
    let (mut root, mut other) = ([0; 32], [0; 32]);
    let root = Uuid::from_u128(TraceId::random(epoch_seconds).0).simple().encode_lower(&mut root);
    let other = Uuid::from_u128(random_96().max(1 << 32)).simple().encode_lower(&mut other);
    let mut text = String::with_capacity(NEW_HEADER);
    for piece in [
        "Root=1-",
        &root[..8],
        "-",
        &root[8..],
        ";Parent=",
        &other[8..24],
        ";Sampled=0;Lineage=1:",
        &other[24..],
        ":0",
    ] {
        text.push_str(piece);
    }
    text
}

/// How long [`new_header`]'s are.
const NEW_HEADER: usize = 95;

/// 96 random bits, of which none is always the same as it is with a UUID's version and variant.
fn random_96() -> u128 {
    let uuid = Uuid::new_v4().as_u128();
    uuid >> 80 << 48 | uuid & ((1 << 48) - 1)
}

/// Numbers written with all their hexadecimal digits, and nothing else.
trait FromHex: Sized {
    fn from_hex(text: &str) -> Option<Self>;
}

macro_rules! from_hex {
    ($($number:ty),*) => {$(
        impl FromHex for $number {
            fn from_hex(text: &str) -> Option<Self> {
                let digits = size_of::<Self>() * 2;
                // The standard library would also take a sign.
                (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    .then(|| Self::from_str_radix(text, 16).ok())
                    .flatten()
            }
        }
    )*};
}
from_hex!(u8, u32, u64, u128);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
    const PARENT: &str = "53995c3f42cd8ad8";

    fn header(root: &str, parent: &str, sampled: &str, lineage: &str) -> TraceHeader {
        TraceHeader {
            root: root.into(),
            parent: parent.into(),
            sampled: sampled.into(),
            lineage: lineage.into(),
        }
    }

    #[test]
    fn headers_are_taken_apart_as_the_grammar_says() {
        let rows = [
            ("", header("", "", "", "")),
            (
                "Root=r;Parent=p;Sampled=1;Lineage=1:0399f0f7:0",
                header("r", "p", "1", "1:0399f0f7:0"),
            ),
            ("Lineage=l;Sampled=0;Parent=p;Root=r", header("r", "p", "0", "l")),
            ("Root=r; Sampled=1", header("r", "", "1", "")),
            ("Root=a=b;Parent;Sampled=1;=;;Self=x;Sampled", header("", "", "1", "")),
            ("root=r;PARENT=p", header("", "", "", "")),
            ("Root=first;Root=second", header("second", "", "", "")),
            ("Root=", header("", "", "", "")),
        ];
        for (text, expected) in rows {
            assert_eq!(TraceHeader::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_header_is_built_from_what_there_is() {
        let rows = [
            (header("", "p", "1", "l"), ""),
            (header("r", "", "", ""), "Root=r;Sampled=0"),
            (header("r", "p", "", ""), "Root=r;Parent=p;Sampled=0"),
            (header("r", "p", "1", ""), "Root=r;Parent=p;Sampled=1"),
            (header("r", "p", "?", "l"), "Root=r;Parent=p;Sampled=?;Lineage=l"),
        ];
        for (header, expected) in rows {
            assert_eq!(header.to_string(), expected);
        }
    }

    #[test]
    fn only_a_one_is_sampled() {
        for (sampled, expected) in [("1", true), ("0", false), ("", false), ("?", false)] {
            assert_eq!(header("r", "p", sampled, "").is_sampled(), expected, "{sampled}");
        }
    }

    #[test]
    fn a_new_header_has_the_form_of_the_service() {
        let text = new_header(0x5759_E988);
        assert_eq!((text.len(), text.capacity()), (NEW_HEADER, NEW_HEADER));
        assert!(text.starts_with("Root=1-5759e988-"), "{text}");
        let made = TraceHeader::parse(&text);
        assert!(made.trace_id().is_some() && made.parent_id().is_some(), "{text}");
        let lineage = made.lineage.strip_prefix("1:").and_then(|rest| rest.strip_suffix(":0"));
        assert!(lineage.and_then(u32::from_hex).is_some(), "{text}");
        assert_eq!(&*made.sampled, "0");
        assert_eq!(made.to_string(), text);
        let other = TraceHeader::parse(&new_header(0x5759_E988));
        assert!(made.root != other.root && made.parent != other.parent);
        assert_ne!(made.lineage, other.lineage);
    }

    #[test]
    fn every_random_bit_of_new_ids_is_now_one_and_now_the_other() {
        let (mut ones, mut zeros, mut spans, mut no_spans) = (0, 0, 0, 0);
        for _ in 0..256 {
            let (trace, span) = (TraceId::random(0).0, SpanId::random().0);
            (ones, zeros) = (ones | trace, zeros | !trace);
            (spans, no_spans) = (spans | span, no_spans | !span);
        }
        assert_eq!((ones, zeros), ((1 << 96) - 1, u128::MAX));
        assert_eq!((spans, no_spans), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_callee_sees_the_calling_segment_and_the_same_trace() {
        let header = header(ROOT, PARENT, "1", "l").under(SpanId(0xABC));
        assert_eq!(
            header.to_string(),
            format!("Root={ROOT};Parent=0000000000000abc;Sampled=1;Lineage=l")
        );
    }

    #[test]
    fn ids_that_are_not_proper_are_none() {
        for root in [
            "",
            "r",
            "2-5759e988-bd862e3fe1be46a994272793",
            "1-5759e988-bd862e3fe1be46a99427279",
            "1-5759e988-bd862e3fe1be46a9942727933",
            "1-5759e98-8bd862e3fe1be46a994272793",
            "1-5759e988-bd862e3fe1be46a99427279g",
            "1-5759e988-+d862e3fe1be46a994272793",
            "1-5759e988-bd862e3éf1be46a994272793",
            "1-00000000-000000000000000000000000",
            "5759e988bd862e3fe1be46a994272793",
        ] {
            assert_eq!(TraceId::parse(root), None, "{root}");
        }
        for parent in ["", "53995c3f42cd8ad", "53995c3f42cd8ad88", "0000000000000000", "Invocation"]
        {
            assert_eq!(SpanId::parse(parent), None, "{parent}");
        }
    }

    #[test]
    fn headers_and_traceparents_say_the_same() {
        let traceparent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        let made = TraceHeader::from_traceparent(traceparent).unwrap();
        assert_eq!(made, header(ROOT, PARENT, "1", ""));
        assert_eq!(made.traceparent().as_deref(), Some(traceparent));
        let unsampled = header(ROOT, PARENT, "?", "l").traceparent().unwrap();
        assert_eq!(unsampled, "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00");
        assert_eq!(header(ROOT, "", "1", "").traceparent(), None);
        assert_eq!(header("r", PARENT, "1", "").traceparent(), None);
    }

    #[test]
    fn traceparents_are_read_as_w3c_says() {
        let read = TraceHeader::from_traceparent;
        let sampled = |text: &str| read(text).map(|header| header.is_sampled());
        const IDS: &str = "5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8";
        assert_eq!(sampled(&format!("00-{IDS}-00")), Some(false));
        assert_eq!(sampled(&format!("00-{IDS}-03")), Some(true));
        assert_eq!(sampled(&format!("cc-{IDS}-01-what-the-future-brings")), Some(true));
        for malformed in [
            String::new(),
            "00".into(),
            format!("00-{IDS}"),
            format!("00-{IDS}-1"),
            format!("00-{IDS}-01-more"),
            format!("ff-{IDS}-01"),
            format!("0-{IDS}-01"),
            "00-00000000000000000000000000000000-53995c3f42cd8ad8-01".into(),
            "00-5759e988bd862e3fe1be46a994272793-0000000000000000-01".into(),
            "00-5759e988bd862e3fe1be46a99427279-53995c3f42cd8ad8-01".into(),
        ] {
            assert_eq!(read(&malformed), None, "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_fail(text in ".{0,200}") {
            let header = TraceHeader::parse(&text);
            prop_assert_eq!(TraceHeader::parse(&header.to_string()).root, header.root);
            let _ = (TraceId::parse(&text), SpanId::parse(&text), TraceHeader::from_traceparent(&text));
        }

        #[test]
        fn ids_read_back_as_they_were_written(trace in 1_u128.., span in 1_u64..) {
            let (trace, span) = (TraceId(trace), SpanId(span));
            prop_assert_eq!(TraceId::parse(&trace.to_string()), Some(trace));
            prop_assert_eq!(SpanId::parse(&span.to_string()), Some(span));
        }
    }
}
