//! Extensions that report an error and then do not exit: they are waited for only so long.

use super::*;

#[test]
fn an_extension_that_lingers_after_its_init_error_is_ended() {
    check_after(
        E_STARTED,
        "register E SHUTDOWN; +10 init-fail E Some.Type; launched; next p; +40 tick; +9 tick; \
         +1 tick; stopped; event E u; stopped E",
        "
            register E SHUTDOWN       -> launch 1
            +10 init-fail E Some.Type -> -
            launched                  -> -
            next p                    -> -
            +40 tick                  -> -
            +9 tick                   -> -
            +1 tick                   -> init-done init error Extension.InitError,
                                         extension E InitError SHUTDOWN (Some.Type),
                                         init-report init error Extension.InitError 60,
                                         stop 1 failure term 60
            stopped                   -> stop E
            event E u                 -> refused (InitError to Ready)
            stopped E                 -> release p (Ready), reset failure 0",
    );
    check_after(
        E_SUPPRESSED,
        "launched E; register E INVOKE; launched; +10 init-fail E Some.Type; +50 tick; stopped; \
         stopped E",
        "
            launched E                -> -
            register E INVOKE         -> launch 2
            launched                  -> -
            +10 init-fail E Some.Type -> -
            +50 tick                  -> init-done invoke error Extension.InitError,
                                         extension E InitError INVOKE (Some.Type),
                                         init-report invoke error Extension.InitError 60, start a,
                                         answer a Extension.InitError 'the extension reported an
                                         error and did not exit', stop 2 failure term 60
            stopped                   -> stop E
            stopped E                 -> reset failure 0, end a error Extension.InitError 60 reset",
    );
}

#[test]
fn an_extension_that_lingers_after_its_exit_error_is_ended() {
    check_after(
        E_RUNNING,
        "+10 exit-fail E Some.Type; +49 tick; +1 tick; stopped; stopped E",
        "
            +10 exit-fail E Some.Type -> -
            +49 tick                  -> -
            +1 tick                   -> answer a Extension.ExitError 'the extension reported an
                                         error and did not exit',
                                         done a error Extension.ExitError 60,
                                         stop 1 failure term 60
            stopped                   -> stop E
            stopped E                 -> reset failure 0,
                                         end a error Extension.ExitError 60 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; response a; finish a response; next p; +50 tick; stopped; \
         stopped E",
        "
            exit-fail E Some.Type -> -
            response a            -> -
            finish a response     -> answer a upload
            next p                -> done a success 0
            +50 tick              -> stop 1 failure term 60
            stopped               -> stop E
            stopped E             -> release p (Ready), reset failure 0, end a error
                                     Extension.ExitError 50 +init 100 ready at 100 after 0 reset",
    );
    check_after(
        E_BUSY,
        "exit-fail E Some.Type; +50 tick; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +50 tick              -> stop 1 failure term 60
            stopped               -> stop E
            stopped E             -> release p (Ready), reset failure 0, end a error
                                     Extension.ExitError 65 +init 100 ready at 115 after 5 reset",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; +49 tick; +1 tick; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +49 tick              -> -
            +1 tick               -> stop 1 failure term 60
            stopped               -> release u (ExitError), stop E
            stopped E             -> release p (Ready), reset failure 0",
    );
    check_after(
        E_REGISTERED,
        "exit-fail E Some.Type; +50 tick; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            +50 tick              -> init-done init error Extension.ExitError,
                                     extension E ExitError INVOKE SHUTDOWN (Some.Type),
                                     init-report init error Extension.ExitError 50,
                                     stop 1 failure term 60
            stopped               -> stop E
            stopped E             -> reset failure 0",
    );
}

#[test]
fn the_grace_counts_from_the_first_report() {
    check_after(
        E_REGISTERED,
        "init-fail E Some.Type; +30 init-fail E Some.Type; +20 tick; stopped; stopped E",
        "
            init-fail E Some.Type     -> -
            +30 init-fail E Some.Type -> -
            +20 tick                  -> init-done init error Extension.InitError,
                                         extension E InitError INVOKE SHUTDOWN (Some.Type),
                                         init-report init error Extension.InitError 50,
                                         stop 1 failure term 60
            stopped                   -> stop E
            stopped E                 -> reset failure 0",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; +30 exit-fail E Some.Type; +20 tick; stopped; stopped E",
        "
            exit-fail E Some.Type     -> -
            +30 exit-fail E Some.Type -> -
            +20 tick                  -> answer a Extension.ExitError 'the extension reported an
                                         error and did not exit',
                                         done a error Extension.ExitError 50,
                                         stop 1 failure term 60
            stopped                   -> stop E
            stopped E                 -> reset failure 0,
                                         end a error Extension.ExitError 50 +init 100 reset",
    );
}

#[test]
fn the_grace_does_not_extend_the_init_or_the_invocation() {
    check_after(
        E_REGISTERED,
        "next p; +470 init-fail E Some.Type; +30 tick; stopped; stopped E",
        "
            next p                     -> -
            +470 init-fail E Some.Type -> -
            +30 tick                   -> init-done init error Extension.InitError,
                                          extension E InitError INVOKE SHUTDOWN (Some.Type),
                                          init-report init error Extension.InitError 500,
                                          stop 1 timeout term 60
            stopped                    -> stop E await 20
            stopped E                  -> release p (Ready), reset timeout 0",
    );
    check_after(
        E_RUNNING,
        "+980 exit-fail E Some.Type; +20 tick; stopped; stopped E",
        "
            +980 exit-fail E Some.Type -> -
            +20 tick                   -> answer a timeout 1000, done a timeout 1000,
                                          stop 1 timeout term 60
            stopped                    -> stop E await 30
            stopped E                  -> reset timeout 0, end a timeout 1000 +init 100 reset",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; shutdown 20; +20 tick; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            shutdown 20           -> -
            +20 tick              -> answer a Shutdown, done a failure Sandbox.Failure 20,
                                     stop 1 spindown term 60
            stopped               -> stop E await 30
            stopped E             -> reset spindown 0,
                                     end a failure Sandbox.Failure 20 +init 100 reset, closed",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; shutdown 20; stopped; stopped E",
        "
            exit-fail E Some.Type -> -
            shutdown 20           -> stop 1 spindown term 60
            stopped               -> release u (ExitError), stop E await 50
            stopped E             -> release p (Ready), reset spindown 0, closed",
    );
}
