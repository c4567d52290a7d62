//! When connections are opened, kept and given up, and what is sent again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::server::{ACCEPTED, Api, GET_NEXT, INVOKE, Port, SHUTDOWN, both, within};
use rapid_extension::{Call, Client, Error, EventType};

#[tokio::test]
async fn consecutive_calls_share_one_connection() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (_, ()) = both(
        async {
            for _ in 0..50 {
                client.next_event().await.unwrap();
            }
            client.exit_error("x").await.unwrap();
        },
        async {
            for _ in 0..50 {
                connection.gives(INVOKE).await;
            }
            connection.takes("POST /2020-01-01/extension/exit/error").await;
            connection.answers("202 Accepted", "", ACCEPTED).await;
        },
    )
    .await;
    assert!(api.has_nobody_waiting().await);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let api = Api::new();
    let (mut client, connection) = api.registered().await;
    drop(connection);
    let (event, ()) =
        both(client.next_event(), async { api.accept().await.gives(INVOKE).await }).await;
    assert_eq!(event.unwrap().request_id, "r-1");
}

#[tokio::test]
async fn a_connection_that_the_api_wants_closed_is_not_used_again() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (event, ()) = both(client.next_event(), async {
        connection.takes(GET_NEXT).await;
        connection.answers("200 OK", "Connection: close\r\n", INVOKE).await;
    })
    .await;
    event.unwrap();
    let (event, ()) =
        both(client.next_event(), async { api.accept().await.gives(SHUTDOWN).await }).await;
    assert_eq!(event.unwrap().event_type, EventType::Shutdown);
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_not_sent_again() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (event, ()) = both(client.next_event(), async {
        connection.takes(GET_NEXT).await;
        drop(connection);
    })
    .await;
    assert!(matches!(event, Err(Error::Lost { call: Call::NextEvent, .. })));
    assert!(api.has_nobody_waiting().await);
    // The client itself is as good as before; to ask again is for its owner to decide.
    let (event, ()) =
        both(client.next_event(), async { api.accept().await.gives(SHUTDOWN).await }).await;
    event.unwrap();
}

#[tokio::test]
async fn an_api_that_is_not_there_yet_is_tried_again() {
    let port = Port::new();
    let mut client = Client::with("logger", &port.address).unwrap();
    let mut registering = pin!(client.register(&[]));
    // The first attempt is made, and fails at once: nobody listens.
    let pending = poll_fn(|cx| Poll::Ready(registering.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
    let api = Api::over(port);
    let (registered, ()) = both(registering, async {
        let mut connection = api.accept().await;
        connection.request().await;
        connection.registers().await;
    })
    .await;
    registered.unwrap();
}

#[tokio::test]
async fn an_api_that_is_nowhere_is_given_up() {
    let port = Port::new();
    let mut client = Client::with("logger", &port.address).unwrap();
    let error = client.register(&[]).await.unwrap_err();
    let start = format!(
        "POST /2020-01-01/extension/register: cannot connect to the Extensions API at {}: ",
        port.address
    );
    assert!(error.to_string().starts_with(&start), "{error}");
}

#[tokio::test]
async fn a_request_for_an_event_survives_the_future_that_made_it() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    // It is given up when it waits at the API already.
    within(async {
        tokio::select! {
            event = client.next_event() => panic!("it is {event:?}"),
            () = connection.takes(GET_NEXT) => {}
        }
    })
    .await;
    // Again, after the head of the answer.
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", INVOKE.len());
    connection.write(head + &INVOKE[..10]).await;
    for _ in 0..3 {
        let mut waiting = pin!(client.next_event());
        poll_fn(|cx| {
            assert!(waiting.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    let (event, ()) = both(client.next_event(), connection.write(&INVOKE[10..])).await;
    assert_eq!(event.unwrap().request_id, "r-1");
    // And the connection is still the same.
    let (event, ()) = both(client.next_event(), connection.gives(SHUTDOWN)).await;
    assert_eq!(event.unwrap().event_type, EventType::Shutdown);
    assert!(api.has_nobody_waiting().await);
}

#[tokio::test]
async fn an_error_can_be_reported_while_a_request_for_an_event_waits() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    within(async {
        tokio::select! {
            event = client.next_event() => panic!("it is {event:?}"),
            () = connection.takes(GET_NEXT) => {}
        }
    })
    .await;
    let (reported, _second) = both(client.exit_error("x"), async {
        let mut second = api.accept().await;
        second.takes("POST /2020-01-01/extension/exit/error").await;
        second.answers("202 Accepted", "", ACCEPTED).await;
        second
    })
    .await;
    reported.unwrap();
    connection.answers("200 OK", "", INVOKE).await;
    assert_eq!(within(client.next_event()).await.unwrap().request_id, "r-1");
}

#[tokio::test]
async fn a_client_that_is_dropped_hangs_up() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    within(async {
        tokio::select! {
            event = client.next_event() => panic!("it is {event:?}"),
            () = connection.takes(GET_NEXT) => {}
        }
    })
    .await;
    drop(client);
    connection.ends().await;
}

#[tokio::test]
async fn an_event_that_comes_in_pieces_is_put_together() {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (event, ()) = both(client.next_event(), async {
        connection.takes(GET_NEXT).await;
        connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for byte in INVOKE.chars() {
            connection.write(format!("1\r\n{byte}\r\n")).await;
            tokio::task::yield_now().await;
        }
        connection.write("0\r\n\r\n").await;
    })
    .await;
    assert_eq!(event.unwrap().request_id, "r-1");
    let (event, ()) = both(client.next_event(), connection.gives(SHUTDOWN)).await;
    event.unwrap();
}
