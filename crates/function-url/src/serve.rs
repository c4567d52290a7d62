//! [`serve`]: a function's URL on a listener.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rapid_http::Limits;
use rapid_interop::ports::InvokePort;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::service::{Site, answer};
use crate::url::FunctionUrl;

/// As the Invoke API's: heads of up to 1 MB, and a minute for whoever stays silent or does not read.
const LIMITS: Limits = Limits {
    head: 1024 * 1024,
    head_timeout: Some(Duration::from_secs(60)),
    write_stall: Some(Duration::from_secs(60)),
};

/// Serves a function's URL over a port until `stop` is cancelled; requests that run may then finish
/// until `cut` resolves.
///
/// `listener` is bound where the operator wants it: whoever reaches it may run the function.
///
/// # Cancel safety
/// Dropping the future stops accepting; open connections go on in their tasks.
pub async fn serve<P: InvokePort>(
    listener: TcpListener,
    port: P,
    url: FunctionUrl,
    stop: CancellationToken,
    cut: impl Future<Output = ()> + Send,
) {
    let site = Site::new(port, url);
    rapid_http::serve(listener, LIMITS, stop, cut, move |client: SocketAddr| {
        let site = Arc::clone(&site);
        let service = rapid_http::service_fn(move |mut request: http::Request<_>| {
            request.extensions_mut().insert(client);
            answer(Arc::clone(&site), request)
        });
        (service, std::future::pending())
    })
    .await;
}
