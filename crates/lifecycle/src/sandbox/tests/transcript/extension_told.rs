//! Who is told of the end of a generation, and when.

use super::*;

#[test]
fn every_reason_is_told() {
    check_after(
        WITH_E,
        "shutdown 1000; stopped; stopped E",
        "
            shutdown 1000 -> stop 1 spindown term 60
            stopped       -> tell E by u shutdown spindown until 300, stop E await 200
            stopped E     -> release p (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "exited 1; stopped; stopped E",
        "
            exited 1  -> stop 1 failure term 60
            stopped   -> tell E by u shutdown failure until 300, stop E await 200
            stopped E -> release p (Ready), reset failure 0",
    );
    check_after(
        E_RUNNING,
        "event E u; +1000 tick; stopped; stopped E",
        "
            event E u  -> -
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout term 60
            stopped    -> tell E by u shutdown timeout until 1300, stop E await 200
            stopped E  -> reset timeout 0, end a timeout 1000 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "event E u; shutdown 0; stopped; stopped E",
        "
            event E u  -> -
            shutdown 0 -> answer a Shutdown, done a failure Sandbox.Failure 0,
                          stop 1 spindown term 60
            stopped    -> tell E by u shutdown spindown until 300, stop E await 200
            stopped E  -> reset spindown 0, end a failure Sandbox.Failure 0 +init 100 reset,
                          closed",
    );
}

#[test]
fn an_extension_that_does_not_want_to_be_told_is_killed() {
    check_after(
        "files E; start; launched E; register E INVOKE; launched; event E u; next p",
        "shutdown 100; stopped; exited E killed; +50 stopped E",
        "
            shutdown 100    -> stop 1 spindown term 60
            stopped         -> stop E
            exited E killed -> -
            +50 stopped E   -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
    check_after(
        E_STARTED,
        "shutdown 100; stopped; exited E killed; stopped E",
        "
            shutdown 100    -> extension E Started, init-report init failure Sandbox.Failure 0,
                               stop 1 spindown term 60
            stopped         -> stop E
            exited E killed -> -
            stopped E       -> reset spindown 0, closed",
    );
}

#[test]
fn an_extension_that_is_busy_is_told_when_it_asks() {
    check_after(
        E_BUSY,
        "+985 tick; stopped; +50 event E v; +20 stopped E",
        "
            +985 tick     -> gave up on next event of E, stop 1 timeout term 60
            stopped       -> stop E await 200
            +50 event E v -> tell E by v shutdown timeout until 1300
            +20 stopped E -> release p (Ready), reset timeout 70,
                             end a timeout 1000 +init 100 ready at 115 after 5 reset",
    );
    check_after(
        E_BUSY,
        "+985 tick; event E v; stopped; stopped E",
        "
            +985 tick -> gave up on next event of E, stop 1 timeout term 60
            event E v -> -
            stopped   -> tell E by v shutdown timeout until 1300, stop E await 200
            stopped E -> release p (Ready), reset timeout 0,
                         end a timeout 1000 +init 100 ready at 115 after 5 reset",
    );
    check_after(
        E_BUSY,
        "+985 tick; stopped; stopped E",
        "
            +985 tick -> gave up on next event of E, stop 1 timeout term 60
            stopped   -> stop E await 200
            stopped E -> release p (Ready), reset timeout 0,
                         end a timeout 1000 +init 100 ready at 115 after 5 reset",
    );
}

#[test]
fn an_extension_that_has_gone_from_its_call_is_told_when_it_comes_back() {
    check_after(
        WITH_E,
        "unpark u; shutdown 100; stopped; +50 event E v; stopped E",
        "
            unpark u      -> -
            shutdown 100  -> stop 1 spindown term 60
            stopped       -> stop E await 200
            +50 event E v -> tell E by v shutdown spindown until 300
            stopped E     -> release p (Ready), reset spindown 50, closed",
    );
    check_after(
        WITH_E,
        "unpark u; shutdown 100; event E v; stopped; stopped E",
        "
            unpark u     -> -
            shutdown 100 -> stop 1 spindown term 60
            event E v    -> -
            stopped      -> tell E by v shutdown spindown until 300, stop E await 200
            stopped E    -> release p (Ready), reset spindown 0, closed",
    );
}

#[test]
fn an_extension_that_has_not_asked_yet_is_told_when_it_does() {
    check_after(
        E_STARTED,
        "register E SHUTDOWN; shutdown 100; launched; stopped; +10 event E u; stopped E",
        "
            register E SHUTDOWN -> launch 1
            shutdown 100        -> init-done init error Runtime.Unknown,
                                   extension E Registered SHUTDOWN,
                                   init-report init failure Sandbox.Failure 0
            launched            -> stop 1 spindown term 60
            stopped             -> stop E await 200
            +10 event E u       -> tell E by u shutdown spindown until 200
            stopped E           -> reset spindown 10, closed",
    );
}

#[test]
fn an_extension_that_has_reported_an_error_is_not_told() {
    check_after(
        WITH_E,
        "exit-fail E Some.Type; exited 1; stopped; event E u; stopped E",
        "
            exit-fail E Some.Type -> -
            exited 1              -> stop 1 failure term 60
            stopped               -> release u (ExitError), stop E await 50
            event E u             -> refused (ExitError to Ready)
            stopped E             -> release p (Ready), reset failure 0",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; exited 1; stopped; event E u; stopped E",
        "
            exit-fail E Some.Type -> -
            exited 1              -> answer a Exit(Exited(1)) as Extension.ExitError,
                                     done a error Extension.ExitError 0, stop 1 failure term 60
            stopped               -> stop E await 50
            event E u             -> refused (ExitError to Ready)
            stopped E             -> reset failure 0,
                                     end a error Extension.ExitError 0 +init 100 reset",
    );
    check_after(
        WITH_E,
        "shutdown 100; exit-fail E Some.Type; stopped; exit-fail E Some.Type; stopped E",
        "
            shutdown 100          -> stop 1 spindown term 60
            exit-fail E Some.Type -> -
            stopped               -> release u (ExitError), stop E await 200
            exit-fail E Some.Type -> -
            stopped E             -> release p (Ready), reset spindown 0, closed",
    );
    check_after(
        E_STARTED,
        "register E SHUTDOWN; init-fail E Some.Type; shutdown 100; launched; stopped; stopped E",
        "
            register E SHUTDOWN   -> launch 1
            init-fail E Some.Type -> -
            shutdown 100          -> init-done init error Extension.InitError,
                                     extension E InitError SHUTDOWN (Some.Type),
                                     init-report init error Extension.InitError 0
            launched              -> stop 1 spindown term 60
            stopped               -> stop E await 50
            stopped E             -> reset spindown 0, closed",
    );
}

#[test]
fn an_extension_is_told_once() {
    check_after(
        WITH_E,
        "shutdown 100; stopped; event E u; event E v; stopped E",
        "
            shutdown 100 -> stop 1 spindown term 60
            stopped      -> tell E by u shutdown spindown until 300, stop E await 200
            event E u    -> -
            event E v    -> refused (Ready to Ready)
            stopped E    -> release p (Ready), release u (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; stopped; exit-fail E Some.Type; event E v; stopped E",
        "
            shutdown 100          -> stop 1 spindown term 60
            stopped               -> tell E by u shutdown spindown until 300, stop E await 200
            exit-fail E Some.Type -> -
            event E v             -> refused (ExitError to Ready)
            stopped E             -> release p (Ready), reset spindown 0, closed",
    );
}

#[test]
fn an_end_that_was_lost_is_told_again() {
    check_after(
        WITH_E,
        "shutdown 100; stopped; event-lost E shutdown; event E v; event E u; stopped E",
        "
            shutdown 100          -> stop 1 spindown term 60
            stopped               -> tell E by u shutdown spindown until 300, stop E await 200
            event-lost E shutdown -> -
            event E v             -> tell E by v shutdown spindown until 300
            event E u             -> -
            stopped E             -> release p (Ready), release u (Ready), reset spindown 0,
                                     closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; stopped; event E v; event-lost E shutdown; stopped E",
        "
            shutdown 100          -> stop 1 spindown term 60
            stopped               -> tell E by u shutdown spindown until 300, stop E await 200
            event E v             -> -
            event-lost E shutdown -> tell E by v shutdown spindown until 300
            stopped E             -> release p (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; event-lost E shutdown; event-lost E a; stopped; exited E 0; \
         event-lost E shutdown; stopped E",
        "
            shutdown 100          -> stop 1 spindown term 60
            event-lost E shutdown -> -
            event-lost E a        -> -
            stopped               -> tell E by u shutdown spindown until 300, stop E await 200
            exited E 0            -> -
            event-lost E shutdown -> -
            stopped E             -> release p (Ready), reset spindown 0, closed",
    );
}

#[test]
fn an_extension_that_was_told_may_exit_well_or_badly() {
    check_after(
        WITH_E,
        "shutdown 100; stopped; exited E 0; event E v; exit-fail E Some.Type; stopped E",
        "
            shutdown 100          -> stop 1 spindown term 60
            stopped               -> tell E by u shutdown spindown until 300, stop E await 200
            exited E 0            -> -
            event E v             -> refused (Exited to Ready)
            exit-fail E Some.Type -> refused (Exited to Exited)
            stopped E             -> release p (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; stopped; exited E 1; event E v; stopped E",
        "
            shutdown 100 -> stop 1 spindown term 60
            stopped      -> tell E by u shutdown spindown until 300, stop E await 200
            exited E 1   -> -
            event E v    -> refused (ShutdownFailed to Ready)
            stopped E    -> release p (Ready), reset spindown 0 failed E, closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; exited E 1; unpark u; stopped; stopped E",
        "
            shutdown 100 -> stop 1 spindown term 60
            exited E 1   -> -
            unpark u     -> -
            stopped      -> stop E await 200
            stopped E    -> release p (Ready), reset spindown 0, closed",
    );
    check_after(
        WITH_E,
        "shutdown 100; exited E 1; unpark u; exited 1; stopped; stopped E",
        "
            shutdown 100 -> stop 1 spindown term 60
            exited E 1   -> -
            unpark u     -> -
            exited 1     -> -
            stopped      -> stop E await 200
            stopped E    -> release p (Ready), reset spindown 0, closed",
    );
}
