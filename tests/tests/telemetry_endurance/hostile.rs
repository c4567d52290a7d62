//! Subscribers that nobody should have.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rapid_e2e::{Batch, answer, bind, receive_batch};

/// What one of them does with a connection.
type Manner = fn(BufReader<TcpStream>);

/// All of them.
pub(crate) const MANNERS: [Manner; 8] = [
    reads_nothing,
    never_answers,
    answers_garbage,
    refuses_everything,
    breaks_off,
    trickles,
    has_an_endless_head,
    has_an_endless_body,
];

/// Starts one; says at which port it listens.
pub(crate) fn start(manner: Manner) -> u16 {
    let (listener, port) = bind(0);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || manner(BufReader::new(stream)));
        }
    });
    port
}

/// A port at which nobody listens.
pub(crate) fn dead() -> u16 {
    bind(0).1
}

/// Starts one that answers two batches, goes away, and comes back at the same port. `take` gets
/// what it has answered.
pub(crate) fn restarting(take: impl Fn(&Batch) + Send + 'static) -> u16 {
    let (listener, port) = bind(0);
    thread::spawn(move || {
        let mut listener = Some(listener);
        loop {
            let here = listener.take().unwrap_or_else(|| bind(port).0);
            for stream in here.incoming().flatten().take(1) {
                let mut stream = BufReader::new(stream);
                for _ in 0..2 {
                    let Ok(Some(batch)) = receive_batch(&mut stream) else { break };
                    if answer(&mut stream).is_ok() {
                        take(&batch);
                    }
                }
            }
            drop(here);
            // So long is it away.
            thread::sleep(Duration::from_millis(100));
        }
    });
    port
}

fn reads_nothing(stream: BufReader<TcpStream>) {
    thread::park();
    drop(stream);
}

fn never_answers(mut stream: BufReader<TcpStream>) {
    while let Ok(Some(_)) = receive_batch(&mut stream) {}
}

fn answers_garbage(mut stream: BufReader<TcpStream>) {
    while let Ok(Some(_)) = receive_batch(&mut stream) {
        // The connection may be gone: then there is no next batch either. So below.
        let _ = stream.get_mut().write_all(b"\0\xFFwhat?\r\n\r\n");
    }
}

fn refuses_everything(mut stream: BufReader<TcpStream>) {
    while let Ok(Some(_)) = receive_batch(&mut stream) {
        let _ = stream.get_mut().write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    }
}

fn breaks_off(mut stream: BufReader<TcpStream>) {
    if let Ok(Some(_)) = receive_batch(&mut stream) {
        let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    }
}

fn trickles(mut stream: BufReader<TcpStream>) {
    if let Ok(Some(_)) = receive_batch(&mut stream) {
        for byte in b"HTTP/1.1 200 OK\r\n".iter().chain([b'X'; 10_000].iter()) {
            if stream.get_mut().write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn has_an_endless_head(mut stream: BufReader<TcpStream>) {
    if let Ok(Some(_)) = receive_batch(&mut stream) {
        let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.get_mut().write_all(b"X-And: so on\r\n").is_ok() {}
    }
}

fn has_an_endless_body(mut stream: BufReader<TcpStream>) {
    if let Ok(Some(_)) = receive_batch(&mut stream) {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.get_mut().write_all(head);
        while stream.get_mut().write_all(b"8\r\nand so o\r\n").is_ok() {}
    }
}
