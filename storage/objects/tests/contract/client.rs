//! The store under test, and a client that sends exactly what it is told.

use std::{collections::BTreeMap, io::Write as _};

use storage_objects::{Key, Objects, PutError, Sha256, SignedRequest};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A store, and where the paths among its signed URLs lead.
pub(crate) struct Subject {
    pub(crate) objects: Objects,
}

impl Subject {
    pub(crate) async fn put(&self, key: &str, content: &[u8]) -> Result<(), PutError> {
        self.put_claiming(key, content, Sha256::of(content)).await
    }

    pub(crate) async fn put_claiming(
        &self,
        key: &str,
        content: &[u8],
        sha256: Sha256,
    ) -> Result<(), PutError> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        self.objects.put_file(&self::key(key), file.path(), "audio/ogg", sha256).await
    }

    /// The content of `key`.
    pub(crate) async fn read(&self, key: &str) -> Option<Vec<u8>> {
        let mut object = self.objects.get(&self::key(key), None).await.unwrap()?;
        let mut content = Vec::new();
        while let Some(chunk) = object.stream.next().await {
            content.extend_from_slice(&chunk.unwrap());
        }
        assert_eq!(u64::try_from(content.len()), Ok(object.bytes));
        Some(content)
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.objects.list(prefix, None).await.unwrap();
        keys.iter().map(Key::to_string).collect()
    }
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().unwrap()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A request as it was signed, still open to change.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn of(signed: &SignedRequest, body: &[u8]) -> Self {
        Self {
            method: signed.method.to_owned(),
            url: signed.url.clone(),
            headers: signed.headers.clone(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub(crate) async fn send(&self) -> Answer {
        let rest = self.url.strip_prefix("http://").expect("a URL of plain HTTP");
        let (host, path) = rest.split_once('/').expect("a path");
        let mut head = format!("{} /{path} HTTP/1.1\r\nHost: {host}\r\n", self.method);
        head += "Connection: close\r\n";
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.headers.contains_key("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        let mut stream = TcpStream::connect(host).await.unwrap();
        // Who refuses early may close before it has read everything.
        _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
        _ = stream.write_all(&self.body).await;
        let mut bytes = Vec::new();
        _ = stream.read_to_end(&mut bytes).await;
        parse(&bytes)
    }
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Answer { status, headers: lines.map(pair).collect(), body: bytes[end + 4..].to_vec() }
}
