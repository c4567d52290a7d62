//! The floor: a relay between an invoker and a runtime that does nothing else.
//!
//! It makes the hops that nobody can leave out: the invoker's request comes in, goes to the
//! runtime's parked `next`, the runtime's answer comes in, goes to the invoker, and the runtime is
//! told 202. With an internal extension it also tells that of every event, and waits for it before
//! the next one. Bodies are read to their end before they are passed on, since whoever has to check
//! them does so too. One thread, one epoll, and calls that block while a message comes or goes.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::connection::{Connection, Message};

const ACCEPTED: &[u8] =
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n";
const ACCEPTED_BODY: &[u8] = b"{\"status\":\"OK\"}\n";
const REGISTERED: &[u8] =
    b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: floor\r\nContent-Length: 2\r\n\r\n";
const REGISTERED_BODY: &[u8] = b"{}";
const TOLD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n";
const TOLD_BODY: &[u8] = b"{\"eventType\":\"INVOKE\"}";

/// The tokens of the listeners; a connection's is its place plus their number.
const INVOKERS: u64 = 0;
const RUNTIMES: u64 = 1;
const LISTENERS: u64 = 2;

/// A relay that listens and does not serve yet.
#[derive(Debug)]
pub struct Relay {
    epoll: Epoll,
    invokers: TcpListener,
    runtimes: TcpListener,
    /// Nothing in the place of a connection that has ended.
    peers: Vec<Option<Peer>>,
    /// Invokers whose requests wait in their buffers, first come first served.
    waiting: VecDeque<(usize, Message)>,
    /// The runtime that waits for an event.
    parked: Option<usize>,
    /// The invoker whose event the runtime has.
    running: Option<usize>,
    extension: Extension,
    served: u64,
    head: Vec<u8>,
}

/// The extension, if there is one.
#[derive(Clone, Copy, Debug)]
enum Extension {
    None,
    /// It has registered, or has not come back from the last event.
    Busy(usize),
    Parked(usize),
}

#[derive(Debug)]
struct Peer {
    connection: Connection,
    is_runtime: bool,
}

