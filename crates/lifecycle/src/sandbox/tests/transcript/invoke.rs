//! Invocations: their turns, hand-overs and answers.

use super::*;

#[test]
fn warm_invocations_follow_each_other() {
    check_after(
        WARM,
        "+1 arrive a; +5 response a; finish a response; +2 next p; +1 arrive b; +5 error b; \
         finish b error; +2 next p",
        "
            +1 arrive a       -> start a, hand a to p until 1101
            +5 response a     -> -
            finish a response -> answer a upload
            +2 next p         -> done a success 7, end a success 7 +init 100 ready at 108 after 2
            +1 arrive b       -> start b, hand b to p until 1109
            +5 error b        -> -
            finish b error    -> answer b upload
            +2 next p         -> done b success 7, end b success 7 ready at 116 after 2",
    );
}

#[test]
fn those_who_wait_get_their_turn_in_order() {
    check_after(
        RUNNING,
        "arrive b; arrive c; response a; finish a response; next p; response b; \
         finish b response; next p; response c; finish c response; next p",
        "
            arrive b          -> -
            arrive c          -> -
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 100 ready at 100 after 0,
                                 start b, hand b to p until 1100
            response b        -> -
            finish b response -> answer b upload
            next p            -> done b success 0, end b success 0 ready at 100 after 0, start c,
                                 hand c to p until 1100
            response c        -> -
            finish c response -> answer c upload
            next p            -> done c success 0, end c success 0 ready at 100 after 0",
    );
}

#[test]
fn too_many_are_refused_while_one_runs() {
    check_after(
        RUNNING,
        "arrive b; arrive c; arrive d; withdraw b; arrive e; arrive f",
        "
            arrive b   -> -
            arrive c   -> -
            arrive d   -> refuse d TooManyRequests
            withdraw b -> forget b
            arrive e   -> -
            arrive f   -> refuse f TooManyRequests",
    );
}

#[test]
fn too_many_are_refused_while_the_runtime_is_not_there_yet() {
    check(
        "arrive a; arrive b; arrive c; arrive d; launched; arrive e; next p; arrive f",
        "
            arrive a -> init-start init, launch 1
            arrive b -> -
            arrive c -> -
            arrive d -> refuse d TooManyRequests
            launched -> -
            arrive e -> refuse e TooManyRequests
            next p   -> init-done init success, init-report init success 0, start a,
                        hand a to p until 1000
            arrive f -> refuse f TooManyRequests",
    );
    check_after(
        SUPPRESSED,
        "arrive b; arrive c; arrive d",
        "
            arrive b -> -
            arrive c -> -
            arrive d -> refuse d TooManyRequests",
    );
    check_after(
        WARM,
        "exited 1; arrive a; arrive b; arrive c; arrive d; stopped; arrive e",
        "
            exited 1 -> stop 1 failure
            arrive a -> -
            arrive b -> -
            arrive c -> -
            arrive d -> refuse d TooManyRequests
            stopped  -> release p (Ready), init-start invoke, launch 2
            arrive e -> refuse e TooManyRequests",
    );
}

#[test]
fn one_that_waits_is_forgotten_when_its_invoker_goes_and_one_that_runs_is_not() {
    check_after(
        RUNNING,
        "arrive b; arrive c; withdraw b; withdraw b; withdraw a; response a; finish a response; \
         next p",
        "
            arrive b          -> -
            arrive c          -> -
            withdraw b        -> forget b
            withdraw b        -> -
            withdraw a        -> -
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 100 ready at 100 after 0,
                                 start c, hand c to p until 1100",
    );
    check(
        "arrive a; withdraw a; launched; next p",
        "
            arrive a   -> init-start init, launch 1
            withdraw a -> forget a
            launched   -> -
            next p     -> init-done init success, init-report init success 0",
    );
}

#[test]
fn asking_again_while_running_gives_the_same_event_again() {
    check_after(
        RUNNING,
        "+5 next p; +5 next q; response a; finish a response; +1 next p",
        "
            +5 next p         -> hand a to p until 1100
            +5 next q         -> hand a to q until 1100
            response a        -> -
            finish a response -> answer a upload
            +1 next p         -> done a success 11, end a success 11 +init 100 ready at 111 after 1",
    );
}

