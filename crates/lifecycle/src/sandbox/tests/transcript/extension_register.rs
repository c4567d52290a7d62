//! What extensions may say, and when.

use super::*;

#[test]
fn an_internal_extension_is_refused_for_its_events_first() {
    check_after(
        "files EFG; start",
        "register L BOGUS; register L INVOKE,SHUTDOWN; register L invoke; \
         register L SHUTDOWN,BOGUS; register L BOGUS,SHUTDOWN; register L INVOKE; \
         register L SHUTDOWN",
        "
            register L BOGUS           -> refused (BOGUS: ErrorInvalidEventType)
            register L INVOKE,SHUTDOWN -> refused (SHUTDOWN:
                                          ShutdownEventNotSupportedForInternalExtension)
            register L invoke          -> refused (invoke: ErrorInvalidEventType)
            register L SHUTDOWN,BOGUS  -> refused (SHUTDOWN:
                                          ShutdownEventNotSupportedForInternalExtension)
            register L BOGUS,SHUTDOWN  -> refused (BOGUS: ErrorInvalidEventType)
            register L INVOKE          -> -
            register L SHUTDOWN        -> refused (SHUTDOWN:
                                          ShutdownEventNotSupportedForInternalExtension)",
    );
    check_after(
        WITH_E,
        "register I BOGUS; register I SHUTDOWN; register I INVOKE",
        "
            register I BOGUS    -> refused (BOGUS: ErrorInvalidEventType)
            register I SHUTDOWN -> refused (SHUTDOWN:
                                   ShutdownEventNotSupportedForInternalExtension)
            register I INVOKE   -> refused (Extension registration closed already)",
    );
}

#[test]
fn an_internal_extension_is_refused_before_and_after_an_init() {
    check(
        "register I INVOKE",
        "register I INVOKE -> refused (Extension registration closed already)",
    );
    check_after(
        WITH_E,
        "register I INVOKE",
        "register I INVOKE -> refused (Extension registration closed already)",
    );
    check(
        "start; launched; register I INVOKE; next p; register J INVOKE; register I INVOKE; \
         event I w; register J INVOKE; shutdown 100; register J INVOKE",
        "
            start             -> init-start init, launch 1
            launched          -> -
            register I INVOKE -> -
            next p            -> -
            register J INVOKE -> refused (Extension registration closed already)
            register I INVOKE -> refused (Extension registration closed already)
            event I w         -> init-done init success, extension I Ready INVOKE,
                                 init-report init success 0
            register J INVOKE -> refused (Extension registration closed already)
            shutdown 100      -> stop 1 spindown term 60
            register J INVOKE -> refused (Extension registration closed already)",
    );
}

#[test]
fn there_may_be_ten_extensions() {
    check_after(
        "files EFG; start",
        "register L -; register M -; register N -; register O -; register P -; register Q -; \
         register R -; register S -; register L -; register S BOGUS; register E -",
        "
            register L -     -> -
            register M -     -> -
            register N -     -> -
            register O -     -> -
            register P -     -> -
            register Q -     -> -
            register R -     -> -
            register S -     -> refused (Extension limit (10) reached)
            register L -     -> refused (Extension limit (10) reached)
            register S BOGUS -> refused (BOGUS: ErrorInvalidEventType)
            register E -     -> -",
    );
    check_after(
        "files ABCDEFGHIJ; start",
        "launched A; register X -",
        "
            launched A   -> launch B 1
            register X - -> refused (Extension limit (10) reached)",
    );
}

#[test]
fn two_internal_extensions_have_two_names() {
    check(
        "start; launched; register I INVOKE; register I INVOKE; register I SHUTDOWN; event I w; \
         register I -",
        "
            start               -> init-start init, launch 1
            launched            -> -
            register I INVOKE   -> -
            register I INVOKE   -> refused (Extension with this name already registered)
            register I SHUTDOWN -> refused (SHUTDOWN:
                                   ShutdownEventNotSupportedForInternalExtension)
            event I w           -> -
            register I -        -> refused (Extension with this name already registered)",
    );
}

