//! HTTPS for phones.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::{Value, json};
use service::data_dir::DataDir;
use signaling_server::{Https, tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;

use crate::node::Node;

/// Trusts the certificate in the data directory, as somebody who accepted it does.
fn trusting(path: &Path) -> TlsConnector {
    let stored = std::fs::read(path.join("lan-certificate.json")).unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    let der: Vec<u8> = serde_json::from_value(stored["certificate"].clone()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn post(tls: &TlsConnector, address: SocketAddr, path: &str, body: &str) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tls.connect(name, stream).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:7443\r\nOrigin: https://localhost:7443\r\n\
         Connection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn a_page_that_came_by_https_connects_by_wss() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = Arc::new(DataDir::open(dir.path()).unwrap());
    let config = tls::lan(&data_dir, &["localhost".to_owned()]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _node = Node::launch_lan(data_dir, Https { listeners: vec![listener], tls: config }).await;

    let body = json!({"room": "demo", "name": "Ada"}).to_string();
    let answer = post(&trusting(dir.path()), address, "/dev/token", &body).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""url":"wss://localhost:7443""#), "{answer}");
}

#[tokio::test]
async fn what_is_no_tls_gets_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = Arc::new(DataDir::open(dir.path()).unwrap());
    let config = tls::lan(&data_dir, &["localhost".to_owned()]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _node = Node::launch_lan(data_dir, Https { listeners: vec![listener], tls: config }).await;

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
