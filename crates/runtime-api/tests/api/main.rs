//! The Runtime API and the Extensions API over a port that is only played: as a router, and on real sockets.

#[cfg(test)]
mod client;
#[cfg(test)]
mod http_text;
#[cfg(test)]
mod port;

#[cfg(test)]
mod errors;
#[cfg(test)]
mod extension;
#[cfg(test)]
mod init_errors;
#[cfg(test)]
mod next;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sockets;
