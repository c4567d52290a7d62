//! A response that is passed on while it comes in.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use rapid_http::{BodyError, next_piece};
use rapid_interop::limits::MAX_STREAMED_RESPONSE_SIZE;
use rapid_interop::ports::{StreamedResponse, Upload};

use crate::throttle::{Bandwidth, Throttle};

/// Passes the pieces of a body on, up to one byte more than a streamed response may have; the rest
/// is read and dropped. Returns what that was, and the trailers.
///
/// # Source
/// Invoke API, "Stream semantics"; Runtime API, "Response modes" and "Bandwidth limiter".
pub(crate) async fn pass_on<B>(
    upload: &mut impl Upload,
    mut body: B,
    bandwidth: Option<Bandwidth>,
) -> Result<(StreamedResponse, HeaderMap), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut throttle = bandwidth.map(Throttle::new);
    let mut trailers = HeaderMap::new();
    let mut produced_bytes = 0;
    while let Some(mut piece) = next_piece(&mut body, None, &mut trailers).await? {
        let room = MAX_STREAMED_RESPONSE_SIZE + 1 - produced_bytes;
        piece.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        while !piece.is_empty() {
            let part = match &mut throttle {
                Some(throttle) => {
                    let part = piece.split_to(piece.len().min(throttle.largest()));
                    throttle.wait(part.len()).await;
                    part
                }
                None => std::mem::take(&mut piece),
            };
            produced_bytes += part.len() as u64;
            upload.pass_on(part).await;
        }
    }
    let time_shaped = throttle.map(|throttle| throttle.shaped()).unwrap_or_default();
    Ok((StreamedResponse { produced_bytes, time_shaped }, trailers))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::Full;
    use rapid_interop::InteropError;
    use rapid_interop::ports::UploadOutcome;
    use tokio::time::Instant;

    use super::*;

    /// Notes when how many bytes were passed on.
    struct Passed(Instant, Vec<(Duration, usize)>);

    impl Upload for Passed {
        async fn pass_on(&mut self, bytes: Bytes) {
            self.1.push((self.0.elapsed(), bytes.len()));
        }

        async fn finish(self, _: UploadOutcome) -> Result<(), InteropError> {
            Ok(())
        }
    }

    async fn passed(size: usize, bandwidth: Option<Bandwidth>) -> (Passed, StreamedResponse) {
        let mut passed = Passed(Instant::now(), Vec::new());
        let body = Full::new(Bytes::from(vec![b'x'; size]));
        let (streamed, _) = pass_on(&mut passed, body, bandwidth).await.unwrap();
        assert_eq!(streamed.produced_bytes, size as u64);
        (passed, streamed)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn without_a_bandwidth_a_piece_stays_one_and_nothing_waits() {
        let (passed, streamed) = passed(100_000_000, None).await;
        assert_eq!(passed.1, [(Duration::ZERO, 100_000_000)]);
        assert_eq!(streamed.time_shaped, Duration::ZERO);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_piece_larger_than_a_burst_is_taken_apart_and_each_part_waits() {
        let bandwidth = Bandwidth::new(65_536, 32_768).unwrap();
        let (passed, streamed) = passed(70_000, Some(bandwidth)).await;
        // A tick brings 8192 bytes.
        let tick = Duration::from_millis(125);
        let rest = 70_000 - 2 * 32_768;
        assert_eq!(passed.1, [(Duration::ZERO, 32_768), (tick * 4, 32_768), (tick * 5, rest)]);
        assert_eq!(streamed.time_shaped, tick * 5);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn the_services_bandwidth_is_a_burst_and_then_two_mebibytes_a_second() {
        const MIB: usize = 1024 * 1024;
        let (passed, streamed) = passed(26 * MIB, Some(Bandwidth::default())).await;
        assert_eq!(passed.1[0], (Duration::ZERO, 6 * MIB));
        assert_eq!(streamed.time_shaped, Duration::from_secs(10));
    }
}
