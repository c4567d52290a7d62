//! Extensions that report an error and exit, and what they leave to others.

use super::*;

#[test]
fn an_extension_that_reports_an_init_error_and_exits_ends_the_init() {
    check_after(
        "files EF; start; launched E",
        "register E INVOKE,SHUTDOWN; init-fail E Some.Type; +10 launched F; +10 exited E 1; \
         stopped; stopped E; stopped F",
        "
            register E INVOKE,SHUTDOWN -> -
            init-fail E Some.Type      -> -
            +10 launched F             -> -
            +10 exited E 1             -> extension E InitError INVOKE SHUTDOWN (Some.Type),
                                          extension F Started,
                                          init-report init error Extension.InitError 20,
                                          stop 1 failure term 60
            stopped                    -> stop E await 30, stop F
            stopped E                  -> -
            stopped F                  -> reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "init-fail E Some.Type; +10 exited E 0; stopped; stopped E",
        "
            init-fail E Some.Type -> -
            +10 exited E 0        -> init-done init error Extension.InitError,
                                     extension E InitError INVOKE SHUTDOWN (Some.Type),
                                     init-report init error Extension.InitError 10,
                                     stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "next p; init-fail E Some.Type; +10 exited E killed; stopped; stopped E",
        "
            next p                -> -
            init-fail E Some.Type -> -
            +10 exited E killed   -> init-done init error Extension.InitError,
                                     extension E InitError INVOKE SHUTDOWN (Some.Type),
                                     init-report init error Extension.InitError 10,
                                     stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> release p (Ready), reset failure 0",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E INVOKE; launched; init-fail E Some.Type; next p; +10 exited E 1; \
         stopped; stopped E",
        "
            launched E            -> -
            register E INVOKE     -> launch 2
            launched              -> -
            init-fail E Some.Type -> -
            next p                -> -
            +10 exited E 1        -> init-done invoke error Extension.InitError,
                                     extension E InitError INVOKE (Some.Type),
                                     init-report invoke error Extension.InitError 10, start a,
                                     answer a Extension.InitError 'exit status 1',
                                     stop 2 failure term 60
            stopped               -> stop E
            stopped E             -> release p (Ready), reset failure 0,
                                     end a error Extension.InitError 10 reset",
    );
}

#[test]
fn an_extension_that_reports_an_exit_error_and_exits_ends_what_runs() {
    check_after(
        "files EF; start; launched E",
        "register E INVOKE; launched F; exit-fail E Some.Type; +10 exited E 1; stopped; \
         stopped F; stopped E",
        "
            register E INVOKE     -> -
            launched F            -> -
            exit-fail E Some.Type -> -
            +10 exited E 1        -> extension E ExitError INVOKE (Some.Type),
                                     extension F Started,
                                     init-report init error Extension.ExitError 10,
                                     stop 1 failure term 60
            stopped               -> stop E, stop F
            stopped F             -> -
            stopped E             -> reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "event E u; exit-fail E Some.Type; next p; +10 exited E 1; stopped; stopped E",
        "
            event E u             -> -
            exit-fail E Some.Type -> -
            next p                -> -
            +10 exited E 1        -> init-done init error Extension.ExitError,
                                     extension E ExitError INVOKE SHUTDOWN (Some.Type),
                                     init-report init error Extension.ExitError 10,
                                     stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> release p (Ready), release u (ExitError), reset failure 0",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E INVOKE; launched; event E u; exit-fail E Some.Type; next p; \
         +10 exited E 1; stopped; stopped E",
        "
            launched E            -> -
            register E INVOKE     -> launch 2
            launched              -> -
            event E u             -> -
            exit-fail E Some.Type -> -
            next p                -> -
            +10 exited E 1        -> init-done invoke error Extension.ExitError,
                                     extension E ExitError INVOKE (Some.Type),
                                     init-report invoke error Extension.ExitError 10, start a,
                                     answer a Extension.ExitError 'exit status 1',
                                     stop 2 failure term 60
            stopped               -> stop E
            stopped E             -> release p (Ready), release u (ExitError), reset failure 0,
                                     end a error Extension.ExitError 10 reset",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; +10 exited E 1; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +10 exited E 1        -> answer a Extension.ExitError 'exit status 1',
                                     done a error Extension.ExitError 10, stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> reset failure 0,
                                     end a error Extension.ExitError 10 +init 100 reset",
    );
    check_after(
        E_ANSWERED,
        "exit-fail E Some.Type; +10 exited E 0; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +10 exited E 0        -> done a error Extension.ExitError 20, stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> reset failure 0,
                                     end a error Extension.ExitError 20 +init 100 reset",
    );
    check_after(
        E_BUSY,
        "exit-fail E Some.Type; +10 exited E 1; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +10 exited E 1        -> stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> release p (Ready), reset failure 0, end a error
                                     Extension.ExitError 25 +init 100 ready at 115 after 5 reset",
    );
}

