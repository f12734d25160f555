//! A running node, the SFU's end of its link, and clients.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use proto::{
    control::{Command, Event, Join, Operation, OperationError, Reply, RequestId, RoomAction},
    grants::{Grants, VideoGrant},
    ids::{Epoch, RoomName, SessionId},
    livekit::{
        JoinRequest, JoinResponse, ParticipantInfo, SignalRequest, SignalResponse,
        WrappedJoinRequest, signal_request, signal_response,
    },
    pool::{BootId, NodeRecord, NodeState, Owner, Role},
};
use service::{
    clock,
    data_dir::DataDir,
    health::Health,
    random,
    shutdown::{Shutdown, Trigger},
    token::{Keys, Validity},
};
use signaling_server::{Config, Dev, Https, Listeners, LocalSfu, Signaling};
use storage_database::Database;
use storage_objects::{Objects, SigningKey};
use storage_registry::Registry;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};

/// Longer than anything here takes; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) sfu: Sfu,
    pub(crate) database: Database,
    pub(crate) registry: Registry,
    pub(crate) trigger: Trigger,
    pub(crate) serving: JoinHandle<anyhow::Result<()>>,
    dir: Option<tempfile::TempDir>,
}

/// The other end of the link, driven by the test.
pub(crate) struct Sfu {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Node {
    /// Starts a node on a data directory that nobody looks at afterwards.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let node = Self::start_in(dir.path()).await;
        Self { dir: Some(dir), ..node }
    }

    pub(crate) async fn start_in(path: &Path) -> Self {
        Self::start_with(path, Some(Dev::Loopback)).await
    }

    pub(crate) async fn start_with(path: &Path, dev: Option<Dev>) -> Self {
        let mut node = Self::launch(path, dev).await;
        // Saved rooms are restored before anything is served; there are none.
        node.ready().await;
        assert!(node.sfu.commands.try_recv().is_err());
        node
    }

    /// Starts a node that first restores rooms, which the test must answer.
    pub(crate) async fn launch(path: &Path, dev: Option<Dev>) -> Self {
        let data_dir = Arc::new(DataDir::open(path).unwrap());
        Self::launch_on(data_dir, dev, None).await
    }

    /// Starts a node that serves HTTPS to the local network, too.
    pub(crate) async fn launch_lan(data_dir: Arc<DataDir>, https: Https) -> Self {
        Self::launch_on(data_dir, Some(Dev::Lan), Some(https)).await
    }

    /// Starts a node whose sound is kept elsewhere.
    pub(crate) async fn start_over(path: &Path, objects: Objects) -> Self {
        let data_dir = Arc::new(DataDir::open(path).unwrap());
        Self::launch_over(objects, data_dir, Some(Dev::Loopback), None).await
    }

    async fn launch_on(data_dir: Arc<DataDir>, dev: Option<Dev>, https: Option<Https>) -> Self {
        let folder = data_dir.path().join("objects");
        let objects = Objects::filesystem(&folder, &SigningKey::new(&[7; 32]), "").unwrap();
        Self::launch_over(objects, data_dir, dev, https).await
    }

    async fn launch_over(
        objects: Objects,
        data_dir: Arc<DataDir>,
        dev: Option<Dev>,
        https: Option<Https>,
    ) -> Self {
        let mut registry = service::metrics::registry("0.0.0");
        let database = Database::sqlite(&data_dir.path().join("adda.sqlite")).await.unwrap();
        let nodes = Registry::in_process();
        let owner = life_of("node-1");
        nodes.announce(&record_of(&owner, ""), PATIENCE).await.unwrap();
        let scratch = data_dir.path().to_owned();
        let config = Config {
            keys: keys(),
            database: database.clone(),
            registry: nodes.clone(),
            objects,
            scratch,
            token: None,
            dev,
        };
        let signaling = Signaling::new(config, &mut registry);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = Listeners { http: vec![listener], https };
        let (to_sfu, commands) = mpsc::channel(1024);
        let (events, from_sfu) = mpsc::channel(1024);
        let farewell = Command::Shutdown;
        let local = LocalSfu { owner, commands: to_sfu, events: from_sfu, farewell };
        let (trigger, shutdown) = Shutdown::new();
        let health = Health::new(vec![Role::Signaling, Role::Sfu]);
        health.started();
        let local = Some(local);
        let serving = tokio::spawn(async move {
            let served = signaling.serve(listeners, local, health, registry, shutdown).await;
            // Whoever starts again on it waits for this.
            drop(data_dir);
            served
        });
        let sfu = Sfu { commands, events };
        Self { address, sfu, database, registry: nodes, trigger, serving, dir: None }
    }

    /// Waits until it takes work: until it has looked for rooms of before.
    pub(crate) async fn ready(&self) {
        let ready = async {
            while crate::http::get(self.address, "/readyz").await.status != 200 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ready).await.expect("never ready");
    }

    /// Announces a recorder, so that nothing is wrong with the pool.
    pub(crate) async fn add_recorder(&self) {
        let mut record = record_of(&life_of("recorder-1"), "");
        record.roles = vec![Role::Recorder];
        self.registry.announce(&record, PATIENCE).await.unwrap();
    }

    /// Stops the node; its data directory is free afterwards.
    pub(crate) async fn stop(self) {
        self.trigger.pull();
        timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
        drop(self.dir);
    }

    /// Asks for a WebSocket that is going to be refused.
    pub(crate) async fn try_join(&self, room: &str, identity: &str) -> crate::http::Answer {
        let path = format!("/rtc?access_token={}", room_token(room, identity));
        crate::http::send(self.address, "GET", &path, &UPGRADE, b"").await
    }

