//! Processes that end by themselves while there are extensions.

use super::*;

#[test]
fn an_extension_that_exits_before_its_launch_is_known_ends_the_init() {
    check_after(
        "files EF; start",
        "+10 exited E 1; launched E; stopped; stopped E",
        "
            +10 exited E 1 -> extension E Started, init-report init error Extension.Crash 10
            launched E     -> stop 1 failure term 60
            stopped        -> stop E
            stopped E      -> reset failure 0",
    );
    check_after(
        "files EF; start; launched E",
        "+10 exited E 1; launched F; stopped; stopped E; stopped F",
        "
            +10 exited E 1 -> extension E Started, extension F Started,
                              init-report init error Extension.Crash 10
            launched F     -> stop 1 failure term 60
            stopped        -> stop E, stop F
            stopped E      -> -
            stopped F      -> reset failure 0",
    );
    check_after(
        "files EF; start; launched E",
        "+10 exited E 1; launch-failed F denied; stopped; stopped E",
        "
            +10 exited E 1         -> extension E Started, extension F Started,
                                      init-report init error Extension.Crash 10
            launch-failed F denied -> stop 1 failure term 60
            stopped                -> stop E
            stopped E              -> reset failure 0",
    );
}

#[test]
fn an_extension_that_exits_before_it_has_registered_ends_the_init() {
    check_after(
        E_STARTED,
        "+10 exited E 1; stopped; stopped E",
        "
            +10 exited E 1 -> extension E Started, init-report init error Extension.Crash 10,
                              stop 1 failure term 60
            stopped        -> stop E
            stopped E      -> reset failure 0",
    );
    check_after(
        E_STARTED,
        "+10 exited E 0; stopped; stopped E",
        "
            +10 exited E 0 -> extension E Started, init-report init error Extension.Crash 10,
                              stop 1 failure term 60
            stopped        -> stop E
            stopped E      -> reset failure 0",
    );
}

#[test]
fn an_extension_that_exits_after_it_has_registered_ends_the_init() {
    check_after(
        "files EF; start; launched E",
        "register E -; launched F; +10 exited E 1; stopped; stopped F; stopped E",
        "
            register E -   -> -
            launched F     -> -
            +10 exited E 1 -> extension E Registered, extension F Started,
                              init-report init error Extension.Crash 10, stop 1 failure term 60
            stopped        -> stop E, stop F
            stopped F      -> -
            stopped E      -> reset failure 0",
    );
    check_after(
        E_STARTED,
        "register E INVOKE; +10 exited E 1; launched; stopped; stopped E",
        "
            register E INVOKE -> launch 1
            +10 exited E 1    -> init-done init error Extension.Crash,
                                 extension E Registered INVOKE,
                                 init-report init error Extension.Crash 10
            launched          -> stop 1 failure term 60
            stopped           -> stop E
            stopped E         -> reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "+10 exited E 1; stopped; stopped E",
        "
            +10 exited E 1 -> init-done init error Extension.Crash,
                              extension E Registered INVOKE SHUTDOWN,
                              init-report init error Extension.Crash 10, stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "next p; +10 exited E 1; stopped; stopped E",
        "
            next p         -> -
            +10 exited E 1 -> init-done init error Extension.Crash,
                              extension E Registered INVOKE SHUTDOWN,
                              init-report init error Extension.Crash 10, stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> release p (Ready), reset failure 0",
    );
    check_after(
        "files EF; start; launched E",
        "register E SHUTDOWN; launched F; register F SHUTDOWN; launched; event E u; event F v; \
         +10 exited E 1; unpark u; stopped; stopped E; stopped F",
        "
            register E SHUTDOWN -> -
            launched F          -> -
            register F SHUTDOWN -> launch 1
            launched            -> -
            event E u           -> -
            event F v           -> -
            +10 exited E 1      -> init-done init error Extension.Crash,
                                   extension E Ready SHUTDOWN, extension F Ready SHUTDOWN,
                                   init-report init error Extension.Crash 10,
                                   stop 1 failure term 60
            unpark u            -> -
            stopped             -> stop E await 200, tell F by v shutdown failure until 210,
                                   stop F await 200
            stopped E           -> -
            stopped F           -> reset failure 0",
    );
}

