//! What extensions may and may not ask the Telemetry API and the Logs API, word for word. The test
//! speaks for the extension: its own process does nothing.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "telemetry_api/faults.rs"]
mod faults;

use std::net::TcpListener;

use rapid_e2e::{Agent, DEADLINE, Extensions, Options, Rapid, Reply, Request, eventually};

use crate::faults::FAULTS;

const STRANGER: &str = "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11";
const OK: &str = r#""OK""#;
const ALREADY: &str = r#""AlreadySubscribed""#;

/// One of the two APIs.
#[derive(Clone, Copy, Debug)]
struct Api {
    name: &'static str,
    path: &'static str,
    schema: &'static str,
}

const TELEMETRY: Api =
    Api { name: "Telemetry", path: "/2022-07-01/telemetry", schema: "2022-12-13" };
const LOGS: Api = Api { name: "Logs", path: "/2020-08-15/logs", schema: "2021-03-18" };

impl Api {
    /// A good request, but for what `change` makes of it.
    fn request(self, port: u16, change: impl Fn(&str) -> String) -> String {
        let Self { schema, .. } = self;
        change(&format!(
            r#"{{"schemaVersion":"{schema}","types":["platform","function"],"buffering":{{"maxItems":1000,"maxBytes":262144,"timeoutMs":100}},"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/path","method":"POST","encoding":"JSON"}}}}"#
        ))
    }

    fn good(self, port: u16) -> String {
        self.request(port, ToOwned::to_owned)
    }

    /// Puts a body under an identifier.
    #[track_caller]
    fn put(self, rapid: &Rapid, id: &str, body: impl AsRef<[u8]>) -> Reply {
        put(rapid, self.path, &format!("Lambda-Extension-Identifier: {id}\r\n"), body.as_ref())
    }
}

#[track_caller]
fn put(rapid: &Rapid, path: &str, headers: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: rapid\r\n{headers}Content-Length: {length}\r\n\r\n");
    let mut connection = rapid.to_runtime();
    connection.write(&[head.as_bytes(), body].concat()).expect("the Runtime API reads");
    connection.receive().expect("there is an answer")
}

/// A place where deliveries get stuck: nobody reads them.
fn sink() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

/// External extensions that have registered, during the initialisation, which waits for them.
#[track_caller]
fn during_init<const N: usize>(names: [&str; N]) -> (Rapid, Extensions, [Agent; N]) {
    let extensions = names.iter().fold(Extensions::none(), |all, name| all.mute(name));
    let options = Options::fixture().extensions(&extensions).flags(["--init-timeout", "60"]);
    let rapid = Rapid::serve(options);
    let agents = names.map(|name| Agent::register(&rapid, name, &["INVOKE"]));
    (rapid, extensions, agents)
}

/// The whole answer, of which `what` is the name in the test.
#[track_caller]
fn expect(what: &str, reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status, reply.text().as_str()), (status, body), "{what}");
    let headers: Vec<&str> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(headers, ["Content-Type", "Content-Length", "Date"], "{what}");
    assert_eq!(reply.header("Content-Type"), Some("application/json"), "{what}");
}

// --- The identifier ----------------------------------------------------------------------------

#[test]
fn a_subscription_without_a_known_identifier_is_refused() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let missing = "{\"errorMessage\":\"Missing Lambda-Extension-Identifier header\",\
                   \"errorType\":\"Extension.MissingExtensionIdentifier\"}\n";
    let invalid = "{\"errorMessage\":\"Invalid Lambda-Extension-Identifier\",\
                   \"errorType\":\"Extension.InvalidExtensionIdentifier\"}\n";
    let unknown = "{\"errorMessage\":\"Unknown extension 6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11\",\
                   \"errorType\":\"Extension.UnknownExtensionIdentifier\"}\n";
    for api in [TELEMETRY, LOGS] {
        let good = api.good(port);
        expect("missing", &put(&rapid, api.path, "", good.as_bytes()), 403, missing);
        expect("empty", &api.put(&rapid, "", &good), 403, missing);
        expect("no UUID", &api.put(&rapid, "agent", &good), 403, invalid);
        expect("unknown", &api.put(&rapid, STRANGER, &good), 403, unknown);
        expect("in capitals", &api.put(&rapid, &STRANGER.to_uppercase(), "no JSON"), 403, unknown);
    }
    // Nothing of that has counted.
    expect("good", &LOGS.put(&rapid, agent.id(), LOGS.good(port)), 200, OK);
}

