//! One process: the parts it works with, the roles it has, and how it stops.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use proto::{
    control::Command,
    pool::{BootId, NodeRecord, NodeState, Owner},
};
use proto_cluster::Token;
use service::{
    data_dir::DataDir,
    health::Health,
    logs, metrics, random,
    shutdown::{Shutdown, Trigger},
    token::Keys,
};
use signaling_server::{Dev, Https, Listeners, Signaling};
use socket2::{Domain, Protocol, Socket, Type};
use storage_registry::Registry;
use tokio::{net::TcpListener, time::sleep};
use tracing::{debug, info};

use crate::{
    announce,
    config::{Config, LogFormat, Purpose},
    network, parts,
    print::{self, Reachable},
    roles::Roles,
    sfu::Sfu,
};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// From a media node's withdrawal to its end: until every signaling node has missed it in a
/// listing, so that its rooms find another node at once when it goes.
const NOTICE: Duration = Duration::from_millis(1200);

/// Runs until told to stop.
///
/// # Errors
///
/// When something the configuration asks for can't be had; says which key to change.
pub(crate) fn run(config: Config, roles: Roles, purpose: Purpose) -> anyhow::Result<()> {
    if purpose == Purpose::Serve {
        roles.check(&config)?;
    }
    let format = match config.log {
        LogFormat::Auto => logs::Format::Auto,
        LogFormat::Pretty => logs::Format::Pretty,
        LogFormat::Json => logs::Format::Json,
    };
    logs::set_up(format, &node_id(&config), &roles.names())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(config, roles, purpose));
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

async fn serve(config: Config, roles: Roles, purpose: Purpose) -> anyhow::Result<()> {
    let (_trigger, asked) = Shutdown::on_signals()?;
    let (stop, shutdown) = Shutdown::new();
    let data_dir = DataDir::open(&config.data_dir)?;
    let listeners = bind(&config, &data_dir, purpose)?;
    let token = match purpose {
        Purpose::Dev => None,
        Purpose::Serve => Some(config.cluster.token.parse::<Token>()?),
    };
    let mut numbers = metrics::registry(VERSION);
    let registry = parts::registry(&config, &mut numbers)?;
    let owner = owner(&config)?;
    let sfu = match roles.sfu {
        true => Some(Sfu::start(&config, owner.clone(), token.as_ref(), &mut numbers)?),
        false => None,
    };
    let database = match roles.needs_stores() {
        true => Some(parts::database(&config, data_dir.path(), &mut numbers).await?),
        false => None,
    };
    let objects = match roles.needs_stores() {
        true => Some(parts::objects(&config, data_dir.path(), &mut numbers)?),
        false => None,
    };
    let scratch = parts::scratch(data_dir.path())?;
    let stores = database.as_ref().zip(objects.as_ref()).filter(|_| roles.signaling);
    let signaling = stores.map(|(database, objects)| {
        let config = signaling_server::Config {
            keys: Keys::new(&config.keys),
            database: database.clone(),
            objects: objects.clone(),
            scratch,
            registry: registry.clone(),
            token: token.clone(),
            dev: dev(&config, purpose),
        };
        Signaling::new(config, &mut numbers)
    });

    let health = Health::new();
    health.started();
    let record = record(&config, owner.clone(), roles, purpose)?;
    let shards = sfu.as_ref().map(|sfu| sfu.snapshots.clone()).unwrap_or_default();
    sfu_server::watch(&health, &shards);
    let announcing = tokio::spawn(announce::run(registry.clone(), record, health.clone(), shards));
    greet(&config, roles, purpose, data_dir.path(), sfu.as_ref())?;

    let leaving = tokio::spawn(async move {
        asked.requested().await;
        announcing.abort();
        let notice = if purpose == Purpose::Serve && roles.sfu { NOTICE } else { Duration::ZERO };
        leave(&registry, &owner, notice, &asked, &stop).await;
    });
    match signaling {
        Some(signaling) => {
            let farewell = match purpose {
                Purpose::Dev => Command::Shutdown,
                Purpose::Serve => Command::Evacuate,
            };
            let local = sfu.as_ref().map(|sfu| sfu.local(farewell));
            signaling.serve(listeners, local, health, numbers, shutdown).await?;
        }
        None => signaling_server::serve_status(listeners, health, numbers, shutdown).await,
    }
    leaving.abort();
    if let Some(sfu) = sfu.filter(|_| purpose == Purpose::Serve) {
        sfu.stop().await;
    }
    info!("stopped");
    Ok(())
}

