//! Which extensions are started, and what comes of those that cannot be.

use super::*;

#[test]
fn extensions_are_started_one_after_the_other_and_the_runtime_when_all_have_registered() {
    check_after(
        "files EF",
        "start; +5 launched E; +5 register E INVOKE,SHUTDOWN; +5 launched F; +5 event E u; \
         +5 register F -; +5 launched; +5 event F v; +65 next p",
        "
            start                         -> init-start init, launch E 1
            +5 launched E                 -> launch F 1
            +5 register E INVOKE,SHUTDOWN -> -
            +5 launched F                 -> -
            +5 event E u                  -> -
            +5 register F -               -> launch 1
            +5 launched                   -> -
            +5 event F v                  -> -
            +65 next p                    -> init-done init success,
                                             extension E Ready INVOKE SHUTDOWN, extension F Ready,
                                             init-report init success 100",
    );
}

#[test]
fn an_extension_may_register_before_its_launch_is_known() {
    check_after(
        "files EF",
        "start; register E INVOKE; launched E; register F INVOKE; event F v; launched F; launched",
        "
            start             -> init-start init, launch E 1
            register E INVOKE -> -
            launched E        -> launch F 1
            register F INVOKE -> -
            event F v         -> -
            launched F        -> launch 1
            launched          -> -",
    );
}

#[test]
fn as_many_extensions_as_may_be_are_started_but_not_the_eleventh() {
    check_after(
        "files ABCDEFGHIJK",
        "start; launched A; launched B; launched C; launched D; launched E; launched F; \
         launched G; launched H; launched I; launched J; stopped; stopped A; stopped B; \
         stopped C; stopped D; stopped E; stopped F; stopped G; stopped H; stopped I; stopped J; \
         files E",
        "
            start      -> init-start init, launch A 1
            launched A -> launch B 1
            launched B -> launch C 1
            launched C -> launch D 1
            launched D -> launch E 1
            launched E -> launch F 1
            launched F -> launch G 1
            launched G -> launch H 1
            launched H -> launch I 1
            launched I -> launch J 1
            launched J -> extension A Started, extension B Started, extension C Started,
                          extension D Started, extension E Started, extension F Started,
                          extension G Started, extension H Started, extension I Started,
                          extension J Started, extension K LaunchError (TooManyExtensions),
                          init-report init error Extension.LaunchError 0, stop 1 failure term 60
            stopped    -> stop A, stop B, stop C, stop D, stop E, stop F, stop G, stop H, stop I,
                          stop J
            stopped A  -> -
            stopped B  -> -
            stopped C  -> -
            stopped D  -> -
            stopped E  -> -
            stopped F  -> -
            stopped G  -> -
            stopped H  -> -
            stopped I  -> -
            stopped J  -> reset failure 0
            files E    -> -",
    );
}

#[test]
fn a_launch_failure_of_the_first_extension_ends_the_init_with_nothing_to_kill() {
    check_after(
        "files EF",
        "start; +10 launch-failed E denied; stopped",
        "
            start                      -> init-start init, launch E 1
            +10 launch-failed E denied -> extension E LaunchError (PermissionDenied),
                                          init-report init error Extension.LaunchError 10,
                                          stop 1 failure term 60
            stopped                    -> reset failure 0",
    );
    check_after(
        "files EF",
        "start; +10 launch-failed E not-found; stopped",
        "
            start                         -> init-start init, launch E 1
            +10 launch-failed E not-found -> extension E LaunchError (UnknownError),
                                             init-report init error Extension.LaunchError 10,
                                             stop 1 failure term 60
            stopped                       -> reset failure 0",
    );
}

#[test]
fn a_launch_failure_of_the_second_extension_ends_the_first() {
    check_after(
        "files EF",
        "start; launched E; +10 launch-failed F denied; +5 stopped; +5 stopped E",
        "
            start                      -> init-start init, launch E 1
            launched E                 -> launch F 1
            +10 launch-failed F denied -> extension E Started,
                                          extension F LaunchError (PermissionDenied),
                                          init-report init error Extension.LaunchError 10,
                                          stop 1 failure term 60
            +5 stopped                 -> stop E
            +5 stopped E               -> reset failure 0",
    );
    check_after(
        "files EF",
        "start; launched E; register E SHUTDOWN; event E u; +10 launch-failed F not-found; \
         +5 stopped; +5 stopped E",
        "
            start                         -> init-start init, launch E 1
            launched E                    -> launch F 1
            register E SHUTDOWN           -> -
            event E u                     -> -
            +10 launch-failed F not-found -> extension E Ready SHUTDOWN,
                                             extension F LaunchError (UnknownError),
                                             init-report init error Extension.LaunchError 10,
                                             stop 1 failure term 60
            +5 stopped                    -> tell E by u shutdown failure until 210,
                                             stop E await 195
            +5 stopped E                  -> reset failure 10",
    );
}

