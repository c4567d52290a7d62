//! Transcripts: a script of inputs in, a trace of effects out.
//!
//! Inputs are separated by `;` and may begin with the time that passes before them. Invocations
//! are `a` to `h`, their request ids too; callers are `p` to `z`; extensions are `A` to `Z`, the
//! external ones among them those of `files`. They are found as soon as they are looked for, unless
//! the line ends with `..`. Calls and news are of the current generation unless they end with `@`
//! and a number. Times are in milliseconds; the function timeout is 1000, the init timeout 500, the
//! grace after a reported error 50, the reminder 40, the shutdown budget 200; two may wait.

mod extension_crash;
mod extension_error;
mod extension_first_error;
mod extension_init;
mod extension_invoke;
mod extension_kill;
mod extension_launch;
mod extension_linger;
mod extension_register;
mod extension_shutdown;
mod extension_told;
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

/// `E` was started and has not registered.
const E_STARTED: &str = "files E; start; launched E";

/// `E` has registered for both events, the runtime was started; neither has asked for an event.
const E_REGISTERED: &str = "files E; start; launched E; register E INVOKE,SHUTDOWN; launched";

/// `E`, registered for both events, and the runtime wait for their first event: 100 ms after an
/// init of 100 ms began.
const WITH_E: &str =
    "files E; start; launched E; +20 register E INVOKE,SHUTDOWN; launched; event E u; +80 next p";

/// `E` and the runtime have the event of `a` since 100 ms.
const E_RUNNING: &str = "files E; start; launched E; +20 register E INVOKE,SHUTDOWN; launched; \
     event E u; +80 next p; arrive a";

/// The runtime has answered `a`, 10 ms after it got it; neither it nor `E` has asked for the next
/// event.
const E_ANSWERED: &str = "files E; start; launched E; +20 register E INVOKE,SHUTDOWN; launched; \
     event E u; +80 next p; arrive a; +10 response a; finish a response";

/// The runtime is ready for the next event, 15 ms after it got `a`; `E` is not.
const E_BUSY: &str = "files E; start; launched E; +20 register E INVOKE,SHUTDOWN; launched; \
     event E u; +80 next p; arrive a; +10 response a; finish a response; +5 next p";

/// Inside invocation `a`, a suppressed init of generation 2 starts `E` since 100 ms.
const E_SUPPRESSED: &str = "files E; start; +100 launch-failed E not-found; stopped; arrive a";

/// `I`, an internal extension, and the runtime wait for their first event since 100 ms.
const WITH_I: &str = "start; +20 launched; register I INVOKE; event I w; +80 next p";

/// `E` and `F` were started and have not registered.
const EF_STARTED: &str = "files EF; start; launched E; launched F";

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
