//! Names, ARNs and qualifiers: who may be invoked, and as what.

use rapid_invoke_api::Persona;

use crate::port::FakePort;
use crate::world::{BOTH, check, outcome, send};

const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:";

fn invoke(rest: &str) -> String {
    format!("POST /2015-03-31/functions/{rest}")
}

#[tokio::test]
async fn the_runtime_is_told_the_arn_that_was_invoked() {
    let rows = [
        ("my-function/invocations", "my-function"),
        ("other.name_1/invocations", "other.name_1"),
        ("function/invocations", "my-function"),
        // As the pattern has it, the word before a name is no name.
        ("function:f/invocations", "f"),
        ("function/invocations?Qualifier=7", "my-function:7"),
        ("function:function/invocations", "my-function"),
        ("function:function:live/invocations", "my-function:live"),
        ("f:7/invocations", "f:7"),
        ("f:live/invocations", "f:live"),
        ("f:$LATEST/invocations", "f:$LATEST"),
        ("f/invocations?Qualifier=%24LATEST", "f:$LATEST"),
        ("f/invocations?a=b&Qualifier=live", "f:live"),
        ("f:live/invocations?Qualifier=live", "f:live"),
        ("f%3Alive/invocations", "f:live"),
        ("123456789012:function:f/invocations", "f"),
        ("123456789012:function:f:live/invocations", "f:live"),
        ("arn:aws:lambda:us-east-1:111111111111:function:f/invocations", "f"),
        ("arn:aws:lambda:us-east-1:111111111111:function:f:7/invocations", "f:7"),
        (
            "arn%3Aaws%3Alambda%3Aus-east-1%3A111111111111%3Afunction%3Af/invocations?Qualifier=7",
            "f:7",
        ),
    ];
    for (rest, expected) in rows {
        for persona in BOTH {
            let port = FakePort::default();
            assert_eq!(outcome(&port, persona, &invoke(rest), "{}").await, "200", "{rest}");
            let arn = port.invocation().invoked_function_arn;
            assert_eq!(arn, format!("{ARN}{expected}"), "{rest}");
        }
    }
}

#[tokio::test]
async fn the_version_that_ran_is_the_functions_own_whatever_it_was_called() {
    for rest in ["f/invocations", "f:live/invocations", "f:$LATEST/invocations"] {
        let response = send(&FakePort::default(), Persona::Aws, &invoke(rest), "{}").await;
        assert_eq!(response.headers()["x-amz-executed-version"], "7", "{rest}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_fit_the_pattern_is_refused() {
    let part = "x".repeat(65);
    let whole = format!("{part}:{}", "y".repeat(200));
    for persona in BOTH {
        let port = FakePort::default();
        for name in [
            "",
            "f%20g",
            "%C3%BC",
            "%FF",
            "a%2Fb",
            "f:",
            "f:$OTHER",
            "a:b:c",
            "f%00",
            "arn:aws:s3:us-east-1:111111111111:function:f",
            &part,
            &whole,
        ] {
            let refused =
                outcome(&port, persona, &invoke(&format!("{name}/invocations")), "").await;
            assert_eq!(refused, "400 ValidationException", "{name}");
        }
        assert_eq!(port.invocations(), 0);
    }
    let longest = format!("{}/invocations", "x".repeat(64));
    assert_eq!(outcome(&FakePort::default(), Persona::Aws, &invoke(&longest), "").await, "200");
}

#[tokio::test]
async fn the_refusal_of_a_name_quotes_name_and_pattern() {
    let expected = r#"400
content-type: application/json
x-amzn-errortype: ValidationException

{"message":"1 validation error detected: Value 'f g' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"}"#;
    let head = invoke("f%20g/invocations");
    check(&FakePort::default(), Persona::Aws, &head, "{}", expected).await;
}

#[tokio::test]
async fn a_qualifier_that_does_not_fit_the_pattern_is_refused() {
    let expected = |value: &str| {
        format!(
            r#"400
content-type: application/json
x-amzn-errortype: ValidationException

{{"message":"1 validation error detected: Value '{value}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"}}"#
        )
    };
    let long = "x".repeat(129);
    for persona in BOTH {
        let port = FakePort::default();
        for (written, value) in [("", ""), ("a%20b", "a b"), ("a.b", "a.b"), (&long, &long)] {
            let head = invoke(&format!("f/invocations?Qualifier={written}"));
            check(&port, persona, &head, "{}", &expected(value)).await;
        }
        let longest = invoke(&format!("f/invocations?Qualifier={}", "x".repeat(128)));
        assert_eq!(outcome(&port, persona, &longest, "{}").await, "200");
    }
}

#[tokio::test]
async fn two_qualifiers_have_to_agree() {
    let expected = "400
content-type: application/json
x-amzn-errortype: InvalidParameterValueException

{\"Type\":\"User\",\"message\":\"The derived qualifier from the function name does not match the \
specified qualifier.\"}";
    for persona in BOTH {
        let port = FakePort::default();
        check(&port, persona, &invoke("f:7/invocations?Qualifier=live"), "{}", expected).await;
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn another_version_than_the_functions_own_is_unknown() {
    let expected = "404
content-type: application/json
x-amzn-errortype: ResourceNotFoundException

{\"Type\":\"User\",\"Message\":\"Function not found: \
arn:aws:lambda:eu-central-1:123456789012:function:my-function:8\"}";
    for persona in BOTH {
        let port = FakePort::default();
        check(&port, persona, &invoke("my-function:8/invocations"), "{}", expected).await;
        check(&port, persona, &invoke("function/invocations?Qualifier=8"), "{}", expected).await;
        assert_eq!(port.invocations(), 0);
    }
}