    /// Connects a client by `/rtc` and lets the SFU answer its join.
    pub(crate) async fn join(&mut self, room: &str, identity: &str) -> (Client, Joined) {
        let path = format!("/rtc?access_token={}", room_token(room, identity));
        let mut client = Client::connect(self.address, &path).await;
        let joined = self.sfu.accept().await;
        let message = client.response().await;
        assert!(matches!(message, signal_response::Message::Join(_)), "{message:?}");
        (client, joined)
    }
}

/// A new life of a node.
pub(crate) fn life_of(node: &str) -> Owner {
    let boot = BootId::from_random(u64::from_be_bytes(random::bytes().unwrap()));
    Owner { node: node.parse().unwrap(), boot }
}

/// What an SFU node announces whose cluster port is at `cluster`.
pub(crate) fn record_of(owner: &Owner, cluster: &str) -> NodeRecord {
    NodeRecord {
        version: "0.0.0".to_owned(),
        state: NodeState::Ready,
        cluster: cluster.to_owned(),
        ..NodeRecord::starting(owner.clone(), vec![Role::Sfu])
    }
}

/// What a request must say to become a WebSocket.
pub(crate) const UPGRADE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// What the SFU was told of a client.
pub(crate) struct Joined {
    pub(crate) room: RoomName,
    pub(crate) epoch: Epoch,
    pub(crate) join: Join,
}

impl Joined {
    pub(crate) fn session(&self) -> SessionId {
        self.join.session
    }
}

impl Sfu {
    pub(crate) async fn next(&mut self) -> Command {
        timeout(PATIENCE, self.commands.recv()).await.expect("no command").expect("link ended")
    }

    pub(crate) async fn next_action(&mut self) -> (RoomName, Epoch, RoomAction) {
        let command = self.next().await;
        let Command::Room(command) = command else {
            panic!("expected a room's command, not {command:?}")
        };
        (command.room, command.epoch, command.action)
    }

    /// Takes a join and answers it.
    pub(crate) async fn accept(&mut self) -> Joined {
        let (room, epoch, action) = self.next_action().await;
        let RoomAction::Join(join) = action else { panic!("expected a join, not {action:?}") };
        let joined = Joined { room, epoch, join: *join };
        let participant = ParticipantInfo {
            sid: format!("PA_{}", joined.join.identity),
            identity: joined.join.identity.to_string(),
            ..ParticipantInfo::default()
        };
        let response = JoinResponse { participant: Some(participant), ..JoinResponse::default() };
        self.say(joined.session(), signal_response::Message::Join(response)).await;
        joined
    }

    pub(crate) async fn say(&self, session: SessionId, message: signal_response::Message) {
        let response = Box::new(SignalResponse { message: Some(message) });
        self.send(Event::Signal { session, response }).await;
    }

    pub(crate) async fn send(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    /// Takes a RoomService call.
    pub(crate) async fn operation(&mut self) -> (RoomName, Epoch, RequestId, Operation) {
        let (room, epoch, action) = self.next_action().await;
        let RoomAction::Admin { request, operation } = action else {
            panic!("expected an operation, not {action:?}")
        };
        (room, epoch, request, *operation)
    }

    pub(crate) async fn reply(&self, request: RequestId, result: Result<Reply, OperationError>) {
        self.send(Event::Reply { request, result }).await;
    }
}

/// A client's WebSocket.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}{path}");
        let (socket, _response) = client_async(url, stream).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&mut self, message: signal_request::Message) {
        let request = SignalRequest { message: Some(message) };
        self.send_raw(Message::binary(request.encode_to_vec())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next message that is not a ping.
    pub(crate) async fn message(&mut self) -> Message {
        let next = async {
            loop {
                let message = self.socket.next().await.expect("socket ended");
                let message = message.expect("socket failed");
                if !message.is_ping() {
                    return message;
                }
            }
        };
        timeout(PATIENCE, next).await.expect("nothing came")
    }

    pub(crate) async fn response(&mut self) -> signal_response::Message {
        let message = self.message().await;
        let Message::Binary(bytes) = message else {
            panic!("expected a binary frame, not {message:?}")
        };
        SignalResponse::decode(bytes).unwrap().message.unwrap()
    }

    /// Reads until the server closes, and returns its code.
    pub(crate) async fn close_code(&mut self) -> CloseCode {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a close frame says why").code;
            }
        }
    }
}

pub(crate) fn keys() -> Keys {
    Keys::new([("devkey", "secret")])
}

pub(crate) fn sign(grants: Grants) -> String {
    let now = clock::unix_time();
    let validity = Validity { from: now, until: now + Duration::from_secs(3600) };
    keys().sign("devkey", grants, validity).unwrap()
}

pub(crate) fn room_token(room: &str, identity: &str) -> String {
    let video = VideoGrant { room: room.to_owned(), room_join: true, ..VideoGrant::default() };
    let name = format!("Mx {identity}");
    sign(Grants { identity: identity.to_owned(), name, video: Some(video), ..Grants::default() })
}

pub(crate) fn server_token(video: VideoGrant) -> String {
    sign(Grants { video: Some(video), ..Grants::default() })
}

/// The query parameter of `/rtc/v1`.
pub(crate) fn wrap(request: &JoinRequest) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE};
    let join_request = request.encode_to_vec();
    let wrapped = WrappedJoinRequest { join_request, ..WrappedJoinRequest::default() };
    BASE64_URL_SAFE.encode(wrapped.encode_to_vec()).replace('=', "%3D")
}
