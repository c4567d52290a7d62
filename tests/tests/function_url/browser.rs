//! [`Browser`]: a real one, without a window, and [`Elsewhere`]: a web server beside rapid's.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rapid_e2e::{Stream, bind, eventually};
use serde_json::Value;
use tempfile::TempDir;

/// How long a page may take to say something: a browser takes seconds to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. Dropped, it is ended.
pub(crate) struct Browser {
    child: Child,
    profile: TempDir,
}

impl Browser {
    /// Opens a page; nobody waits for it to be there.
    #[track_caller]
    pub(crate) fn open(url: &str) -> Self {
        Self::start(url, &[])
    }

    /// What a page has become when its scripts have done what they do by themselves.
    #[track_caller]
    pub(crate) fn show(url: &str) -> String {
        // In the browser's own time, which stands still while it waits for answers.
        let mut browser = Self::start(url, &["--virtual-time-budget=10000", "--dump-dom"]);
        let printed = browser.child.stdout.take().expect("its output is piped");
        let printed = Stream::collect("standard output", printed, false);
        printed.wait_for_end(PATIENCE);
        printed.text()
    }

    #[track_caller]
    fn start(url: &str, what: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a directory can be made");
        let log = std::fs::File::create(profile.path().join("log")).expect("a file can be made");
        let child = Command::new("chromium")
            .args(["--headless", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"])
            // Root needs it, and so do containers without user namespaces.
            .arg("--no-sandbox")
            // It is to speak to nobody but these tests.
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--no-proxy-server", "--disable-extensions"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(what)
            .arg(url)
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("chromium can be started: run `cargo xtask peers`");
        Self { child, profile }
    }

    /// What it has to say for itself.
    fn said(&self) -> String {
        std::fs::read_to_string(self.profile.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("process ids are small"));
        // It has not been waited for, so that the group is its own.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
        // Its helpers write into the profile, which is removed next.
        eventually("the end of the browser", || killpg(group, None).is_err());
    }
}

/// A web server of the test's own: another origin with a page, where pages report what they saw.
pub(crate) struct Elsewhere {
    port: u16,
    reports: Receiver<(String, String)>,
}

impl Elsewhere {
    /// Serves `page` on every path, and takes what is posted for a report.
    pub(crate) fn with(page: String) -> Self {
        let (listener, port) = bind(0);
        let (sender, reports) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, sender) = (page.clone(), sender.clone());
                thread::spawn(move || serve(stream, &page, &sender));
            }
        });
        Self { port, reports }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What is reported next: to which path, and what.
    #[track_caller]
    pub(crate) fn report(&self, browser: &Browser) -> (String, String) {
        self.reports
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("the page does not report\n{}", browser.said()))
    }

    /// What is reported to `/end`, which comes next.
    #[track_caller]
    pub(crate) fn end(&self, browser: &Browser) -> Value {
        let (path, body) = self.report(browser);
        assert_eq!(path, "/end", "{body}");
        serde_json::from_str(&body).expect("pages report JSON")
    }
}

/// Answers one request; a browser that goes meanwhile needs no answer.
fn serve(stream: TcpStream, page: &str, sender: &Sender<(String, String)>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(Some(0), |n| n.parse().ok())?];
    stream.read_exact(&mut body).ok()?;
    let page = if method == "GET" { page } else { "" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        page.len()
    );
    if method == "POST" {
        // The test may have ended.
        sender.send((path.to_owned(), String::from_utf8(body).ok()?)).ok()?;
    }
    stream.get_mut().write_all(head.as_bytes()).ok()?;
    stream.get_mut().write_all(page.as_bytes()).ok()
}
