//! A shard, its people and their peer connections, all of them doing whatever the input says.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message as _;
use proto::{
    control::{
        Command, ConnectionFailure, Join, Operation, RequestId, Resume, RoomAction, RoomCommand,
        SignalPath,
    },
    data::Channel,
    grants::{Grants, VideoGrant},
    ids::{Epoch, SessionId},
    livekit::{
        ClientInfo, SendDataRequest, SessionDescription, SignalRequest, UpdateParticipantRequest,
        UpdateSubscriptionsRequest,
    },
    rtp::Packet,
};
use sfu_core::{Config, Input, Output, Shard, TransportAction, TransportEvent, TransportId};

use crate::{clock, script::Script};

/// Outputs that one input may cause with the few people there are.
const OUTPUTS_MAX: usize = 10_000;

/// Steps: a byte that says what happens, one that says to whom, and what it takes.
pub(crate) fn shard(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut world = World::new();
    while world.step(&mut script).is_some() {
        world.drain();
    }
    world.shard.handle_input(Input::Command(Command::Shutdown), world.now);
    world.drain();
    assert_eq!(world.shard.stats().invariants_broken, 0);
}

struct World {
    shard: Shard,
    now: Instant,
    /// Every peer connection that was opened, and whether it still is.
    transports: BTreeMap<TransportId, bool>,
}

impl World {
    fn new() -> Self {
        let now = clock::start();
        let config = Config {
            node_id: "ND_fuzz".into(),
            region: String::new(),
            version: "0",
            candidates: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 7882)],
            fingerprint: [7; 32],
            started: now,
            started_unix_micros: 1_700_000_000_000_000,
            ice_servers: Vec::new(),
            greeting: vec![Bytes::from_static(b"opus"); 3],
        };
        Self { shard: Shard::new(config, [1; 32], now), now, transports: BTreeMap::new() }
    }

    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let (what, who) = (script.byte()?, script.byte()?);
        match what % 12 {
            0 => self.command(who, join(who, script)?),
            1 | 2 => {
                let request = SignalRequest::decode(script.chunk()?).unwrap_or_default();
                let request = Box::new(request);
                self.command(who, RoomAction::Signal { session: session(who), request });
            }
            3 => self.command(who, RoomAction::Disconnected { session: session(who) }),
            4 => self.command(who, admin(who, script)?),
            5 => self.event(who, TransportEvent::Connected),
            6 => self.event(who, event(script.byte()?)),
            7 => self.data(who, script)?,
            8 => {
                let (id, packet) = (self.transport(who), script.chunk()?);
                self.shard.handle_input(Input::Rtcp { id, packet }, self.now);
            }
            9 | 10 => self.voice(who, script.chunk()?),
            _ => {
                self.now += Duration::from_millis(script.number()?.into());
                self.shard.handle_timeout(self.now);
            }
        }
        Some(())
    }

    fn command(&mut self, who: u8, action: RoomAction) {
        let Ok(room) = format!("room{}", who & 1).parse() else { return };
        let epoch = Epoch(1 + u64::from(who >> 7));
        let command = Command::Room(Box::new(RoomCommand { room, epoch, action }));
        self.shard.handle_input(Input::Command(command), self.now);
    }

    fn event(&mut self, who: u8, event: TransportEvent) {
        let id = self.transport(who);
        self.shard.handle_input(Input::Transport { id, event }, self.now);
    }

    fn data(&mut self, who: u8, script: &mut Script<'_>) -> Option<()> {
        let id = self.transport(who);
        let channel = *Channel::ALL.get(usize::from(script.byte()? % 3))?;
        let payload = script.chunk()?;
        self.shard.handle_input(Input::Data { id, channel, payload }, self.now);
        Some(())
    }

    fn voice(&mut self, who: u8, bytes: &[u8]) {
        let from = self.transport(who);
        let Ok(packet) = Packet::parse(bytes) else { return };
        for copy in &self.shard.forward(from, &packet, self.now).copies {
            assert_ne!(copy.to, from, "heard oneself");
            assert_eq!(self.transports.get(&copy.to), Some(&true), "sent to no open transport");
        }
    }

    /// One of those opened so far, closed ones and one that never was included.
    fn transport(&self, who: u8) -> TransportId {
        let index = usize::from(who) % (self.transports.len() + 1);
        let known = self.transports.keys().nth(index).copied();
        known.unwrap_or(TransportId { index: 99, generation: 99 })
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        loop {
            outputs += 1;
            assert!(outputs <= OUTPUTS_MAX, "one input, endless output");
            match self.shard.poll_output() {
                Output::Transport { id, action } => self.on_action(id, &action),
                Output::Data { to, .. } | Output::Rtcp { to, .. } => self.expect_open(to),
                Output::Voice { to, .. } => to.iter().for_each(|copy| self.expect_open(copy.to)),
                Output::Event(_) | Output::Link { .. } => {}
                Output::Idle(_) => return,
            }
        }
    }

    fn on_action(&mut self, id: TransportId, action: &TransportAction) {
        match action {
            TransportAction::Open { .. } => {
                assert_eq!(self.transports.insert(id, true), None, "opened twice");
            }
            TransportAction::Close => {
                assert_eq!(self.transports.insert(id, false), Some(true), "closed without opening");
            }
            TransportAction::SetRemote { .. } | TransportAction::RestartIce { .. } => {
                self.expect_open(id);
            }
        }
    }

    fn expect_open(&self, id: TransportId) {
        assert_eq!(self.transports.get(&id), Some(&true), "asked of no open transport");
    }
}

