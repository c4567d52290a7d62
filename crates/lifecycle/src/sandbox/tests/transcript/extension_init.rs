//! Initialisation with extensions: who is waited for, and for how long.

use super::*;

#[test]
fn the_first_event_waits_until_every_extension_is_ready() {
    check_after(
        "files E",
        "arrive a; launched E; +10 register E INVOKE; launched; +20 next p; +30 event E u; \
         response a",
        "
            arrive a              -> init-start init, launch E 1
            launched E            -> -
            +10 register E INVOKE -> launch 1
            launched              -> -
            +20 next p            -> -
            +30 event E u         -> init-done init success, extension E Ready INVOKE,
                                     init-report init success 60, start a, hand a to p until 1060,
                                     tell E by u invoke a until 1060
            response a            -> -",
    );
}

#[test]
fn an_extension_that_wants_no_events_is_waited_for_all_the_same() {
    check_after(
        "files E",
        "arrive a; launched E; register E -; launched; next p; +30 event E u; response a",
        "
            arrive a      -> init-start init, launch E 1
            launched E    -> -
            register E -  -> launch 1
            launched      -> -
            next p        -> -
            +30 event E u -> init-done init success, extension E Ready,
                             init-report init success 30, start a, hand a to p until 1030
            response a    -> -",
    );
}

#[test]
fn internal_extensions_are_waited_for_and_reported_after_external_ones() {
    check_after(
        E_STARTED,
        "register I INVOKE; register E SHUTDOWN; launched; register J -; next p; event I w; \
         event E u; +10 event J x",
        "
            register I INVOKE   -> -
            register E SHUTDOWN -> launch 1
            launched            -> -
            register J -        -> -
            next p              -> -
            event I w           -> -
            event E u           -> -
            +10 event J x       -> init-done init success, extension E Ready SHUTDOWN,
                                   extension I Ready INVOKE, extension J Ready,
                                   init-report init success 10",
    );
    check(
        "start; launched; register I INVOKE; next p; +10 event I w",
        "
            start             -> init-start init, launch 1
            launched          -> -
            register I INVOKE -> -
            next p            -> -
            +10 event I w     -> init-done init success, extension I Ready INVOKE,
                                 init-report init success 10",
    );
}

#[test]
fn after_a_while_the_init_tells_who_has_not_registered() {
    check_after(
        "files EFG",
        "start; launched E; launched F; +10 launched G; +20 register F -; +19 tick; +1 tick; \
         +100 tick; register E -; register G -",
        "
            start            -> init-start init, launch E 1
            launched E       -> launch F 1
            launched F       -> launch G 1
            +10 launched G   -> -
            +20 register F - -> -
            +19 tick         -> -
            +1 tick          -> awaiting registration of E G
            +100 tick        -> -
            register E -     -> -
            register G -     -> launch 1",
    );
}

#[test]
fn after_a_while_the_init_tells_who_has_not_asked_for_an_event() {
    check_after(
        EF_STARTED,
        "register E -; register F -; launched; +100 register I -; next p; event F v; +39 tick; \
         +1 tick; +100 tick; event E u; event I w",
        "
            register E -      -> -
            register F -      -> launch 1
            launched          -> -
            +100 register I - -> -
            next p            -> -
            event F v         -> -
            +39 tick          -> -
            +1 tick           -> awaiting first event of E I
            +100 tick         -> -
            event E u         -> -
            event I w         -> init-done init success, extension E Ready, extension F Ready,
                                 extension I Ready, init-report init success 240",
    );
}

