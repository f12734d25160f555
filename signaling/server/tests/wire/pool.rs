//! Two signaling nodes, SFU nodes at real cluster ports, and one registry and database for all.

use std::{net::SocketAddr, time::Duration};

use proto::{
    control::{Command, Event, Happening, Operation, Reply, RoomAction, What},
    grants::VideoGrant,
    ids::{Epoch, RoomName},
    livekit::{JoinResponse, ParticipantInfo, Room, leave_request::Action, signal_response},
    pool::{Owner, Role},
};
use proto_cluster::{Token, server};
use serde_json::{Value, json};
use service::{health::Health, shutdown::Shutdown, shutdown::Trigger};
use signaling_server::{Config, Listeners, Signaling};
use storage_database::Database;
use storage_objects::{Objects, SigningKey};
use storage_registry::Registry;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    http::{Answer, get, send},
    node::{Client, PATIENCE, keys, life_of, record_of, room_token, server_token},
};

/// What every process of the pool works with.
struct Stores {
    database: Database,
    registry: Registry,
    objects: Objects,
    dir: tempfile::TempDir,
}

/// The other end of all links to one SFU node.
struct Sfu {
    owner: Owner,
    commands: mpsc::Receiver<(usize, Command)>,
    links: mpsc::Receiver<mpsc::Sender<Event>>,
    events: Vec<mpsc::Sender<Event>>,
    _stop: oneshot::Sender<()>,
}

/// What an SFU node was asked to do in a room, and by which link.
struct Asked {
    link: usize,
    room: RoomName,
    epoch: Epoch,
    action: RoomAction,
}

fn token() -> Token {
    "0123456789abcdef".parse().unwrap()
}

impl Stores {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::sqlite(&dir.path().join("adda.sqlite")).await.unwrap();
        let key = SigningKey::new(&[7; 32]);
        let objects = Objects::filesystem(&dir.path().join("objects"), &key, "").unwrap();
        Self { database, registry: Registry::in_process(), objects, dir }
    }

    async fn signaling(&self) -> (SocketAddr, Trigger) {
        let mut numbers = service::metrics::registry("0.0.0");
        let config = Config {
            keys: keys(),
            database: self.database.clone(),
            registry: self.registry.clone(),
            objects: self.objects.clone(),
            scratch: self.dir.path().to_owned(),
            token: Some(token()),
            dev: None,
        };
        let signaling = Signaling::new(config, &mut numbers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = Listeners { http: vec![listener], https: None };
        let (trigger, shutdown) = Shutdown::new();
        let health = Health::new(vec![Role::Signaling]);
        health.started();
        tokio::spawn(signaling.serve(listeners, None, health, numbers, shutdown));
        (address, trigger)
    }

    /// Starts an SFU node that as many signaling nodes link as there are.
    async fn sfu(&self, node: &str, signaling: usize) -> Sfu {
        let owner = life_of(node);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (controls, calls) = mpsc::channel(8);
        let (links, _) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let handlers = server::Handlers { owner: owner.clone(), controls, links };
        tokio::spawn(server::serve(listener, token(), handlers, async { _ = stopped.await }));
        let (forward, commands) = mpsc::channel(1024);
        let (linked, links) = mpsc::channel(8);
        tokio::spawn(accept(calls, forward, linked));
        self.registry.announce(&record_of(&owner, &address), PATIENCE).await.unwrap();
        let mut sfu = Sfu { owner, commands, links, events: Vec::new(), _stop: stop };
        for _ in 0..signaling {
            sfu.linked().await;
        }
        sfu
    }
}

