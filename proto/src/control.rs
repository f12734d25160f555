//! What signaling and an SFU node say to each other, as values.
//!
//! Signaling authenticates and owns the WebSockets; the SFU owns the rooms. A room's messages
//! carry the [`Epoch`] under which the sender believes the node owns it. In one process these
//! travel through a channel, between processes through the cluster link: neither side can tell.

use std::borrow::Cow;

use crate::{
    grants::Grants,
    ids::{Epoch, Identity, ParticipantSid, RoomName, SessionId},
    livekit,
};

/// Signaling → SFU.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// For the owner of one room.
    Room(Box<RoomCommand>),
    /// For every shard: which rooms are live? Answered by one [`Event::Rooms`].
    ListRooms { request: RequestId, names: Vec<String> },
    /// The node is going away: tell every participant why, then end every room.
    Shutdown,
    /// The node is going away and the pool goes on: have every participant join again elsewhere.
    /// Rooms don't end by this; whoever comes first opens them on another node.
    Evacuate,
}

/// A command for the owner of `room`. Refused with [`Event::StaleEpoch`] when `epoch` is lower
/// than the owner's; a higher one ends the room's earlier life and starts another.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomCommand {
    pub room: RoomName,
    pub epoch: Epoch,
    pub action: RoomAction,
}

/// What to do in a room.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomAction {
    /// A client connected its WebSocket and its token was good.
    Join(Box<Join>),
    /// A frame from a joined client.
    Signal { session: SessionId, request: Box<livekit::SignalRequest> },
    /// The WebSocket ended without a `leave`. The participant may resume.
    Disconnected { session: SessionId },
    /// A RoomService call.
    Admin { request: RequestId, operation: Box<Operation> },
    /// Invite the echo caller, who greets and plays back what it hears.
    CallEcho { request: RequestId },
}

/// A WebSocket that wants to be a participant.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    pub session: SessionId,
    /// `grants.identity`, checked.
    pub identity: Identity,
    pub grants: Grants,
    pub client: livekit::ClientInfo,
    /// The HTTP `User-Agent`: the only place where Firefox can be told.
    pub user_agent: String,
    pub protocol: SignalPath,
    /// Subscribe to every track without being asked.
    pub auto_subscribe: bool,
    /// Set when an earlier session of this participant is to be taken up again.
    pub resume: Option<Resume>,
    /// The publisher's offer, when the client sent it inside its join request (`/rtc/v1`).
    pub publisher_offer: Option<livekit::SessionDescription>,
    /// From the join request: what an SDK that joins with tracks asks for at once.
    pub add_tracks: Vec<livekit::AddTrackRequest>,
    pub sync_state: Option<Box<livekit::SyncState>>,
}

/// Which of the two signal paths the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalPath {
    /// `/rtc`: a publisher and a subscriber peer connection; the server offers on the second.
    TwoConnections,
    /// `/rtc/v1`: one peer connection; the client makes every offer.
    OneConnection,
}

/// The earlier session a client wants to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Absent when the client didn't say: then its identity decides.
    pub participant: Option<ParticipantSid>,
    pub reason: i32,
}

/// Pairs an answer with its question, for one asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A RoomService call that the room's owner carries out. Rights were checked before.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Create(livekit::CreateRoomRequest),
    Delete,
    ListParticipants,
    GetParticipant { identity: String },
    Remove { identity: String },
    MuteTrack { identity: String, track_sid: String, muted: bool },
    UpdateParticipant(livekit::UpdateParticipantRequest),
    UpdateSubscriptions(livekit::UpdateSubscriptionsRequest),
    SendData(livekit::SendDataRequest),
    UpdateMetadata { metadata: String },
}

/// What came of an [`Operation`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Done,
    Room(Box<livekit::Room>),
    Participant(Box<livekit::ParticipantInfo>),
    Participants(Vec<livekit::ParticipantInfo>),
    Track(Option<Box<livekit::TrackInfo>>),
}

/// Why an [`Operation`] was not carried out. Each maps to one Twirp error code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    #[error("requested room does not exist")]
    NoSuchRoom,
    #[error("participant does not exist")]
    NoSuchParticipant,
    #[error("track does not exist")]
    NoSuchTrack,
    #[error("remote unmute not enabled")]
    RemoteUnmute,
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    #[error("{0}")]
    Exhausted(Cow<'static, str>),
}

/// SFU → signaling.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A frame for a client.
    Signal { session: SessionId, response: Box<livekit::SignalResponse> },
    /// Sign a fresh token with these grants and send it to the client as `refresh_token`.
    /// It keeps the expiry of the client's present token, and lives at least ten minutes.
    RefreshToken { session: SessionId, grants: Box<Grants> },
    /// The participant's media came so far for the first time. Told while it joins: what comes
    /// after its first minute, or never, isn't.
    Reached { session: SessionId, stage: MediaStage },
    /// The session is over: send what is queued, then close the WebSocket.
    Close { session: SessionId },
    /// The answer to [`RoomAction::Admin`] and [`RoomAction::CallEcho`].
    Reply { request: RequestId, result: Result<Reply, OperationError> },
    /// The answer to [`Command::ListRooms`].
    Rooms { request: RequestId, rooms: Vec<livekit::Room> },
    /// The sender's epoch was too low; `current` is the owner's. Nothing was done.
    /// `session` or `request` says whose command it was.
    StaleEpoch {
        room: RoomName,
        session: Option<SessionId>,
        request: Option<RequestId>,
        current: Epoch,
    },
    /// Something happened that logs, metrics and webhooks tell others about.
    Happened(Box<Happening>),
}

/// How far a newcomer's media has come. Each stage follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaStage {
    /// A check of its passed (RFC 8445): its packets find us.
    Ice,
    /// A handshake is done (RFC 5764): voice can flow.
    Dtls,
    /// A packet of its voice came.
    FirstPacket,
}

/// What happened in a room.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    pub room: RoomName,
    pub epoch: Epoch,
    pub info: livekit::Room,
    pub what: What,
}

/// The kinds of things that happen. Names follow LiveKit's webhooks where they have one.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    RoomStarted,
    RoomFinished,
    ParticipantJoined {
        participant: Box<livekit::ParticipantInfo>,
    },
    ParticipantLeft {
        participant: Box<livekit::ParticipantInfo>,
        reason: livekit::DisconnectReason,
        session_seconds: u64,
    },
    /// Never connected, or lost its connection: `cause` says what most likely went wrong.
    ConnectionFailed {
        participant: Box<livekit::ParticipantInfo>,
        cause: ConnectionFailure,
    },
    TrackPublished {
        participant: Box<livekit::ParticipantInfo>,
        track: Box<livekit::TrackInfo>,
    },
    TrackUnpublished {
        participant: Box<livekit::ParticipantInfo>,
        track: Box<livekit::TrackInfo>,
    },
}

/// The likely cause of a connection that failed, from what arrived and what didn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionFailure {
    /// Not one STUN check reached us: a firewall blocks UDP, or the address we offer is wrong.
    NoStunReceived,
    /// Checks came, but with credentials of another session or garbled.
    StunUnauthenticated,
    /// Checks passed, the DTLS handshake didn't finish: UDP is lossy or its size is limited.
    DtlsTimeout,
    /// The certificate is not the one that the client's offer promised.
    DtlsFingerprint,
    /// The handshake failed otherwise.
    DtlsFailed,
    /// Was connected; then consent checks stopped (RFC 7675).
    ConsentExpired,
}
