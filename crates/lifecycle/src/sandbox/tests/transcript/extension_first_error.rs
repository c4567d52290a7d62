//! Several errors in one generation: the first one is reported.

use super::*;

#[test]
fn of_two_exits_the_first_is_the_one_that_counts() {
    check_after(
        E_RUNNING,
        "+10 exited E 1; exited 1; stopped; stopped E",
        "
            +10 exited E 1 -> answer a Extension.Crash 'exit status 1',
                              done a error Extension.Crash 10, stop 1 failure term 60
            exited 1       -> -
            stopped        -> stop E await 200
            stopped E      -> reset failure 0, end a error Extension.Crash 10 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "+10 exited 1; exited E 1; stopped; stopped E",
        "
            +10 exited 1 -> answer a Exited(1), done a error Runtime.ExitError 10,
                            stop 1 failure term 60
            exited E 1   -> -
            stopped      -> stop E await 200
            stopped E    -> reset failure 0, end a error Runtime.ExitError 10 +init 100 reset",
    );
}

#[test]
fn an_error_of_an_extension_that_came_before_the_exit_of_the_runtime_wins() {
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; +10 exited 1; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +10 exited 1          -> answer a Exit(Exited(1)) as Extension.ExitError,
                                     done a error Extension.ExitError 10, stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> reset failure 0,
                                     end a error Extension.ExitError 10 +init 100 reset",
    );
    check_after(
        E_REGISTERED,
        "init-fail E Some.Type; +10 exited 1; stopped; stopped E",
        "
            init-fail E Some.Type -> -
            +10 exited 1          -> init-done init error Extension.InitError,
                                     extension E InitError INVOKE SHUTDOWN (Some.Type),
                                     init-report init error Extension.InitError 10,
                                     stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> reset failure 0",
    );
    check_after(
        E_STARTED,
        "register E -; init-fail E Some.Type; +10 launch-failed not-found; stopped; stopped E",
        "
            register E -                -> launch 1
            init-fail E Some.Type       -> -
            +10 launch-failed not-found -> init-done init error Extension.InitError,
                                           extension E InitError (Some.Type),
                                           init-report init error Extension.InitError 10,
                                           stop 1 failure term 60
            stopped                     -> stop E
            stopped E                   -> reset failure 0",
    );
}

#[test]
fn an_error_of_an_extension_that_came_after_the_exit_of_the_runtime_does_not_count() {
    check_after(
        E_RUNNING,
        "+10 exited 1; exit-fail E Some.Type; stopped; stopped E; arrive b; launched E; \
         +10 exited E 1; stopped; stopped E",
        "
            +10 exited 1          -> answer a Exited(1), done a error Runtime.ExitError 10,
                                     stop 1 failure term 60
            exit-fail E Some.Type -> -
            stopped               -> stop E await 200
            stopped E             -> reset failure 0,
                                     end a error Runtime.ExitError 10 +init 100 reset
            arrive b              -> init-start invoke, launch E 2
            launched E            -> -
            +10 exited E 1        -> extension E Started,
                                     init-report invoke error Extension.Crash 10, start b,
                                     answer b Extension.Crash 'exit status 1',
                                     stop 2 failure term 60
            stopped               -> stop E
            stopped E             -> reset failure 0, end b error Extension.Crash 10 reset",
    );
}

#[test]
fn of_two_extensions_the_first_error_wins() {
    check_after(
        EF_STARTED,
        "register E -; register F -; launched; exit-fail F Some.Type; init-fail E Other.Type; \
         +10 exited E 1; stopped; stopped E; stopped F",
        "
            register E -           -> -
            register F -           -> launch 1
            launched               -> -
            exit-fail F Some.Type  -> -
            init-fail E Other.Type -> -
            +10 exited E 1         -> init-done init error Extension.ExitError,
                                      extension E InitError (Other.Type),
                                      extension F ExitError (Some.Type),
                                      init-report init error Extension.ExitError 10,
                                      stop 1 failure term 60
            stopped                -> stop E, stop F
            stopped E              -> -
            stopped F              -> reset failure 0",
    );
}

#[test]
fn an_error_of_an_extension_does_not_replace_what_the_runtime_reported() {
    check_after(
        E_REGISTERED,
        "init-error Runtime.A; init-fail E Some.Type; +10 exited 1; stopped; stopped E",
        "
            init-error Runtime.A  -> -
            init-fail E Some.Type -> -
            +10 exited 1          -> init-done init error Runtime.A,
                                     extension E InitError INVOKE SHUTDOWN (Some.Type),
                                     init-report init error Runtime.A 10, stop 1 failure term 60
            stopped               -> stop E await 40
            stopped E             -> reset failure 0",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E -; launched; init-error Runtime.A; init-fail E Some.Type; \
         +10 exited 1; stopped; stopped E",
        "
            launched E            -> -
            register E -          -> launch 2
            launched              -> -
            init-error Runtime.A  -> answer a init-error Runtime.A
            init-fail E Some.Type -> -
            +10 exited 1          -> init-done invoke error Runtime.A,
                                     extension E InitError (Some.Type),
                                     init-report invoke error Runtime.A 10, start a,
                                     stop 2 failure term 60
            stopped               -> stop E
            stopped E             -> reset failure 0, end a error Runtime.A 10 reset",
    );
}

#[test]
fn what_the_runtime_reports_does_not_replace_the_error_of_an_extension() {
    check_after(
        E_SUPPRESSED,
        "launched E; register E -; launched; init-fail E Some.Type; init-error Runtime.A; \
         +10 exited 1; stopped; stopped E",
        "
            launched E            -> -
            register E -          -> launch 2
            launched              -> -
            init-fail E Some.Type -> -
            init-error Runtime.A  -> answer a init-error Runtime.A
            +10 exited 1          -> init-done invoke error Extension.InitError,
                                     extension E InitError (Some.Type),
                                     init-report invoke error Extension.InitError 10, start a,
                                     stop 2 failure term 60
            stopped               -> stop E
            stopped E             -> reset failure 0,
                                     end a error Extension.InitError 10 reset",
    );
}

#[test]
fn an_extension_that_exits_after_the_runtime_reported_does_not_replace_the_report() {
    check_after(
        E_SUPPRESSED,
        "launched E; register E -; launched; init-error Runtime.A; +10 exited E 1; stopped; \
         stopped E",
        "
            launched E           -> -
            register E -         -> launch 2
            launched             -> -
            init-error Runtime.A -> answer a init-error Runtime.A
            +10 exited E 1       -> init-done invoke error Runtime.A, extension E Registered,
                                    init-report invoke error Runtime.A 10, start a,
                                    stop 2 failure term 60
            stopped              -> stop E
            stopped E            -> reset failure 0, end a error Runtime.A 10 reset",
    );
}
