//! Values at random, one of every kind each time. The `kind_of_…` functions name every variant,
//! so that a new one doesn't compile until it is told apart, and fails until it is made here.

use arbtest::arbitrary::{Result, Unstructured};
use proto::{
    control::{
        Command, ConnectionFailure, Event, Happening, Join, MediaStage, Operation, OperationError,
        Reply, RequestId, Resume, RoomAction, RoomCommand, SignalPath, What,
    },
    grants::{Grants, VideoGrant},
    ids::{Epoch, ParticipantSid, RoomSid, SessionId, TrackSid},
    link::{LinkClosed, LinkEncoding, LinkFrame, LinkPacket, LinkTrack, LinkTrackId, UnixMicros},
    livekit,
};

type U<'a, 'b> = &'a mut Unstructured<'b>;

pub(super) const COMMAND_KINDS: usize = 18;
pub(super) const EVENT_KINDS: usize = 34;
pub(super) const FRAME_KINDS: usize = 11;

pub(super) fn name<T: std::str::FromStr>(u: U<'_, '_>) -> Result<T> {
    let text: String =
        u.arbitrary::<String>()?.chars().filter(|c| !c.is_control()).take(60).collect();
    let text = if text.is_empty() { "room" } else { &text };
    Ok(text.parse().unwrap_or_else(|_| panic!("{text:?}")))
}

pub(super) fn epoch(u: U<'_, '_>) -> Result<Epoch> {
    Ok(Epoch(u.int_in_range(1..=u64::MAX)?))
}

fn session(u: U<'_, '_>) -> Result<SessionId> {
    Ok(SessionId(u.arbitrary()?))
}

fn request(u: U<'_, '_>) -> Result<RequestId> {
    Ok(RequestId(u.arbitrary()?))
}

fn at(u: U<'_, '_>) -> Result<UnixMicros> {
    Ok(UnixMicros(u.arbitrary()?))
}

fn info(u: U<'_, '_>) -> Result<livekit::ParticipantInfo> {
    let (identity, metadata) = (u.arbitrary()?, u.arbitrary()?);
    Ok(livekit::ParticipantInfo { identity, metadata, ..Default::default() })
}

fn track(u: U<'_, '_>) -> Result<livekit::TrackInfo> {
    Ok(livekit::TrackInfo { sid: u.arbitrary()?, muted: u.arbitrary()?, ..Default::default() })
}

fn room(u: U<'_, '_>) -> Result<livekit::Room> {
    Ok(livekit::Room { sid: u.arbitrary()?, name: u.arbitrary()?, ..Default::default() })
}

fn grants(u: U<'_, '_>) -> Result<Grants> {
    let video = VideoGrant {
        room: u.arbitrary()?,
        room_join: u.arbitrary()?,
        room_create: u.arbitrary()?,
        room_list: u.arbitrary()?,
        room_admin: u.arbitrary()?,
        room_record: u.arbitrary()?,
        can_publish: u.arbitrary()?,
        can_subscribe: u.arbitrary()?,
        can_publish_data: u.arbitrary()?,
        can_publish_sources: u.arbitrary()?,
        can_update_own_metadata: u.arbitrary()?,
        hidden: u.arbitrary()?,
        recorder: u.arbitrary()?,
        agent: u.arbitrary()?,
    };
    Ok(Grants {
        identity: u.arbitrary()?,
        name: u.arbitrary()?,
        metadata: u.arbitrary()?,
        attributes: u.arbitrary()?,
        kind: u.arbitrary()?,
        sha256: u.arbitrary()?,
        video: u.arbitrary::<bool>()?.then_some(video),
    })
}

fn join(u: U<'_, '_>, protocol: SignalPath, resume: Option<Resume>) -> Result<RoomAction> {
    let offer = livekit::SessionDescription { sdp: u.arbitrary()?, ..Default::default() };
    let add_track = livekit::AddTrackRequest { cid: u.arbitrary()?, ..Default::default() };
    let state = livekit::SyncState { track_sids_disabled: u.arbitrary()?, ..Default::default() };
    Ok(RoomAction::Join(Box::new(Join {
        session: session(u)?,
        identity: name(u)?,
        grants: grants(u)?,
        client: livekit::ClientInfo { version: u.arbitrary()?, ..Default::default() },
        user_agent: u.arbitrary()?,
        protocol,
        auto_subscribe: u.arbitrary()?,
        resume,
        publisher_offer: u.arbitrary::<bool>()?.then_some(offer),
        add_tracks: vec![add_track; u.int_in_range(0..=3)?],
        sync_state: u.arbitrary::<bool>()?.then(|| Box::new(state)),
    })))
}