#[test]
fn an_extension_that_is_not_needed_lets_the_invocation_end_first() {
    check_after(
        "files E; start; launched E; register E SHUTDOWN; launched; event E u; next p",
        "arrive a; exit-fail E Some.Type; arrive b; response a; finish a response; next p; \
         +10 exited E 1; stopped; stopped E",
        "
            arrive a              -> start a, hand a to p until 1000
            exit-fail E Some.Type -> -
            arrive b              -> -
            response a            -> -
            finish a response     -> answer a upload
            next p                -> done a success 0,
                                     end a success 0 +init 0 ready at 0 after 0 overhead 0
            +10 exited E 1        -> stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> release p (Ready), release u (ExitError), reset failure 0,
                                     init-start invoke, launch E 2",
    );
    check_after(
        "files E; start; launched E; register E SHUTDOWN; launched; event E u; next p",
        "arrive a; exit-fail E Some.Type; response a; finish a response; next p; +50 tick; \
         stopped; stopped E",
        "
            arrive a              -> start a, hand a to p until 1000
            exit-fail E Some.Type -> -
            response a            -> -
            finish a response     -> answer a upload
            next p                -> done a success 0,
                                     end a success 0 +init 0 ready at 0 after 0 overhead 0
            +50 tick              -> stop 1 failure term 60
            stopped               -> release u (ExitError), stop E
            stopped E             -> release p (Ready), reset failure 0",
    );
}

#[test]
fn whoever_arrives_while_an_extension_is_about_to_exit_gets_the_next_generation() {
    check_after(
        WITH_E,
        "exit-fail E Some.Type; arrive a; +10 exited E 1; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            arrive a              -> -
            +10 exited E 1        -> stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> release p (Ready), release u (ExitError), reset failure 0,
                                     init-start invoke, launch E 2",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; arrive a; +50 tick; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            arrive a              -> -
            +50 tick              -> stop 1 failure term 60
            stopped               -> release u (ExitError), stop E
            stopped E             -> release p (Ready), reset failure 0, init-start invoke,
                                     launch E 2",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; arrive a; withdraw a; next q; +10 exited 1; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            arrive a              -> -
            withdraw a            -> forget a
            next q                -> -
            +10 exited 1          -> stop 1 failure term 60
            stopped               -> release u (ExitError), stop E await 40
            stopped E             -> release p (Ready), release q (Ready), reset failure 0",
    );
}

#[test]
fn an_internal_extension_takes_the_runtime_with_it() {
    check(
        "start; launched; register I INVOKE; init-fail I Some.Type; next p; +10 exited 1; stopped",
        "
            start                 -> init-start init, launch 1
            launched              -> -
            register I INVOKE     -> -
            init-fail I Some.Type -> -
            next p                -> -
            +10 exited 1          -> init-done init error Extension.InitError,
                                     extension I InitError INVOKE (Some.Type),
                                     init-report init error Extension.InitError 10,
                                     stop 1 failure term 60
            stopped               -> release p (Ready), reset failure 0",
    );
    check(
        "start; launched; register I INVOKE; init-fail I Some.Type; next p; +50 tick; stopped",
        "
            start                 -> init-start init, launch 1
            launched              -> -
            register I INVOKE     -> -
            init-fail I Some.Type -> -
            next p                -> -
            +50 tick              -> init-done init error Extension.InitError,
                                     extension I InitError INVOKE (Some.Type),
                                     init-report init error Extension.InitError 50,
                                     stop 1 failure term 60
            stopped               -> release p (Ready), reset failure 0",
    );
    check_after(
        WITH_I,
        "arrive a; exit-fail I Some.Type; +10 exited 1; stopped",
        "
            arrive a              -> start a, hand a to p until 1100,
                                     tell I by w invoke a until 1100
            exit-fail I Some.Type -> -
            +10 exited 1          -> answer a Exit(Exited(1)) as Extension.ExitError,
                                     done a error Extension.ExitError 10, stop 1 failure term 60
            stopped               -> reset failure 0,
                                     end a error Extension.ExitError 10 +init 100 reset",
    );
    check_after(
        WITH_I,
        "arrive a; exit-fail I Some.Type; +50 tick; stopped",
        "
            arrive a              -> start a, hand a to p until 1100,
                                     tell I by w invoke a until 1100
            exit-fail I Some.Type -> -
            +50 tick              -> answer a Extension.ExitError 'the extension reported an
                                     error and did not exit', done a error Extension.ExitError 50,
                                     stop 1 failure term 60
            stopped               -> reset failure 0,
                                     end a error Extension.ExitError 50 +init 100 reset",
    );
}
