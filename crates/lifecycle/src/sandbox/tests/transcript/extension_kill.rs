//! An end at once: nobody is told and nobody has time, at whatever point it comes.

use super::*;

#[test]
fn a_kill_while_nothing_runs_closes() {
    check(
        "kill; kill",
        "
            kill -> closed
            kill -> -",
    );
}

#[test]
fn a_kill_waits_for_what_is_under_way() {
    check_after(
        "files E",
        "start ..; kill; found; stopped",
        "
            start .. -> init-start init, discover
            kill     -> init-report init failure Sandbox.Failure 0
            found    -> stop 1 spindown
            stopped  -> closed",
    );
    check_after(
        "files EF",
        "arrive a; kill; launched E; stopped; stopped E",
        "
            arrive a   -> init-start init, launch E 1
            kill       -> refuse a ShuttingDown, extension E Started,
                          init-report init failure Sandbox.Failure 0
            launched E -> stop 1 spindown
            stopped    -> stop E
            stopped E  -> reset spindown 0, closed",
    );
    check_after(
        "files EF; start; launched E",
        "kill; launch-failed F denied; stopped; stopped E",
        "
            kill                   -> extension E Started, extension F Started,
                                      init-report init failure Sandbox.Failure 0
            launch-failed F denied -> stop 1 spindown
            stopped                -> stop E
            stopped E              -> reset spindown 0, closed",
    );
    check_after(
        E_STARTED,
        "register E SHUTDOWN; event E u; kill; launched; stopped; stopped E",
        "
            register E SHUTDOWN -> launch 1
            event E u           -> -
            kill                -> init-done init error Runtime.Unknown,
                                   extension E Ready SHUTDOWN,
                                   init-report init failure Sandbox.Failure 0
            launched            -> stop 1 spindown
            stopped             -> stop E
            stopped E           -> release u (Ready), reset spindown 0, closed",
    );
}

#[test]
fn a_kill_during_an_init_kills_whoever_was_started() {
    check_after(
        E_STARTED,
        "+10 kill; stopped; stopped E",
        "
            +10 kill  -> extension E Started, init-report init failure Sandbox.Failure 10,
                         stop 1 spindown
            stopped   -> stop E
            stopped E -> reset spindown 0, closed",
    );
    check_after(
        E_REGISTERED,
        "event E u; +10 kill; stopped; stopped E",
        "
            event E u -> -
            +10 kill  -> init-done init error Runtime.Unknown, extension E Ready INVOKE SHUTDOWN,
                         init-report init failure Sandbox.Failure 10, stop 1 spindown
            stopped   -> stop E
            stopped E -> release u (Ready), reset spindown 0, closed",
    );
    check_after(
        E_REGISTERED,
        "next p; +10 kill; stopped; event E u; stopped E",
        "
            next p    -> -
            +10 kill  -> init-done init error Runtime.Unknown,
                         extension E Registered INVOKE SHUTDOWN,
                         init-report init failure Sandbox.Failure 10, stop 1 spindown
            stopped   -> stop E
            event E u -> -
            stopped E -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; +10 kill; stopped; stopped E",
        "
            launched E -> -
            +10 kill   -> extension E Started, init-report invoke failure Sandbox.Failure 10,
                          start a, answer a Shutdown, stop 2 spindown
            stopped    -> stop E
            stopped E  -> reset spindown 0, end a failure Sandbox.Failure 10 reset, closed",
    );
}