/// Withdraws from the pool, and has everything stop once the pool knows.
async fn leave(
    registry: &Registry,
    owner: &Owner,
    notice: Duration,
    asked: &Shutdown,
    stop: &Trigger,
) {
    if let Err(error) = registry.withdraw(owner).await {
        debug!(%error, "withdrawal was not heard");
    }
    tokio::select! {
        () = sleep(notice) => {}
        () = asked.immediate() => {}
    }
    stop.pull();
    asked.immediate().await;
    stop.pull();
}

/// Which life of which node this process is.
fn owner(config: &Config) -> anyhow::Result<Owner> {
    let node = node_id(config).parse().context("node.id")?;
    let boot = BootId::from_random(u64::from_be_bytes(random::bytes()?));
    Ok(Owner { node, boot })
}

fn record(
    config: &Config,
    owner: Owner,
    roles: Roles,
    purpose: Purpose,
) -> anyhow::Result<NodeRecord> {
    let cluster = match purpose {
        Purpose::Serve if roles.sfu => network::cluster_advertise(config)?,
        Purpose::Serve | Purpose::Dev => String::new(),
    };
    Ok(NodeRecord {
        owner,
        roles: roles.list(),
        region: config.node.region.clone(),
        version: VERSION.to_owned(),
        state: NodeState::Unready,
        cluster,
        rooms: 0,
        participants: 0,
        load: 0.0,
    })
}

fn dev(config: &Config, purpose: Purpose) -> Option<Dev> {
    match purpose {
        Purpose::Dev if config.lan => Some(Dev::Lan),
        Purpose::Dev => Some(Dev::Loopback),
        Purpose::Serve => None,
    }
}

/// Says where the process is reached: to people on a terminal, or to the log.
fn greet(
    config: &Config,
    roles: Roles,
    purpose: Purpose,
    data_dir: &Path,
    sfu: Option<&Sfu>,
) -> anyhow::Result<()> {
    let media = sfu.map(|sfu| sfu.addresses.as_slice()).unwrap_or_default();
    if purpose == Purpose::Serve {
        let data_dir = data_dir.display();
        info!(version = VERSION, port = config.port, %data_dir, ?media, "serving {}", roles.names());
        return Ok(());
    }
    let (key, secret) = config.keys.first_key_value().context("[keys] in the config is empty")?;
    let lan = lan_origin(config);
    let port = config.port;
    print::banner(&Reachable { port, key, secret, data_dir, media, lan: lan.as_deref() });
    Ok(())
}

/// Binds the HTTP ports: in dev loopback always and the local network with `--lan`, in a pool
/// every interface.
fn bind(config: &Config, data_dir: &DataDir, purpose: Purpose) -> anyhow::Result<Listeners> {
    let mut listeners = Listeners::default();
    let hosts: Vec<IpAddr> = match purpose {
        Purpose::Dev => {
            [Ipv4Addr::LOCALHOST.into()].into_iter().chain(network::loopback_v6()).collect()
        }
        Purpose::Serve => network::any(),
    };
    for host in hosts {
        listeners.http.push(listen(SocketAddr::new(host, config.port), "--port")?);
    }
    if config.lan && purpose == Purpose::Dev {
        let addresses = network::interfaces();
        let names: Vec<String> =
            addresses.iter().map(IpAddr::to_string).chain(["localhost".to_owned()]).collect();
        let tls = signaling_server::tls::lan(data_dir, &names)?;
        let key = "lan_port in the config file";
        let https = network::any().into_iter();
        let https = https.map(|host| listen(SocketAddr::new(host, config.lan_port), key));
        let https = https.collect::<anyhow::Result<Vec<_>>>()?;
        listeners.https = Some(Https { listeners: https, tls });
    }
    Ok(listeners)
}

/// Binds `address`, which `key` names.
///
/// # Errors
///
/// When it is taken.
pub(crate) fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
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

fn node_id(config: &Config) -> String {
    if config.node.id.is_empty() {
        let name = rustix::system::uname();
        format!("{}-{}", name.nodename().to_string_lossy(), config.port)
    } else {
        config.node.id.clone()
    }
}

fn lan_origin(config: &Config) -> Option<String> {
    let address = network::interfaces().first().copied().filter(|_| config.lan)?;
    Some(format!("https://{}", SocketAddr::new(address, config.lan_port)))
}