#[test]
fn an_init_that_takes_too_long_tells_whom_it_gave_up_on() {
    check_after(
        EF_STARTED,
        "register E -; +500 tick; stopped; stopped E; stopped F",
        "
            register E - -> -
            +500 tick    -> gave up on registration of F, extension E Registered,
                            extension F Started, init-report init timeout 500,
                            stop 1 timeout term 60
            stopped      -> stop E, stop F
            stopped E    -> -
            stopped F    -> reset timeout 0",
    );
    check_after(
        EF_STARTED,
        "register E -; register F -; launched; event F v; next p; +500 tick; stopped; stopped E; \
         stopped F",
        "
            register E - -> -
            register F - -> launch 1
            launched     -> -
            event F v    -> -
            next p       -> -
            +500 tick    -> gave up on first event of E, init-done init error Runtime.Unknown,
                            extension E Registered, extension F Ready,
                            init-report init timeout 500, stop 1 timeout term 60
            stopped      -> stop E, stop F
            stopped E    -> -
            stopped F    -> release p (Ready), release v (Ready), reset timeout 0",
    );
    check_after(
        E_REGISTERED,
        "+500 tick; stopped; stopped E",
        "
            +500 tick -> gave up on first event of runtime, init-done init error Runtime.Unknown,
                         extension E Registered INVOKE SHUTDOWN, init-report init timeout 500,
                         stop 1 timeout term 60
            stopped   -> stop E await 200
            stopped E -> reset timeout 0",
    );
    check_after(
        "files E",
        "start; +500 tick; launched E; stopped; stopped E",
        "
            start      -> init-start init, launch E 1
            +500 tick  -> extension E Started, init-report init timeout 500
            launched E -> stop 1 timeout term 60
            stopped    -> stop E
            stopped E  -> reset timeout 0",
    );
}

#[test]
fn a_suppressed_init_that_takes_too_long_tells_whom_it_gave_up_on() {
    check_after(
        E_SUPPRESSED,
        "launched E; +40 tick; +960 tick; stopped; stopped E",
        "
            launched E -> -
            +40 tick   -> awaiting registration of E
            +960 tick  -> gave up on registration of E, extension E Started,
                          init-report invoke timeout 1000, start a, answer a timeout 1000,
                          stop 2 timeout term 60
            stopped    -> stop E
            stopped E  -> reset timeout 0, end a timeout 1000 reset",
    );
}

#[test]
fn a_caller_that_asks_before_the_runtime_is_started_waits_for_it() {
    check_after(
        "files E",
        "arrive a; next p; launched E; register E INVOKE; +10 launched; +10 event E u; response a",
        "
            arrive a          -> init-start init, launch E 1
            next p            -> -
            launched E        -> -
            register E INVOKE -> launch 1
            +10 launched      -> -
            +10 event E u     -> init-done init success, extension E Ready INVOKE,
                                 init-report init success 20, start a, hand a to p until 1020,
                                 tell E by u invoke a until 1020
            response a        -> -",
    );
    check_after(
        "files E",
        "arrive a; launched E; next p; register E INVOKE; event E u; +10 launched; response a",
        "
            arrive a          -> init-start init, launch E 1
            launched E        -> -
            next p            -> -
            register E INVOKE -> launch 1
            event E u         -> -
            +10 launched      -> init-done init success, extension E Ready INVOKE,
                                 init-report init success 10, start a, hand a to p until 1010,
                                 tell E by u invoke a until 1010
            response a        -> -",
    );
    check_after(
        "files E",
        "arrive a; launched E; register E INVOKE; next p; event E u; launched; response a",
        "
            arrive a          -> init-start init, launch E 1
            launched E        -> -
            register E INVOKE -> launch 1
            next p            -> -
            event E u         -> init-done init success, extension E Ready INVOKE,
                                 init-report init success 0, start a, hand a to p until 1000,
                                 tell E by u invoke a until 1000
            launched          -> -
            response a        -> -",
    );
}

#[test]
fn a_caller_that_is_ready_stands_in_for_a_runtime_that_could_not_be_started() {
    check_after(
        "files E",
        "arrive a; launched E; register E INVOKE; next p; launch-failed not-found; event E u; \
         response a",
        "
            arrive a                -> init-start init, launch E 1
            launched E              -> -
            register E INVOKE       -> launch 1
            next p                  -> -
            launch-failed not-found -> -
            event E u               -> init-done init success, extension E Ready INVOKE,
                                       init-report init success 0, start a,
                                       hand a to p until 1000, tell E by u invoke a until 1000
            response a              -> -",
    );
}

#[test]
fn a_caller_that_was_early_is_released_with_a_runtime_that_could_not_be_started() {
    check_after(
        "files E",
        "next p; start; launched E; register E INVOKE; launch-failed not-found; stopped; \
         stopped E",
        "
            next p                  -> -
            start                   -> init-start init, launch E 1
            launched E              -> -
            register E INVOKE       -> launch 1
            launch-failed not-found -> init-done init error Runtime.InvalidEntrypoint,
                                       extension E Registered INVOKE,
                                       init-report init error Runtime.InvalidEntrypoint 0,
                                       stop 1 failure term 60
            stopped                 -> stop E
            stopped E               -> release p (Started), reset failure 0",
    );
}
