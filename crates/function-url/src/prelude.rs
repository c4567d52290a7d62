//! [`PreludeReader`]: finds the end of a response's prelude, however it is cut into pieces.

use bytes::{Bytes, BytesMut};

use crate::head::Unusable;

/// A prelude ends with as many NUL bytes. JSON has none, so the first ones are the delimiter.
const DELIMITER: usize = 8;

/// The longest prelude, in bytes, without its delimiter.
pub(crate) const MAX_PRELUDE: usize = 1024 * 1024;

/// Takes in the beginning of a response piece by piece.
///
/// # Source
/// Invoke API, "HTTP integration response".
#[derive(Debug, Default)]
pub(crate) struct PreludeReader {
    seen: BytesMut,
    /// With how many NUL bytes `seen` ends.
    nuls: usize,
}

/// A prelude, and what has come of the body so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prelude {
    pub(crate) json: Bytes,
    pub(crate) body: Bytes,
}

impl PreludeReader {
    /// Takes the next piece in; with the one that completes the delimiter the prelude is there.
    /// Bytes of the body are not copied.
    ///
    /// # Errors
    /// [`Unusable::PreludeTooLong`] as soon as the prelude has more than [`MAX_PRELUDE`] bytes.
    pub(crate) fn push(&mut self, mut piece: Bytes) -> Result<Option<Prelude>, Unusable> {
        for (at, byte) in piece.iter().enumerate() {
            self.nuls = if *byte == 0 { self.nuls + 1 } else { 0 };
            if self.nuls == DELIMITER {
                let body = piece.split_off(at + 1);
                self.keep(&piece)?;
                self.seen.truncate(self.seen.len() - DELIMITER);
                let json = std::mem::take(&mut self.seen).freeze();
                return Ok(Some(Prelude { json, body }));
            }
        }
        self.keep(&piece)?;
        Ok(None)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Unusable> {
        if self.seen.len() + piece.len() - self.nuls > MAX_PRELUDE {
            return Err(Unusable::PreludeTooLong);
        }
        self.seen.extend_from_slice(piece);
        Ok(())
    }

    /// Everything that came, when the response has ended without a delimiter.
    pub(crate) fn finish(self) -> Bytes {
        self.seen.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &[u8] = b"{\"statusCode\":201}\0\0\0\0\0\0\0\0\0<html>\0";

    fn prelude(json: &'static str, body: &'static [u8]) -> Prelude {
        Prelude { json: Bytes::from_static(json.as_bytes()), body: Bytes::from_static(body) }
    }

    /// Pushes the pieces; what has come of the body is everything from there on.
    fn read(pieces: &[&[u8]]) -> Result<Option<Prelude>, Unusable> {
        let mut reader = PreludeReader::default();
        let mut pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece));
        while let Some(piece) = pieces.next() {
            if let Some(Prelude { json, body }) = reader.push(piece)? {
                let rest: Vec<Bytes> = pieces.collect();
                let body = Bytes::from([body, rest.concat().into()].concat());
                return Ok(Some(Prelude { json, body }));
            }
        }
        Ok(None)
    }

    #[test]
    fn the_first_eight_nuls_are_the_delimiter_wherever_it_is_cut() {
        let expected = || Ok(Some(prelude("{\"statusCode\":201}", b"\0<html>\0")));
        assert_eq!(read(&[WHOLE]), expected());
        for first in 0..=WHOLE.len() {
            for second in first..=WHOLE.len() {
                let pieces = [&WHOLE[..first], &WHOLE[first..second], &WHOLE[second..]];
                assert_eq!(read(&pieces), expected(), "{first} {second}");
            }
        }
        let bytes: Vec<&[u8]> = WHOLE.chunks(1).collect();
        assert_eq!(read(&bytes), expected());
    }

    #[test]
    fn the_delimiter_may_come_alone_and_be_the_end() {
        assert_eq!(read(&[b"{}", &[0; 8]]), Ok(Some(prelude("{}", b""))));
        assert_eq!(read(&[&[0; 8]]), Ok(Some(prelude("", b""))));
        assert_eq!(read(&[&[0; 20]]), Ok(Some(prelude("", &[0; 12]))));
    }

    #[test]
    fn fewer_nuls_are_no_delimiter() {
        let mut reader = PreludeReader::default();
        for piece in [&b"{}\0\0\0\0\0\0\0"[..], b"x\0\0\0\0", b"\0\0\0", b""] {
            assert_eq!(reader.push(Bytes::copy_from_slice(piece)), Ok(None));
        }
        assert_eq!(reader.finish(), &b"{}\0\0\0\0\0\0\0x\0\0\0\0\0\0\0"[..]);
        assert_eq!(PreludeReader::default().finish(), "");
    }

    #[test]
    fn the_body_is_not_copied() {
        let whole = Bytes::from_static(WHOLE);
        let found = PreludeReader::default().push(whole.clone()).unwrap().unwrap();
        assert_eq!(found.body.as_ptr(), whole[26..].as_ptr());
    }

    #[test]
    fn a_mebibyte_is_the_limit_with_and_without_a_delimiter() {
        let most = vec![b' '; MAX_PRELUDE];
        let found = read(&[&most, &[0; 8], b"body"]).unwrap().unwrap();
        assert_eq!((found.json.len(), &found.body[..]), (MAX_PRELUDE, &b"body"[..]));
        let whole = [&most[..], &[0; 8], b"body"].concat();
        assert_eq!(read(&[&whole]).unwrap().unwrap().json.len(), MAX_PRELUDE);
        for pieces in [
            [&most[..], b" ", &[0; 8]],
            [b" ", &most, &[0; 8]],
            [&[0; 1], &most, &[0; 8]],
            [&most, &[0; 7], b" "],
        ] {
            assert_eq!(read(&pieces), Err(Unusable::PreludeTooLong));
        }
        let whole = [b" ", &most[..], &[0; 8]].concat();
        assert_eq!(read(&[&whole]), Err(Unusable::PreludeTooLong));
    }

    proptest! {
        #[test]
        fn what_comes_in_pieces_is_what_comes_at_once(
            text in proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 0..60),
            sizes in proptest::collection::vec(1usize..9, 60),
        ) {
            let mut pieces = Vec::new();
            let mut rest = &text[..];
            for size in sizes {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(read(&pieces), read(&[&text]));
        }
    }
}