#[test]
fn an_identifier_ends_with_its_generation_but_the_subscriptions_of_its_name_stay() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let good = TELEMETRY.good(port);
    expect("first", &TELEMETRY.put(&rapid, agent.id(), &good), 200, OK);
    let mut parked = agent.ask(&rapid);
    rapid.expect_echo();
    assert_eq!(parked.receive().expect("the event comes").status, 200);
    rapid.child_called("agent").kill();
    let again = rapid.invoke_in_background(r#"{"do":"echo"}"#);
    let mut fresh = None;
    eventually("the extension may register again", || {
        let reply = rapid.call(&Agent::registration("agent", &["INVOKE"]));
        fresh = (reply.status == 200).then(|| Agent::registered(&reply));
        fresh.is_some()
    });
    let fresh = fresh.expect("it has registered");
    let stale = format!(
        "{{\"errorMessage\":\"Unknown extension {}\",\
         \"errorType\":\"Extension.UnknownExtensionIdentifier\"}}\n",
        agent.id()
    );
    expect("stale", &TELEMETRY.put(&rapid, agent.id(), &good), 403, &stale);
    expect("repeated", &TELEMETRY.put(&rapid, fresh.id(), &good), 200, ALREADY);
    assert_eq!(fresh.ask(&rapid).receive().expect("the event comes").status, 200);
    let reply = again.join().expect("it does not panic").expect("there is an answer");
    assert_eq!(reply.function_error(), None);
}

// --- What is taken -----------------------------------------------------------------------------

#[test]
fn a_request_that_is_repeated_adds_nothing() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [one, two]) = during_init(["one", "two"]);
    for (api, agent) in [(TELEMETRY, one), (LOGS, two)] {
        let good = api.good(port);
        expect("first", &api.put(&rapid, agent.id(), &good), 200, OK);
        expect("again", &api.put(&rapid, agent.id(), &good), 200, ALREADY);
        // Spelled in another way it is the same.
        let other = good.replace(r#""platform","function""#, r#""function", "platform""#);
        expect("spelled", &api.put(&rapid, &agent.id().to_uppercase(), other), 200, ALREADY);
    }
}

#[test]
fn subscriptions_of_an_extension_add_up() {
    let (_sink, port) = sink();
    let (_other_sink, other_port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let good = TELEMETRY.good(port);
    let tcp = r#"{"schemaVersion":"2025-01-29","types":["extension"],"destination":{"protocol":"TCP","port":PORT}}"#;
    let others = [
        ("types", good.replace(r#","function""#, "")),
        ("path", good.replace("/path", "/other?a=b")),
        ("port", TELEMETRY.good(other_port)),
        ("method", good.replace("POST", "PUT")),
        ("buffering", good.replace(":100}", ":25}")),
        ("schema", good.replace("2022-12-13", "2022-07-01")),
        ("protocol", tcp.replace("PORT", &port.to_string())),
    ];
    expect("first", &TELEMETRY.put(&rapid, agent.id(), &good), 200, OK);
    for (what, other) in &others {
        assert_ne!(other, &good, "{what}");
        expect(what, &TELEMETRY.put(&rapid, agent.id(), other), 200, OK);
    }
    for (what, known) in others.iter().chain([&("first", good)]) {
        expect(what, &TELEMETRY.put(&rapid, agent.id(), known), 200, ALREADY);
    }
}

#[test]
fn an_extension_subscribes_eight_times_and_no_more() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [one, two]) = during_init(["one", "two"]);
    let good = TELEMETRY.good(port);
    for path in 1..=8 {
        let body = good.replace("/path", &format!("/{path}"));
        expect("another", &TELEMETRY.put(&rapid, one.id(), body), 200, OK);
    }
    let refusal = r#"{"errorType":"Telemetry.ValidationError","errorMessage":"Subscription limit (8) of an extension reached"}"#;
    expect("too many", &TELEMETRY.put(&rapid, one.id(), &good), 400, refusal);
    expect("the other's", &TELEMETRY.put(&rapid, two.id(), &good), 200, OK);
}

#[test]
fn names_of_the_sandbox_that_samples_use_are_understood() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    // All of them are one place, so only the first request is new.
    let hosts =
        ["sandbox.localdomain", "sandbox", "", "0.0.0.0", "localhost", "127.0.0.1", "[::1]"];
    for (host, answer) in hosts.into_iter().zip([OK].into_iter().chain([ALREADY; 6])) {
        let body = TELEMETRY.good(port).replace("sandbox.localdomain", host);
        expect(host, &TELEMETRY.put(&rapid, agent.id(), body), 200, answer);
    }
}

#[test]
fn internal_extensions_may_subscribe() {
    let (_sink, port) = sink();
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]).flags(["--init-timeout", "60"]));
    rapid.runtime();
    let agent = Agent::register(&rapid, "inner", &["INVOKE"]);
    expect("inner", &TELEMETRY.put(&rapid, agent.id(), TELEMETRY.good(port)), 200, OK);
}

