//! The Rust runtime client, `lambda_runtime`.

#[path = "clients/example.rs"]
mod example;
#[path = "clients/peers.rs"]
mod peers;
#[path = "clients/scenarios.rs"]
mod scenarios;

use rapid_e2e::{Options, Rapid};

use crate::peers::installed;

fn act() -> Options {
    Options::new().command([installed("rust/debug/echo")])
}

#[test]
fn values_of_every_kind_come_back_as_they_were_sent() {
    scenarios::values_come_back(act());
}

#[test]
fn a_response_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
    scenarios::responses_have_a_limit(act());
}

#[test]
fn what_the_function_prints_is_between_start_and_end() {
    scenarios::output_is_between_start_and_end(act());
}

#[test]
fn two_hundred_invocations_are_answered_by_one_process() {
    scenarios::one_process_answers_them_all(act());
}

#[test]
fn the_context_tells_what_the_invoker_sent_and_nothing_of_earlier_invocations() {
    scenarios::the_context_is_the_invocations(act());
}

#[test]
fn the_environment_has_what_the_service_sets_and_nothing_of_rapids_own() {
    scenarios::the_environment_is_the_services(act().flags(["--handler=act"]), "act");
}

#[test]
fn an_exit_during_an_invocation_is_its_answer_and_the_next_one_works() {
    scenarios::an_exit_is_a_runtime_exit_error(act());
}

#[test]
fn a_deadly_signal_during_an_invocation_is_its_answer_and_the_next_one_works() {
    scenarios::a_signal_is_a_runtime_exit_error(act());
}

#[test]
fn an_invocation_that_takes_too_long_is_ended_and_the_next_one_works() {
    scenarios::a_timeout_ends_the_process_and_the_next_invocation_works(act());
}

#[test]
fn the_emulators_manners_suit_it_as_well() {
    scenarios::the_emulators_manners_work(act());
}

#[test]
fn an_error_is_the_answer_in_the_clients_own_words() {
    let error = scenarios::reported_error(act(), "error");
    assert_eq!(error["errorMessage"], "boom");
    assert!(error["errorType"].is_string());
}

#[test]
fn a_panic_is_the_answer_and_the_process_lives_on() {
    let error = scenarios::reported_error(act(), "panic");
    assert_eq!(error["errorMessage"], "Lambda panicked: boom");
}

#[test]
fn a_start_that_fails_is_every_invocations_answer() {
    // The client reports nothing then; its process just exits.
    let broken = Options::new().command([installed("rust/debug/echo"), "broken".into()]);
    let error = scenarios::a_failed_start_is_every_answer(broken.clone());
    assert_eq!(error["errorType"], "Runtime.ExitError");
    let message = error["errorMessage"].as_str().unwrap_or_default();
    assert!(message.ends_with("Runtime exited with error: exit status 1"), "{message}");
    assert_eq!(Rapid::serve(broken.rie()).invoke("{}").status, 502);
}

#[test]
fn the_example_does_what_its_readme_says() {
    let built = ("target/debug/hello-rust", "rust/debug/hello-rust");
    example::does_what_its_readme_says("rust", &[built]);
}