impl Relay {
    /// Listens for invokers and for the runtime; port 0 picks a free one.
    ///
    /// # Errors
    /// When an address is taken.
    pub fn bind(invokers: SocketAddr, runtimes: SocketAddr) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (invokers, runtimes) = (TcpListener::bind(invokers)?, TcpListener::bind(runtimes)?);
        watch(&epoll, &invokers, INVOKERS)?;
        watch(&epoll, &runtimes, RUNTIMES)?;
        Ok(Self {
            epoll,
            invokers,
            runtimes,
            peers: Vec::new(),
            waiting: VecDeque::new(),
            parked: None,
            running: None,
            extension: Extension::None,
            served: 0,
            head: Vec::new(),
        })
    }

    /// Where invokers and the runtime are to connect to.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.invokers.local_addr()?, self.runtimes.local_addr()?))
    }

    /// Serves until the process is ended.
    ///
    /// # Errors
    /// When it cannot wait or accept any more. A connection that breaks is only forgotten.
    pub fn serve(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 16];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            for event in &events[..count] {
                match event.data() {
                    INVOKERS => self.accept(false)?,
                    RUNTIMES => self.accept(true)?,
                    token => {
                        let place = usize::try_from(token - LISTENERS).map_err(io::Error::other)?;
                        if self.read(place).is_err() {
                            self.forget(place);
                        }
                    }
                }
            }
        }
    }

    fn accept(&mut self, is_runtime: bool) -> io::Result<()> {
        let listener = if is_runtime { &self.runtimes } else { &self.invokers };
        let connection = Connection::new(listener.accept()?.0)?;
        let token = LISTENERS + self.peers.len() as u64;
        watch(&self.epoll, connection.stream(), token)?;
        self.peers.push(Some(Peer { connection, is_runtime }));
        Ok(())
    }

    /// Takes the message that a connection is ready with.
    fn read(&mut self, place: usize) -> io::Result<()> {
        let Some(peer) = self.peers.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        let message = peer.connection.receive()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if peer.connection.has_more() {
            // Nobody would be woken for it.
            return Err(io::Error::other("a second message before the first was answered"));
        }
        if !peer.is_runtime {
            self.waiting.push_back((place, message));
        } else if peer.connection.starts_with(&message, "POST /2020-01-01/extension/register ") {
            self.extension = Extension::Busy(place);
            return peer.connection.send(REGISTERED, REGISTERED_BODY);
        } else if peer.connection.starts_with(&message, "GET /2020-01-01/extension/event/next ") {
            self.extension = Extension::Parked(place);
        } else if peer.connection.starts_with(&message, "GET ") {
            self.parked = Some(place);
        } else {
            return self.answer(place, &message);
        }
        self.hand_over()
    }

    /// Gives the parked runtime the first request that waits, and tells the extension.
    fn hand_over(&mut self) -> io::Result<()> {
        let Some(runtime) = self.parked else { return Ok(()) };
        let extension = match self.extension {
            Extension::None => None,
            Extension::Busy(_) => return Ok(()),
            Extension::Parked(place) => Some(place),
        };
        let Some((invoker, message)) = self.waiting.pop_front() else { return Ok(()) };
        let (Some(to), Some(from)) =
            (connection(&self.peers, runtime), connection(&self.peers, invoker))
        else {
            return Ok(());
        };
        let body = from.body(&message);
        self.served += 1;
        self.head.clear();
        write!(
            self.head,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
             Lambda-Runtime-Aws-Request-Id: {}\r\nContent-Length: {}\r\n\r\n",
            self.served,
            body.len()
        )?;
        if to.send(&self.head, body).is_err() {
            // It is the runtime that has gone: the request waits for another one.
            self.waiting.push_front((invoker, message));
            self.forget(runtime);
            return Ok(());
        }
        self.parked = None;
        self.running = Some(invoker);
        if let Some(place) = extension {
            self.extension = Extension::Busy(place);
            let told = connection(&self.peers, place).map(|to| to.send(TOLD, TOLD_BODY));
            if told.is_some_and(|told| told.is_err()) {
                self.forget(place);
            }
        }
        Ok(())
    }

    /// Passes the runtime's answer on, to the invoker first: it is the one who waits.
    fn answer(&mut self, runtime: usize, message: &Message) -> io::Result<()> {
        let Some(from) = connection(&self.peers, runtime) else { return Ok(()) };
        let invoker = self.running.take();
        let body = from.body(message);
        self.head.clear();
        write!(
            self.head,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        let sent = match invoker.and_then(|place| connection(&self.peers, place)) {
            Some(to) => to.send(&self.head, body),
            None => Ok(()),
        };
        from.send(ACCEPTED, ACCEPTED_BODY)?;
        if let (Err(_), Some(place)) = (sent, invoker) {
            self.forget(place);
        }
        Ok(())
    }

    /// Ends a connection; epoll forgets it with its descriptor.
    fn forget(&mut self, place: usize) {
        if let Some(peer) = self.peers.get_mut(place) {
            *peer = None;
        }
        self.waiting.retain(|(invoker, _)| *invoker != place);
        self.parked = self.parked.filter(|runtime| *runtime != place);
        self.running = self.running.filter(|invoker| *invoker != place);
        if matches!(self.extension, Extension::Busy(of) | Extension::Parked(of) if of == place) {
            self.extension = Extension::None;
        }
    }
}

fn connection(peers: &[Option<Peer>], place: usize) -> Option<&Connection> {
    peers.get(place)?.as_ref().map(|peer| &peer.connection)
}

fn watch(epoll: &Epoll, socket: impl AsFd, token: u64) -> io::Result<()> {
    Ok(epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
}