#[test]
fn an_extension_that_exits_during_a_suppressed_init_fails_the_invocation() {
    check_after(
        E_SUPPRESSED,
        "launched E; +10 exited E 1; stopped; stopped E",
        "
            launched E     -> -
            +10 exited E 1 -> extension E Started, init-report invoke error Extension.Crash 10,
                              start a, answer a Extension.Crash 'exit status 1',
                              stop 2 failure term 60
            stopped        -> stop E
            stopped E      -> reset failure 0, end a error Extension.Crash 10 reset",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E -; launched; +10 exited E 0; stopped; stopped E",
        "
            launched E     -> -
            register E -   -> launch 2
            launched       -> -
            +10 exited E 0 -> init-done invoke error Extension.Crash, extension E Registered,
                              init-report invoke error Extension.Crash 10, start a,
                              answer a Extension.Crash 'exit code 0', stop 2 failure term 60
            stopped        -> stop E
            stopped E      -> reset failure 0, end a error Extension.Crash 10 reset",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E INVOKE; launched; next p; +10 exited E killed; stopped; stopped E",
        "
            launched E          -> -
            register E INVOKE   -> launch 2
            launched            -> -
            next p              -> -
            +10 exited E killed -> init-done invoke error Extension.Crash,
                                   extension E Registered INVOKE,
                                   init-report invoke error Extension.Crash 10, start a,
                                   answer a Extension.Crash 'signal: killed',
                                   stop 2 failure term 60
            stopped             -> stop E
            stopped E           -> release p (Ready), reset failure 0,
                                   end a error Extension.Crash 10 reset",
    );
}

#[test]
fn an_extension_that_exits_before_the_answer_is_the_answer() {
    check_after(
        E_RUNNING,
        "+10 exited E 1; stopped; stopped E",
        "
            +10 exited E 1 -> answer a Extension.Crash 'exit status 1',
                              done a error Extension.Crash 10, stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> reset failure 0, end a error Extension.Crash 10 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "+10 exited E 0; stopped; stopped E",
        "
            +10 exited E 0 -> answer a Extension.Crash 'exit code 0',
                              done a error Extension.Crash 10, stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> reset failure 0, end a error Extension.Crash 10 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "+10 exited E killed; stopped; stopped E",
        "
            +10 exited E killed -> answer a Extension.Crash 'signal: killed',
                                   done a error Extension.Crash 10, stop 1 failure term 60
            stopped             -> stop E await 200
            stopped E           -> reset failure 0, end a error Extension.Crash 10 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "+10 exited E oom; stopped; stopped E",
        "
            +10 exited E oom -> answer a Extension.Crash 'signal: killed',
                                done a error Extension.Crash 10, stop 1 failure term 60
            stopped          -> stop E await 200
            stopped E        -> reset failure 0, end a error Extension.Crash 10 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "event E u; response a; +10 exited E 1; unpark u; finish a response; stopped; stopped E",
        "
            event E u         -> -
            response a        -> -
            +10 exited E 1    -> answer a Extension.Crash 'exit status 1',
                                 done a error Extension.Crash 10, stop 1 failure term 60
            unpark u          -> -
            finish a response -> refused (Invalid request ID)
            stopped           -> stop E await 200
            stopped E         -> reset failure 0, end a error Extension.Crash 10 +init 100 reset",
    );
}

#[test]
fn an_extension_that_exits_after_the_answer_changes_the_report_and_not_the_answer() {
    check_after(
        E_ANSWERED,
        "+10 exited E 1; stopped; stopped E",
        "
            +10 exited E 1 -> done a error Extension.Crash 20, stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> reset failure 0, end a error Extension.Crash 20 +init 100 reset",
    );
    check_after(
        E_BUSY,
        "arrive b; +10 exited E 1; stopped; stopped E",
        "
            arrive b       -> -
            +10 exited E 1 -> stop 1 failure term 60
            stopped        -> stop E await 200
            stopped E      -> release p (Ready), reset failure 0,
                              end a error Extension.Crash 25 +init 100 ready at 115 after 5 reset,
                              init-start invoke, launch E 2",
    );
}

#[test]
fn an_extension_that_exits_between_invocations_is_replaced_at_the_next_one() {
    check_after(
        E_BUSY,
        "event E u; +10 exited E 1; unpark u; stopped; stopped E; arrive b",
        "
            event E u      -> end a success 15 +init 100 ready at 115 after 5 overhead 0
            +10 exited E 1 -> stop 1 failure term 60
            unpark u       -> -
            stopped        -> stop E await 200
            stopped E      -> release p (Ready), reset failure 0
            arrive b       -> init-start invoke, launch E 2",
    );
    check_after(
        WITH_E,
        "exited E 0; unpark u; arrive a; stopped; stopped E",
        "
            exited E 0 -> stop 1 failure term 60
            unpark u   -> -
            arrive a   -> -
            stopped    -> stop E await 200
            stopped E  -> release p (Ready), reset failure 0, init-start invoke, launch E 2",
    );
}

