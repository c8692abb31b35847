//! What alerts are sent to: a small web server that answers as it is told and keeps what it was sent.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The status that was answered; 0 for none.
    pub(crate) answered: u16,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What a request is answered: a status and headers, or nothing for a while.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Status(u16, &'static str),
    Silence(Duration),
}

pub(crate) const OK: Answer = Answer::Status(204, "");

type Script = dyn Fn(&Received, &[Received]) -> Answer + Send + Sync;

pub(crate) struct Pager {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Pager {
    /// `script` is given each request, and those before.
    pub(crate) fn new(script: impl Fn(&Received, &[Received]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (script, kept): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&received));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
                std::thread::spawn(move || converse(stream.unwrap(), &*script, &kept));
            }
        });
        Self { address, received }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/page?key=hush", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// What was taken, in order.
    pub(crate) fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| (200..300).contains(&received.answered)).collect()
    }
}

fn converse(mut stream: TcpStream, script: &Script, kept: &Mutex<Vec<Received>>) {
    let Some(mut request) = read(&stream) else { return };
    let mut kept = kept.lock().unwrap();
    let answer = script(&request, &kept);
    request.answered = if let Answer::Status(status, _) = answer { status } else { 0 };
    kept.push(request);
    drop(kept);
    match answer {
        // Whoever asked may be gone.
        Answer::Status(status, headers) => {
            let _ = stream.write_all(format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: 0\r\n\r\n").as_bytes());
        }
        Answer::Silence(pause) => std::thread::sleep(pause),
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Received { at: Instant::now(), path, headers, body, answered: 0 })
}
