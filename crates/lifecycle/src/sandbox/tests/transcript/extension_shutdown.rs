//! The end of a generation with extensions: the runtime first, then they.

use super::*;

#[test]
fn the_runtime_ends_first_and_extensions_have_the_rest_of_the_time() {
    check_after(
        WITH_E,
        "shutdown 1000; +30 stopped; +20 exited E 0; stopped E",
        "
            shutdown 1000  -> stop 1 spindown term 60
            +30 stopped    -> tell E by u shutdown spindown until 300, stop E await 170
            +20 exited E 0 -> -
            stopped E      -> release p (Ready), reset spindown 50, closed",
    );
    check_after(
        "files EFG; start; launched E; launched F; launched G; register E SHUTDOWN; \
         register F INVOKE; register G SHUTDOWN; launched; event E u; event F v; event G w; \
         next p",
        "shutdown 1000; stopped; stopped G; stopped F; +50 stopped E",
        "
            shutdown 1000 -> stop 1 spindown term 60
            stopped       -> tell E by u shutdown spindown until 200, stop E await 200, stop F,
                             tell G by w shutdown spindown until 200, stop G await 200
            stopped G     -> -
            stopped F     -> -
            +50 stopped E -> release p (Ready), release v (Ready), reset spindown 50, closed",
    );
}

#[test]
fn an_end_that_takes_too_long_is_cut_and_reported() {
    check_after(
        WITH_E,
        "shutdown 1000; stopped; +200 stopped E",
        "
            shutdown 1000  -> stop 1 spindown term 60
            stopped        -> tell E by u shutdown spindown until 300, stop E await 200
            +200 stopped E -> release p (Ready), reset spindown 200, closed",
    );
    check_after(
        WITH_E,
        "shutdown 1000; stopped; +201 stopped E",
        "
            shutdown 1000  -> stop 1 spindown term 60
            stopped        -> tell E by u shutdown spindown until 300, stop E await 200
            +201 stopped E -> release p (Ready), reset spindown 200 late E, closed",
    );
    check_after(
        WITH_E,
        "shutdown 1000; +250 stopped; +10 stopped E late",
        "
            shutdown 1000      -> stop 1 spindown term 60
            +250 stopped       -> tell E by u shutdown spindown until 300, stop E
            +10 stopped E late -> release p (Ready), reset spindown 200 late E, closed late",
    );
    check_after(
        WITH_E,
        "shutdown 1000; stopped late; stopped E",
        "
            shutdown 1000 -> stop 1 spindown term 60
            stopped late  -> tell E by u shutdown spindown until 300, stop E await 200
            stopped E     -> release p (Ready), reset spindown 0, closed late",
    );
    check_after(
        E_RUNNING,
        "exited 1; stopped; +300 stopped E; arrive b",
        "
            exited 1       -> answer a Exited(1), done a error Runtime.ExitError 0,
                              stop 1 failure term 60
            stopped        -> stop E await 200
            +300 stopped E -> reset failure 200 late E,
                              end a error Runtime.ExitError 0 +init 100 reset
            arrive b       -> init-start invoke, launch E 2",
    );
}

