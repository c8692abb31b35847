//! A TCP proxy between engines and broker: passes, cuts, delays, and corrupts inside the record batches that it passes to
//! the engines.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The length of a record batch's header before its records: from the base offset to the number of records.
const BATCH_HEADER: usize = 61;

pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    target: AtomicU16,
    delay_ms: AtomicU64,
    corrupt: AtomicU64,
    corrupted: AtomicU64,
    ended: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { port, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn forward_to(&self, port: u16) {
        self.state.target.store(port, Ordering::SeqCst);
    }

    /// Cuts every connection, wherever it is.
    pub(crate) fn cut(&self) {
        for connection in self.state.connections.lock().unwrap().drain(..) {
            // One that is closed already is what is wanted.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Holds back every chunk in both directions; zero ends it.
    pub(crate) fn delay(&self, by: Duration) {
        self.state.delay_ms.store(by.as_millis() as u64, Ordering::SeqCst);
    }

    /// Flips a byte in each of the next so many record batches.
    pub(crate) fn corrupt(&self, batches: u64) {
        self.state.corrupt.fetch_add(batches, Ordering::SeqCst);
    }

    /// How many record batches were corrupted so far.
    pub(crate) fn corrupted(&self) -> u64 {
        self.state.corrupted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for client in listener.incoming() {
        if state.ended.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        // A broker that is down refuses, and the client sees its connection closed.
        let Ok(broker) = TcpStream::connect(("127.0.0.1", state.target.load(Ordering::SeqCst))) else { continue };
        let ends = [&client, &broker].map(|end| end.try_clone().unwrap());
        state.connections.lock().unwrap().extend(ends);
        pass(client.try_clone().unwrap(), broker.try_clone().unwrap(), Arc::clone(state), false);
        pass(broker, client, Arc::clone(state), true);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: Arc<State>, to_client: bool) {
    std::thread::spawn(move || {
        let mut chunk = vec![0; 256 * 1024];
        loop {
            let read = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let delay = state.delay_ms.load(Ordering::SeqCst);
            if delay > 0 {
                std::thread::sleep(Duration::from_millis(delay));
            }
            if to_client {
                corrupt(&mut chunk[..read], &state);
            }
            if to.write_all(&chunk[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Flips a byte of the records of the first whole batch in `chunk`, if one is asked for.
fn corrupt(chunk: &mut [u8], state: &State) {
    if state.corrupt.load(Ordering::SeqCst) == 0 {
        return;
    }
    let Some((start, length)) = find_batch(chunk) else { return };
    let middle = start + BATCH_HEADER + (length - BATCH_HEADER) / 2;
    chunk[middle] ^= 0x55;
    state.corrupt.fetch_sub(1, Ordering::SeqCst);
    state.corrupted.fetch_add(1, Ordering::SeqCst);
}

/// Where a record batch of version 2 with records stands whole, and how long it is: base offset (8 bytes), length (4),
/// leader epoch (4), magic (1) …
fn find_batch(chunk: &[u8]) -> Option<(usize, usize)> {
    let number =
        |at: usize, bytes: usize| chunk[at..at + bytes].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    (0..chunk.len().saturating_sub(BATCH_HEADER)).find_map(|start| {
        let length = number(start + 8, 4) as usize + 12;
        let whole = length > BATCH_HEADER + 40 && start + length <= chunk.len();
        let is_batch = chunk[start + 16] == 2 && number(start, 8) < 1 << 32 && number(start + 12, 4) < 1_000;
        (is_batch && whole).then_some((start, length))
    })
}
