//! The Invoke API over a port that is only played: as a router, and on real sockets.

#[cfg(test)]
mod port;
#[cfg(test)]
mod world;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod events;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod streaming;
