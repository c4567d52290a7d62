//! Initialisation: the first one and suppressed ones.

use super::*;

#[test]
fn the_first_invocation_starts_the_runtime_and_the_init_is_no_part_of_its_time() {
    check(
        "arrive a; +20 launched; +80 next p; +5 response a; +1 finish a response; +4 next p",
        "
            arrive a             -> init-start init, launch 1
            +20 launched         -> -
            +80 next p           -> init-done init success, init-report init success 100, start a,
                                    hand a to p until 1100
            +5 response a        -> -
            +1 finish a response -> answer a upload
            +4 next p            -> done a success 10,
                                    end a success 10 +init 100 ready at 110 after 4",
    );
}

#[test]
fn an_init_ahead_of_the_first_invocation_is_reported_with_that_invocation() {
    check(
        "start; +20 launched; +80 next p; +900 arrive a; +5 response a; finish a response; \
         +3 next p",
        "
            start             -> init-start init, launch 1
            +20 launched      -> -
            +80 next p        -> init-done init success, init-report init success 100
            +900 arrive a     -> start a, hand a to p until 2000
            +5 response a     -> -
            finish a response -> answer a upload
            +3 next p         -> done a success 8, end a success 8 +init 100 ready at 1008 after 3",
    );
}

#[test]
fn starting_twice_or_while_something_runs_starts_nothing() {
    check(
        "start; start; launched; start; next p; start; arrive a; start",
        "
            start    -> init-start init, launch 1
            start    -> -
            launched -> -
            start    -> -
            next p   -> init-done init success, init-report init success 0
            start    -> -
            arrive a -> start a, hand a to p until 1000
            start    -> -",
    );
    check_after(FAILED_ONCE, "start", "start -> -");
}

#[test]
fn an_exit_during_the_first_init_leads_to_a_second_try_inside_the_invocation() {
    check(
        "arrive a; launched; +100 exited 0; +5 stopped; launched; +200 next p; +7 response a; \
         finish a response; +3 next p",
        "
            arrive a          -> init-start init, launch 1
            launched          -> -
            +100 exited 0     -> init-done init error Runtime.ExitError,
                                 init-report init error Runtime.ExitError 100, stop 1 failure
            +5 stopped        -> init-start invoke, launch 2
            launched          -> -
            +200 next p       -> init-done invoke success, init-report invoke success 200, start a,
                                 hand a to p until 1105
            +7 response a     -> -
            finish a response -> answer a upload
            +3 next p         -> done a success 10,
                                 end a success 210 +invoke 200 ready at 315 after 3",
    );
    check(
        "arrive a; launched; +100 exited killed; stopped",
        "
            arrive a           -> init-start init, launch 1
            launched           -> -
            +100 exited killed -> init-done init error Runtime.ExitError,
                                  init-report init error Runtime.ExitError 100, stop 1 failure
            stopped            -> init-start invoke, launch 2",
    );
    check(
        "start; launched; +100 exited oom; stopped",
        "
            start           -> init-start init, launch 1
            launched        -> -
            +100 exited oom -> init-done init error Runtime.OutOfMemory,
                               init-report init error Runtime.OutOfMemory 100, stop 1 failure
            stopped         -> -",
    );
}

#[test]
fn an_exit_during_a_suppressed_init_fails_the_invocation() {
    check_after(
        SUPPRESSED,
        "+30 exited 0; +5 stopped",
        "
            +30 exited 0 -> init-done invoke error Runtime.ExitError,
                            init-report invoke error Runtime.ExitError 30, start a,
                            answer a InitExit(Exited(0)), stop 2 failure
            +5 stopped   -> end a error Runtime.ExitError 30 reset",
    );
    check_after(
        SUPPRESSED,
        "+30 exited 127; stopped",
        "
            +30 exited 127 -> init-done invoke error Runtime.ExitError,
                              init-report invoke error Runtime.ExitError 30, start a,
                              answer a InitExit(Exited(127)), stop 2 failure
            stopped        -> end a error Runtime.ExitError 30 reset",
    );
    check_after(
        SUPPRESSED,
        "+30 exited oom; stopped",
        "
            +30 exited oom -> init-done invoke error Runtime.OutOfMemory,
                              init-report invoke error Runtime.OutOfMemory 30, start a,
                              answer a InitExit(OutOfMemory), stop 2 failure
            stopped        -> end a error Runtime.OutOfMemory 30 reset",
    );
}

#[test]
fn an_init_error_then_an_exit_leads_to_a_second_try() {
    check(
        "arrive a; launched; +10 init-error Runtime.NoSuchHandler; +5 exited 1; stopped",
        "
            arrive a                             -> init-start init, launch 1
            launched                             -> -
            +10 init-error Runtime.NoSuchHandler -> -
            +5 exited 1                          -> init-done init error Runtime.NoSuchHandler,
                                                    init-report init error Runtime.NoSuchHandler
                                                    15, stop 1 failure
            stopped                              -> init-start invoke, launch 2",
    );
}

#[test]
fn an_init_error_in_a_suppressed_init_answers_the_invocation_at_once() {
    check_after(
        SUPPRESSED,
        "+10 init-error Runtime.NoSuchHandler; +5 exited 1; stopped",
        "
            +10 init-error Runtime.NoSuchHandler -> answer a init-error Runtime.NoSuchHandler
            +5 exited 1                          -> init-done invoke error Runtime.NoSuchHandler,
                                                    init-report invoke error Runtime.NoSuchHandler
                                                    15, start a, stop 2 failure
            stopped                              -> end a error Runtime.NoSuchHandler 15 reset",
    );
}

