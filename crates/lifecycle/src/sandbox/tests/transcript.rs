//! Transcripts: a script of inputs in, a trace of effects out.
//!
//! Inputs are separated by `;` and may begin with the time that passes before them. Invocations
//! are `a` to `h`, their request ids too; callers are `p` to `z`. Calls and news are of the current
//! generation unless they end with `@` and a number. Times are in milliseconds; the function
//! timeout is 1000, the init timeout 500, the grace after an init error 50, two may wait.

mod failure;
mod init;
mod invoke;
mod launch;
mod shutdown;
mod words;

use super::*;

/// The runtime waits for its first event: 100 ms after an init of 100 ms began.
const WARM: &str = "start; +20 launched; +80 next p";

/// The runtime has the event of `a` since 100 ms.
const RUNNING: &str = "start; +20 launched; +80 next p; arrive a";

/// The runtime has answered `a` and has not asked for the next event.
const ANSWERED: &str =
    "start; +20 launched; +80 next p; arrive a; +10 response a; finish a response";

/// The first init has failed; the next one is suppressed, in generation 2.
const FAILED_ONCE: &str = "start; +20 launched; +80 exited 1; stopped";

/// Inside invocation `a`, a suppressed init of generation 2 runs since 100 ms.
const SUPPRESSED: &str = "start; +20 launched; +80 exited 1; stopped; arrive a; launched";

/// What follows from `script` in a new sandbox.
#[track_caller]
fn check(script: &str, trace: &str) {
    check_after("", script, trace);
}

/// What follows from `script` after `prelude`; the sandbox stays usable afterwards.
#[track_caller]
fn check_after(prelude: &str, script: &str, trace: &str) {
    let mut world = World::new(POLICY);
    for line in words::inputs(prelude) {
        words::feed(&mut world, line);
    }
    let found: Vec<String> = words::inputs(script)
        .map(|line| format!("{line} -> {}", words::feed(&mut world, line)))
        .collect();
    let mut expected: Vec<String> = Vec::new();
    for line in trace.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match expected.last_mut() {
            Some(last) if !line.contains("->") => *last = format!("{last} {line}"),
            _ => expected.push(line.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
    assert!(
        found == expected,
        "found\n{}\ninstead of\n{}\n",
        found.join("\n"),
        expected.join("\n")
    );
    world.assert_live();
}
