//! Which path answers which method, and how everything else is turned away.

use rapid_interop::ports::Health;
use rapid_invoke_api::Persona;

use crate::port::{FakePort, Play};
use crate::world::{BOTH, check, send};

#[tokio::test]
async fn unknown_paths_are_no_operation() {
    let expected = |persona: Persona, method: &str, path: &str| match persona {
        Persona::Rie => {
            "404\ncontent-type: text/plain; charset=utf-8\n\n404 page not found\n".to_owned()
        }
        Persona::Aws => format!(
            "404
content-type: application/json
x-amzn-errortype: UnknownOperationException

{{\"Type\":\"User\",\"message\":\"There is no operation {method} {path}. Invoke with POST \
/2015-03-31/functions/<name>/invocations.\"}}"
        ),
    };
    for persona in BOTH {
        let port = FakePort::default();
        for path in [
            "/",
            "/2015-03-31/functions",
            "/2015-03-31/functions/f",
            "/2015-03-31/functions/invocations",
            "/2015-03-31/functions/a/b/invocations",
            "/2015-03-31/functions/f/invocations/more",
            "//2015-03-31/functions/f/invocations",
            "/2018-06-01/runtime/invocation/next",
        ] {
            for method in ["GET", "POST"] {
                let head = format!("{method} {path}?q=not-quoted");
                check(&port, persona, &head, "{}", &expected(persona, method, path)).await;
            }
        }
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn invocations_are_posted_and_nothing_else() {
    let expected = "405
allow: POST
content-type: application/json
x-amzn-errortype: MethodNotAllowedException

{\"Type\":\"User\",\"message\":\"Invoke with POST.\"}";
    for persona in BOTH {
        let port = FakePort::default();
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            let head = format!("{method} /2015-03-31/functions/f/invocations");
            check(&port, persona, &head, "{}", expected).await;
        }
        let head = send(&port, persona, "HEAD /2015-03-31/functions/f/invocations", "").await;
        assert_eq!(
            (head.status().as_u16(), &head.headers()["allow"]),
            (405, &"POST".parse().unwrap())
        );
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn health_is_good_while_invocations_would_run_or_wait_for_their_turn() {
    let rows = [
        (Health::Idle, 200, "idle"),
        (Health::Initializing, 503, "initializing"),
        (Health::Ready, 200, "ready"),
        (Health::Invoking, 200, "invoking"),
        (Health::Resetting, 200, "resetting"),
        (Health::Failed, 503, "failed"),
        (Health::ShuttingDown, 503, "shutting-down"),
    ];
    for (health, status, state) in rows {
        let port = FakePort::new(Play::Panic);
        port.is(health);
        let expected =
            format!("{status}\ncontent-type: application/json\n\n{{\"state\":\"{state}\"}}");
        for persona in BOTH {
            check(&port, persona, "GET /health", "", &expected).await;
        }
        let head = send(&port, Persona::Aws, "HEAD /health", "").await;
        assert_eq!(head.status().as_u16(), status);
    }
}

#[tokio::test]
async fn health_cannot_be_posted() {
    let response = send(&FakePort::default(), Persona::Aws, "POST /health", "").await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD");
}