#[test]
fn an_external_extension_registers_once() {
    check_after(
        E_STARTED,
        "register E BOGUS; register E SHUTDOWN; register E BOGUS; register E SHUTDOWN; launched; \
         event E u; register E -; next p; register E -",
        "
            register E BOGUS    -> refused (BOGUS: ErrorInvalidEventType)
            register E SHUTDOWN -> launch 1
            register E BOGUS    -> refused (BOGUS: ErrorInvalidEventType)
            register E SHUTDOWN -> refused (Registered to Registered)
            launched            -> -
            event E u           -> -
            register E -        -> refused (Ready to Registered)
            next p              -> init-done init success, extension E Ready SHUTDOWN,
                                   init-report init success 0
            register E -        -> refused (Ready to Registered)",
    );
    check_after(
        E_RUNNING,
        "register E -; register E BOGUS",
        "
            register E -     -> refused (Running to Registered)
            register E BOGUS -> refused (BOGUS: ErrorInvalidEventType)",
    );
    check_after(
        "files EF; start; launched E",
        "register E INVOKE; init-fail E Some.Type; register E -",
        "
            register E INVOKE     -> -
            init-fail E Some.Type -> -
            register E -          -> refused (InitError to Registered)",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; register E -",
        "
            exit-fail E Some.Type -> -
            register E -          -> refused (ExitError to Registered)",
    );
    check_after(
        WITH_E,
        "shutdown 100; register E -; register E BOGUS; register I BOGUS",
        "
            shutdown 100     -> stop 1 spindown term 60
            register E -     -> refused (Ready to Registered)
            register E BOGUS -> refused (BOGUS: ErrorInvalidEventType)
            register I BOGUS -> refused (BOGUS: ErrorInvalidEventType)",
    );
    check_after(
        E_STARTED,
        "shutdown 100; register E -; stopped; register E -; stopped E",
        "
            shutdown 100 -> extension E Started, init-report init failure Sandbox.Failure 0,
                            stop 1 spindown term 60
            register E - -> refused (Started to Registered)
            stopped      -> stop E
            register E - -> refused (Started to Registered)
            stopped E    -> reset spindown 0, closed",
    );
}

#[test]
fn a_misspelled_external_extension_is_an_internal_one_and_its_file_is_waited_for() {
    check_after(
        E_STARTED,
        "register X INVOKE; event X u; +40 tick; +460 tick; stopped; event X u; register E -; \
         exited E 1; stopped E",
        "
            register X INVOKE -> -
            event X u         -> -
            +40 tick          -> awaiting registration of E
            +460 tick         -> gave up on registration of E, extension E Started,
                                 extension X Ready INVOKE, init-report init timeout 500,
                                 stop 1 timeout term 60
            stopped           -> stop E
            event X u         -> refused (Ready to Ready)
            register E -      -> refused (Started to Registered)
            exited E 1        -> -
            stopped E         -> release u (Ready), reset timeout 0",
    );
}

#[test]
fn events_are_for_extensions_that_have_registered() {
    check_after(
        E_STARTED,
        "event E u; event X u; register E -; event E u; event E v",
        "
            event E u    -> refused (Started to Ready)
            event X u    -> refused (unknown X)
            register E - -> launch 1
            event E u    -> -
            event E v    -> refused (Ready to Ready)",
    );
    check_after(
        E_RUNNING,
        "event E u; event E v",
        "
            event E u -> -
            event E v -> refused (Ready to Ready)",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; event E u",
        "
            exit-fail E Some.Type -> -
            event E u             -> refused (ExitError to Ready)",
    );
    check_after(
        "files EF; start; launched E",
        "register E INVOKE; init-fail E Some.Type; event E u",
        "
            register E INVOKE     -> -
            init-fail E Some.Type -> -
            event E u             -> refused (InitError to Ready)",
    );
}

#[test]
fn a_caller_that_has_gone_may_come_again() {
    check_after(
        WITH_E,
        "unpark x; event E v; unpark u; event E v; event E u",
        "
            unpark x  -> -
            event E v -> refused (Ready to Ready)
            unpark u  -> -
            event E v -> -
            event E u -> refused (Ready to Ready)",
    );
    check_after(
        E_STARTED,
        "register E INVOKE; event E u; unpark u; launched; event E v; next p; arrive a",
        "
            register E INVOKE -> launch 1
            event E u         -> -
            unpark u          -> -
            launched          -> -
            event E v         -> -
            next p            -> init-done init success, extension E Ready INVOKE,
                                 init-report init success 0
            arrive a          -> start a, hand a to p until 1000, tell E by v invoke a until 1000",
    );
    check_after(
        "files EF; start; launched E",
        "register E INVOKE; event E u; launched F; register F -; launched; next p; unpark u; \
         event F v",
        "
            register E INVOKE -> -
            event E u         -> -
            launched F        -> -
            register F -      -> launch 1
            launched          -> -
            next p            -> -
            unpark u          -> -
            event F v         -> init-done init success, extension E Ready INVOKE,
                                 extension F Ready, init-report init success 0",
    );
}

