//! A node of one or more shards on loopback.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use proto::{
    control::{Command, Event, Join, Operation, RequestId, RoomAction, RoomCommand, SignalPath},
    grants::{Grants, VideoGrant},
    ids::{Epoch, SessionId},
    link::{LinkFrame, LinkPurpose, LinkRequest},
    livekit::{
        AddTrackRequest, ClientInfo, CreateRoomRequest, SessionDescription, TrackSource,
        signal_response::Message,
    },
};
use sfu_server::{Config, MediaAddress, OpenLink, Snapshot};
use tokio::{sync::mpsc, time};

pub(crate) const ROOM: &str = "demo";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) struct Node {
    pub(crate) inner: sfu_server::Node,
}

impl Node {
    pub(crate) fn start(shards: usize) -> Self {
        let media = vec![MediaAddress { bind: LOOPBACK, advertise: LOOPBACK }];
        // Another test may take the ports in between; then others are free.
        for _ in 0..20 {
            let config = Config {
                node_id: "node".to_owned(),
                region: String::new(),
                version: "0.0.0",
                media: media.clone(),
                first_port: free_port(),
                shards,
                ice_servers: Vec::new(),
            };
            if let Ok(inner) = sfu_server::Node::start(&config) {
                return Self { inner };
            }
        }
        panic!("no free UDP ports on loopback");
    }

    pub(crate) async fn act(&self, action: RoomAction) {
        let room = ROOM.parse().unwrap();
        let command = RoomCommand { room, epoch: Epoch(1), action };
        self.inner.commands.send(Command::Room(Box::new(command))).await.unwrap();
    }

    /// Makes the room, which nobody is in.
    pub(crate) async fn create_room(&self) {
        let operation = Box::new(Operation::Create(CreateRoomRequest::default()));
        self.act(RoomAction::Admin { request: RequestId(1), operation }).await;
    }

    /// Waits until each shard has been round its loop.
    pub(crate) async fn lap(&mut self) {
        let list = Command::ListRooms { request: RequestId(2), names: Vec::new() };
        self.inner.commands.send(list).await.unwrap();
        while !matches!(self.inner.events.recv().await, Some(Event::Rooms { .. })) {}
    }

    pub(crate) async fn join(
        &mut self,
        session: SessionId,
        cid: &str,
        offer: SessionDescription,
    ) -> SessionDescription {
        let video = VideoGrant { room: ROOM.to_owned(), room_join: true, ..VideoGrant::default() };
        let join = Join {
            session,
            identity: "talker".parse().unwrap(),
            grants: Grants {
                identity: "talker".to_owned(),
                video: Some(video),
                ..Grants::default()
            },
            client: ClientInfo::default(),
            user_agent: String::new(),
            protocol: SignalPath::OneConnection,
            auto_subscribe: true,
            resume: None,
            publisher_offer: Some(offer),
            add_tracks: vec![AddTrackRequest {
                cid: cid.to_owned(),
                source: TrackSource::Microphone.into(),
                ..AddTrackRequest::default()
            }],
            sync_state: None,
        };
        self.act(RoomAction::Join(Box::new(join))).await;
        loop {
            let event = self.inner.events.recv().await.expect("the node lives");
            if let Event::Signal { response, .. } = event
                && let Some(Message::Answer(answer)) = response.message
            {
                return answer;
            }
        }
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

fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket.local_addr().unwrap().port()
}
