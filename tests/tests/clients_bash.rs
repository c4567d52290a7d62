//! A runtime without any client library: `curl` in a loop, which is the bash example.

#[path = "clients/example.rs"]
mod example;
#[path = "clients/peers.rs"]
mod peers;

use rapid_e2e::{DEADLINE, Options, Rapid};

use crate::peers::{installed, source};

#[test]
fn the_example_does_what_its_readme_says() {
    example::does_what_its_readme_says("bash", &[]);
}

#[test]
fn what_it_says_on_its_standard_error_is_between_start_and_end() {
    let rapid = Rapid::serve(Options::new().command([source("examples/bash/bootstrap")]));
    let reply = rapid.invoke(r#"{ "id": 1, "name": "Ada", "more": { "name2": "Bo" } }"#);
    assert_eq!(reply.text(), r#"{"message":"Hello, Ada!"}"#);
    rapid.report_of(&reply);
    let mut lines = rapid.stdout().lines();
    lines.retain(|line| !line.starts_with("INIT_"));
    let starts = ["START RequestId: ", "greeting Ada", "END RequestId: ", "REPORT RequestId: "];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{lines:#?}");
    }
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    rapid.expect_family(0);
}

#[test]
#[should_panic(expected = "is missing: run `cargo xtask peers`")]
fn a_client_that_is_not_installed_fails_the_test_with_advice() {
    installed("a-client-that-nobody-installs");
}
