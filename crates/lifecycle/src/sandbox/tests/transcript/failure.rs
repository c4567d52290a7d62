//! Exits and timeouts, and what is left after them.

use super::*;

#[test]
fn a_runtime_that_exits_while_ready_is_replaced_at_the_next_invocation() {
    check_after(
        WARM,
        "exited 0; arrive a; stopped; +20 launched; +80 next p; +5 response a; finish a response; \
         next p",
        "
            exited 0          -> stop 1 failure
            arrive a          -> -
            stopped           -> release p (Ready), init-start invoke, launch 2
            +20 launched      -> -
            +80 next p        -> init-done invoke success, init-report invoke success 100, start a,
                                 hand a to p until 1100
            +5 response a     -> -
            finish a response -> answer a upload
            next p            -> done a success 5,
                                 end a success 105 +invoke 100 ready at 205 after 0",
    );
}

#[test]
fn the_init_time_of_a_generation_is_not_reported_in_the_next_one() {
    check_after(
        WARM,
        "exited 1; stopped; arrive a; launched; +30 exited 1; stopped",
        "
            exited 1     -> stop 1 failure
            stopped      -> release p (Ready)
            arrive a     -> init-start invoke, launch 2
            launched     -> -
            +30 exited 1 -> init-done invoke error Runtime.ExitError,
                            init-report invoke error Runtime.ExitError 30, start a,
                            answer a InitExit(Exited(1)), stop 2 failure
            stopped      -> end a error Runtime.ExitError 30 reset",
    );
}

#[test]
fn a_runtime_that_exits_while_running_fails_the_invocation() {
    check_after(
        RUNNING,
        "+10 exited 0; +5 stopped",
        "
            +10 exited 0 -> answer a Exited(0), done a error Runtime.ExitError 10, stop 1 failure
            +5 stopped   -> end a error Runtime.ExitError 10 +init 100 reset",
    );
    check_after(
        RUNNING,
        "+10 exited 3; stopped",
        "
            +10 exited 3 -> answer a Exited(3), done a error Runtime.ExitError 10, stop 1 failure
            stopped      -> end a error Runtime.ExitError 10 +init 100 reset",
    );
    check_after(
        RUNNING,
        "+10 exited killed; stopped",
        "
            +10 exited killed -> answer a Signaled(9), done a error Runtime.ExitError 10,
                                 stop 1 failure
            stopped           -> end a error Runtime.ExitError 10 +init 100 reset",
    );
    check_after(
        RUNNING,
        "+10 exited oom; stopped",
        "
            +10 exited oom -> answer a OutOfMemory, done a error Runtime.OutOfMemory 10,
                              stop 1 failure
            stopped        -> end a error Runtime.OutOfMemory 10 +init 100 reset",
    );
}

#[test]
fn an_exit_during_the_upload_fails_the_invocation_and_ends_the_upload() {
    check_after(
        RUNNING,
        "response a; +10 exited 1; finish a response; stopped; finish a response @1",
        "
            response a           -> -
            +10 exited 1         -> answer a Exited(1), done a error Runtime.ExitError 10,
                                    stop 1 failure
            finish a response    -> refused (Invalid request ID)
            stopped              -> end a error Runtime.ExitError 10 +init 100 reset
            finish a response @1 -> refused (Invalid request ID)",
    );
    check_after(
        RUNNING,
        "response a; +10 finish a truncated; exited 1; stopped",
        "
            response a             -> -
            +10 finish a truncated -> answer a Truncated
            exited 1               -> done a error Runtime.TruncatedResponse 10, stop 1 failure
            stopped                -> end a error Runtime.TruncatedResponse 10 +init 100 reset",
    );
}

#[test]
fn an_exit_after_the_answer_changes_the_report_and_not_the_answer() {
    check_after(
        ANSWERED,
        "+10 exited 1; stopped",
        "
            +10 exited 1 -> done a error Runtime.ExitError 20, stop 1 failure
            stopped      -> end a error Runtime.ExitError 20 +init 100 reset",
    );
}