#[test]
fn two_callers_wait_and_each_gets_its_own_event() {
    check_after(
        WARM,
        "next q; arrive a; arrive b; response a; finish a response; next p; response b; \
         finish b response; next q",
        "
            next q            -> -
            arrive a          -> start a, hand a to p until 1100
            arrive b          -> -
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 100 ready at 100 after 0,
                                 start b, hand b to q until 1100
            response b        -> -
            finish b response -> answer b upload
            next q            -> done b success 0, end b success 0 ready at 100 after 0",
    );
}

#[test]
fn more_callers_than_allowed_are_refused() {
    check_after(
        WARM,
        "next q; next r; next s; next t",
        "
            next q -> -
            next r -> -
            next s -> -
            next t -> refused (too many callers wait for the next event)",
    );
}

#[test]
fn an_answer_under_another_id_is_refused_and_the_right_one_still_lands() {
    check_after(
        RUNNING,
        "arrive b; response b; error x; finish b response; response a; finish a response; \
         response a; error a",
        "
            arrive b          -> -
            response b        -> refused (Invalid request ID)
            error x           -> refused (Invalid request ID)
            finish b response -> refused (Invalid request ID)
            response a        -> -
            finish a response -> answer a upload
            response a        -> refused (RuntimeResponseSentState to InvocationResponse)
            error a           -> refused (RuntimeResponseSentState to InvocationErrorResponse)",
    );
}

#[test]
fn an_answer_to_a_finished_invocation_is_refused() {
    check_after(
        ANSWERED,
        "next p; response a; arrive b; response a; finish a response",
        "
            next p            -> done a success 10, end a success 10 +init 100 ready at 110 after 0
            response a        -> refused (Invalid request ID)
            arrive b          -> start b, hand b to p until 1110
            response a        -> refused (Invalid request ID)
            finish a response -> refused (Invalid request ID)",
    );
}

#[test]
fn an_answer_before_the_hand_over_is_refused() {
    check_after(
        SUPPRESSED,
        "response a; error a; finish a response",
        "
            response a        -> refused (Started to InvocationResponse)
            error a           -> refused (Started to InvocationErrorResponse)
            finish a response -> refused (Started to RuntimeResponseSentState)",
    );
    check_after(
        RUNNING,
        "vanished a; response a; error a; finish a response",
        "
            vanished a        -> -
            response a        -> refused (Ready to InvocationResponse)
            error a           -> refused (Ready to InvocationErrorResponse)
            finish a response -> refused (Ready to RuntimeResponseSentState)",
    );
}

#[test]
fn two_invocations_may_share_an_id() {
    check_after(
        WARM,
        "arrive a; arrive b as a; response a; finish a response; next p; finish a response; \
         response a; finish b response; next p",
        "
            arrive a          -> start a, hand a to p until 1100
            arrive b as a     -> -
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 100 ready at 100 after 0,
                                 start b, hand b to p until 1100
            finish a response -> refused (Invalid request ID)
            response a        -> -
            finish b response -> answer b upload
            next p            -> done b success 0, end b success 0 ready at 100 after 0",
    );
}

#[test]
fn calls_from_an_earlier_generation_are_refused() {
    check_after(
        SUPPRESSED,
        "next p @1; init-error Runtime.A @1; next p; next q @1; response a @1; error a @1; \
         response a; finish a response @1; vanished a @1",
        "
            next p @1               -> refused (Started to Ready)
            init-error Runtime.A @1 -> refused (Started to InitError)
            next p                  -> init-done invoke success, init-report invoke success 0,
                                       start a, hand a to p until 1100
            next q @1               -> refused (Running to Ready)
            response a @1           -> refused (Invalid request ID)
            error a @1              -> refused (Invalid request ID)
            response a              -> -
            finish a response @1    -> refused (Invalid request ID)
            vanished a @1           -> -",
    );
}

