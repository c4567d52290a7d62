//! The queue over a port that is only played: what runs when, who is told, and what is left.

#![forbid(unsafe_code)]
#[cfg(test)]
mod port;
#[cfg(test)]
mod world;

#[cfg(test)]
mod accepting;
#[cfg(test)]
mod destinations;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod restarting;
#[cfg(test)]
mod retrying;
