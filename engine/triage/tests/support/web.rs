//! The web side of an engine, asked over a plain socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Status, head and body of an answer.
pub(crate) fn ask(address: SocketAddr, request: &str, headers: &str) -> (u16, String, String) {
    send(address, request, headers, "")
}

/// JSON that is said, and what the answer is.
pub(crate) fn say(address: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let (status, _, body) = send(address, &format!("POST {path}"), &headers, body);
    (status, body)
}

pub(crate) fn send(address: SocketAddr, request: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}
