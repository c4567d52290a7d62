//! Invocations with extensions: who is told of them, and who keeps them from ending.

use super::*;

#[test]
fn the_runtime_is_told_first_then_those_who_want_it_external_ones_before_internal_ones() {
    check_after(
        "files EFG; start; launched E; launched F; launched G",
        "register I INVOKE; register J -; register G INVOKE,SHUTDOWN; register F SHUTDOWN; \
         register E INVOKE; launched; event I w; event J x; event E t; event F u; event G v; \
         next p; arrive a; event I w; event G v; response a; finish a response; next p; \
         +5 event E t",
        "
            register I INVOKE          -> -
            register J -               -> -
            register G INVOKE,SHUTDOWN -> -
            register F SHUTDOWN        -> -
            register E INVOKE          -> launch 1
            launched                   -> -
            event I w                  -> -
            event J x                  -> -
            event E t                  -> -
            event F u                  -> -
            event G v                  -> -
            next p                     -> init-done init success, extension E Ready INVOKE,
                                          extension F Ready SHUTDOWN,
                                          extension G Ready INVOKE SHUTDOWN,
                                          extension I Ready INVOKE, extension J Ready,
                                          init-report init success 0
            arrive a                   -> start a, hand a to p until 1000,
                                          tell E by t invoke a until 1000,
                                          tell G by v invoke a until 1000,
                                          tell I by w invoke a until 1000
            event I w                  -> -
            event G v                  -> -
            response a                 -> -
            finish a response          -> answer a upload
            next p                     -> done a success 0
            +5 event E t               -> end a success 5 +init 0 ready at 0 after 0 overhead 5",
    );
}

#[test]
fn the_answer_does_not_wait_for_extensions_but_the_next_invocation_does() {
    check_after(
        E_RUNNING,
        "arrive b; +10 response a; finish a response; +5 next p; +20 event E u; +1 response b",
        "
            arrive b          -> -
            +10 response a    -> -
            finish a response -> answer a upload
            +5 next p         -> done a success 15
            +20 event E u     -> end a success 35 +init 100 ready at 115 after 5 overhead 20,
                                 start b, hand b to p until 1135, tell E by u invoke b until 1135
            +1 response b     -> -",
    );
}

#[test]
fn extensions_that_are_back_before_the_runtime_cost_nothing() {
    check_after(
        E_RUNNING,
        "+5 event E u; +5 response a; finish a response; +5 next p",
        "
            +5 event E u      -> -
            +5 response a     -> -
            finish a response -> answer a upload
            +5 next p         -> done a success 15,
                                 end a success 15 +init 100 ready at 115 after 5 overhead 0",
    );
    check_after(
        E_RUNNING,
        "+10 response a; finish a response; +5 event E u; +5 next p",
        "
            +10 response a    -> -
            finish a response -> answer a upload
            +5 event E u      -> -
            +5 next p         -> done a success 20,
                                 end a success 20 +init 100 ready at 120 after 10 overhead 0",
    );
    check_after(
        "files E; start; launched E; register E SHUTDOWN; launched; event E u; next p",
        "arrive a; response a; finish a response; +5 next p",
        "
            arrive a          -> start a, hand a to p until 1000
            response a        -> -
            finish a response -> answer a upload
            +5 next p         -> done a success 5,
                                 end a success 5 +init 0 ready at 5 after 5 overhead 0",
    );
    check_after(
        WITH_I,
        "arrive a; response a; finish a response; +5 next p; +20 event I w",
        "
            arrive a          -> start a, hand a to p until 1100, tell I by w invoke a until 1100
            response a        -> -
            finish a response -> answer a upload
            +5 next p         -> done a success 5
            +20 event I w     -> end a success 25 +init 100 ready at 105 after 5 overhead 20",
    );
}

#[test]
fn an_invocation_ends_when_the_last_extension_is_back() {
    check_after(
        "files EF; start; launched E; register E INVOKE; launched F; register F INVOKE; \
         launched; event E u; event F v; next p",
        "arrive a; response a; finish a response; next p; +10 event E u; +10 event F v",
        "
            arrive a          -> start a, hand a to p until 1000, tell E by u invoke a until 1000,
                                 tell F by v invoke a until 1000
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0
            +10 event E u     -> -
            +10 event F v     -> end a success 20 +init 0 ready at 0 after 0 overhead 20",
    );
}

#[test]
fn every_invocation_is_told_anew() {
    check_after(
        E_BUSY,
        "event E v; arrive b; vanished b; event E u; next q; response b; finish b response; \
         next p",
        "
            event E v         -> end a success 15 +init 100 ready at 115 after 5 overhead 0
            arrive b          -> start b, hand b to p until 1115, tell E by v invoke b until 1115
            vanished b        -> -
            event E u         -> -
            next q            -> hand b to q until 1115
            response b        -> -
            finish b response -> answer b upload
            next p            -> done b success 0, end b success 0 ready at 115 after 0 overhead 0",
    );
}

#[test]
fn an_extension_that_waits_may_not_ask_again() {
    check_after(
        WITH_E,
        "event E v; arrive a; event E v; event E u",
        "
            event E v -> refused (Ready to Ready)
            arrive a  -> start a, hand a to p until 1100, tell E by u invoke a until 1100
            event E v -> -
            event E u -> refused (Ready to Ready)",
    );
}

