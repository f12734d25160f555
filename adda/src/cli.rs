//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use toml::{Table, Value};

use crate::remote::Remote;

/// A voice platform: calls through an SFU that speaks the LiveKit protocol.
#[derive(Debug, Parser)]
#[command(name = "adda", version, about, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) dev: DevArgs,
}

const EXAMPLES: &str = "\
Examples:
  adda                          everything in one process, on http://localhost:7880
  adda dev --lan                the same, for phones on this network too
  adda serve --role signaling --config adda.toml
  adda token create --room demo --identity ann
  adda room record demo         then: adda room ls, adda node ls -o json
  adda load --rooms 20 --talkers 1 --listeners 5 --pid $(pidof adda)
  adda config print-default > adda.toml && adda dev --config adda.toml";

/// What to do; `dev` when nothing is said.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every role in one process on embedded parts
    Dev(DevArgs),
    /// Run some roles as one process of a pool
    Serve(ServeArgs),
    /// Make tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// See the processes of a pool
    #[command(subcommand)]
    Node(NodeCommand),
    /// See and record rooms
    #[command(subcommand)]
    Room(RoomCommand),
    /// Load a server with callers, ours or any that speaks the protocol
    Load(LoadArgs),
    /// Check or print configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Flags of `adda dev`. Each is a config key of the same name.
#[derive(Debug, Default, Args)]
pub(crate) struct DevArgs {
    /// Config file in TOML [env: ADDA_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// TCP port of HTTP and WebSocket; media is on UDP from port + 2 [default: 7880]
    #[arg(long)]
    port: Option<u16>,
    /// Where state is kept [default: ./adda-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Serve HTTPS on port 7443 to this network and show a QR code for phones
    #[arg(long)]
    lan: bool,
    /// Log lines: auto, pretty or json
    #[arg(long, value_name = "FORMAT")]
    log: Option<String>,
    /// Threads that forward media [default: one a core]
    #[arg(long, value_name = "N")]
    shards: Option<u32>,
    #[command(flatten)]
    media: MediaArgs,
}

/// Flags of whatever receives media. Each is a config key of the same name.
#[derive(Debug, Default, Args)]
struct MediaArgs {
    /// Addresses of this machine that media is received on [default: all it has]
    #[arg(long, value_name = "IP[,IP]")]
    media_listen: Option<String>,
    /// What clients are told instead: this machine's public addresses, where it is behind NAT
    #[arg(long, value_name = "IP[,IP]")]
    media_advertise: Option<String>,
}

impl MediaArgs {
    fn set(&self, table: &mut Table) {
        set_in(table, "media", "listen", self.media_listen.as_deref());
        set_in(table, "media", "advertise", self.media_advertise.as_deref());
    }
}

/// Sets `key` of `section`, if it was given.
fn set_in(table: &mut Table, section: &str, key: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}

impl DevArgs {
    /// The flags that were given, as config.
    pub(crate) fn overrides(&self) -> Table {
        let mut table = Table::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.to_owned(), value);
            }
        };
        set("port", self.port.map(|port| Value::Integer(port.into())));
        set("shards", self.shards.map(|shards| Value::Integer(shards.into())));
        set("lan", self.lan.then_some(Value::Boolean(true)));
        set("log", self.log.clone().map(Value::String));
        let data_dir = self.data_dir.as_ref().map(|dir| dir.display().to_string());
        set("data_dir", data_dir.map(Value::String));
        self.media.set(&mut table);
        table
    }
}

/// What a process of a pool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Tokens, WebSockets, the HTTP API; assigns rooms to SFU nodes
    Signaling,
    /// Rooms: forwards voice
    Sfu,
    /// Writes recordings to the object store
    Recorder,
}

/// Flags of `adda serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// What this process does: one role or several with commas
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', required = true)]
    pub(crate) roles: Vec<Role>,
    /// Config file in TOML [env: ADDA_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// TCP port of HTTP; the cluster port is one below, media from two above [default: 7880]
    #[arg(long)]
    port: Option<u16>,
    /// Where state is kept [default: ./adda-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Addresses of this machine that HTTP is bound to [default: all it has]
    #[arg(long, value_name = "IP[,IP]")]
    http_listen: Option<String>,
    #[command(flatten)]
    media: MediaArgs,
}