fn operations(u: U<'_, '_>) -> Result<Vec<Operation>> {
    let (identity, other): (String, String) = (u.arbitrary()?, u.arbitrary()?);
    Ok(vec![
        Operation::Create(livekit::CreateRoomRequest {
            name: other.clone(),
            max_participants: u.arbitrary()?,
            ..Default::default()
        }),
        Operation::Delete,
        Operation::ListParticipants,
        Operation::GetParticipant { identity: identity.clone() },
        Operation::Remove { identity: identity.clone() },
        Operation::MuteTrack {
            identity: identity.clone(),
            track_sid: other.clone(),
            muted: u.arbitrary()?,
        },
        Operation::UpdateParticipant(livekit::UpdateParticipantRequest {
            identity: identity.clone(),
            metadata: other.clone(),
            ..Default::default()
        }),
        Operation::UpdateSubscriptions(livekit::UpdateSubscriptionsRequest {
            identity,
            subscribe: u.arbitrary()?,
            ..Default::default()
        }),
        Operation::SendData(livekit::SendDataRequest {
            data: u.arbitrary()?,
            ..Default::default()
        }),
        Operation::UpdateMetadata { metadata: other },
    ])
}

pub(super) fn commands(u: U<'_, '_>) -> Result<Vec<Command>> {
    let participant = Some(ParticipantSid::from_random(u.arbitrary()?));
    let resumes = [None, Some(Resume { participant, reason: u.arbitrary()? })];
    let nobody = Some(Resume { participant: None, reason: u.arbitrary()? });
    let ping = livekit::signal_request::Message::Ping(u.arbitrary()?);
    let signal = livekit::SignalRequest { message: Some(ping) };
    let mut actions = vec![
        join(u, SignalPath::TwoConnections, nobody)?,
        RoomAction::Signal { session: session(u)?, request: Box::new(signal) },
        RoomAction::Disconnected { session: session(u)? },
        RoomAction::CallEcho { request: request(u)? },
    ];
    for resume in resumes {
        actions.push(join(u, SignalPath::OneConnection, resume)?);
    }
    for operation in operations(u)? {
        actions.push(RoomAction::Admin { request: request(u)?, operation: Box::new(operation) });
    }
    let list = Command::ListRooms { request: request(u)?, names: u.arbitrary()? };
    let mut commands = vec![Command::Shutdown, Command::Evacuate, list];
    for action in actions {
        let command = RoomCommand { room: name(u)?, epoch: epoch(u)?, action };
        commands.push(Command::Room(Box::new(command)));
    }
    Ok(commands)
}

pub(super) fn kind_of_command(command: &Command) -> usize {
    match command {
        Command::ListRooms { .. } => 0,
        Command::Shutdown => 1,
        Command::Room(command) => match &command.action {
            RoomAction::Join(join) => match join.protocol {
                SignalPath::TwoConnections => 2,
                SignalPath::OneConnection => 3,
            },
            RoomAction::Signal { .. } => 4,
            RoomAction::Disconnected { .. } => 5,
            RoomAction::CallEcho { .. } => 6,
            RoomAction::Admin { operation, .. } => match operation.as_ref() {
                Operation::Create(_) => 7,
                Operation::Delete => 8,
                Operation::ListParticipants => 9,
                Operation::GetParticipant { .. } => 10,
                Operation::Remove { .. } => 11,
                Operation::MuteTrack { .. } => 12,
                Operation::UpdateParticipant(_) => 13,
                Operation::UpdateSubscriptions(_) => 14,
                Operation::SendData(_) => 15,
                Operation::UpdateMetadata { .. } => 16,
            },
        },
        Command::Evacuate => 17,
    }
}