#[test]
fn a_runtime_that_lingers_after_its_init_error_is_ended() {
    check(
        "arrive a; launched; +10 init-error Runtime.NoSuchHandler; +49 tick; +1 tick; stopped",
        "
            arrive a                             -> init-start init, launch 1
            launched                             -> -
            +10 init-error Runtime.NoSuchHandler -> -
            +49 tick                             -> -
            +1 tick                              -> init-done init error Runtime.NoSuchHandler,
                                                    init-report init error Runtime.NoSuchHandler
                                                    60, stop 1 failure
            stopped                              -> init-start invoke, launch 2",
    );
    check_after(
        SUPPRESSED,
        "+10 init-error Runtime.NoSuchHandler; +49 tick; +1 tick; stopped",
        "
            +10 init-error Runtime.NoSuchHandler -> answer a init-error Runtime.NoSuchHandler
            +49 tick                             -> -
            +1 tick                              -> init-done invoke error Runtime.NoSuchHandler,
                                                    init-report invoke error Runtime.NoSuchHandler
                                                    60, start a, stop 2 failure
            stopped                              -> end a error Runtime.NoSuchHandler 60 reset",
    );
}

#[test]
fn the_grace_after_an_init_error_does_not_extend_the_init() {
    check(
        "start; launched; +480 init-error Runtime.NoSuchHandler; +19 tick; +1 tick; stopped",
        "
            start                                 -> init-start init, launch 1
            launched                              -> -
            +480 init-error Runtime.NoSuchHandler -> -
            +19 tick                              -> -
            +1 tick                               -> init-done init error Runtime.NoSuchHandler,
                                                     init-report init error Runtime.NoSuchHandler
                                                     500, stop 1 failure
            stopped                               -> -",
    );
    check_after(
        SUPPRESSED,
        "+980 init-error Runtime.NoSuchHandler; +20 tick; stopped",
        "
            +980 init-error Runtime.NoSuchHandler -> answer a init-error Runtime.NoSuchHandler
            +20 tick                              -> init-done invoke error Runtime.NoSuchHandler,
                                                     init-report invoke error Runtime.NoSuchHandler 1000,
                                                     start a, stop 2 timeout
            stopped                               -> end a timeout 1000 reset",
    );
}

#[test]
fn after_an_init_error_the_runtime_may_not_go_on() {
    check_after(
        SUPPRESSED,
        "init-error Runtime.A; init-error Runtime.B; next p; response a; finish a response",
        "
            init-error Runtime.A -> answer a init-error Runtime.A
            init-error Runtime.B -> refused (InitError to InitError)
            next p               -> refused (InitError to Ready)
            response a           -> refused (InitError to InvocationResponse)
            finish a response    -> refused (InitError to RuntimeResponseSentState)",
    );
    check(
        "next p; arrive a; init-error Runtime.A; launched",
        "
            next p               -> -
            arrive a             -> init-start init, launch 1
            init-error Runtime.A -> -
            launched             -> -",
    );
}

#[test]
fn an_init_error_outside_an_init_is_refused() {
    check("init-error Runtime.A", "init-error Runtime.A -> refused (Started to InitError)");
    check_after(
        WARM,
        "init-error Runtime.A",
        "init-error Runtime.A -> refused (Ready to InitError)",
    );
    check_after(
        RUNNING,
        "init-error Runtime.A",
        "init-error Runtime.A -> refused (Running to InitError)",
    );
    check_after(
        FAILED_ONCE,
        "start; arrive a; init-error Runtime.A @1",
        "
            start                   -> -
            arrive a                -> init-start invoke, launch 2
            init-error Runtime.A @1 -> refused (Started to InitError)",
    );
}

#[test]
fn an_init_that_takes_too_long_is_tried_again_inside_the_invocation() {
    check(
        "arrive a; launched; +499 tick; +1 tick; +9 stopped; launched; +600 next p; response a; \
         finish a response; next p",
        "
            arrive a          -> init-start init, launch 1
            launched          -> -
            +499 tick         -> -
            +1 tick           -> gave up on first event of runtime,
                                 init-done init error Runtime.Unknown,
                                 init-report init timeout 500, stop 1 timeout
            +9 stopped        -> init-start invoke, launch 2
            launched          -> -
            +600 next p       -> init-done invoke success, init-report invoke success 600, start a,
                                 hand a to p until 1509
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0,
                                 end a success 600 +invoke 600 ready at 1109 after 0",
    );
}

#[test]
fn a_suppressed_init_may_take_as_long_as_the_invocation() {
    check_after(
        SUPPRESSED,
        "+999 tick; +1 tick; stopped",
        "
            +999 tick -> -
            +1 tick   -> gave up on first event of runtime,
                         init-done invoke error Runtime.Unknown, init-report invoke timeout 1000,
                         start a, answer a timeout 1000, stop 2 timeout
            stopped   -> end a timeout 1000 reset",
    );
    check_after(
        SUPPRESSED,
        "+999 next p; +1 tick; stopped",
        "
            +999 next p -> init-done invoke success, init-report invoke success 999, start a,
                           hand a to p until 1100
            +1 tick     -> answer a timeout 1000, done a timeout 1, stop 2 timeout
            stopped     -> end a timeout 1000 +invoke 999 reset",
    );
}
