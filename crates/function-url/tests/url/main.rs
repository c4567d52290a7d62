//! A function's URL over a port that is only played: as a service, and on real sockets.

#[cfg(test)]
mod port;
#[cfg(test)]
mod world;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod cors;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod streams;
