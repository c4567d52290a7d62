//! The Node runtime client, `aws-lambda-ric`.

#[path = "clients/example.rs"]
mod example;
#[path = "clients/peers.rs"]
mod peers;
#[path = "clients/scenarios.rs"]
mod scenarios;

use std::ffi::OsStr;

use rapid_e2e::{Options, Rapid};

use crate::peers::{installed, source};

fn function(handler: &str) -> Options {
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    Options::new()
        .command([client.as_os_str(), OsStr::new(handler)])
        .current_dir(source("tests/peers/node"))
}

fn act() -> Options {
    function("app.act")
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
    scenarios::the_environment_is_the_services(act(), "app.act");
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
fn an_exception_is_the_answer_in_the_clients_own_words() {
    let error = scenarios::reported_error(act(), "error");
    assert_eq!(error["errorType"], "RangeError");
    assert_eq!(error["errorMessage"], "boom");
    assert_eq!(error["trace"][0], "RangeError: boom");
}

#[test]
fn a_result_that_json_cannot_hold_is_an_error() {
    let error = scenarios::reported_error(act(), "opaque");
    assert_eq!(error["errorMessage"], "Unable to stringify response body");
}

#[test]
fn a_module_that_cannot_be_loaded_is_every_invocations_answer() {
    let error = scenarios::a_failed_start_is_every_answer(function("broken.echo"));
    assert_eq!(error["errorType"], "Runtime.ImportModuleError");
    let message = error["errorMessage"].as_str().unwrap_or_default();
    assert!(message.contains("Cannot find module 'a-module-that-does-not-exist'"), "{error}");
    assert!(error["trace"].is_array(), "{error}");
}

#[test]
fn a_handler_that_is_not_there_is_every_invocations_answer() {
    let error = scenarios::a_failed_start_is_every_answer(function("app.nothing"));
    assert_eq!(error["errorType"], "Runtime.HandlerNotFound");
}

#[test]
fn the_emulators_manners_make_a_failed_load_the_gateways_failure() {
    let reply = Rapid::serve(function("broken.echo").rie()).invoke("{}");
    assert_eq!(reply.status, 502);
    assert_eq!(reply.json()["errorType"], "Runtime.ImportModuleError");
}

#[test]
fn the_example_does_what_its_readme_says() {
    example::does_what_its_readme_says("node", &[("node_modules", "node/node_modules")]);
}
