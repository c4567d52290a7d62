//! The client against a small API with a script, over real sockets.

#[cfg(test)]
mod server;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod receiving;
#[cfg(test)]
mod running;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod subscribing;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod wire;