#[test]
fn a_launch_failure_inside_an_invocation_is_its_answer() {
    check_after(
        E_SUPPRESSED,
        "+10 launch-failed E denied; +5 stopped",
        "
            +10 launch-failed E denied -> extension E LaunchError (PermissionDenied),
                                          init-report invoke error Extension.LaunchError 10,
                                          start a, answer a Extension.LaunchError 'fork/exec
                                          /var/task/bootstrap: permission denied',
                                          stop 2 failure term 60
            +5 stopped                 -> reset failure 0,
                                          end a error Extension.LaunchError 10 reset",
    );
}

#[test]
fn extensions_that_are_turned_off_are_not_started() {
    check_after(
        "files disabled",
        "start; launched; register I INVOKE; next p; arrive a; response a; finish a response; \
         next p",
        "
            start             -> init-start init, launch 1
            launched          -> -
            register I INVOKE -> refused (Extension registration closed already)
            next p            -> init-done init success, init-report init success 0
            arrive a          -> start a, hand a to p until 1000
            response a        -> -
            finish a response -> answer a upload
            next p            -> done a success 0, end a success 0 +init 0 ready at 0 after 0",
    );
}

#[test]
fn extensions_that_were_turned_off_once_stay_off() {
    check_after(
        "files disabled",
        "start; launched; exited 1; stopped; files E; arrive a",
        "
            start    -> init-start init, launch 1
            launched -> -
            exited 1 -> init-done init error Runtime.ExitError,
                        init-report init error Runtime.ExitError 0, stop 1 failure
            stopped  -> -
            files E  -> -
            arrive a -> init-start invoke, launch 2",
    );
}

#[test]
fn nobody_registers_before_it_is_known_which_files_there_are() {
    check_after(
        "files E",
        "start ..; register E INVOKE; register I INVOKE; event E u; +10 found; register E INVOKE",
        "
            start ..          -> init-start init, discover
            register E INVOKE -> refused (Extension registration closed already)
            register I INVOKE -> refused (Extension registration closed already)
            event E u         -> refused (unknown E)
            +10 found         -> launch E 1
            register E INVOKE -> -",
    );
}

#[test]
fn an_init_that_ends_while_files_are_looked_for_waits_for_the_news() {
    check_after(
        "files E",
        "arrive a ..; +500 tick; +10 found; stopped",
        "
            arrive a .. -> init-start init, discover
            +500 tick   -> init-report init timeout 500
            +10 found   -> stop 1 timeout
            stopped     -> init-start invoke, launch E 2",
    );
}

#[test]
fn news_of_files_that_nobody_asked_for_are_ignored() {
    check("found", "found -> -");
    check_after(
        WITH_E,
        "found; launched E; launch-failed E denied; shutdown 100; found; launched E",
        "
            found                  -> -
            launched E             -> -
            launch-failed E denied -> -
            shutdown 100           -> stop 1 spindown term 60
            found                  -> -
            launched E             -> -",
    );
}

#[test]
fn after_a_failed_init_every_extension_is_started_again() {
    check_after(
        E_SUPPRESSED,
        "+10 launched E; +10 register E INVOKE; launched; event E u; +30 next p; +5 response a; \
         finish a response; next p; event E u",
        "
            +10 launched E        -> -
            +10 register E INVOKE -> launch 2
            launched              -> -
            event E u             -> -
            +30 next p            -> init-done invoke success, extension E Ready INVOKE,
                                     init-report invoke success 50, start a,
                                     hand a to p until 1100, tell E by u invoke a until 1100
            +5 response a         -> -
            finish a response     -> answer a upload
            next p                -> done a success 5
            event E u             -> end a success 55 +invoke 50 ready at 155 after 0 overhead 0",
    );
}
