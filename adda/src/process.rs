//! One process: the parts it works with, the roles it has, and how it stops.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use proto::{
    control::Command,
    pool::{BootId, NodeRecord, Owner},
};
use proto_cluster::Token;
use recorder_server::Recorder;
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
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    announce,
    config::{Config, LogFormat, Purpose},
    network, parts,
    print::{self, Reachable},
    recorder,
    roles::Roles,
    sfu::Sfu,
};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// From a media node's withdrawal to its end: until every signaling node has missed it in a
/// listing, so that its rooms find another node at once when it goes.
const NOTICE: Duration = Duration::from_millis(1200);

/// For a recorder to bring to the disk what it has.
const RECORDER_TIME: Duration = Duration::from_secs(1);

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

/// What the roles of one process share.
struct Process {
    config: Config,
    roles: Roles,
    purpose: Purpose,
    data_dir: DataDir,
    owner: Owner,
    registry: Registry,
    /// `None` in a pool of one process.
    token: Option<Token>,
}

/// The roles it has.
struct Started {
    sfu: Option<Sfu>,
    signaling: Option<Signaling>,
    recorder: Option<Recorder>,
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
    let process = Process { config, roles, purpose, data_dir, owner, registry, token };
    let health = Health::new(roles.list());
    let started = process.start(&mut numbers, &health, &shutdown).await?;

    health.started();
    let announcing = process.announce(&started, &health)?;
    process.greet(started.sfu.as_ref())?;
    let (registry, owner) = (process.registry.clone(), process.owner.clone());
    let notice = if purpose == Purpose::Serve && roles.sfu { NOTICE } else { Duration::ZERO };
    let leaving = tokio::spawn(async move {
        asked.requested().await;
        announcing.abort();
        leave(&registry, &owner, notice, &asked, &stop).await;
    });
    let Started { sfu, signaling, recorder } = started;
    match signaling {
        Some(signaling) => {
            let local = sfu.as_ref().map(|sfu| sfu.local(process.farewell()));
            signaling.serve(listeners, local, health, numbers, shutdown).await?;
        }
        None => signaling_server::serve_status(listeners, health, numbers, shutdown).await,
    }
    leaving.abort();
    if let Some(recorder) = recorder
        && timeout(RECORDER_TIME, recorder.stopped()).await.is_err()
    {
        warn!("recordings were left where they are; the next start goes on with them");
    }
    if let Some(sfu) = sfu.filter(|_| purpose == Purpose::Serve) {
        sfu.stop().await;
    }
    info!("stopped");
    Ok(())
}

impl Process {
    /// Starts what each role has running; nobody is let in yet.
    async fn start(
        &self,
        numbers: &mut metrics::Registry,
        health: &Health,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Started> {
        let Self { config, roles, owner, registry, token, .. } = self;
        let mut started = Started { sfu: None, signaling: None, recorder: None };
        if roles.sfu {
            started.sfu = Some(Sfu::start(config, owner.clone(), token.as_ref(), numbers)?);
        }
        if !roles.needs_stores() {
            return Ok(started);
        }
        let data_dir = self.data_dir.path();
        let database = parts::database(config, data_dir, numbers).await?;
        let objects = parts::objects(config, data_dir, numbers)?;
        tokio::spawn(storage_database::watch(database.clone(), health.clone()));
        tokio::spawn(storage_objects::watch(objects.clone(), health.clone()));
        if roles.recorder {
            let local = started.sfu.as_ref().map(Sfu::links);
            let door = recorder::Door { local, token: token.clone() };
            let (database, objects) = (database.clone(), objects.clone());
            let (registry, health) = (registry.clone(), health.clone());
            let stores = recorder::Stores { database, objects, registry, health };
            let spool = (data_dir, config.recorder.spool_mib);
            let (who, stop) = (owner.clone(), shutdown.clone());
            started.recorder = Some(recorder::start(who, spool, stores, door, numbers, stop)?);
        }
        if roles.signaling {
            let keys = Keys::new(&config.keys);
            let scratch = parts::scratch(data_dir)?;
            let (registry, token, dev) = (registry.clone(), token.clone(), self.dev());
            let config =
                signaling_server::Config { keys, database, registry, objects, scratch, token, dev };
            started.signaling = Some(Signaling::new(config, numbers));
        }
        Ok(started)
    }

    /// Has the pool hear of this process until the task is ended.
    fn announce(&self, started: &Started, health: &Health) -> anyhow::Result<JoinHandle<()>> {
        let cluster = match self.purpose {
            Purpose::Serve if self.roles.sfu => network::cluster_advertise(&self.config)?,
            Purpose::Serve | Purpose::Dev => String::new(),
        };
        let record = NodeRecord {
            region: self.config.node.region.clone(),
            version: VERSION.to_owned(),
            cluster,
            ..NodeRecord::starting(self.owner.clone(), self.roles.list())
        };
        let shards = started.sfu.as_ref().map(|sfu| sfu.snapshots.clone()).unwrap_or_default();
        sfu_server::watch(health, &shards);
        let announcing = announce::run(self.registry.clone(), record, health.clone(), shards);
        Ok(tokio::spawn(announcing))
    }

    /// What clients in this process's rooms are told when it stops.
    fn farewell(&self) -> Command {
        match self.purpose {
            Purpose::Dev => Command::Shutdown,
            Purpose::Serve => Command::Evacuate,
        }
    }

    fn dev(&self) -> Option<Dev> {
        match self.purpose {
            Purpose::Dev if self.config.lan => Some(Dev::Lan),
            Purpose::Dev => Some(Dev::Loopback),
            Purpose::Serve => None,
        }
    }

    /// Says where the process is reached: to people on a terminal, or to the log.
    fn greet(&self, sfu: Option<&Sfu>) -> anyhow::Result<()> {
        let Self { config, roles, .. } = self;
        let (port, data_dir) = (config.port, self.data_dir.path());
        let media = sfu.map(|sfu| sfu.addresses.as_slice()).unwrap_or_default();
        if self.purpose == Purpose::Serve {
            let data_dir = data_dir.display();
            info!(version = VERSION, port, %data_dir, ?media, "serving {}", roles.names());
            return Ok(());
        }
        let first = config.keys.first_key_value();
        let (key, secret) = first.context("[keys] in the config is empty")?;
        let lan = lan_origin(config);
        print::banner(&Reachable { port, key, secret, data_dir, media, lan: lan.as_deref() });
        Ok(())
    }
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

/// Binds the HTTP ports: in dev loopback always and the local network with `--lan`, in a pool
/// where the configuration says, or every interface.
fn bind(config: &Config, data_dir: &DataDir, purpose: Purpose) -> anyhow::Result<Listeners> {
    let mut listeners = Listeners::default();
    let hosts: Vec<IpAddr> = match purpose {
        Purpose::Dev => {
            [Ipv4Addr::LOCALHOST.into()].into_iter().chain(network::loopback_v6()).collect()
        }
        Purpose::Serve if config.http.listen.is_empty() => network::any(),
        Purpose::Serve => config.http.listen.iter().collect(),
    };
    for host in hosts {
        let address = SocketAddr::new(host, config.port);
        listeners.http.push(listen(address, "http.listen, --port")?);
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
    listen_at(address).map_err(|error| {
        let ip = address.ip();
        let refused = if error.kind() == io::ErrorKind::AddrNotAvailable {
            format!("{ip} is no address of this machine: name one it has ({key})")
        } else {
            format!(
                "{address}/tcp can't be bound; stop what uses it, or choose another port ({key})"
            )
        };
        anyhow::Error::new(error).context(refused)
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