#[test]
fn those_who_wait_survive_a_failure() {
    check_after(
        RUNNING,
        "arrive b; arrive c; +10 exited 1; stopped; launched; next p; response b; \
         finish b response; next p",
        "
            arrive b          -> -
            arrive c          -> -
            +10 exited 1      -> answer a Exited(1), done a error Runtime.ExitError 10,
                                 stop 1 failure
            stopped           -> end a error Runtime.ExitError 10 +init 100 reset,
                                 init-start invoke, launch 2
            launched          -> -
            next p            -> init-done invoke success, init-report invoke success 0, start b,
                                 hand b to p until 1110
            response b        -> -
            finish b response -> answer b upload
            next p            -> done b success 0, end b success 0 +invoke 0 ready at 110 after 0,
                                 start c, hand c to p until 1110",
    );
}

#[test]
fn the_function_timeout_ends_the_invocation_and_the_runtime() {
    check_after(
        RUNNING,
        "+999 tick; +1 tick; +5 stopped",
        "
            +999 tick  -> -
            +1 tick    -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            +5 stopped -> end a timeout 1000 +init 100 reset",
    );
    check_after(
        RUNNING,
        "+1500 tick; stopped",
        "
            +1500 tick -> answer a timeout 1000, done a timeout 1500, stop 1 timeout
            stopped    -> end a timeout 1000 +init 100 reset",
    );
    check_after(
        RUNNING,
        "vanished a; +1000 tick; stopped",
        "
            vanished a -> -
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            stopped    -> end a timeout 1000 +init 100 reset",
    );
}

#[test]
fn the_function_timeout_during_an_upload_ends_the_upload_too() {
    check_after(
        RUNNING,
        "+990 response a; +10 tick; finish a response; stopped",
        "
            +990 response a   -> -
            +10 tick          -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            finish a response -> refused (Invalid request ID)
            stopped           -> end a timeout 1000 +init 100 reset",
    );
}

#[test]
fn the_function_timeout_after_the_answer_changes_the_report_and_not_the_answer() {
    check_after(
        ANSWERED,
        "+990 tick; stopped",
        "
            +990 tick -> done a timeout 1000, stop 1 timeout
            stopped   -> end a timeout 1000 +init 100 reset",
    );
}

#[test]
fn the_function_timeout_of_an_invocation_that_was_never_handed_over() {
    check_after(
        SUPPRESSED,
        "+400 next p; vanished a; +600 tick; stopped",
        "
            +400 next p -> init-done invoke success, init-report invoke success 400, start a,
                           hand a to p until 1100
            vanished a  -> -
            +600 tick   -> answer a timeout 1000, done a timeout 600, stop 2 timeout
            stopped     -> end a timeout 1000 +invoke 400 reset",
    );
}

#[test]
fn whatever_comes_first_at_the_same_instant_counts() {
    check_after(
        RUNNING,
        "+1000 response a; finish a response; next p; tick",
        "
            +1000 response a  -> -
            finish a response -> answer a upload
            next p            -> done a success 1000,
                                 end a success 1000 +init 100 ready at 1100 after 0
            tick              -> -",
    );
    check_after(
        RUNNING,
        "+1000 exited 1; tick; stopped",
        "
            +1000 exited 1 -> answer a Exited(1), done a error Runtime.ExitError 1000,
                              stop 1 failure
            tick           -> -
            stopped        -> end a error Runtime.ExitError 1000 +init 100 reset",
    );
    check_after(
        RUNNING,
        "+1000 tick; exited 1; response a; stopped",
        "
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            exited 1   -> -
            response a -> refused (Invalid request ID)
            stopped    -> end a timeout 1000 +init 100 reset",
    );
    check(
        "start; launched; +500 next p; tick",
        "
            start       -> init-start init, launch 1
            launched    -> -
            +500 next p -> init-done init success, init-report init success 500
            tick        -> -",
    );
    check(
        "start; launched; +500 tick; next p; stopped",
        "
            start     -> init-start init, launch 1
            launched  -> -
            +500 tick -> gave up on first event of runtime, init-done init error Runtime.Unknown,
                         init-report init timeout 500, stop 1 timeout
            next p    -> refused (Started to Ready)
            stopped   -> -",
    );
}

