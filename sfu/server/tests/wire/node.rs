//! A node of one or more shards on loopback.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use proto::{
    control::{
        Command, Event, Join, Operation, RequestId, Resume, RoomAction, RoomCommand, SignalPath,
    },
    grants::{Grants, VideoGrant},
    ids::{Epoch, SessionId},
    link::{LinkFrame, LinkPurpose, LinkRequest},
    livekit::{
        AddTrackRequest, ClientInfo, CreateRoomRequest, SessionDescription, TrackSource,
        signal_response::Message,
    },
    pool::{BootId, Owner},
};
use sfu_server::{Config, Connection, MediaAddress, OpenLink, Snapshot};
use tokio::{
    sync::mpsc,
    time::{self, timeout},
};

pub(crate) const ROOM: &str = "demo";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Long enough for a busy machine, short enough to end a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) inner: sfu_server::Node,
    /// Signaling in the node's process.
    pub(crate) desk: Desk,
}

/// A signaling node's ends of its connection.
pub(crate) struct Desk {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Node {
    pub(crate) fn start(shards: usize) -> Self {
        let media = vec![MediaAddress { bind: LOOPBACK, advertise: LOOPBACK }];
        // Another test may take the ports in between; then others are free.
        for _ in 0..20 {
            let config = Config {
                owner: owner(),
                region: String::new(),
                version: "0.0.0",
                media: media.clone(),
                first_port: free_port(),
                shards,
                ice_servers: Vec::new(),
            };
            if let Ok(inner) = sfu_server::Node::start(&config) {
                let Connection { commands, events } = inner.connect();
                return Self { inner, desk: Desk { commands, events } };
            }
        }
        panic!("no free UDP ports on loopback");
    }

    /// Makes the room, which nobody is in.
    pub(crate) async fn create_room(&mut self) {
        let operation = Box::new(Operation::Create(CreateRoomRequest::default()));
        self.desk.act(RoomAction::Admin { request: RequestId(1), operation }).await;
        while !matches!(self.desk.event().await, Event::Reply { .. }) {}
    }

    /// Waits until each shard has been round its loop.
    pub(crate) async fn lap(&mut self) {
        let list = Command::ListRooms { request: RequestId(2), names: Vec::new() };
        self.desk.commands.send(list).await.unwrap();
        while !matches!(self.desk.event().await, Event::Rooms { .. }) {}
    }

    /// Asks for the room's voice, with room for `capacity` frames.
    pub(crate) async fn open_link(
        &self,
        room: &str,
        purpose: LinkPurpose,
        capacity: usize,
    ) -> mpsc::Receiver<LinkFrame> {
        let (frames, receiver) = mpsc::channel(capacity);
        let request = LinkRequest { room: room.parse().unwrap(), epoch: Epoch(1), purpose };
        self.inner.links.send(OpenLink { request, frames }).await.unwrap();
        receiver
    }

    /// Waits for a shard's counters to be as they should.
    pub(crate) async fn wait_until(&mut self, is_so: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let snapshot = self.inner.snapshots[0].wait_for(is_so);
        let snapshot = time::timeout(Duration::from_secs(10), snapshot).await;
        *snapshot.expect("in time").expect("the shard lives")
    }
}

impl Desk {
    pub(crate) async fn act(&self, action: RoomAction) {
        self.act_under(Epoch(1), action).await;
    }

    pub(crate) async fn act_under(&self, epoch: Epoch, action: RoomAction) {
        let room = ROOM.parse().unwrap();
        let command = RoomCommand { room, epoch, action };
        self.commands.send(Command::Room(Box::new(command))).await.unwrap();
    }

    /// Joins with a microphone, and returns the answer to the offer.
    pub(crate) async fn join(
        &mut self,
        join: Join,
        cid: &str,
        offer: SessionDescription,
    ) -> SessionDescription {
        let add_tracks = vec![AddTrackRequest {
            cid: cid.to_owned(),
            source: TrackSource::Microphone.into(),
            ..AddTrackRequest::default()
        }];
        let join = Join { publisher_offer: Some(offer), add_tracks, ..join };
        let session = join.session;
        self.act(RoomAction::Join(Box::new(join))).await;
        loop {
            if let Message::Answer(answer) = self.hear(session).await {
                return answer;
            }
        }
    }

    pub(crate) async fn event(&mut self) -> Event {
        let event = timeout(PATIENCE, self.events.recv()).await;
        event.expect("an event in time").expect("the connection lives")
    }

    /// Returns the next frame for `session`.
    pub(crate) async fn hear(&mut self, session: SessionId) -> Message {
        loop {
            if let Event::Signal { session: to, response } = self.event().await
                && to == session
            {
                return response.message.unwrap();
            }
        }
    }
}

/// A person who comes without tracks.
pub(crate) fn person(session: SessionId, identity: &str, resume: Option<Resume>) -> Join {
    let video = VideoGrant { room: ROOM.to_owned(), room_join: true, ..VideoGrant::default() };
    Join {
        session,
        identity: identity.parse().unwrap(),
        grants: Grants { identity: identity.to_owned(), video: Some(video), ..Grants::default() },
        client: ClientInfo::default(),
        user_agent: String::new(),
        protocol: SignalPath::OneConnection,
        auto_subscribe: true,
        resume,
        publisher_offer: None,
        add_tracks: Vec::new(),
        sync_state: None,
    }
}

pub(crate) fn owner() -> Owner {
    Owner { node: "node".parse().unwrap(), boot: BootId::from_random(1) }
}

fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket.local_addr().unwrap().port()
}
