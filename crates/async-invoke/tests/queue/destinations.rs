//! Who is told, and how often it is tried.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rapid_async_invoke::{AsyncInvoke, Config, Destinations, Target};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::port::{FakePort, Play};
use crate::world::{ID, PATIENCE, World, event, is_empty, lines, open};

/// Answers one request after the other with these statuses, and returns the requests.
async fn server(statuses: &'static [u16]) -> (SocketAddr, JoinHandle<Vec<(String, Value)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            seen.push(read_request(&mut stream).await);
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        seen
    });
    (address, task)
}

async fn read_request(stream: &mut TcpStream) -> (String, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

/// Runs one event that succeeds, and tells `target`.
async fn succeed_and_tell(target: String) {
    let on_success = Some(target.parse::<Target>().unwrap());
    let destinations = Destinations { on_success, ..Destinations::default() };
    let queue =
        open(Config { destinations, ..Config::default() }, &FakePort::new([Play::Respond("[]")]))
            .await;
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_url_is_posted_the_record() {
    let (address, seen) = server(&[204]).await;
    succeed_and_tell(format!("http://{address}/hook?a=b")).await;
    let (head, record) = seen.await.unwrap().pop().unwrap();
    assert_eq!(
        head,
        format!(
            "POST /hook?a=b HTTP/1.1\r\ncontent-type: application/json\r\nhost: {address}\r\n\
             content-length: {}\r\n\r\n",
            record.to_string().len()
        )
    );
    assert_eq!(record["requestContext"]["requestId"], ID);
}

#[tokio::test(flavor = "current_thread")]
async fn another_function_is_invoked_asynchronously_with_the_record() {
    let (address, seen) = server(&[202]).await;
    succeed_and_tell(format!("lambda:http://{address}/other:prod")).await;
    let (head, record) = seen.await.unwrap().pop().unwrap();
    let head: Vec<_> = head.lines().collect();
    assert_eq!(head[0], "POST /2015-03-31/functions/other:prod/invocations HTTP/1.1");
    assert!(head.contains(&"x-amz-invocation-type: Event"), "{head:?}");
    assert!(
        head.contains(&"x-amzn-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793"),
        "{head:?}"
    );
    assert_eq!(record["responsePayload"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "current_thread")]
async fn what_may_pass_is_tried_three_times_and_what_will_not_once() {
    let (address, seen) = server(&[500, 429, 200]).await;
    succeed_and_tell(format!("http://{address}/")).await;
    assert_eq!(seen.await.unwrap().len(), 3);
    let (address, seen) = server(&[503, 503, 503]).await;
    succeed_and_tell(format!("http://{address}/")).await;
    assert_eq!(seen.await.unwrap().len(), 3);
    // A second try would find nobody there, and take its time for it.
    let (address, seen) = server(&[404]).await;
    succeed_and_tell(format!("http://{address}/")).await;
    assert_eq!(seen.await.unwrap().len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_directory_gets_a_file_for_each() {
    let world = World::new();
    let directory = world.path("out");
    for _ in 0..2 {
        succeed_and_tell(format!("dir:{}", directory.display())).await;
    }
    let files = files_below(&directory.join("aws/lambda/async/f"));
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let record: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(record["version"], "1.0");
        // The name has the time of the record.
        let time = record["timestamp"].as_str().unwrap()[..19].replace(':', ".");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{time}-")), "{name}");
    }
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries.flat_map(|entry| files_below(&entry.unwrap().path())).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn one_destination_that_fails_does_not_keep_the_other_from_being_told() {
    let world = World::new();
    let mut config = world.durable();
    fs::create_dir(world.path("missing")).unwrap();
    config.destinations.on_failure = Some(Target::File(world.path("missing/failed")));
    let queue = open(config, &FakePort::new([Play::Fail])).await;
    fs::remove_dir_all(world.path("missing")).unwrap();
    queue.accept(event("[1]")).await.unwrap();
    is_empty(&queue).await;
    assert_eq!(lines(&world.path("dead")).len(), 1);
    assert!(!world.path("missing/failed").exists());
}

#[tokio::test(flavor = "current_thread")]
async fn a_destination_that_cannot_be_written_to_is_told_before_anything_is_accepted() {
    let world = World::new();
    let pipe = world.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(world.path("file"), "").unwrap();
    let rows = [
        (Target::File(pipe), "it is no regular file"),
        (Target::File(world.path("missing/file")), "the directory of the file does not exist"),
        (Target::Directory(world.path("file")), ""),
    ];
    for (target, reason) in rows {
        let dead_letter = Some(target.clone());
        let destinations = Destinations { dead_letter, ..Destinations::default() };
        let config = Config { destinations, ..world.durable() };
        let refused = AsyncInvoke::open(config, FakePort::new([Play::Hang])).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.starts_with(&format!("'{target}' is no destination: {reason}")), "{told}");
    }
    assert!(!world.path("queue").exists());
}

#[tokio::test(flavor = "current_thread")]
async fn destinations_that_do_not_answer_hold_no_event_up() {
    // Far more than are told at the same time.
    const EVENTS: usize = 50;
    let world = World::new();
    // Takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target: Target = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
    for config in [Config::default(), world.durable()] {
        let on_success = Some(target.clone());
        let destinations = Destinations { on_success, ..Destinations::default() };
        let port = FakePort::new([Play::Respond("[]")]);
        let queue = open(Config { destinations, ..config }, &port).await;
        for _ in 0..EVENTS {
            queue.accept(event("[1]")).await.unwrap();
        }
        port.has_made(EVENTS).await;
        let pending = queue.pending();
        assert_eq!((pending.total(), pending.in_flight), (EVENTS, EVENTS), "none was given up");
        assert!(pending.bytes <= EVENTS * "[1][]".len(), "{pending:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_waits_to_be_told_is_told() {
    const EVENTS: usize = 40;
    let world = World::new();
    for config in [world.config(), world.durable()] {
        let before = world.told()[0].len();
        let queue = open(config, &FakePort::new([Play::Respond("{\"a\":1}")])).await;
        for _ in 0..EVENTS {
            queue.accept(event("[1]")).await.unwrap();
        }
        is_empty(&queue).await;
        let told = &world.told()[0][before..];
        assert_eq!(told.len(), EVENTS);
        assert!(told.iter().all(|record| record["responsePayload"]["a"] == 1), "{told:?}");
        queue.drain(PATIENCE).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_response_for_which_there_is_no_room_is_told_whole() {
    let world = World::new();
    let port = FakePort::new([Play::Respond("\"0123456789\"")]);
    let queue = open(Config { max_bytes: 9, ..world.config() }, &port).await;
    for _ in 0..3 {
        queue.accept(event("[1]")).await.unwrap();
    }
    is_empty(&queue).await;
    let told = &world.told()[0];
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|record| record["responsePayload"] == "0123456789"), "{told:?}");
}