#[test]
fn an_extension_that_is_not_known_may_exit() {
    check_after(WITH_E, "exited X 1", "exited X 1 -> -");
}

#[test]
fn a_runtime_that_exits_ends_the_extensions_too() {
    check_after(
        E_REGISTERED,
        "event E u; +10 exited 1; stopped; stopped E",
        "
            event E u    -> -
            +10 exited 1 -> init-done init error Runtime.ExitError,
                            extension E Ready INVOKE SHUTDOWN,
                            init-report init error Runtime.ExitError 10, stop 1 failure term 60
            stopped      -> tell E by u shutdown failure until 210, stop E await 200
            stopped E    -> reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "next p; +10 exited 0; stopped; stopped E",
        "
            next p       -> -
            +10 exited 0 -> init-done init error Runtime.ExitError,
                            extension E Registered INVOKE SHUTDOWN,
                            init-report init error Runtime.ExitError 10, stop 1 failure term 60
            stopped      -> stop E await 200
            stopped E    -> release p (Ready), reset failure 0",
    );
    check_after(
        WITH_E,
        "exited 1; stopped; +10 stopped E",
        "
            exited 1      -> stop 1 failure term 60
            stopped       -> tell E by u shutdown failure until 300, stop E await 200
            +10 stopped E -> release p (Ready), reset failure 10",
    );
    check_after(
        E_RUNNING,
        "+10 exited oom; stopped; event E v; stopped E",
        "
            +10 exited oom -> answer a OutOfMemory, done a error Runtime.OutOfMemory 10,
                              stop 1 failure term 60
            stopped        -> stop E await 200
            event E v      -> tell E by v shutdown failure until 310
            stopped E      -> reset failure 0, end a error Runtime.OutOfMemory 10 +init 100 reset",
    );
    check_after(
        E_ANSWERED,
        "+10 exited 1; stopped; stopped E",
        "
            +10 exited 1 -> done a error Runtime.ExitError 20, stop 1 failure term 60
            stopped      -> stop E await 200
            stopped E    -> reset failure 0, end a error Runtime.ExitError 20 +init 100 reset",
    );
    check_after(
        E_BUSY,
        "+10 exited 1; stopped; stopped E",
        "
            +10 exited 1 -> stop 1 failure term 60
            stopped      -> stop E await 200
            stopped E    -> release p (Ready), reset failure 0,
                            end a error Runtime.ExitError 25 +init 100 ready at 115 after 5 reset",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E -; launched; +10 exited 1; stopped; stopped E",
        "
            launched E   -> -
            register E - -> launch 2
            launched     -> -
            +10 exited 1 -> init-done invoke error Runtime.ExitError, extension E Registered,
                            init-report invoke error Runtime.ExitError 10, start a,
                            answer a InitExit(Exited(1)), stop 2 failure term 60
            stopped      -> stop E
            stopped E    -> reset failure 0, end a error Runtime.ExitError 10 reset",
    );
}

#[test]
fn a_runtime_that_cannot_be_started_ends_the_extensions_too() {
    check_after(
        E_STARTED,
        "register E SHUTDOWN; event E u; +10 launch-failed no-bootstrap; stopped; stopped E",
        "
            register E SHUTDOWN            -> launch 1
            event E u                      -> -
            +10 launch-failed no-bootstrap -> extension E Ready SHUTDOWN,
                                              init-report init error Runtime.InvalidEntrypoint 10,
                                              stop 1 failure term 60
            stopped                        -> tell E by u shutdown failure until 210,
                                              stop E await 200
            stopped E                      -> reset failure 0",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E -; +10 launch-failed denied; stopped; stopped E",
        "
            launched E               -> -
            register E -             -> launch 2
            +10 launch-failed denied -> init-done invoke error Runtime.InvalidEntrypoint,
                                        extension E Registered,
                                        init-report invoke error Runtime.InvalidEntrypoint 10,
                                        start a, answer a Runtime.InvalidEntrypoint,
                                        stop 2 failure term 60
            stopped                  -> stop E
            stopped E                -> reset failure 0,
                                        end a error Runtime.InvalidEntrypoint 10 reset",
    );
}
