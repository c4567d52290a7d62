//! Subscriptions: what is sent, and what its answers become.

use rapid_extension::telemetry::{
    Buffering, Category, Destination, Schema, Subscribed, Subscription,
};
use rapid_extension::{Call, Client, Error, Refusal};

use crate::server::{Api, ID, both};

fn subscription() -> Subscription {
    Subscription::new(&[Category::Platform, Category::Function], Destination::http(8080))
}

/// Subscribes, and is answered; the request, and what came of it.
async fn subscribe(
    subscription: Subscription,
    status: &str,
    body: &str,
) -> (String, Result<Subscribed, Error>) {
    let api = Api::new();
    let (mut client, mut connection) = api.registered().await;
    let (subscribed, request) = both(client.subscribe(&subscription), async {
        let request = connection.request().await;
        connection.answers(status, "Content-Type: application/json\r\n", body).await;
        request
    })
    .await;
    assert!(api.has_nobody_waiting().await, "it goes over the connection there is");
    (request, subscribed)
}

#[tokio::test]
async fn a_subscription_is_sent_to_the_api_of_its_schema() {
    let buffering = Buffering { max_items: 1000, max_bytes: 262_144, timeout_ms: 100 };
    for (schema, path) in [
        (Schema::Telemetry20250129, "/2022-07-01/telemetry"),
        (Schema::Logs20210318, "/2020-08-15/logs"),
    ] {
        let wanted = subscription().schema(schema).buffering(buffering);
        let (request, subscribed) = subscribe(wanted, "200 OK", "\"OK\"").await;
        let schema = schema.as_str();
        let expected = format!(
            "PUT {path} HTTP/1.1
Lambda-Extension-Identifier: {ID}
Content-Type: application/json
Content-Length: 201

{{\"schemaVersion\":\"{schema}\",\"types\":[\"platform\",\"function\"],\"buffering\":{{\"maxItems\":1000,\"maxBytes\":262144,\"timeoutMs\":100}},\"destination\":{{\"protocol\":\"HTTP\",\"URI\":\"http://sandbox.localdomain:8080/\"}}}}"
        );
        assert_eq!(request, expected);
        assert_eq!(subscribed.unwrap(), Subscribed::New);
    }
}

#[tokio::test]
async fn a_subscription_is_new_or_there_already_or_not_to_be_had() {
    let off = "{\"errorMessage\":\"Telemetry API is not supported\",\
               \"errorType\":\"Telemetry.NotSupported\"}\n";
    for (status, body, expected) in [
        ("200 OK", "\"OK\"", Subscribed::New),
        ("200 OK", "OK", Subscribed::New),
        ("200 OK", "", Subscribed::New),
        ("200 OK", "\"AlreadySubscribed\"", Subscribed::Already),
        ("202 Accepted", off, Subscribed::NotSupported),
        ("202 Accepted", "", Subscribed::NotSupported),
    ] {
        let (_, subscribed) = subscribe(subscription(), status, body).await;
        assert_eq!(subscribed.unwrap(), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn a_refusal_has_the_type_and_the_words_of_the_api() {
    for (status, error_type, error_message, advice) in [
        ("400 Bad Request", "Telemetry.ValidationError", "types should not be empty", ""),
        (
            "403 Forbidden",
            "Telemetry.SubscriptionClosed",
            "Telemetry API subscription is closed already",
            "; subscribe after registering, and before the first request for an event",
        ),
    ] {
        let body = format!(r#"{{"errorType":"{error_type}","errorMessage":"{error_message}"}}"#);
        let (_, subscribed) = subscribe(subscription(), status, &body).await;
        let error = subscribed.unwrap_err();
        let text = format!(
            "PUT /2022-07-01/telemetry was answered with {status}: {error_type}: \
             {error_message}{advice}"
        );
        assert_eq!(error.to_string(), text);
        let Error::Refused { call: Call::SubscribeTelemetry, refusal, .. } = error else {
            panic!("it is {error:?}");
        };
        let expected = Refusal::Typed {
            error_type: error_type.to_owned(),
            error_message: error_message.to_owned(),
        };
        assert_eq!(refusal, expected);
    }
}

#[tokio::test]
async fn only_who_has_registered_can_subscribe() {
    let mut client = Client::with("logger", "127.0.0.1:1").unwrap();
    let error = client.subscribe(&subscription()).await.unwrap_err();
    assert!(matches!(error, Error::NotRegistered { call: Call::SubscribeTelemetry }), "{error}");
}
