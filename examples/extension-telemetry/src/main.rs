//! Ships what the function writes, and what the platform tells of it, as lines of JSON: to the URL
//! in `SHIP_TO`, to the file that it names, or without it to standard output.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;
use std::{env, mem};

use rapid_extension::telemetry::{
    Category, Destination, Received, Schema, Subscribed, Subscription,
};
use rapid_extension::{BoxError, Event, Handler, run};

/// Always the same one: the platform remembers it when the extension is started again.
const PORT: u16 = 4243;

/// How much is kept while it cannot be shipped, in bytes.
const MAX_KEPT: usize = 4 * 1024 * 1024;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Stdout,
    File(String),
    Http(String),
}

struct Shipper {
    port: u16,
    to: Place,
    /// Lines that have not been shipped yet.
    kept: Vec<u8>,
}

impl Place {
    /// What `SHIP_TO` names.
    fn parse(to: Option<String>) -> Result<Self, String> {
        match to {
            None => Ok(Self::Stdout),
            Some(url) if url.starts_with("http://") => Ok(Self::Http(url)),
            Some(url) if has_scheme(&url) => Err(format!(
                "SHIP_TO={url}: only http:// is known here; have something on this machine pass \
                 it on, or name a file"
            )),
            Some(file) => Ok(Self::File(file)),
        }
    }
}

fn has_scheme(text: &str) -> bool {
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(of_scheme))
}

impl Handler for Shipper {
    type Error = BoxError;

    fn subscription(&self) -> Option<Subscription> {
        // Not what extensions write: this one's own lines would come back to it.
        let types = [Category::Platform, Category::Function];
        let subscription = Subscription::new(&types, Destination::http(self.port));
        // An invocation is over when its lines are shipped, and not some time afterwards, when the
        // environment may be frozen.
        Some(subscription.wait_for_runtime_done())
    }

    fn subscribed(&mut self, answer: Subscribed) {
        if answer == Subscribed::NotSupported {
            eprintln!("shipper: there is no telemetry here, and nothing to ship");
        }
    }

    async fn telemetry(&mut self, events: Vec<Received>) -> Result<(), BoxError> {
        for event in events {
            // Types that are newer than this program are left out.
            let Received::Known(event) = event else { continue };
            if event.encode_into(Schema::LATEST, &mut self.kept) {
                self.kept.push(b'\n');
            }
        }
        self.ship().await;
        Ok(())
    }

    async fn invoke(&mut self, _: Event) -> Result<(), BoxError> {
        Ok(())
    }

    async fn shutdown(&mut self, _: Event) -> Result<(), BoxError> {
        self.ship().await;
        match self.kept.len() {
            0 => Ok(()),
            bytes => Err(format!("{bytes} bytes could not be shipped").into()),
        }
    }
}

impl Shipper {
    /// Ships what there is. What cannot be shipped is kept for the next time: a log that is late is
    /// no reason to end the function.
    async fn ship(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        let (to, lines) = (self.to.clone(), mem::take(&mut self.kept));
        let shipped = tokio::task::spawn_blocking(move || match send(&to, &lines) {
            Ok(()) => Ok(()),
            Err(error) => Err((error, lines)),
        });
        match shipped.await {
            Ok(Ok(())) => {}
            Ok(Err((error, lines))) if lines.len() <= MAX_KEPT => {
                eprintln!("shipper: kept for later: {error}");
                self.kept = lines;
            }
            Ok(Err((error, lines))) => {
                eprintln!("shipper: dropped {} bytes: {error}", lines.len());
            }
            Err(error) => eprintln!("shipper: {error}"),
        }
    }
}

fn send(to: &Place, lines: &[u8]) -> Result<(), BoxError> {
    match to {
        Place::Http(url) => {
            let request = ureq::post(url).config().timeout_global(Some(Duration::from_secs(1)));
            request.build().content_type("application/x-ndjson").send(lines)?;
        }
        Place::File(file) => {
            OpenOptions::new().create(true).append(true).open(file)?.write_all(lines)?;
        }
        Place::Stdout => std::io::stdout().write_all(lines)?,
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let port = env::var("SHIPPER_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(PORT);
    let to = match Place::parse(env::var("SHIP_TO").ok()) {
        Ok(to) => to,
        Err(error) => {
            eprintln!("shipper: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    match run(Shipper { port, to, kept: Vec::new() }, &[]).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shipper: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_known_is_refused() {
        let parse = |to: &str| Place::parse(Some(to.to_owned()));
        assert_eq!(Place::parse(None), Ok(Place::Stdout));
        assert_eq!(parse("http://a/b"), Ok(Place::Http("http://a/b".to_owned())));
        for path in ["/tmp/log", "log", "/tmp/a://b"] {
            assert_eq!(parse(path), Ok(Place::File(path.to_owned())));
        }
        for url in ["https://a/b", "s3://a/b", "HTTP://a"] {
            assert!(parse(url).is_err_and(|error| error.contains(url)));
        }
    }
}