#[test]
fn an_end_that_nobody_wants_to_be_told_of_takes_no_time() {
    check_after(
        "files E; start; launched E; register E INVOKE; launched; event E u; next p",
        "shutdown 1000; +100 stopped; +900 stopped E",
        "
            shutdown 1000  -> stop 1 spindown term 60
            +100 stopped   -> stop E
            +900 stopped E -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
}

#[test]
fn internal_extensions_give_the_runtime_time_and_are_not_told() {
    check_after(
        WITH_I,
        "shutdown 100; event I x; +60 stopped",
        "
            shutdown 100 -> stop 1 spindown term 60
            event I x    -> refused (Ready to Ready)
            +60 stopped  -> release p (Ready), release w (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_I,
        "arrive a; +1000 tick; event I w; stopped",
        "
            arrive a   -> start a, hand a to p until 1100, tell I by w invoke a until 1100
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout term 60
            event I w  -> -
            stopped    -> release w (Ready), reset timeout 0, end a timeout 1000 +init 100 reset",
    );
}

#[test]
fn every_extension_is_waited_for_and_no_other() {
    check_after(
        EF_STARTED,
        "register E SHUTDOWN; shutdown 100; stopped E; stopped X; stopped; stopped; stopped E; \
         stopped E; stopped F late",
        "
            register E SHUTDOWN -> -
            shutdown 100        -> extension E Registered SHUTDOWN, extension F Started,
                                   init-report init failure Sandbox.Failure 0,
                                   stop 1 spindown term 60
            stopped E           -> -
            stopped X           -> -
            stopped             -> stop E await 200, stop F
            stopped             -> -
            stopped E           -> -
            stopped E           -> -
            stopped F late      -> reset spindown 0, closed late",
    );
}

#[test]
fn a_shutdown_waits_for_a_launch_and_starts_nothing_else() {
    check_after(
        "files EF; start",
        "shutdown 100; launched E; stopped; stopped E",
        "
            shutdown 100 -> extension E Started, init-report init failure Sandbox.Failure 0
            launched E   -> stop 1 spindown term 60
            stopped      -> stop E
            stopped E    -> reset spindown 0, closed",
    );
    check_after(
        "files EF; start; launched E",
        "shutdown 100; launch-failed F denied; stopped; stopped E",
        "
            shutdown 100           -> extension E Started, extension F Started,
                                      init-report init failure Sandbox.Failure 0
            launch-failed F denied -> stop 1 spindown term 60
            stopped                -> stop E
            stopped E              -> reset spindown 0, closed",
    );
    check_after(
        "files EF; start; launched E",
        "register E SHUTDOWN; event E u; +10 shutdown 100; +90 launched F; +10 stopped; \
         stopped F; stopped E",
        "
            register E SHUTDOWN -> -
            event E u           -> -
            +10 shutdown 100    -> extension E Ready SHUTDOWN, extension F Started,
                                   init-report init failure Sandbox.Failure 10
            +90 launched F      -> stop 1 spindown term 60
            +10 stopped         -> tell E by u shutdown spindown until 300, stop E await 190,
                                   stop F
            stopped F           -> -
            stopped E           -> reset spindown 10, closed",
    );
    check_after(
        "files E",
        "start ..; shutdown 100; found; stopped",
        "
            start ..     -> init-start init, discover
            shutdown 100 -> init-report init failure Sandbox.Failure 0
            found        -> stop 1 spindown
            stopped      -> closed",
    );
    check_after(
        E_STARTED,
        "register E SHUTDOWN; event E u; shutdown 100; next p; launch-failed denied; stopped; \
         stopped E",
        "
            register E SHUTDOWN  -> launch 1
            event E u            -> -
            shutdown 100         -> init-done init error Runtime.Unknown,
                                    extension E Ready SHUTDOWN,
                                    init-report init failure Sandbox.Failure 0
            next p               -> refused (Started to Ready)
            launch-failed denied -> stop 1 spindown term 60
            stopped              -> tell E by u shutdown spindown until 200, stop E await 200
            stopped E            -> reset spindown 0, closed",
    );
}

#[test]
fn a_shutdown_lets_extensions_finish_the_invocation() {
    check_after(
        E_BUSY,
        "arrive b; shutdown 100; +50 event E v; stopped; stopped E",
        "
            arrive b      -> -
            shutdown 100  -> refuse b ShuttingDown
            +50 event E v -> end a success 65 +init 100 ready at 115 after 5 overhead 50,
                             stop 1 spindown term 60
            stopped       -> tell E by v shutdown spindown until 365, stop E await 200
            stopped E     -> release p (Ready), reset spindown 0, closed",
    );
    check_after(
        E_BUSY,
        "shutdown 100; +100 tick; stopped; stopped E",
        "
            shutdown 100 -> -
            +100 tick    -> stop 1 spindown term 60
            stopped      -> stop E await 200
            stopped E    -> release p (Ready), reset spindown 0,
                            end a success 115 +init 100 ready at 115 after 5 reset, closed",
    );
    check_after(
        E_SUPPRESSED,
        "shutdown 100; launched E; register E INVOKE; launched; next p; +50 event E u; \
         shutdown 100; response a; finish a response; next p; event E u; stopped; stopped E",
        "
            shutdown 100      -> -
            launched E        -> -
            register E INVOKE -> launch 2
            launched          -> -
            next p            -> -
            +50 event E u     -> init-done invoke success, extension E Ready INVOKE,
                                 init-report invoke success 50, start a, hand a to p until 1100,
                                 tell E by u invoke a until 1100
            shutdown 100      -> -
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0
            event E u         -> end a success 50 +invoke 50 ready at 150 after 0 overhead 0,
                                 stop 2 spindown term 60
            stopped           -> stop E
            stopped E         -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
}

#[test]
fn a_shutdown_that_fails_for_an_extension_ends_in_the_shutdown() {
    check_after(
        E_RUNNING,
        "shutdown 100; +10 exited E 1; stopped; stopped E",
        "
            shutdown 100   -> -
            +10 exited E 1 -> answer a Extension.Crash 'exit status 1',
                              done a error Extension.Crash 10, stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> reset failure 0, end a error Extension.Crash 10 +init 100 reset,
                              closed",
    );
    check_after(
        E_RUNNING,
        "exited E 1; shutdown 100; stopped; stopped E",
        "
            exited E 1   -> answer a Extension.Crash 'exit status 1',
                            done a error Extension.Crash 0, stop 1 failure term 60
            shutdown 100 -> -
            stopped      -> stop E await 200
            stopped E    -> reset failure 0, end a error Extension.Crash 0 +init 100 reset, closed",
    );
}