/// Brings the commands of every link together.
async fn accept(
    mut calls: mpsc::Receiver<server::OpenControl>,
    forward: mpsc::Sender<(usize, Command)>,
    linked: mpsc::Sender<mpsc::Sender<Event>>,
) {
    let mut count = 0;
    while let Some(server::OpenControl(reply)) = calls.recv().await {
        let (commands, mut inbox) = mpsc::channel(1024);
        let (outbox, events) = mpsc::channel(1024);
        if reply.send(server::Connection { commands, events }).is_err() {
            continue;
        }
        let (link, forward) = (count, forward.clone());
        count += 1;
        tokio::spawn(async move {
            while let Some(command) = inbox.recv().await {
                _ = forward.send((link, command)).await;
            }
        });
        _ = linked.send(outbox).await;
    }
}

impl Sfu {
    /// Waits for one more link.
    async fn linked(&mut self) {
        let link = timeout(PATIENCE, self.links.recv()).await.expect("not linked").unwrap();
        self.events.push(link);
    }

    async fn next(&mut self) -> (usize, Command) {
        timeout(PATIENCE, self.commands.recv()).await.expect("no command").unwrap()
    }

    async fn asked(&mut self) -> Asked {
        let (link, command) = self.next().await;
        let Command::Room(command) = command else { panic!("{command:?}") };
        Asked { link, room: command.room, epoch: command.epoch, action: command.action }
    }

    /// Lets the next join in.
    async fn let_in(&mut self) -> Asked {
        let asked = self.asked().await;
        let RoomAction::Join(join) = &asked.action else { panic!("{:?}", asked.action) };
        let participant = ParticipantInfo {
            sid: format!("PA_{}", join.identity),
            identity: join.identity.to_string(),
            ..ParticipantInfo::default()
        };
        let response = JoinResponse { participant: Some(participant), ..JoinResponse::default() };
        let message = Some(signal_response::Message::Join(response));
        let response = Box::new(proto::livekit::SignalResponse { message });
        let session = join.session;
        self.say(asked.link, Event::Signal { session, response }).await;
        asked
    }

    /// Carries out the next operation, which must be a creation, and returns its settings.
    async fn create(&mut self) -> (Asked, proto::livekit::CreateRoomRequest) {
        let asked = self.asked().await;
        let RoomAction::Admin { request, operation } = &asked.action else {
            panic!("{:?}", asked.action)
        };
        let Operation::Create(settings) = operation.as_ref() else { panic!("{operation:?}") };
        let settings = settings.clone();
        let reply = Ok(Reply::Room(Box::new(room(asked.room.as_str()))));
        self.say(asked.link, Event::Reply { request: *request, result: reply }).await;
        (asked, settings)
    }

    async fn say(&self, link: usize, event: Event) {
        self.events[link].send(event).await.unwrap();
    }

    /// Tells every signaling node.
    async fn happen(&self, asked: &Asked, what: What) {
        let (room, epoch, info) = (asked.room.clone(), asked.epoch, room(asked.room.as_str()));
        let happening = Box::new(Happening { room, epoch, info, what });
        for link in 0..self.events.len() {
            self.say(link, Event::Happened(happening.clone())).await;
        }
    }

    /// Ends as a killed process does: its links break, and its heartbeat runs out.
    async fn die(self, stores: &Stores) {
        let owner = self.owner.clone();
        drop(self);
        stores.registry.withdraw(&owner).await.unwrap();
    }
}

fn room(name: &str) -> Room {
    Room { name: name.to_owned(), ..Room::default() }
}

async fn join(signaling: SocketAddr, room: &str, identity: &str) -> Client {
    let path = format!("/rtc?access_token={}", room_token(room, identity));
    Client::connect(signaling, &path).await
}

async fn twirp(signaling: SocketAddr, method: &str, body: Value) -> Answer {
    let video = VideoGrant { room_create: true, room_list: true, ..VideoGrant::default() };
    let bearer = format!("Bearer {}", server_token(video));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let path = format!("/twirp/livekit.RoomService/{method}");
    send(signaling, "POST", &path, &headers, body.to_string().as_bytes()).await
}

