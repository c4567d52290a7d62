//! What each call sends, byte by byte, and what its answer becomes.

use rapid_extension::{
    Client, Error, Event, EventType, Events, Register, ShutdownReason, StatusResponse, Tracing,
};

use crate::server::{ACCEPTED, Api, ID, INVOKE, SHUTDOWN, both};

async fn registration(events: impl Into<Events> + Send, with_account: bool) -> String {
    let api = Api::new();
    let mut client = api.client();
    if with_account {
        client = client.ask_for_account_id();
    }
    let (registered, request) = both(client.register(events), async {
        let mut connection = api.accept().await;
        let request = connection.request().await;
        connection.registers().await;
        request
    })
    .await;
    registered.unwrap();
    request
}

#[tokio::test]
async fn a_registration_is_sent_as_it_is_documented() {
    let expected = "POST /2020-01-01/extension/register HTTP/1.1
Lambda-Extension-Name: logger
Content-Type: application/json
Content-Length: 21

{\"events\":[\"INVOKE\"]}";
    assert_eq!(registration(&[EventType::Invoke], false).await, expected);
}

#[tokio::test]
async fn registering_for_an_empty_list_is_for_everything_and_none_is_for_nothing() {
    for (events, body) in [
        (Events::from(&[]), r#"{"events":["INVOKE","SHUTDOWN"]}"#),
        (Events::default(), r#"{"events":["INVOKE","SHUTDOWN"]}"#),
        (Events::none(), r#"{"events":[]}"#),
        (Events::from(&[EventType::from("NEW")]), r#"{"events":["NEW"]}"#),
        (Events::from(&vec![EventType::Shutdown]), r#"{"events":["SHUTDOWN"]}"#),
    ] {
        let request = registration(events, false).await;
        assert_eq!(request.split_once("\n\n").unwrap().1, body);
    }
}

#[tokio::test]
async fn the_account_id_is_asked_for_on_demand() {
    let request = registration(&[], true).await;
    assert!(request.contains("\nLambda-Extension-Accept-Feature: accountId\n"), "{request}");
}

#[tokio::test]
async fn a_registration_tells_of_the_function_and_leaves_the_identifier_in_the_client() {
    let api = Api::new();
    let mut client = api.client();
    assert_eq!((client.name(), client.extension_id()), ("logger", None));
    let (registered, ()) = both(client.register(&[]), async {
        let mut connection = api.accept().await;
        connection.request().await;
        let body = r#"{"accountId":"012345678912","functionName":"hello","functionVersion":"7","handler":"h","new":1}"#;
        let id = format!("lambda-extension-identifier: {ID}\r\n");
        connection.answers("200 OK", &id, body).await;
    })
    .await;
    let expected = Register {
        function_name: "hello".into(),
        function_version: "7".into(),
        handler: "h".into(),
        account_id: Some("012345678912".into()),
        extension_id: ID.into(),
    };
    assert_eq!(registered.unwrap(), expected);
    assert_eq!(client.extension_id(), Some(ID));
}

#[tokio::test]
async fn what_a_registration_leaves_out_is_empty() {
    let api = Api::new();
    let mut client = api.client();
    let (registered, ()) = both(client.register(&[]), async {
        let mut connection = api.accept().await;
        connection.request().await;
        let body = r#"{"accountId":"","functionName":null}"#;
        connection.answers("200 OK", "Lambda-Extension-Identifier: x\r\n", body).await;
    })
    .await;
    let expected = Register { extension_id: "x".into(), ..Register::default() };
    assert_eq!(registered.unwrap(), expected);
}

#[tokio::test]
async fn a_name_may_have_letters_of_any_language() {
    let api = Api::new();
    let mut client = Client::with("zähler", &api.address).unwrap();
    let (registered, ()) = both(client.register(&[]), async {
        let mut connection = api.accept().await;
        let request = connection.request().await;
        assert!(request.contains("\nLambda-Extension-Name: zähler\n"), "{request}");
        connection.registers().await;
    })
    .await;
    registered.unwrap();
}

#[tokio::test]
async fn an_invocation_is_read_whole() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (event, request) = both(client.next_event(), async {
        let request = connection.request().await;
        connection.answers("200 OK", "Content-Type: application/json\r\n", INVOKE).await;
        request
    })
    .await;
    let next = format!(
        "GET /2020-01-01/extension/event/next HTTP/1.1\nLambda-Extension-Identifier: {ID}\n\n"
    );
    assert_eq!(request, next);
    let expected = Event {
        event_type: EventType::Invoke,
        deadline_ms: 1_700_000_000_000,
        request_id: "r-1".into(),
        invoked_function_arn: "arn:aws:lambda:us-east-1:012345678912:function:hello".into(),
        tracing: Tracing {
            kind: "X-Amzn-Trace-Id".into(),
            value: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".into(),
        },
        shutdown_reason: None,
    };
    assert_eq!(event.unwrap(), expected);
}

#[tokio::test]
async fn a_shutdown_is_read_although_it_comes_as_plain_text() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (event, ()) = both(client.next_event(), async {
        connection.request().await;
        let kind = "Content-Type: text/plain; charset=utf-8\r\n";
        connection.answers("200 OK", kind, SHUTDOWN).await;
    })
    .await;
    let expected = Event {
        event_type: EventType::Shutdown,
        deadline_ms: 1_700_000_002_000,
        shutdown_reason: Some(ShutdownReason::Spindown),
        ..Event::default()
    };
    assert_eq!(event.unwrap(), expected);
}

#[tokio::test]
async fn an_unknown_event_is_handed_on() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let event = r#"{"eventType":"NEW","shutdownReason":"Why","x":{}}"#;
    let (event, ()) = both(client.next_event(), connection.gives(event)).await;
    let event = event.unwrap();
    assert_eq!(event.event_type, EventType::Other("NEW".into()));
    assert_eq!(event.shutdown_reason, Some(ShutdownReason::Other("Why".into())));
}

#[tokio::test]
async fn reports_carry_the_type_in_a_header_and_both_statuses_are_taken() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    for (path, status) in [
        ("init/error", "202 Accepted"),
        ("init/error", "200 OK"),
        ("exit/error", "202 Accepted"),
        ("exit/error", "200 OK"),
    ] {
        let report = async {
            match path {
                "init/error" => client.init_error("Extension.Oops").await,
                _ => client.exit_error("Extension.Oops").await,
            }
        };
        let (reported, request) = both(report, async {
            let request = connection.request().await;
            connection.answers(status, "", ACCEPTED).await;
            request
        })
        .await;
        assert_eq!(reported.unwrap(), StatusResponse { status: "OK".into() });
        let expected = format!(
            "POST /2020-01-01/extension/{path} HTTP/1.1\nLambda-Extension-Identifier: {ID}\n\
             Lambda-Extension-Function-Error-Type: Extension.Oops\nContent-Length: 0\n\n"
        );
        assert_eq!(request, expected);
    }
}

#[tokio::test]
async fn an_error_type_cannot_add_a_header() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (reported, request) = both(client.exit_error("no\r\nX-Other: ü"), async {
        let request = connection.request().await;
        connection.answers("202 Accepted", "", "").await;
        request
    })
    .await;
    assert_eq!(reported.unwrap().status, "");
    assert!(request.contains("-Error-Type: no  X-Other: ?\n"), "{request}");
}

#[tokio::test]
async fn nothing_is_sent_before_there_is_an_identifier() {
    let mut client = Client::with("logger", "127.0.0.1:1").unwrap();
    let errors = [
        client.next_event().await.unwrap_err(),
        client.init_error("x").await.unwrap_err(),
        client.exit_error("x").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::NotRegistered { .. }), "{error}");
    }
}
