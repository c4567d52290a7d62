//! Signals, and the environment of a process that the platform has started: in child processes.

use std::env;
use std::future::pending;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use rapid_extension::{BoxError, Client, Error, Event, Handler, run};
use tokio::net::TcpStream;

use crate::server::{Api, GET_NEXT, INVOKE, SHUTDOWN, within};

/// Tells this test program that it is the child, and what its handler does.
const ROLE: &str = "RAPID_EXTENSION_TEST_ROLE";

/// Does nothing with an invocation, or never comes to an end with it.
struct Role {
    hangs: bool,
}

impl Handler for Role {
    type Error = BoxError;

    async fn invoke(&mut self, _: Event) -> Result<(), BoxError> {
        if !self.hangs {
            return Ok(());
        }
        // Whoever plays the API sees that the handler has been called.
        let _sign = TcpStream::connect(env::var("AWS_LAMBDA_RUNTIME_API")?).await?;
        pending().await
    }
}

/// What the child does; in the parent it does nothing.
#[tokio::test(flavor = "current_thread")]
async fn the_child_runs_an_extension() {
    match env::var(ROLE).as_deref() {
        Ok("unconfigured") => {
            assert!(matches!(Client::new(), Err(Error::NotConfigured)));
        }
        Ok(role) => run(Role { hangs: role == "hanging" }, &[]).await.unwrap(),
        Err(_) => {}
    }
}

/// A child that ends with the test, however that ends.
struct Extension(Child);

impl Extension {
    /// This program again, as if the platform had started it.
    fn start(role: &str, address: Option<&str>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .arg0("/opt/extensions/a logger")
            .args(["--exact", "signals::the_child_runs_an_extension"])
            .env(ROLE, role)
            .env_remove("AWS_LAMBDA_RUNTIME_API")
            .stdout(Stdio::null());
        if let Some(address) = address {
            command.env("AWS_LAMBDA_RUNTIME_API", address);
        }
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let killed = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(killed.unwrap().success());
    }

    async fn ends(mut self) -> ExitStatus {
        let ending = tokio::task::spawn_blocking(move || self.0.wait().unwrap());
        within(ending).await.unwrap()
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, nor waited for in vain.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_extension_takes_its_name_and_address_from_the_platform() {
    let api = Api::new();
    let child = Extension::start("busy", Some(&api.address));
    let mut connection = api.accept().await;
    let request = connection.request().await;
    assert!(request.contains("\nLambda-Extension-Name: a logger\n"), "{request}");
    connection.registers().await;
    connection.gives(INVOKE).await;
    connection.gives(SHUTDOWN).await;
    assert!(child.ends().await.success());
}

#[tokio::test]
async fn a_program_that_no_platform_started_says_so() {
    for address in [None, Some("")] {
        assert!(Extension::start("unconfigured", address).ends().await.success());
    }
}

#[tokio::test]
async fn sigterm_and_sigint_end_an_extension_that_waits_for_an_event() {
    for signal in ["TERM", "INT"] {
        let api = Api::new();
        let child = Extension::start("busy", Some(&api.address));
        let mut connection = api.accept().await;
        connection.request().await;
        connection.registers().await;
        connection.takes(GET_NEXT).await;
        child.signal(signal);
        connection.ends().await;
        assert!(child.ends().await.success(), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_handler() {
    let api = Api::new();
    let child = Extension::start("hanging", Some(&api.address));
    let mut connection = api.accept().await;
    connection.request().await;
    connection.registers().await;
    connection.gives(INVOKE).await;
    let _sign = api.accept().await;
    // Two of a kind may be merged into one by the kernel; these cannot.
    child.signal("TERM");
    child.signal("INT");
    assert!(child.ends().await.success());
}