#[test]
fn an_extension_may_report_an_init_error_before_its_first_event_and_again() {
    check_after(
        "files E; start",
        "init-fail E Some.Type; init-fail X Some.Type; launched E; register E -; \
         init-fail E Some.Type; init-fail E Other.Type; exit-fail E Other.Type",
        "
            init-fail E Some.Type  -> refused (Started to InitError)
            init-fail X Some.Type  -> refused (unknown X)
            launched E             -> -
            register E -           -> launch 1
            init-fail E Some.Type  -> -
            init-fail E Other.Type -> -
            exit-fail E Other.Type -> refused (InitError to Exited)",
    );
    check_after(
        WITH_E,
        "init-fail E Some.Type",
        "init-fail E Some.Type -> refused (Ready to InitError)",
    );
    check_after(
        E_RUNNING,
        "init-fail E Some.Type",
        "init-fail E Some.Type -> refused (Running to InitError)",
    );
}

#[test]
fn an_extension_may_report_an_exit_error_whenever_it_has_registered_and_again() {
    check_after(
        E_STARTED,
        "exit-fail E Some.Type; exit-fail X Some.Type; register E -; exit-fail E Some.Type; \
         exit-fail E Other.Type; init-fail E Other.Type",
        "
            exit-fail E Some.Type  -> refused (Started to Exited)
            exit-fail X Some.Type  -> refused (unknown X)
            register E -           -> launch 1
            exit-fail E Some.Type  -> -
            exit-fail E Other.Type -> -
            init-fail E Other.Type -> refused (ExitError to InitError)",
    );
    check_after(
        WITH_E,
        "exit-fail E Some.Type; exit-fail E Some.Type; init-fail E Some.Type",
        "
            exit-fail E Some.Type -> -
            exit-fail E Some.Type -> -
            init-fail E Some.Type -> refused (ExitError to InitError)",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; exit-fail E Some.Type; init-fail E Some.Type",
        "
            exit-fail E Some.Type -> -
            exit-fail E Some.Type -> -
            init-fail E Some.Type -> refused (ExitError to InitError)",
    );
    check(
        "start; launched; register I -; exit-fail I Some.Type; next p; event I w; exited 1",
        "
            start                 -> init-start init, launch 1
            launched              -> -
            register I -          -> -
            exit-fail I Some.Type -> -
            next p                -> -
            event I w             -> refused (ExitError to Ready)
            exited 1              -> init-done init error Extension.ExitError,
                                     extension I ExitError (Some.Type),
                                     init-report init error Extension.ExitError 0,
                                     stop 1 failure term 60",
    );
}

#[test]
fn what_comes_from_an_earlier_generation_is_refused_or_ignored() {
    check_after(
        E_RUNNING,
        "exited E 1; stopped; stopped E; register E INVOKE @1; event E u @1; \
         exit-fail E Some.Type @1; init-fail E Some.Type @1; event-lost E a @1; arrive b; \
         launched E; exited E 1 @1; register E INVOKE @1; register E INVOKE; event E u @1; \
         launched; event E u; init-fail E Some.Type @1; exit-fail E Some.Type @1; next p; \
         event-lost E b @1; exited E 1 @1; exited E 1; stopped E @1; stopped E; stopped; \
         stopped E @1; stopped E",
        "
            exited E 1               -> answer a Extension.Crash 'exit status 1',
                                        done a error Extension.Crash 0, stop 1 failure term 60
            stopped                  -> stop E await 200
            stopped E                -> reset failure 0,
                                        end a error Extension.Crash 0 +init 100 reset
            register E INVOKE @1     -> refused (Extension registration closed already)
            event E u @1             -> refused (unknown E)
            exit-fail E Some.Type @1 -> refused (unknown E)
            init-fail E Some.Type @1 -> refused (unknown E)
            event-lost E a @1        -> -
            arrive b                 -> init-start invoke, launch E 2
            launched E               -> -
            exited E 1 @1            -> -
            register E INVOKE @1     -> refused (Extension registration closed already)
            register E INVOKE        -> launch 2
            event E u @1             -> refused (unknown E)
            launched                 -> -
            event E u                -> -
            init-fail E Some.Type @1 -> refused (unknown E)
            exit-fail E Some.Type @1 -> refused (unknown E)
            next p                   -> init-done invoke success, extension E Ready INVOKE,
                                        init-report invoke success 0, start b,
                                        hand b to p until 1100, tell E by u invoke b until 1100
            event-lost E b @1        -> -
            exited E 1 @1            -> -
            exited E 1               -> answer b Extension.Crash 'exit status 1',
                                        done b error Extension.Crash 0, stop 2 failure term 60
            stopped E @1             -> -
            stopped E                -> -
            stopped                  -> stop E
            stopped E @1             -> -
            stopped E                -> reset failure 0,
                                        end b error Extension.Crash 0 +invoke 0 reset",
    );
}