fn outcomes(u: U<'_, '_>) -> Result<Vec<std::result::Result<Reply, OperationError>>> {
    let words: String = u.arbitrary()?;
    Ok(vec![
        Ok(Reply::Done),
        Ok(Reply::Room(Box::new(room(u)?))),
        Ok(Reply::Participant(Box::new(info(u)?))),
        Ok(Reply::Participants(vec![info(u)?; u.int_in_range(0..=3)?])),
        Ok(Reply::Track(None)),
        Ok(Reply::Track(Some(Box::new(track(u)?)))),
        Err(OperationError::NoSuchRoom),
        Err(OperationError::NoSuchParticipant),
        Err(OperationError::NoSuchTrack),
        Err(OperationError::RemoteUnmute),
        Err(OperationError::Invalid(words.clone().into())),
        Err(OperationError::Exhausted(words.into())),
    ])
}

fn happenings(u: U<'_, '_>) -> Result<Vec<What>> {
    let who = Box::new(info(u)?);
    let track = Box::new(track(u)?);
    let causes = [
        ConnectionFailure::NoStunReceived,
        ConnectionFailure::StunUnauthenticated,
        ConnectionFailure::DtlsTimeout,
        ConnectionFailure::DtlsFingerprint,
        ConnectionFailure::DtlsFailed,
        ConnectionFailure::ConsentExpired,
    ];
    let mut what = vec![
        What::RoomStarted,
        What::RoomFinished,
        What::ParticipantJoined { participant: who.clone() },
        What::ParticipantLeft {
            participant: who.clone(),
            reason: livekit::DisconnectReason::try_from(u.int_in_range(0..=11)?).unwrap(),
            session_seconds: u.arbitrary()?,
        },
        What::TrackPublished { participant: who.clone(), track: track.clone() },
        What::TrackUnpublished { participant: who.clone(), track },
    ];
    what.extend(causes.map(|cause| What::ConnectionFailed { participant: who.clone(), cause }));
    Ok(what)
}

pub(super) fn events(u: U<'_, '_>) -> Result<Vec<Event>> {
    let pong = livekit::signal_response::Message::Pong(u.arbitrary()?);
    let response = Box::new(livekit::SignalResponse { message: Some(pong) });
    let (some_session, some_request) = (Some(session(u)?), Some(request(u)?));
    let stale = |u: U<'_, '_>, session, request| -> Result<Event> {
        Ok(Event::StaleEpoch { room: name(u)?, session, request, current: epoch(u)? })
    };
    let mut events = vec![
        Event::Signal { session: session(u)?, response },
        Event::RefreshToken { session: session(u)?, grants: Box::new(grants(u)?) },
        Event::Close { session: session(u)? },
        Event::Rooms { request: request(u)?, rooms: vec![room(u)?; u.int_in_range(0..=3)?] },
        stale(u, some_session, None)?,
        stale(u, None, some_request)?,
        stale(u, None, None)?,
    ];
    for stage in [MediaStage::Ice, MediaStage::Dtls, MediaStage::FirstPacket] {
        events.push(Event::Reached { session: session(u)?, stage });
    }
    for result in outcomes(u)? {
        events.push(Event::Reply { request: request(u)?, result });
    }
    for what in happenings(u)? {
        let happening = Happening { room: name(u)?, epoch: epoch(u)?, info: room(u)?, what };
        events.push(Event::Happened(Box::new(happening)));
    }
    Ok(events)
}

pub(super) fn kind_of_event(event: &Event) -> usize {
    match event {
        Event::Signal { .. } => 0,
        Event::RefreshToken { .. } => 1,
        Event::Close { .. } => 2,
        Event::Rooms { .. } => 3,
        Event::StaleEpoch { session: Some(_), .. } => 4,
        Event::StaleEpoch { request: Some(_), .. } => 5,
        Event::StaleEpoch { .. } => 6,
        Event::Reply { result, .. } => match result {
            Ok(Reply::Done) => 7,
            Ok(Reply::Room(_)) => 8,
            Ok(Reply::Participant(_)) => 9,
            Ok(Reply::Participants(_)) => 10,
            Ok(Reply::Track(None)) => 11,
            Ok(Reply::Track(Some(_))) => 12,
            Err(OperationError::NoSuchRoom) => 13,
            Err(OperationError::NoSuchParticipant) => 14,
            Err(OperationError::NoSuchTrack) => 15,
            Err(OperationError::RemoteUnmute) => 16,
            Err(OperationError::Invalid(_)) => 17,
            Err(OperationError::Exhausted(_)) => 18,
        },
        Event::Reached { stage: MediaStage::Ice, .. } => 19,
        Event::Reached { stage: MediaStage::Dtls, .. } => 20,
        Event::Reached { stage: MediaStage::FirstPacket, .. } => 21,
        Event::Happened(happening) => 22 + kind_of_happening(&happening.what),
    }
}