#[test]
fn a_caller_that_had_gone_finds_the_event_when_it_comes_back() {
    check_after(
        WITH_E,
        "unpark u; arrive a; +10 event E v; event E u; event E v",
        "
            unpark u      -> -
            arrive a      -> start a, hand a to p until 1100
            +10 event E v -> tell E by v invoke a until 1100
            event E u     -> -
            event E v     -> refused (Ready to Ready)",
    );
    check_after(
        WITH_E,
        "unpark u; arrive a; response a; finish a response; next p; +10 event E v; +10 event E v",
        "
            unpark u          -> -
            arrive a          -> start a, hand a to p until 1100
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0
            +10 event E v     -> tell E by v invoke a until 1100
            +10 event E v     -> end a success 20 +init 100 ready at 100 after 0 overhead 20",
    );
}

#[test]
fn an_event_that_was_lost_is_told_again() {
    check_after(
        E_RUNNING,
        "event-lost E a; +10 event E v; event E v; event E u",
        "
            event-lost E a -> -
            +10 event E v  -> tell E by v invoke a until 1100
            event E v      -> -
            event E u      -> refused (Ready to Ready)",
    );
    check_after(
        E_RUNNING,
        "+10 event E v; event-lost E a; response a; finish a response; next p; event E u",
        "
            +10 event E v     -> -
            event-lost E a    -> tell E by v invoke a until 1100
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 10
            event E u         -> end a success 10 +init 100 ready at 110 after 0 overhead 0",
    );
    check_after(
        E_BUSY,
        "+10 event-lost E a; event E v; +10 event E v",
        "
            +10 event-lost E a -> -
            event E v          -> tell E by v invoke a until 1100
            +10 event E v      -> end a success 35 +init 100 ready at 115 after 5 overhead 20",
    );
}

#[test]
fn an_event_of_another_invocation_or_extension_is_not_told_again() {
    check_after(
        E_RUNNING,
        "event-lost E b; event-lost E shutdown; event-lost X a; event E v",
        "
            event-lost E b        -> -
            event-lost E shutdown -> -
            event-lost X a        -> -
            event E v             -> -",
    );
    check_after(
        E_BUSY,
        "event E v; event-lost E a",
        "
            event E v      -> end a success 15 +init 100 ready at 115 after 5 overhead 0
            event-lost E a -> -",
    );
    check_after(
        "files E; start; launched E; register E SHUTDOWN; launched; event E u; next p",
        "arrive a; event-lost E a",
        "
            arrive a       -> start a, hand a to p until 1000
            event-lost E a -> -",
    );
    check_after(
        E_RUNNING,
        "exit-fail E Some.Type; event-lost E a; event E u",
        "
            exit-fail E Some.Type -> -
            event-lost E a        -> -
            event E u             -> refused (ExitError to Ready)",
    );
}

#[test]
fn an_event_that_is_due_is_dropped_with_its_invocation() {
    check_after(
        WITH_E,
        "unpark u; arrive a; +1000 tick; event E v; stopped; stopped E",
        "
            unpark u   -> -
            arrive a   -> start a, hand a to p until 1100
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout term 60
            event E v  -> -
            stopped    -> tell E by v shutdown timeout until 1300, stop E await 200
            stopped E  -> reset timeout 0, end a timeout 1000 +init 100 reset",
    );
    check_after(
        WITH_E,
        "unpark u; arrive a; +1000 tick; stopped; +10 event E v; stopped E",
        "
            unpark u      -> -
            arrive a      -> start a, hand a to p until 1100
            +1000 tick    -> answer a timeout 1000, done a timeout 1000, stop 1 timeout term 60
            stopped       -> stop E await 200
            +10 event E v -> tell E by v shutdown timeout until 1300
            stopped E     -> reset timeout 10, end a timeout 1000 +init 100 reset",
    );
    check_after(
        WITH_E,
        "unpark u; arrive a; exit-fail E Some.Type; event E v; exited E 1; stopped; stopped E",
        "
            unpark u              -> -
            arrive a              -> start a, hand a to p until 1100
            exit-fail E Some.Type -> -
            event E v             -> refused (ExitError to Ready)
            exited E 1            -> answer a Extension.ExitError 'exit status 1',
                                     done a error Extension.ExitError 0, stop 1 failure term 60
            stopped               -> stop E await 50
            stopped E             -> reset failure 0,
                                     end a error Extension.ExitError 0 +init 100 reset",
    );
}

#[test]
fn the_function_timeout_counts_for_extensions_too() {
    check_after(
        E_BUSY,
        "arrive b; +984 tick; +1 tick; stopped; stopped E",
        "
            arrive b  -> -
            +984 tick -> -
            +1 tick   -> gave up on next event of E, stop 1 timeout term 60
            stopped   -> stop E await 200
            stopped E -> release p (Ready), reset timeout 0,
                         end a timeout 1000 +init 100 ready at 115 after 5 reset,
                         init-start invoke, launch E 2",
    );
    check_after(
        E_RUNNING,
        "+1000 tick; stopped; stopped E",
        "
            +1000 tick -> answer a timeout 1000, done a timeout 1000, stop 1 timeout term 60
            stopped    -> stop E await 200
            stopped E  -> reset timeout 0, end a timeout 1000 +init 100 reset",
    );
    check_after(
        E_ANSWERED,
        "+990 tick; stopped; stopped E",
        "
            +990 tick -> done a timeout 1000, stop 1 timeout term 60
            stopped   -> stop E await 200
            stopped E -> reset timeout 0, end a timeout 1000 +init 100 reset",
    );
}
