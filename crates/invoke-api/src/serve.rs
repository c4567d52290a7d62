//! [`serve`]: the Invoke API on a listener.

use std::future::Future;
use std::time::Duration;

use rapid_http::Limits;
use rapid_interop::ports::InvokePort;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::routes::{self, Api, router};
use crate::settings::Settings;

/// The service takes request lines and headers of up to 1 MB; whoever stays silent for longer than
/// a minute, or does not read an answer for as long, connects again.
const LIMITS: Limits = Limits {
    head: 1024 * 1024,
    head_timeout: Some(Duration::from_secs(60)),
    write_stall: Some(Duration::from_secs(60)),
};

/// Serves the Invoke API over a port until `stop` is cancelled; invocations that run may then finish until `cut` resolves.
///
/// # Cancel safety
/// Dropping the future stops accepting; open connections go on in their tasks.
pub async fn serve<P: InvokePort>(
    listener: TcpListener,
    port: P,
    settings: Settings,
    stop: CancellationToken,
    cut: impl Future<Output = ()> + Send,
) {
    let router = router(port.clone(), settings.clone());
    let api = Api::new(port, settings);
    rapid_http::serve(listener, LIMITS, stop, cut, move |_| {
        let (api, router) = (api.clone(), router.clone());
        let service = rapid_http::service_fn(move |request: http::Request<_>| {
            routes::answer(api.clone(), router.clone(), request)
        });
        (service, std::future::pending())
    })
    .await;
}