#[test]
fn what_is_not_said_and_the_limits_themselves_are_fine() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let buffering = r#"{"maxItems":1000,"maxBytes":262144,"timeoutMs":100}"#;
    let put = |other: &str| {
        let body = TELEMETRY.request(port, |good| {
            assert!(good.contains(buffering), "{good}");
            good.replace(buffering, other)
        });
        TELEMETRY.put(&rapid, agent.id(), body)
    };
    expect("defaults", &put("{}"), 200, OK);
    // What the service takes when nothing is said, said.
    for other in ["null", r#"{"maxItems":10000,"maxBytes":262144,"timeoutMs":1000}"#] {
        expect(other, &put(other), 200, ALREADY);
    }
    for other in [
        r#"{"maxItems":1000,"maxBytes":1048576,"timeoutMs":25}"#,
        r#"{"maxItems":10000,"timeoutMs":30000,"unknown":{"a":[1]}}"#,
    ] {
        expect(other, &put(other), 200, OK);
    }
}

#[test]
fn only_the_names_of_the_sandbox_are_understood_where_the_service_is_followed_strictly() {
    let (_sink, port) = sink();
    let extensions = Extensions::none().mute("agent");
    let flags = ["--init-timeout", "60", "--telemetry", "strict"];
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).flags(flags));
    let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
    let put = |host: &str| {
        let body = TELEMETRY.good(port).replace("sandbox.localdomain", host);
        TELEMETRY.put(&rapid, agent.id(), body)
    };
    let refusal = r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"Only 'sandbox.localdomain' hostname is supported."}"#;
    for host in ["", "0.0.0.0", "localhost", "127.0.0.1", "[::1]"] {
        expect(host, &put(host), 403, refusal);
    }
    expect("sandbox", &put("sandbox"), 200, OK);
    expect("sandbox.localdomain", &put("sandbox.localdomain"), 200, ALREADY);
}

// --- What is refused ---------------------------------------------------------------------------

#[test]
fn every_fault_of_a_request_is_told_and_leaves_no_trace() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [one, two]) = during_init(["one", "two"]);
    let runtime_port = rapid.runtime_address().port().to_string();
    for (api, agent) in [(TELEMETRY, &one), (LOGS, &two)] {
        let filled = |text: &str| {
            text.replace("<schema>", api.schema)
                .replace("<port>", &port.to_string())
                .replace("<runtime port>", &runtime_port)
                .replace("<Api>", api.name)
        };
        for (what, piece, other, status, answer) in FAULTS {
            let piece = filled(piece);
            let body = api.request(port, |good| {
                assert!(good.contains(&piece), "{what}: {piece}");
                good.replace(&piece, &filled(other))
            });
            let answer = filled(answer).replace("<end>", &body.len().to_string());
            expect(what, &api.put(&rapid, agent.id(), body), status, &answer);
        }
    }
    // Corrected, and even sent to the other API, they are taken.
    expect("one", &LOGS.put(&rapid, one.id(), LOGS.good(port)), 200, OK);
    expect("two", &TELEMETRY.put(&rapid, two.id(), TELEMETRY.good(port)), 200, OK);
}

#[test]
fn each_api_has_schemas_of_its_own() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let schema = |api: Api, other: &str| api.good(port).replace(api.schema, other);
    let telemetry = r#"{"errorType":"Telemetry.ValidationError","errorMessage":"TelemetryAPI only supports the SchemaVersion released after 2021-03-18"}"#;
    let logs = r#"{"errorType":"Logs.ValidationError","errorMessage":"LogsAPI only supports the following SchemaVersion: 2020-08-15, 2021-03-18"}"#;
    for other in ["2020-08-15", "2021-03-18"] {
        let body = schema(TELEMETRY, other);
        expect(other, &TELEMETRY.put(&rapid, agent.id(), body), 400, telemetry);
    }
    let without = |api: Api| schema(api, "").replace(r#""schemaVersion":"","#, "");
    expect("none", &TELEMETRY.put(&rapid, agent.id(), without(TELEMETRY)), 400, telemetry);
    for other in ["2022-07-01", "2022-12-13", "2025-01-29"] {
        expect(other, &LOGS.put(&rapid, agent.id(), schema(LOGS, other)), 400, logs);
    }
    // The Logs API has a default.
    expect("first", &LOGS.put(&rapid, agent.id(), without(LOGS)), 200, OK);
    expect("same", &LOGS.put(&rapid, agent.id(), schema(LOGS, "2020-08-15")), 200, ALREADY);
}

