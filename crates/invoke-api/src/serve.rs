//! [`serve`]: the Invoke API on a listener.

use std::future::Future;
use std::time::Duration;

use rapid_http::Limits;
use rapid_interop::ports::InvokePort;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::function::FunctionIdentity;
use crate::persona::Persona;
use crate::routes::{self, Api};

/// The service takes request lines and headers of up to 1 MB; whoever stays silent for longer than
/// a minute, or does not read an answer for as long, connects again.
const LIMITS: Limits = Limits {
    head: 1024 * 1024,
    head_timeout: Some(Duration::from_secs(60)),
    write_stall: Some(Duration::from_secs(60)),
};

/// Serves the Invoke API over a port, in the manner of `persona`, until `stop` is cancelled;
/// invocations that run may then finish until `cut` resolves.
///
/// # Cancel safety
/// Dropping the future stops accepting; open connections go on in their tasks.
pub async fn serve<P: InvokePort>(
    listener: TcpListener,
    port: P,
    persona: Persona,
    function: FunctionIdentity,
    stop: CancellationToken,
    cut: impl Future<Output = ()> + Send,
) {
    let api = Api::new(port, persona, function);
    let router = routes::all(api.clone());
    rapid_http::serve(listener, LIMITS, stop, cut, move || {
        let (api, router) = (api.clone(), router.clone());
        let service = rapid_http::service_fn(move |request: http::Request<_>| {
            routes::answer(api.clone(), router.clone(), request)
        });
        (service, std::future::pending())
    })
    .await;
}
