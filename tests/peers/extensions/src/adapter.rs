//! The AWS Lambda Web Adapter, as its own binary puts it together.
//!
//! Word for word what the package's `main` does: built from here it has its versions from this
//! package's lock file, and shares most of what it needs with the extension beside it.

use lambda_web_adapter::{Adapter, AdapterOptions, Error, tracing};

fn main() -> Result<(), Error> {
    // Before there are threads, because it may set a variable.
    Adapter::apply_runtime_proxy_config();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let mut adapter = Adapter::new(&AdapterOptions::default())?;
    adapter.register_default_extension();
    adapter.check_init_health().await;
    adapter.run().await?;
    Ok(())
}
