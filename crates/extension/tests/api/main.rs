//! The client against a small API with a script, over real sockets.

#[cfg(test)]
mod server;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod running;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod wire;