#[test]
fn an_extension_uses_one_of_the_apis_and_another_may_use_the_other() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [one, two]) = during_init(["one.sh", "two.sh"]);
    expect("one", &TELEMETRY.put(&rapid, one.id(), TELEMETRY.good(port)), 200, OK);
    let refusal = r#"{"errorType":"Logs.AccessDenied","errorMessage":"The extension one.sh is already subscribed to the TelemetryAPI. You must either subscribe to the LogsAPI or the TelemetryAPI"}"#;
    expect("one", &LOGS.put(&rapid, one.id(), LOGS.good(port)), 400, refusal);
    expect("two", &LOGS.put(&rapid, two.id(), LOGS.good(port)), 200, OK);
    let refusal = r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"The extension two.sh is already subscribed to the LogsAPI. You must either subscribe to the LogsAPI or the TelemetryAPI"}"#;
    expect("two", &TELEMETRY.put(&rapid, two.id(), TELEMETRY.good(port)), 400, refusal);
}

#[test]
fn a_mebibyte_is_read_and_more_is_refused() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let mut body = LOGS.good(port).into_bytes();
    body.resize(1024 * 1024, b' ');
    expect("a mebibyte", &LOGS.put(&rapid, agent.id(), &body), 200, OK);
    body.push(b' ');
    let refusal = r#"{"errorType":"Logs.ValidationError","errorMessage":"Request body exceeds 1048576 bytes"}"#;
    expect("one byte more", &LOGS.put(&rapid, agent.id(), &body), 400, refusal);
}

#[test]
fn a_body_that_breaks_off_is_refused() {
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    let mut connection = rapid.to_runtime();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: rapid\r\nLambda-Extension-Identifier: {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\nnonsense\r\n",
        TELEMETRY.path,
        agent.id()
    );
    connection.write(head.as_bytes()).expect("the Runtime API reads");
    let reply = connection.receive().expect("there is an answer");
    let refusal = "{\"errorMessage\":\"HTTP request detected as truncated\",\
                   \"errorType\":\"TruncatedHTTPRequest\"}\n";
    assert_eq!((reply.status, reply.text().as_str()), (400, refusal));
}

#[test]
fn after_the_initialisation_subscriptions_are_closed_whatever_is_asked() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    expect("early", &TELEMETRY.put(&rapid, agent.id(), TELEMETRY.good(port)), 200, OK);
    let _parked = agent.ask(&rapid);
    rapid.wait_for_line("EXTENSION\tName: agent\tState: Ready", DEADLINE);
    rapid.expect_echo();
    let closed = |api: Api| {
        format!(
            "{{\"errorMessage\":\"{} API subscription is closed already\",\
             \"errorType\":\"{0}.SubscriptionClosed\"}}\n",
            api.name
        )
    };
    for api in [TELEMETRY, LOGS] {
        for body in [api.good(port), "no JSON".to_owned(), " ".repeat(1024 * 1024 + 1)] {
            expect("late", &api.put(&rapid, agent.id(), body), 403, &closed(api));
        }
    }
    // Who asks is looked at first.
    assert!(TELEMETRY.put(&rapid, STRANGER, "").text().contains("Unknown extension"));
}

#[test]
fn other_methods_are_not_allowed_and_one_slash_at_the_end_is_tolerated() {
    let (_sink, port) = sink();
    let (rapid, _extensions, [agent]) = during_init(["agent"]);
    for api in [TELEMETRY, LOGS] {
        for method in ["GET", "POST", "DELETE"] {
            let reply = rapid.call(&agent.signed(Request::new(method, api.path)));
            assert_eq!((reply.status, reply.header("Allow")), (405, Some("PUT")), "{method}");
        }
    }
    let headers = format!("Lambda-Extension-Identifier: {}\r\n", agent.id());
    let good = TELEMETRY.good(port);
    let slash = format!("{}/", TELEMETRY.path);
    expect("slash", &put(&rapid, &slash, &headers, good.as_bytes()), 200, OK);
}

#[test]
fn where_there_is_nothing_to_subscribe_to_everybody_is_turned_down() {
    for options in [Options::fixture().flags(["--telemetry", "off"]), Options::fixture().rie()] {
        let extensions = Extensions::none().mute("agent");
        let rapid = Rapid::serve(options.extensions(&extensions));
        for api in [TELEMETRY, LOGS] {
            let name = api.name;
            let body = format!(
                "{{\"errorMessage\":\"{name} API is not supported\",\
                 \"errorType\":\"{name}.NotSupported\"}}\n"
            );
            expect(name, &put(&rapid, api.path, "", b""), 202, &body);
            expect(name, &api.put(&rapid, "x", "no JSON"), 202, &body);
            let reply = rapid.call(&Request::post(api.path, "{}"));
            assert_eq!(
                (reply.status, reply.header("Allow"), reply.text().as_str()),
                (405, Some("PUT"), "")
            );
        }
    }
}