#[test]
fn a_second_answer_is_refused() {
    check_after(
        RUNNING,
        "response a; response a; error a; next p; finish a response; finish a response; \
         response a; error a",
        "
            response a        -> -
            response a        -> refused (InvocationResponse to InvocationResponse)
            error a           -> refused (InvocationResponse to InvocationErrorResponse)
            next p            -> refused (InvocationResponse to Ready)
            finish a response -> answer a upload
            finish a response -> refused (RuntimeResponseSentState to RuntimeResponseSentState)
            response a        -> refused (RuntimeResponseSentState to InvocationResponse)
            error a           -> refused (RuntimeResponseSentState to InvocationErrorResponse)",
    );
    check_after(
        RUNNING,
        "error a; error a; response a; finish a error; error a; response a",
        "
            error a        -> -
            error a        -> refused (InvocationErrorResponse to InvocationErrorResponse)
            response a     -> refused (InvocationErrorResponse to InvocationResponse)
            finish a error -> answer a upload
            error a        -> refused (RuntimeResponseSentState to InvocationErrorResponse)
            response a     -> refused (RuntimeResponseSentState to InvocationResponse)",
    );
}

#[test]
fn an_upload_that_cannot_be_used_fails_the_invocation_and_the_runtime_goes_on() {
    check_after(
        RUNNING,
        "response a; +10 finish a truncated; +5 next p",
        "
            response a             -> -
            +10 finish a truncated -> answer a Truncated
            +5 next p              -> done a error Runtime.TruncatedResponse 15,
                                      end a error Runtime.TruncatedResponse 15 +init 100 ready at
                                      115 after 5",
    );
    check_after(
        RUNNING,
        "response a; +10 finish a too-large; +5 next p",
        "
            response a             -> -
            +10 finish a too-large -> answer a ResponseTooLarge
            +5 next p              -> done a error Function.ResponseSizeTooLarge 15,
                                      end a error Function.ResponseSizeTooLarge 15 +init 100 ready
                                      at 115 after 5",
    );
    check_after(
        RUNNING,
        "error a; +10 finish a bad-mode; +5 next p",
        "
            error a               -> -
            +10 finish a bad-mode -> answer a InvalidResponseMode
            +5 next p             -> done a error Runtime.InvalidResponseModeHeader 15,
                                     end a error Runtime.InvalidResponseModeHeader 15 +init 100
                                     ready at 115 after 5",
    );
}

#[test]
fn an_event_whose_caller_vanished_goes_to_the_next_caller() {
    check_after(
        WARM,
        "next q; arrive a; +5 vanished a; response a; finish a response; next p",
        "
            next q            -> -
            arrive a          -> start a, hand a to p until 1100
            +5 vanished a     -> hand a to q until 1100
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 5, end a success 5 +init 100 ready at 105 after 0",
    );
    check_after(
        RUNNING,
        "+5 vanished a; +5 next q; response a",
        "
            +5 vanished a -> -
            +5 next q     -> hand a to q until 1100
            response a    -> -",
    );
}

#[test]
fn an_event_stays_with_the_second_caller_when_the_first_vanishes() {
    check_after(
        RUNNING,
        "next q; vanished a; response a; finish a response; next q",
        "
            next q            -> hand a to q until 1100
            vanished a        -> -
            response a        -> -
            finish a response -> answer a upload
            next q            -> done a success 0, end a success 0 +init 100 ready at 100 after 0",
    );
    check_after(
        RUNNING,
        "next q; vanished a; vanished a; next r",
        "
            next q     -> hand a to q until 1100
            vanished a -> -
            vanished a -> -
            next r     -> hand a to r until 1100",
    );
}

#[test]
fn a_caller_that_vanishes_after_its_answer_began_takes_nothing_back() {
    check_after(
        RUNNING,
        "response a; vanished a; finish a response; vanished a; next p; vanished a",
        "
            response a        -> -
            vanished a        -> -
            finish a response -> answer a upload
            vanished a        -> -
            next p            -> done a success 0, end a success 0 +init 100 ready at 100 after 0
            vanished a        -> -",
    );
}
