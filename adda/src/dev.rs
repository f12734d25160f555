//! `adda dev`: every role in one process, on embedded parts.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use proto::{
    ids::NodeId,
    pool::{BootId, Owner},
};
use service::{
    data_dir::DataDir, health::Health, logs, metrics, random, shutdown::Shutdown, token::Keys,
};
use sfu_server::Node;
use signaling_server::{Dev, Https, Listeners, SfuLink, Signaling};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::{
    config::{Config, LogFormat},
    network,
    print::{self, Reachable},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs until told to stop.
///
/// # Errors
///
/// When something the configuration asks for can't be had; says which key to change.
pub(crate) fn run(config: Config) -> anyhow::Result<()> {
    logs::set_up(match config.log {
        LogFormat::Auto => logs::Format::Auto,
        LogFormat::Pretty => logs::Format::Pretty,
        LogFormat::Json => logs::Format::Json,
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let (_trigger, shutdown) = Shutdown::on_signals()?;
    let data_dir = Arc::new(DataDir::open(&config.data_dir)?);
    let listeners = bind(&config, &data_dir)?;
    let node_id: NodeId = node_id(&config).parse().context("node.id")?;
    let node = Node::start(&sfu_server::Config {
        owner: Owner { node: node_id.clone(), boot: boot_id()? },
        region: config.node.region.clone(),
        version: VERSION,
        media: network::media(),
        first_port: media_port(&config)?,
        shards: shards(&config),
        ice_servers: Vec::new(),
    })?;
    let connection = node.connect();
    let mut registry = metrics::registry(VERSION);
    sfu_server::register(&mut registry, node.snapshots);
    let signaling = signaling_server::Config {
        node: node_id,
        data_dir: Arc::clone(&data_dir),
        keys: Keys::new(&config.keys),
        dev: Some(if config.lan { Dev::Lan } else { Dev::Loopback }),
    };
    let signaling = Signaling::open(signaling, &mut registry).await?;
    let health = Health::new();
    health.started();
    let (key, secret) = config.keys.first_key_value().context("[keys] in the config is empty")?;
    print::banner(&Reachable {
        port: config.port,
        key,
        secret,
        data_dir: data_dir.path(),
        media: &node.addresses,
        lan: lan_origin(&config).as_deref(),
    });
    let link = SfuLink { commands: connection.commands, events: connection.events };
    signaling.serve(listeners, link, health, registry, shutdown).await
}

/// Binds the HTTP ports: loopback always, the local network with `--lan`.
fn bind(config: &Config, data_dir: &DataDir) -> anyhow::Result<Listeners> {
    let mut listeners = Listeners::default();
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)].into_iter().chain(network::loopback_v6());
    for ip in loopback {
        listeners.http.push(listen(ip, config.port, "--port")?);
    }
    if config.lan {
        let addresses = network::interfaces();
        let names: Vec<String> =
            addresses.iter().map(IpAddr::to_string).chain(["localhost".to_owned()]).collect();
        let tls = signaling_server::tls::lan(data_dir, &names)?;
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let mut https = vec![listen(any, config.lan_port, "lan_port in the config file")?];
        if addresses.iter().any(IpAddr::is_ipv6) {
            let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            https.push(listen(any, config.lan_port, "lan_port in the config file")?);
        }
        listeners.https = Some(Https { listeners: https, tls });
    }
    Ok(listeners)
}

fn listen(ip: IpAddr, port: u16, key: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(ip, port);
    listen_at(address).with_context(|| {
        format!("{address}/tcp can't be bound; stop what uses it, or choose another port ({key})")
    })
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // The IPv4 wildcard has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

/// The first media port: two above HTTP.
fn media_port(config: &Config) -> anyhow::Result<u16> {
    config.port.checked_add(2).with_context(|| {
        format!("port {} leaves no room for media above it: choose a lower --port", config.port)
    })
}

fn shards(config: &Config) -> usize {
    match config.shards {
        0 => thread::available_parallelism().map_or(1, usize::from),
        shards => shards,
    }
}

fn node_id(config: &Config) -> String {
    if config.node.id.is_empty() {
        let name = rustix::system::uname();
        format!("{}-{}", name.nodename().to_string_lossy(), config.port)
    } else {
        config.node.id.clone()
    }
}

fn boot_id() -> anyhow::Result<BootId> {
    Ok(BootId::from_random(u64::from_ne_bytes(random::bytes()?)))
}

fn lan_origin(config: &Config) -> Option<String> {
    let address = network::interfaces().first().copied().filter(|_| config.lan)?;
    Some(format!("https://{}", SocketAddr::new(address, config.lan_port)))
}