fn session(who: u8) -> SessionId {
    SessionId(u128::from(who & 7))
}

/// `who` chooses room, session and identity; a further byte everything else there is to choose.
fn join(who: u8, script: &mut Script<'_>) -> Option<RoomAction> {
    let how = script.byte()?;
    let has = |bit: u8| how & bit != 0;
    let offer = script.chunk()?;
    let video = VideoGrant {
        room: format!("room{}", who & 1),
        room_join: true,
        can_publish: has(1).then_some(has(2)),
        can_subscribe: has(4).then_some(has(2)),
        hidden: how & 0xC0 == 0xC0,
        ..VideoGrant::default()
    };
    let identity = format!("person{}", who >> 4 & 3);
    let grants = Grants { identity: identity.clone(), video: Some(video), ..Grants::default() };
    let resume = has(8).then_some(Resume { participant: None, reason: 1 });
    let publisher_offer = (!offer.is_empty()).then(|| SessionDescription {
        r#type: "offer".into(),
        sdp: String::from_utf8_lossy(offer).into_owned(),
        id: 1,
        ..SessionDescription::default()
    });
    Some(RoomAction::Join(Box::new(Join {
        session: session(who),
        identity: identity.parse().ok()?,
        grants,
        client: ClientInfo { protocol: 17, ..ClientInfo::default() },
        user_agent: String::new(),
        protocol: if has(16) { SignalPath::TwoConnections } else { SignalPath::OneConnection },
        auto_subscribe: !has(32),
        resume,
        publisher_offer,
        add_tracks: Vec::new(),
        sync_state: None,
    })))
}

fn admin(who: u8, script: &mut Script<'_>) -> Option<RoomAction> {
    let request = RequestId(7);
    let identity = format!("person{}", who >> 4 & 3);
    let what = script.byte()?;
    let bytes = script.chunk()?;
    let operation = match what % 10 {
        0 => Operation::Create(prost_or_default(bytes)),
        1 => Operation::Delete,
        2 => Operation::ListParticipants,
        3 => Operation::GetParticipant { identity },
        4 => Operation::Remove { identity },
        5 => Operation::MuteTrack {
            identity,
            track_sid: String::from_utf8_lossy(bytes).into_owned(),
            muted: what & 0x80 == 0,
        },
        6 => Operation::UpdateParticipant(UpdateParticipantRequest {
            identity,
            ..prost_or_default(bytes)
        }),
        7 => Operation::UpdateSubscriptions(UpdateSubscriptionsRequest {
            identity,
            ..prost_or_default(bytes)
        }),
        8 => Operation::SendData(SendDataRequest { ..prost_or_default(bytes) }),
        _ => return Some(RoomAction::CallEcho { request }),
    };
    Some(RoomAction::Admin { request, operation: Box::new(operation) })
}

fn prost_or_default<M: prost::Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).unwrap_or_default()
}

fn event(what: u8) -> TransportEvent {
    let channel = Channel::ALL.get(usize::from(what)).copied();
    channel.map_or(TransportEvent::Failed(ConnectionFailure::ConsentExpired), |channel| {
        TransportEvent::ChannelOpen(channel)
    })
}
