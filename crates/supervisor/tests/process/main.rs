//! Real processes under a supervisor that reaps what it has launched and nothing else.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
mod awaiting;
#[cfg(test)]
mod console;
#[cfg(test)]
mod launching;
#[cfg(test)]
mod log;
#[cfg(test)]
mod output;
#[cfg(test)]
mod stopping;