fn kind_of_happening(what: &What) -> usize {
    match what {
        What::RoomStarted => 0,
        What::RoomFinished => 1,
        What::ParticipantJoined { .. } => 2,
        What::ParticipantLeft { .. } => 3,
        What::TrackPublished { .. } => 4,
        What::TrackUnpublished { .. } => 5,
        What::ConnectionFailed { cause, .. } => match cause {
            ConnectionFailure::NoStunReceived => 6,
            ConnectionFailure::StunUnauthenticated => 7,
            ConnectionFailure::DtlsTimeout => 8,
            ConnectionFailure::DtlsFingerprint => 9,
            ConnectionFailure::DtlsFailed => 10,
            ConnectionFailure::ConsentExpired => 11,
        },
    }
}

fn packet(u: U<'_, '_>, is_red: bool) -> Result<LinkPacket> {
    let payload: Vec<u8> = u.arbitrary()?;
    let encoding = if is_red {
        LinkEncoding::Red { primary: u.int_in_range(0..=payload.len())? }
    } else {
        LinkEncoding::Opus
    };
    Ok(LinkPacket {
        track: LinkTrackId(u.arbitrary()?),
        received: at(u)?,
        index: u.arbitrary()?,
        timestamp: u.arbitrary()?,
        encoding,
        payload: payload.into(),
    })
}

pub(super) fn frames(u: U<'_, '_>) -> Result<Vec<LinkFrame>> {
    let track = LinkTrackId(u.arbitrary()?);
    let started = LinkTrack {
        id: track,
        sid: TrackSid::from_random(u.arbitrary()?),
        name: u.arbitrary()?,
        source: livekit::TrackSource::try_from(u.int_in_range(0..=4)?).unwrap(),
        muted: u.arbitrary()?,
        participant: ParticipantSid::from_random(u.arbitrary()?),
        identity: name(u)?,
        participant_name: u.arbitrary()?,
        at: at(u)?,
    };
    let sid = RoomSid::from_random(u.arbitrary()?);
    Ok(vec![
        LinkFrame::Opened { sid, epoch: epoch(u)?, at: at(u)? },
        LinkFrame::TrackStarted(Box::new(started)),
        LinkFrame::Packets(vec![]),
        LinkFrame::Packets(vec![packet(u, false)?, packet(u, true)?]),
        LinkFrame::TrackMuted { track, muted: u.arbitrary()?, at: at(u)? },
        LinkFrame::TrackEnded { track, at: at(u)? },
        LinkFrame::Closed(LinkClosed::RoomEnded),
        LinkFrame::Closed(LinkClosed::NoSuchRoom),
        LinkFrame::Closed(LinkClosed::StaleEpoch { current: epoch(u)? }),
        LinkFrame::Closed(LinkClosed::TooSlow),
        LinkFrame::Closed(LinkClosed::Refused),
    ])
}

pub(super) fn kind_of_frame(frame: &LinkFrame) -> usize {
    match frame {
        LinkFrame::Opened { .. } => 0,
        LinkFrame::TrackStarted(_) => 1,
        LinkFrame::Packets(packets) => usize::from(packets.is_empty()) + 2,
        LinkFrame::TrackMuted { .. } => 4,
        LinkFrame::TrackEnded { .. } => 5,
        LinkFrame::Closed(closed) => match closed {
            LinkClosed::RoomEnded => 6,
            LinkClosed::NoSuchRoom => 7,
            LinkClosed::StaleEpoch { .. } => 8,
            LinkClosed::TooSlow => 9,
            LinkClosed::Refused => 10,
        },
    }
}
