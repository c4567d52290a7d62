//! [`serve`]: the Invoke API on a listener.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use rapid_http::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The service takes request lines and headers of up to 1 MB; whoever stays silent for longer than
/// a minute, or does not read an answer for as long, connects again.
const LIMITS: Limits = Limits {
    head: 1024 * 1024,
    head_timeout: Some(Duration::from_secs(60)),
    write_stall: Some(Duration::from_secs(60)),
};

/// Serves the Invoke API until `stop` is cancelled; invocations that run may then finish
/// until `cut` resolves.
///
/// # Cancel safety
/// Dropping the future stops accepting; open connections go on in their tasks.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    cut: impl Future<Output = ()> + Send,
) {
    rapid_http::serve(listener, LIMITS, stop, cut, move || {
        let router = router.clone();
        let service = tower::service_fn(move |request: http::Request<_>| {
            tower::ServiceExt::oneshot(router.clone(), request)
        });
        (service, std::future::pending())
    })
    .await;
}
