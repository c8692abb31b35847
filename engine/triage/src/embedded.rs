//! The embedded broker of the demo and of quick tests. It answers a consumer that waits for records at once, with none, so
//! that idle consumers ask again and again and keep every core busy. A relay between it and its clients lets such
//! questions wait a little.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use noida::kafka::connection::handle_connection;
use noida::kafka::engine::Engine;

/// How long a consumer that got next to nothing waits until it asks again: a tenth of what a person notices.
const PAUSE: Duration = Duration::from_millis(10);

/// An answer below so many bytes is next to nothing.
const LITTLE: usize = 4_096;

/// The key of a request for records, in Kafka's protocol.
const FETCH: [u8; 2] = [0, 1];

/// Where keys and correlation ids stand in requests and answers, behind the length.
const KEY: std::ops::Range<usize> = 0..2;
const REQUEST_ID: std::ops::Range<usize> = 4..8;
const ANSWER_ID: std::ops::Range<usize> = 0..4;

/// Serves Kafka's protocol on `address`, in memory, until the process ends; where it listens.
///
/// # Errors
/// The address is taken.
pub fn spawn(address: impl std::net::ToSocketAddrs) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let engine = Engine::new(address.ip().to_string(), i32::from(address.port()));
    engine.spawn_log_cleaner();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Err(error) = serve(client, &behind, engine.clone()) {
                tracing::warn!(%error, "the embedded broker turns a client away");
            }
        }
    });
    Ok(address)
}

fn serve(client: TcpStream, behind: &TcpListener, engine: Engine) -> io::Result<()> {
    let ours = TcpStream::connect(behind.local_addr()?)?;
    let (brokers, _) = behind.accept()?;
    for stream in [&client, &ours] {
        stream.set_nodelay(true)?;
    }
    let (requests, answers) = ((client.try_clone()?, ours.try_clone()?), (ours, client));
    let last = Arc::new(Last::default());
    std::thread::spawn(move || handle_connection(brokers, engine));
    let seen = Arc::clone(&last);
    std::thread::spawn(move || relay(requests, |frame| last.asked(frame)));
    std::thread::spawn(move || relay(answers, |frame| seen.answered(frame)));
    Ok(())
}

/// The last request for records of a connection; a client has one on its way at a time.
#[derive(Debug, Default)]
struct Last {
    id: AtomicI32,
    got_little: AtomicBool,
}

impl Last {
    fn asked(&self, request: &[u8]) {
        if request.get(KEY) != Some(&FETCH) {
            return;
        }
        if self.got_little.load(Ordering::Acquire) {
            std::thread::sleep(PAUSE);
        }
        self.id.store(number(request, REQUEST_ID), Ordering::Release);
    }

    fn answered(&self, answer: &[u8]) {
        if number(answer, ANSWER_ID) == self.id.load(Ordering::Acquire) {
            self.got_little.store(answer.len() < LITTLE, Ordering::Release);
        }
    }
}

fn number(frame: &[u8], place: std::ops::Range<usize>) -> i32 {
    frame.get(place).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_be_bytes)
}

/// Passes frames on, each a length and so many bytes, until either side is closed; then both are.
fn relay((mut from, mut to): (TcpStream, TcpStream), mut look: impl FnMut(&[u8])) {
    let mut frame = Vec::new();
    while next(&mut from, &mut frame).is_ok() {
        look(&frame[4..]);
        if to.write_all(&frame).is_err() {
            break;
        }
    }
    // Closed already is what is wanted.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// The next frame, its length before it.
fn next(from: &mut TcpStream, frame: &mut Vec<u8>) -> io::Result<()> {
    frame.resize(4, 0);
    from.read_exact(frame)?;
    let length = number(frame, 0..4);
    let length = u64::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
    let got = Read::take(from, length).read_to_end(frame)?;
    if (got as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
