//! [`serve`]: the Runtime API and the Extensions API on a listener, each connection bound to its
//! generation.

use std::future::Future;
use std::sync::Arc;

use rapid_http::Limits;
use rapid_interop::extension::ExtensionPort;
use rapid_interop::ports::{RuntimePort, TelemetryPort};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::routes::{self, Api};
use crate::settings::Settings;

/// Error causes of nearly 1 MiB come in a header, so heads may be larger than that. No timeouts:
/// runtimes and extensions may hold a connection for as long as the function computes.
const LIMITS: Limits = Limits { head: 2 * 1024 * 1024, head_timeout: None, write_stall: None };

/// Serves what [`crate::router`] does until `stop` is cancelled; connections may then finish until
/// `cut` resolves.
///
/// A connection belongs to the generation in which it was accepted, and is cut when that ends.
/// `listener` should be bound to loopback: whoever reaches it is taken for the runtime, and may
/// register as an extension.
///
/// # Cancel safety
/// Dropping the future stops accepting; open connections go on in their tasks.
pub async fn serve<P: RuntimePort + ExtensionPort>(
    listener: TcpListener,
    port: P,
    settings: impl Into<Settings>,
    telemetry: Option<Arc<dyn TelemetryPort>>,
    stop: CancellationToken,
    cut: impl Future<Output = ()> + Send,
) {
    let api = Api::new(port.clone(), settings.into());
    let router = routes::all(&api, telemetry);
    rapid_http::serve(listener, LIMITS, stop, cut, move |_| {
        let generation = port.generation();
        let (api, router) = (api.clone(), router.clone());
        let service = rapid_http::service_fn(move |request: http::Request<_>| {
            routes::answer(api.clone(), router.clone(), generation, request)
        });
        let port = port.clone();
        (service, async move { port.ended(generation).await })
    })
    .await;
}