#[test]
fn of_two_deadlines_at_the_same_instant_the_function_timeout_counts() {
    check_after(
        RUNNING,
        "shutdown 1000; +1000 tick; stopped",
        "
            shutdown 1000 -> -
            +1000 tick    -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            stopped       -> end a timeout 1000 +init 100 reset, closed",
    );
    check_after(
        SUPPRESSED,
        "+950 init-error Runtime.A; +50 tick; stopped",
        "
            +950 init-error Runtime.A -> answer a init-error Runtime.A
            +50 tick                  -> init-done invoke error Runtime.A,
                                         init-report invoke error Runtime.A 1000, start a,
                                         stop 2 timeout
            stopped                   -> end a timeout 1000 reset",
    );
}

#[test]
fn the_first_fatal_error_of_a_generation_wins() {
    check_after(
        RUNNING,
        "exited oom; exited 1; stopped; exited oom @1",
        "
            exited oom    -> answer a OutOfMemory, done a error Runtime.OutOfMemory 0,
                             stop 1 failure
            exited 1      -> -
            stopped       -> end a error Runtime.OutOfMemory 0 +init 100 reset
            exited oom @1 -> -",
    );
    check_after(
        RUNNING,
        "+1000 tick; exited 1; stopped; arrive b; launched; exited 2; stopped",
        "
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            exited 1   -> -
            stopped    -> end a timeout 1000 +init 100 reset
            arrive b   -> init-start invoke, launch 2
            launched   -> -
            exited 2   -> init-done invoke error Runtime.ExitError,
                          init-report invoke error Runtime.ExitError 0, start b,
                          answer b InitExit(Exited(2)), stop 2 failure
            stopped    -> end b error Runtime.ExitError 0 reset",
    );
}

#[test]
fn exits_and_stops_of_another_generation_are_ignored() {
    check_after(
        SUPPRESSED,
        "exited 1 @1; stopped @1; next p; exited 1 @1; exited 1 @3; stopped; exited 1; \
         stopped @1; stopped @3; stopped",
        "
            exited 1 @1 -> -
            stopped @1  -> -
            next p      -> init-done invoke success, init-report invoke success 0, start a,
                           hand a to p until 1100
            exited 1 @1 -> -
            exited 1 @3 -> -
            stopped     -> -
            exited 1    -> answer a Exited(1), done a error Runtime.ExitError 0, stop 2 failure
            stopped @1  -> -
            stopped @3  -> -
            stopped     -> end a error Runtime.ExitError 0 +invoke 0 reset",
    );
}

#[test]
fn nothing_is_taken_from_a_runtime_that_is_being_ended() {
    check_after(
        RUNNING,
        "+1000 tick; next p; response a; error a; finish a response; init-error Runtime.A; \
         vanished a; exited 1; tick; arrive b; withdraw b",
        "
            +1000 tick           -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            next p               -> refused (Running to Ready)
            response a           -> refused (Invalid request ID)
            error a              -> refused (Invalid request ID)
            finish a response    -> refused (Invalid request ID)
            init-error Runtime.A -> refused (Running to InitError)
            vanished a           -> -
            exited 1             -> -
            tick                 -> -
            arrive b             -> -
            withdraw b           -> forget b",
    );
}

#[test]
fn callers_that_wait_are_released_when_their_generation_ends() {
    check_after(
        WARM,
        "next q; exited 1; stopped",
        "
            next q   -> -
            exited 1 -> stop 1 failure
            stopped  -> release p (Ready), release q (Ready)",
    );
    check_after(
        RUNNING,
        "next q; next r; response a; finish a response; next p; next s; exited 1; stopped",
        "
            next q            -> hand a to q until 1100
            next r            -> hand a to r until 1100
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 100 ready at 100 after 0
            next s            -> -
            exited 1          -> stop 1 failure
            stopped           -> release p (Ready), release s (Ready)",
    );
}

#[test]
fn processes_that_would_not_go_do_not_hold_up_the_next_generation() {
    check_after(
        RUNNING,
        "exited 1; stopped late; arrive b",
        "
            exited 1     -> answer a Exited(1), done a error Runtime.ExitError 0, stop 1 failure
            stopped late -> end a error Runtime.ExitError 0 +init 100 reset
            arrive b     -> init-start invoke, launch 2",
    );
}