impl ServeArgs {
    /// The flags that were given, as config.
    pub(crate) fn overrides(&self) -> Table {
        let mut table = Table::new();
        if let Some(port) = self.port {
            table.insert("port".to_owned(), Value::Integer(port.into()));
        }
        if let Some(dir) = &self.data_dir {
            table.insert("data_dir".to_owned(), Value::String(dir.display().to_string()));
        }
        set_in(&mut table, "http", "listen", self.http_listen.as_deref());
        self.media.set(&mut table);
        table
    }
}

/// `adda token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Sign a token that lets somebody join a room, or an operator see the pool
    Create(TokenArgs),
}

/// Flags of `adda token create`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The room to join
    #[arg(long, required_unless_present = "operator")]
    pub(crate) room: Option<String>,
    /// Who joins
    #[arg(long, required_unless_present = "operator")]
    pub(crate) identity: Option<String>,
    /// May see and record every room and see the nodes, on /admin and over the API
    #[arg(long, conflicts_with_all = ["room", "admin", "listen_only"])]
    pub(crate) operator: bool,
    /// The name others see [default: the identity]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// May moderate the room and call the server API for it
    #[arg(long)]
    pub(crate) admin: bool,
    /// May only listen
    #[arg(long)]
    pub(crate) listen_only: bool,
    /// Hours until the token expires
    #[arg(long, default_value_t = 6, value_name = "HOURS")]
    pub(crate) valid_for: u16,
    /// API key
    #[arg(long, default_value = "devkey", env = "ADDA_KEY")]
    pub(crate) key: String,
    /// Secret of that key
    #[arg(long, default_value = "secret", env = "ADDA_SECRET", hide_env_values = true)]
    pub(crate) secret: String,
    /// text or json
    #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
    pub(crate) output: String,
}

/// `adda node …`
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// List them: what each does, whether it takes work, how busy it is
    Ls(Remote),
}

/// `adda room …`
#[derive(Debug, Subcommand)]
pub(crate) enum RoomCommand {
    /// List those that are live
    Ls(Remote),
    /// Record one, or end a recording of it
    Record(RecordArgs),
}

/// Flags of `adda room record`.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// The room
    pub(crate) room: String,
    /// End this recording instead
    #[arg(long, value_name = "ID")]
    pub(crate) stop: Option<String>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Flags of `adda load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The server
    #[arg(long, default_value = "ws://127.0.0.1:7880", env = "ADDA_URL")]
    pub(crate) url: String,
    /// API key
    #[arg(long, default_value = "devkey", env = "ADDA_KEY")]
    pub(crate) key: String,
    /// Secret of that key
    #[arg(long, default_value = "secret", env = "ADDA_SECRET", hide_env_values = true)]
    pub(crate) secret: String,
    /// Rooms
    #[arg(long, default_value_t = 1)]
    pub(crate) rooms: u32,
    /// Talkers in each room, who hear nobody
    #[arg(long, default_value_t = 1)]
    pub(crate) talkers: u32,
    /// Listeners in each room, who say nothing
    #[arg(long, default_value_t = 10)]
    pub(crate) listeners: u32,
    /// Listeners of each room who go on reading; the kernel drops voice at the others' sockets,
    /// so that the driver takes less of a machine that it shares with the server. All by default
    #[arg(long, value_name = "LISTENERS")]
    pub(crate) sample: Option<u32>,
    /// Milliseconds of sound in a packet: 10, 20, 40 or 60
    #[arg(long, default_value_t = 20, value_name = "MS")]
    pub(crate) packet_ms: u32,
    /// Joins a second
    #[arg(long, default_value_t = 20.0)]
    pub(crate) rate: f64,
    /// Fill one room after the other, instead of all with talkers first
    #[arg(long)]
    pub(crate) by_room: bool,
    /// Seconds between the last join and the first window
    #[arg(long, default_value_t = 3, value_name = "SECONDS")]
    pub(crate) warm_up: u64,
    /// Length of a window of measurement
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub(crate) window: u64,
    /// Windows
    #[arg(long, default_value_t = 1)]
    pub(crate) windows: u32,
    /// Signal over /rtc with two peer connections instead of /rtc/v1 with one
    #[arg(long)]
    pub(crate) v0: bool,
    /// Threads that carry the callers
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Process of a server on this machine, to report its CPU time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// text or json
    #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
    pub(crate) output: String,
}

/// `adda config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether a config file, with the environment over it, is good
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print every key with its default and what it means
    PrintDefault,
}