#[test]
fn a_kill_while_ready_tells_nobody() {
    check_after(
        WITH_E,
        "kill; stopped; event E v; stopped E",
        "
            kill      -> stop 1 spindown
            stopped   -> stop E
            event E v -> refused (Ready to Ready)
            stopped E -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "unpark u; kill; stopped; event E v; stopped E",
        "
            unpark u  -> -
            kill      -> stop 1 spindown
            stopped   -> stop E
            event E v -> -
            stopped E -> release p (Ready), release v (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; arrive a; kill; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            arrive a              -> -
            kill                  -> refuse a ShuttingDown, stop 1 spindown
            stopped               -> stop E
            stopped E             -> release p (Ready), release u (ExitError), reset spindown 0,
                                     closed",
    );
    check_after(
        WARM,
        "kill; stopped",
        "
            kill    -> stop 1 spindown
            stopped -> release p (Ready), closed",
    );
}

#[test]
fn a_kill_during_an_invocation_is_its_end() {
    check_after(
        E_RUNNING,
        "arrive b; +10 kill; stopped; stopped E",
        "
            arrive b  -> -
            +10 kill  -> refuse b ShuttingDown, answer a Shutdown,
                         done a failure Sandbox.Failure 10, stop 1 spindown
            stopped   -> stop E
            stopped E -> reset spindown 0, end a failure Sandbox.Failure 10 +init 100 reset,
                         closed",
    );
    check_after(
        E_ANSWERED,
        "kill; stopped; stopped E",
        "
            kill      -> done a success 10, stop 1 spindown
            stopped   -> stop E
            stopped E -> reset spindown 0, end a success 10 +init 100 reset, closed",
    );
    check_after(
        E_BUSY,
        "kill; stopped; event E v; stopped E",
        "
            kill      -> stop 1 spindown
            stopped   -> stop E
            event E v -> -
            stopped E -> release p (Ready), release v (Ready), reset spindown 0,
                         end a success 15 +init 100 ready at 115 after 5 reset, closed",
    );
    check_after(
        RUNNING,
        "kill; stopped",
        "
            kill    -> answer a Shutdown, done a failure Sandbox.Failure 0, stop 1 spindown
            stopped -> end a failure Sandbox.Failure 0 +init 100 reset, closed",
    );
}

#[test]
fn a_kill_hastens_an_end_in_order() {
    check_after(
        WITH_E,
        "shutdown 100; kill; stopped; stopped E",
        "
            shutdown 100 -> stop 1 spindown term 60
            kill         -> stop 1 spindown
            stopped      -> stop E
            stopped E    -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; +30 stopped; +10 kill; event E v; stopped E",
        "
            shutdown 100 -> stop 1 spindown term 60
            +30 stopped  -> tell E by u shutdown spindown until 300, stop E await 170
            +10 kill     -> stop E
            event E v    -> -
            stopped E    -> release p (Ready), release v (Ready), reset spindown 40, closed",
    );
    check_after(
        E_BUSY,
        "+985 tick; stopped; kill; event E v; stopped E",
        "
            +985 tick -> gave up on next event of E, stop 1 timeout term 60
            stopped   -> stop E await 200
            kill      -> stop E
            event E v -> -
            stopped E -> release p (Ready), release v (Ready), reset timeout 0,
                         end a timeout 1000 +init 100 ready at 115 after 5 reset, closed",
    );
    check_after(
        "files EFG; start; launched E; launched F; launched G",
        "shutdown 100; stopped; stopped F; kill; stopped G; stopped E",
        "
            shutdown 100 -> extension E Started, extension F Started, extension G Started,
                            init-report init failure Sandbox.Failure 0, stop 1 spindown term 60
            stopped      -> stop E, stop F, stop G
            stopped F    -> -
            kill         -> stop E, stop G
            stopped G    -> -
            stopped E    -> reset spindown 0, closed",
    );
    check_after(
        E_RUNNING,
        "exited E 1; arrive b; kill; stopped; stopped E",
        "
            exited E 1 -> answer a Extension.Crash 'exit status 1',
                          done a error Extension.Crash 0, stop 1 failure term 60
            arrive b   -> -
            kill       -> stop 1 failure, refuse b ShuttingDown
            stopped    -> stop E
            stopped E  -> reset failure 0, end a error Extension.Crash 0 +init 100 reset, closed",
    );
    check_after(
        RUNNING,
        "exited 1; kill; stopped",
        "
            exited 1 -> answer a Exited(1), done a error Runtime.ExitError 0, stop 1 failure
            kill     -> stop 1 failure
            stopped  -> end a error Runtime.ExitError 0 +init 100 reset, closed",
    );
}

#[test]
fn a_kill_of_what_is_about_to_end_anyway_waits_for_the_launch() {
    check_after(
        "files EF; start",
        "shutdown 100; kill; launched E; stopped; stopped E",
        "
            shutdown 100 -> extension E Started, init-report init failure Sandbox.Failure 0
            kill         -> -
            launched E   -> stop 1 spindown
            stopped      -> stop E
            stopped E    -> reset spindown 0, closed",
    );
}

#[test]
fn a_second_kill_hurries_again_and_changes_nothing() {
    check_after(
        WITH_E,
        "kill; kill; stopped; kill; stopped E; kill",
        "
            kill      -> stop 1 spindown
            kill      -> stop 1 spindown
            stopped   -> stop E
            kill      -> stop E
            stopped E -> release p (Ready), release u (Ready), reset spindown 0, closed
            kill      -> -",
    );
}
