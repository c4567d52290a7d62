//! Launches: failures, late news, and callers that are early.

use super::*;

#[test]
fn a_launch_that_fails_is_tried_again_inside_the_invocation() {
    check(
        "arrive a; launch-failed not-found; stopped; +3 launch-failed not-found; stopped",
        "
            arrive a                   -> init-start init, launch 1
            launch-failed not-found    -> init-done init error Runtime.InvalidEntrypoint,
                                          init-report init error Runtime.InvalidEntrypoint 0,
                                          stop 1 failure
            stopped                    -> init-start invoke, launch 2
            +3 launch-failed not-found -> init-done invoke error Runtime.InvalidEntrypoint,
                                          init-report invoke error Runtime.InvalidEntrypoint 3,
                                          start a, answer a Runtime.InvalidEntrypoint,
                                          stop 2 failure
            stopped                    -> end a error Runtime.InvalidEntrypoint 3 reset",
    );
}

#[test]
fn an_init_that_did_not_get_to_execute_anything_has_no_runtime_part() {
    check(
        "arrive a; launch-failed no-bootstrap; stopped; launch-failed no-bootstrap; stopped",
        "
            arrive a                   -> init-start init, launch 1
            launch-failed no-bootstrap -> init-report init error Runtime.InvalidEntrypoint 0,
                                          stop 1 failure
            stopped                    -> init-start invoke, launch 2
            launch-failed no-bootstrap -> init-report invoke error Runtime.InvalidEntrypoint 0,
                                          start a, answer a Runtime.InvalidEntrypoint,
                                          stop 2 failure
            stopped                    -> end a error Runtime.InvalidEntrypoint 0 reset",
    );
    check(
        "start; launch-failed no-directory",
        "
            start                      -> init-start init, launch 1
            launch-failed no-directory -> init-report init error Runtime.InvalidWorkingDir 0,
                                          stop 1 failure",
    );
    check(
        "start; launch-failed relative-directory",
        "
            start                            -> init-start init, launch 1
            launch-failed relative-directory -> init-report init error Runtime.InvalidWorkingDir 0,
                                                stop 1 failure",
    );
}

#[test]
fn a_stop_waits_for_the_news_of_a_launch_that_is_under_way() {
    check(
        "arrive a; +500 tick; stopped; launched; stopped",
        "
            arrive a  -> init-start init, launch 1
            +500 tick -> gave up on first event of runtime, init-done init error Runtime.Unknown,
                         init-report init timeout 500
            stopped   -> -
            launched  -> stop 1 timeout
            stopped   -> init-start invoke, launch 2",
    );
    check(
        "arrive a; +500 tick; launch-failed not-found; stopped",
        "
            arrive a                -> init-start init, launch 1
            +500 tick               -> gave up on first event of runtime,
                                       init-done init error Runtime.Unknown,
                                       init-report init timeout 500
            launch-failed not-found -> stop 1 timeout
            stopped                 -> init-start invoke, launch 2",
    );
    check(
        "arrive a; exited 1; launched; stopped",
        "
            arrive a -> init-start init, launch 1
            exited 1 -> init-done init error Runtime.ExitError,
                        init-report init error Runtime.ExitError 0
            launched -> stop 1 failure
            stopped  -> init-start invoke, launch 2",
    );
    check_after(
        FAILED_ONCE,
        "arrive a; +1000 tick; launched; stopped",
        "
            arrive a   -> init-start invoke, launch 2
            +1000 tick -> gave up on first event of runtime,
                          init-done invoke error Runtime.Unknown, init-report invoke timeout 1000,
                          start a, answer a timeout 1000
            launched   -> stop 2 timeout
            stopped    -> end a timeout 1000 reset",
    );
    check(
        "arrive a; next p; +10 exited 1; launched; stopped",
        "
            arrive a     -> init-start init, launch 1
            next p       -> init-done init success, init-report init success 0, start a,
                            hand a to p until 1000
            +10 exited 1 -> answer a Exited(1), done a error Runtime.ExitError 10
            launched     -> stop 1 failure
            stopped      -> end a error Runtime.ExitError 10 +init 0 reset",
    );
    check(
        "start; next p; shutdown 100; launched; stopped",
        "
            start        -> init-start init, launch 1
            next p       -> init-done init success, init-report init success 0
            shutdown 100 -> -
            launched     -> stop 1 spindown
            stopped      -> release p (Ready), closed",
    );
}

#[test]
fn news_of_a_launch_that_nobody_asked_for_is_ignored() {
    check(
        "launched; launch-failed not-found",
        "
            launched                -> -
            launch-failed not-found -> -",
    );
    check_after(
        WARM,
        "launched; launch-failed not-found",
        "
            launched                -> -
            launch-failed not-found -> -",
    );
    check_after(
        WARM,
        "exited 1; launched; launch-failed not-found",
        "
            exited 1                -> stop 1 failure
            launched                -> -
            launch-failed not-found -> -",
    );
    check_after(
        SUPPRESSED,
        "launched; launch-failed not-found",
        "
            launched                -> -
            launch-failed not-found -> -",
    );
}

#[test]
fn a_runtime_that_asks_before_its_launch_is_known_is_ready_all_the_same() {
    check(
        "arrive a; next p; launched; response a; finish a response; next p",
        "
            arrive a          -> init-start init, launch 1
            next p            -> init-done init success, init-report init success 0, start a,
                                 hand a to p until 1000
            launched          -> -
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 0 ready at 0 after 0",
    );
}

#[test]
fn a_caller_that_asks_before_anything_runs_waits_for_the_runtime() {
    check(
        "next p; arrive a; +10 launched; response a",
        "
            next p       -> -
            arrive a     -> init-start init, launch 1
            +10 launched -> init-done init success, init-report init success 10, start a,
                            hand a to p until 1010
            response a   -> -",
    );
    check_after(
        FAILED_ONCE,
        "next p; arrive a; +10 launched; response a",
        "
            next p       -> -
            arrive a     -> init-start invoke, launch 2
            +10 launched -> init-done invoke success, init-report invoke success 10, start a,
                            hand a to p until 1100
            response a   -> -",
    );
}

#[test]
fn a_caller_stands_in_for_a_runtime_that_could_not_be_started() {
    check(
        "arrive a; next p; launch-failed not-found; response a; finish a response; next p",
        "
            arrive a                -> init-start init, launch 1
            next p                  -> init-done init success, init-report init success 0, start a,
                                       hand a to p until 1000
            launch-failed not-found -> -
            response a              -> -
            finish a response       -> answer a upload
            next p                  -> done a success 0, end a success 0 +init 0 ready at 0 after 0",
    );
}

#[test]
fn callers_that_wait_for_a_runtime_that_fails_are_released_with_it() {
    check(
        "next p; next q; start; launch-failed not-found; stopped",
        "
            next p                  -> -
            next q                  -> -
            start                   -> init-start init, launch 1
            launch-failed not-found -> init-done init error Runtime.InvalidEntrypoint,
                                       init-report init error Runtime.InvalidEntrypoint 0,
                                       stop 1 failure
            stopped                 -> release p (Started), release q (Started)",
    );
}
