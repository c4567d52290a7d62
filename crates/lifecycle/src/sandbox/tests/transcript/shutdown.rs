//! Shutdown, in every phase.

use super::*;

#[test]
fn a_sandbox_in_which_nothing_runs_closes_at_once() {
    check("shutdown 100", "shutdown 100 -> closed");
    check(
        "next p; shutdown 100; next p",
        "
            next p       -> -
            shutdown 100 -> release p (Started), closed
            next p       -> refused (Started to Ready)",
    );
    check_after(FAILED_ONCE, "shutdown 100", "shutdown 100 -> closed");
}

#[test]
fn a_shutdown_during_the_first_init_does_not_wait_for_it() {
    check(
        "arrive a; launched; +10 shutdown 100; +5 stopped",
        "
            arrive a         -> init-start init, launch 1
            launched         -> -
            +10 shutdown 100 -> refuse a ShuttingDown, init-done init error Runtime.Unknown,
                                init-report init failure Sandbox.Failure 10, stop 1 spindown
            +5 stopped       -> closed",
    );
    check(
        "arrive a; +10 shutdown 100; stopped; launched; stopped",
        "
            arrive a         -> init-start init, launch 1
            +10 shutdown 100 -> refuse a ShuttingDown, init-done init error Runtime.Unknown,
                                init-report init failure Sandbox.Failure 10
            stopped          -> -
            launched         -> stop 1 spindown
            stopped          -> closed",
    );
    check(
        "arrive a; +10 shutdown 100; launch-failed not-found; stopped",
        "
            arrive a                -> init-start init, launch 1
            +10 shutdown 100        -> refuse a ShuttingDown, init-done init error Runtime.Unknown,
                                       init-report init failure Sandbox.Failure 10
            launch-failed not-found -> stop 1 spindown
            stopped                 -> closed",
    );
    check(
        "start; launched; init-error Runtime.A; +10 shutdown 100; stopped",
        "
            start                -> init-start init, launch 1
            launched             -> -
            init-error Runtime.A -> -
            +10 shutdown 100     -> init-done init error Runtime.A,
                                    init-report init error Runtime.A 10, stop 1 spindown
            stopped              -> closed",
    );
}

#[test]
fn a_shutdown_while_ready_ends_the_runtime_and_releases_its_callers() {
    check_after(
        WARM,
        "next q; shutdown 100; exited killed; stopped",
        "
            next q        -> -
            shutdown 100  -> stop 1 spindown
            exited killed -> -
            stopped       -> release p (Ready), release q (Ready), closed",
    );
}

#[test]
fn a_shutdown_lets_the_running_invocation_end() {
    check_after(
        RUNNING,
        "arrive b; shutdown 100; +50 response a; finish a response; +10 next p; stopped",
        "
            arrive b          -> -
            shutdown 100      -> refuse b ShuttingDown
            +50 response a    -> -
            finish a response -> answer a upload
            +10 next p        -> done a success 60,
                                 end a success 60 +init 100 ready at 160 after 10, stop 1 spindown
            stopped           -> release p (Ready), closed",
    );
}

#[test]
fn a_shutdown_lets_a_suppressed_init_and_its_invocation_end() {
    check_after(
        SUPPRESSED,
        "arrive b; shutdown 100; +50 next p; response a; finish a response; next p; stopped",
        "
            arrive b          -> -
            shutdown 100      -> refuse b ShuttingDown
            +50 next p        -> init-done invoke success, init-report invoke success 50, start a,
                                 hand a to p until 1100
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0,
                                 end a success 50 +invoke 50 ready at 150 after 0, stop 2 spindown
            stopped           -> release p (Ready), closed",
    );
}

#[test]
fn at_its_deadline_a_shutdown_fails_the_running_invocation() {
    check_after(
        RUNNING,
        "+50 shutdown 100; +99 tick; +1 tick; stopped",
        "
            +50 shutdown 100 -> -
            +99 tick         -> -
            +1 tick          -> answer a Shutdown, done a failure Sandbox.Failure 150,
                                stop 1 spindown
            stopped          -> end a failure Sandbox.Failure 150 +init 100 reset, closed",
    );
    check_after(
        ANSWERED,
        "+50 shutdown 100; +100 tick; stopped",
        "
            +50 shutdown 100 -> -
            +100 tick        -> done a success 160, stop 1 spindown
            stopped          -> end a success 160 +init 100 reset, closed",
    );
    check_after(
        SUPPRESSED,
        "+50 shutdown 100; +100 tick; stopped",
        "
            +50 shutdown 100 -> -
            +100 tick        -> init-done invoke error Runtime.Unknown,
                                init-report invoke failure Sandbox.Failure 150, start a,
                                answer a Shutdown, stop 2 spindown
            stopped          -> end a failure Sandbox.Failure 150 reset, closed",
    );
    check_after(
        SUPPRESSED,
        "init-error Runtime.A; shutdown 20; +20 tick; stopped",
        "
            init-error Runtime.A -> answer a init-error Runtime.A
            shutdown 20          -> -
            +20 tick             -> init-done invoke error Runtime.A,
                                    init-report invoke error Runtime.A 20, start a, stop 2 spindown
            stopped              -> end a error Runtime.A 20 reset, closed",
    );
}

