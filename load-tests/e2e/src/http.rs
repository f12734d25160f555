//! Plain HTTP/1.1 on a socket: what is sent is exactly what the test wrote.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use crate::PATIENCE;

/// A response, read until the server closed.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// The body as it came, chunks and all.
    pub raw: Vec<u8>,
}

impl Response {
    /// The value of a header line.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as JSON, `Null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends a request with these header lines. An error is the network's.
pub fn request(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Response> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    exchange(server, text.as_bytes())
}

/// Sends a request whose body is no text.
pub fn request_bytes(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Response> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {server}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()));
    exchange(server, &[text.as_bytes(), body].concat())
}

/// Sends these very bytes and reads what comes back.
pub fn exchange(server: SocketAddr, bytes: &[u8]) -> std::io::Result<Response> {
    let received = send(server, bytes)?;
    let end = received.windows(4).position(|window| window == b"\r\n\r\n");
    let raw = end.map_or(Vec::new(), |end| received[end + 4..].to_vec());
    Ok(Response { raw, ..parse(&String::from_utf8_lossy(&received)) })
}

fn send(server: SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A server that has heard enough may close before it has read all; what it said still counts.
    let sent = stream.write_all(bytes);
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    if received.is_empty() {
        sent?;
        read?;
    }
    Ok(received)
}

/// A response whose body need not be text.
#[derive(Debug)]
pub struct Download {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends bytes to an `http://` URL and takes bytes back.
pub fn fetch(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> std::io::Result<Download> {
    let rest = url.strip_prefix("http://").expect("an http:// URL");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    let is_own =
        |name: &str| ["host", "content-length"].iter().any(|own| name.eq_ignore_ascii_case(own));
    for (name, value) in headers.iter().filter(|(name, _)| !is_own(name)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let bytes = send(host.parse().expect("an address"), &[head.as_bytes(), body].concat())?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let Response { status, .. } = parse(&String::from_utf8_lossy(&bytes[..end]));
    Ok(Download { status, body: bytes.get(end + 4..).unwrap_or_default().to_vec() })
}

fn parse(text: &str) -> Response {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { unchunk(body) } else { body.to_owned() };
    Response { status, head: head.to_owned(), body, raw: Vec::new() }
}

fn unchunk(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        let Some((chunk, after)) = rest.split_at_checked(size).filter(|_| size > 0) else { break };
        body.push_str(chunk);
        text = after.trim_start_matches("\r\n");
    }
    body
}

/// Writes `value` for use in a URL's query.
#[must_use]
pub fn percent_encode(value: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .bytes()
        .map(|byte| match byte {
            byte if safe(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