/// Waits until the node can take new work.
async fn ready(signaling: SocketAddr) {
    timeout(PATIENCE, async {
        while get(signaling, "/readyz").await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("not ready");
}

#[tokio::test]
async fn two_people_through_two_signaling_nodes_meet_in_one_room() {
    let stores = Stores::new().await;
    let ((one, _stop_one), (other, _stop_other)) =
        (stores.signaling().await, stores.signaling().await);
    let mut sfu = stores.sfu("sfu-1", 2).await;
    ready(one).await;
    ready(other).await;

    let _ada = join(one, "demo", "ada").await;
    let first = sfu.let_in().await;
    let _bob = join(other, "demo", "bob").await;
    let second = sfu.let_in().await;
    assert_eq!((second.room, second.epoch), (first.room, first.epoch));
    assert_ne!(second.link, first.link);
}

#[tokio::test]
async fn the_rooms_of_a_dead_node_are_claimed_by_another_within_five_seconds() {
    let stores = Stores::new().await;
    let (signaling, _stop) = stores.signaling().await;
    let mut doomed = stores.sfu("sfu-1", 1).await;
    ready(signaling).await;
    let mut ada = join(signaling, "demo", "ada").await;
    let before = doomed.let_in().await;
    doomed.happen(&before, What::RoomStarted).await;
    assert!(matches!(ada.response().await, signal_response::Message::Join(_)));
    let mut spare = stores.sfu("sfu-2", 1).await;

    doomed.die(&stores).await;
    // A client that comes back at once waits for its room, and gets it.
    let signal_response::Message::Leave(leave) = ada.response().await else { panic!("no leave") };
    assert_eq!((leave.action(), leave.can_reconnect), (Action::Resume, true));
    let coming = tokio::spawn(join(signaling, "demo", "ada"));
    let after = timeout(Duration::from_secs(5), spare.let_in()).await.expect("too late");
    assert!(after.epoch > before.epoch, "{:?} after {:?}", after.epoch, before.epoch);
    let mut ada = coming.await.unwrap();
    assert!(matches!(ada.response().await, signal_response::Message::Join(_)));
}

#[tokio::test]
async fn a_created_room_moves_from_a_dead_node_with_its_settings_once() {
    let stores = Stores::new().await;
    let ((one, _stop_one), (other, _stop_other)) =
        (stores.signaling().await, stores.signaling().await);
    let mut doomed = stores.sfu("sfu-1", 2).await;
    ready(one).await;
    ready(other).await;
    let body = json!({"name": "kept", "max_participants": 7});
    let creating = tokio::spawn(twirp(one, "CreateRoom", body));
    let (before, _) = doomed.create().await;
    assert_eq!(creating.await.unwrap().status, 200);
    let mut spare = stores.sfu("sfu-2", 2).await;

    doomed.die(&stores).await;
    // Nobody asks for it. Both signaling nodes may tell the new node of it: under one epoch.
    let (after, settings) = spare.create().await;
    assert_eq!((after.room.as_str(), settings.max_participants), ("kept", 7));
    assert!(after.epoch > before.epoch);
    let placed = stores.database.placement(&after.room).await.unwrap().unwrap();
    assert_eq!((placed.owner, placed.epoch), (spare.owner.clone(), after.epoch));
}

#[tokio::test]
async fn lists_of_rooms_are_of_every_node() {
    let stores = Stores::new().await;
    let (signaling, _stop) = stores.signaling().await;
    let mut nodes = [stores.sfu("sfu-1", 1).await, stores.sfu("sfu-2", 1).await];
    ready(signaling).await;
    let listing = tokio::spawn(twirp(signaling, "ListRooms", json!({})));
    for (sfu, name) in nodes.iter_mut().zip(["a", "b"]) {
        let (link, command) = sfu.next().await;
        let Command::ListRooms { request, names } = command else { panic!("{command:?}") };
        assert!(names.is_empty());
        sfu.say(link, Event::Rooms { request, rooms: vec![room(name)] }).await;
    }
    let answer = listing.await.unwrap().json();
    let rooms = answer["rooms"].as_array().unwrap();
    let mut names: Vec<_> = rooms.iter().filter_map(|room| room["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn a_pool_without_nodes_refuses_joins_in_time_and_says_why() {
    let stores = Stores::new().await;
    let (signaling, _stop) = stores.signaling().await;
    let path = format!("/rtc?access_token={}", room_token("demo", "ada"));
    let answer = send(signaling, "GET", &path, &crate::node::UPGRADE, b"").await;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    assert!(answer.text().contains("no media node"), "{}", answer.text());
    let reasons = get(signaling, "/readyz").await.json()["reasons"].to_string();
    assert!(reasons.contains("sfu: no SFU node is linked"), "{reasons}");
}

#[tokio::test]
async fn a_stopped_signaling_node_leaves_the_rooms_alone() {
    let stores = Stores::new().await;
    let (signaling, stop) = stores.signaling().await;
    let mut sfu = stores.sfu("sfu-1", 1).await;
    ready(signaling).await;
    let mut ada = join(signaling, "demo", "ada").await;
    sfu.let_in().await;
    assert!(matches!(ada.response().await, signal_response::Message::Join(_)));
    stop.pull();
    // A bare end of the socket is what SDKs resume after.
    ada.close_code().await;
    let asked = sfu.asked().await;
    assert!(matches!(asked.action, RoomAction::Disconnected { .. }), "{:?}", asked.action);
}

#[tokio::test]
async fn operators_and_nobody_else_see_the_pool() {
    let stores = Stores::new().await;
    let (signaling, _stop) = stores.signaling().await;
    let sfu = stores.sfu("sfu-1", 1).await;
    ready(signaling).await;
    let pool = async |token: Option<String>| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            bearer.iter().map(|value| ("Authorization", value.as_str())).collect();
        send(signaling, "GET", "/admin/v1/pool", &headers, b"").await
    };
    assert_eq!(pool(None).await.status, 401);
    assert_eq!(pool(Some(room_token("demo", "ada"))).await.status, 403);
    let of_one_room =
        VideoGrant { room: "demo".to_owned(), room_admin: true, ..VideoGrant::default() };
    assert_eq!(pool(Some(server_token(of_one_room))).await.status, 403);
    let operator = VideoGrant { room_admin: true, ..VideoGrant::default() };
    let answer = pool(Some(server_token(operator))).await;
    assert_eq!(answer.status, 200);
    let node = &answer.json()["nodes"][0];
    assert_eq!(node["id"], sfu.owner.node.as_str());
    assert_eq!((&node["roles"], &node["state"]), (&json!(["sfu"]), &json!("ready")));
    for field in ["region", "version", "rooms", "participants", "load", "reasons"] {
        assert!(!node[field].is_null(), "{field}");
    }
}

#[tokio::test]
async fn a_pool_without_a_recorder_takes_calls_and_says_what_is_wrong() {
    let stores = Stores::new().await;
    let (signaling, _stop) = stores.signaling().await;
    let _sfu = stores.sfu("sfu-1", 1).await;
    ready(signaling).await;
    let reasons = async || get(signaling, "/readyz").await.json()["reasons"].to_string();
    let says = async |wanted: bool| {
        let said = async || {
            while reasons().await.contains("adda serve --role recorder") != wanted {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, said()).await.unwrap();
    };
    says(true).await;
    assert_eq!(get(signaling, "/readyz").await.status, 200, "it sends work away");
    let operator = VideoGrant { room_admin: true, ..VideoGrant::default() };
    let bearer = format!("Bearer {}", server_token(operator));
    let headers = [("Authorization", bearer.as_str())];
    let pool = send(signaling, "GET", "/admin/v1/pool", &headers, b"").await.json();
    assert!(pool["reasons"].to_string().contains("recorder: none is ready"), "{pool}");

    let mut recorder = record_of(&life_of("recorder-1"), "");
    recorder.roles = vec![Role::Recorder];
    stores.registry.announce(&recorder, PATIENCE).await.unwrap();
    says(false).await;
}