#[test]
fn a_shutdown_without_time_fails_the_running_invocation_at_once() {
    check_after(
        RUNNING,
        "shutdown 0; stopped",
        "
            shutdown 0 -> answer a Shutdown, done a failure Sandbox.Failure 0, stop 1 spindown
            stopped    -> end a failure Sandbox.Failure 0 +init 100 reset, closed",
    );
    check_after(
        SUPPRESSED,
        "shutdown 0; stopped",
        "
            shutdown 0 -> init-done invoke error Runtime.Unknown,
                          init-report invoke failure Sandbox.Failure 0, start a, answer a Shutdown,
                          stop 2 spindown
            stopped    -> end a failure Sandbox.Failure 0 reset, closed",
    );
}

#[test]
fn a_failure_during_a_shutdown_ends_in_the_shutdown() {
    check_after(
        RUNNING,
        "shutdown 100; +10 exited 1; stopped",
        "
            shutdown 100 -> -
            +10 exited 1 -> answer a Exited(1), done a error Runtime.ExitError 10, stop 1 failure
            stopped      -> end a error Runtime.ExitError 10 +init 100 reset, closed",
    );
    check_after(
        SUPPRESSED,
        "shutdown 100; +10 exited 1; stopped",
        "
            shutdown 100 -> -
            +10 exited 1 -> init-done invoke error Runtime.ExitError,
                            init-report invoke error Runtime.ExitError 10, start a,
                            answer a InitExit(Exited(1)), stop 2 failure
            stopped      -> end a error Runtime.ExitError 10 reset, closed",
    );
    check_after(
        RUNNING,
        "shutdown 5000; +1000 tick; stopped",
        "
            shutdown 5000 -> -
            +1000 tick    -> answer a timeout 1000, done a timeout 1000, stop 1 timeout
            stopped       -> end a timeout 1000 +init 100 reset, closed",
    );
}

#[test]
fn a_shutdown_while_stopping_closes_after_it() {
    check_after(
        RUNNING,
        "arrive b; exited 1; shutdown 100; tick; stopped",
        "
            arrive b     -> -
            exited 1     -> answer a Exited(1), done a error Runtime.ExitError 0, stop 1 failure
            shutdown 100 -> refuse b ShuttingDown
            tick         -> -
            stopped      -> end a error Runtime.ExitError 0 +init 100 reset, closed",
    );
    check(
        "arrive a; +500 tick; shutdown 100; launched; stopped",
        "
            arrive a     -> init-start init, launch 1
            +500 tick    -> gave up on first event of runtime,
                            init-done init error Runtime.Unknown, init-report init timeout 500
            shutdown 100 -> refuse a ShuttingDown
            launched     -> stop 1 timeout
            stopped      -> closed",
    );
}

#[test]
fn of_two_shutdowns_the_earlier_deadline_counts() {
    check_after(
        RUNNING,
        "shutdown 100; shutdown 500; +100 tick; stopped",
        "
            shutdown 100 -> -
            shutdown 500 -> -
            +100 tick    -> answer a Shutdown, done a failure Sandbox.Failure 100, stop 1 spindown
            stopped      -> end a failure Sandbox.Failure 100 +init 100 reset, closed",
    );
    check_after(
        RUNNING,
        "shutdown 500; +10 shutdown 0; stopped; shutdown 0",
        "
            shutdown 500   -> -
            +10 shutdown 0 -> answer a Shutdown, done a failure Sandbox.Failure 10, stop 1 spindown
            stopped        -> end a failure Sandbox.Failure 10 +init 100 reset, closed
            shutdown 0     -> -",
    );
    check_after(
        WARM,
        "shutdown 500; shutdown 0; stopped",
        "
            shutdown 500 -> stop 1 spindown
            shutdown 0   -> -
            stopped      -> release p (Ready), closed",
    );
}

#[test]
fn arrivals_after_a_shutdown_are_refused() {
    check_after(
        RUNNING,
        "shutdown 100; arrive b; exited 1; arrive c; stopped; arrive d",
        "
            shutdown 100 -> -
            arrive b     -> refuse b ShuttingDown
            exited 1     -> answer a Exited(1), done a error Runtime.ExitError 0, stop 1 failure
            arrive c     -> refuse c ShuttingDown
            stopped      -> end a error Runtime.ExitError 0 +init 100 reset, closed
            arrive d     -> refuse d ShuttingDown",
    );
}

#[test]
fn a_closed_sandbox_only_refuses() {
    check_after(
        WARM,
        "shutdown 100; stopped late; start; next p; launched; launch-failed not-found; exited 1; \
         stopped; response a; finish a response; init-error Runtime.A; vanished a; withdraw a; \
         tick",
        "
            shutdown 100            -> stop 1 spindown
            stopped late            -> release p (Ready), closed late
            start                   -> -
            next p                  -> refused (Started to Ready)
            launched                -> -
            launch-failed not-found -> -
            exited 1                -> -
            stopped                 -> -
            response a              -> refused (Invalid request ID)
            finish a response       -> refused (Invalid request ID)
            init-error Runtime.A    -> refused (Started to InitError)
            vanished a              -> -
            withdraw a              -> -
            tick                    -> -",
    );
}
