//! One log line for each thing that happens in a room, for operators and for log stores.

use proto::{
    control::{ConnectionFailure, Happening, What},
    ids::SessionId,
};
use tracing::info;

use crate::metrics::label_of;

/// One line about a participant; fields of its own come first.
macro_rules! about_participant {
    ($message:literal, $about:expr, $participant:expr $(, $field:ident = $value:expr)*) => {
        info!(
            room = $about.room,
            participant = $participant.identity,
            participant_sid = $participant.sid,
            trace_id = $about.trace_id,
            $($field = $value,)*
            $message
        )
    };
}

struct About<'a> {
    room: &'a str,
    trace_id: Option<String>,
}

/// Logs `happening`. `session` is the signal connection its participant came by, if known: its
/// id ties these lines to those of the WebSocket.
pub(crate) fn log(happening: &Happening, session: Option<SessionId>) {
    let (room, room_sid) = (happening.room.as_str(), happening.info.sid.as_str());
    let epoch = happening.epoch.0;
    let about = About { room, trace_id: session.map(|session| format!("{session:?}")) };
    match &happening.what {
        What::RoomStarted => info!(event = "room_started", room, room_sid, epoch, "room started"),
        What::RoomFinished => {
            info!(event = "room_finished", room, room_sid, epoch, "room finished");
        }
        What::ParticipantJoined { participant } => about_participant!(
            "participant joined",
            about,
            participant,
            event = "participant_joined"
        ),
        What::ParticipantLeft { participant, reason, session_seconds } => about_participant!(
            "participant left",
            about,
            participant,
            event = "participant_left",
            reason = reason.as_str_name(),
            session_seconds = session_seconds
        ),
        What::ConnectionFailed { participant, cause } => about_participant!(
            "connection failed",
            about,
            participant,
            event = "connection_failed",
            cause = label_of(*cause),
            advice = advice_on(*cause)
        ),
        What::TrackPublished { participant, track } => about_participant!(
            "track published",
            about,
            participant,
            event = "track_published",
            track_sid = track.sid
        ),
        What::TrackUnpublished { participant, track } => about_participant!(
            "track unpublished",
            about,
            participant,
            event = "track_unpublished",
            track_sid = track.sid
        ),
    }
}

/// What an operator can do about it.
fn advice_on(cause: ConnectionFailure) -> &'static str {
    match cause {
        ConnectionFailure::NoStunReceived => {
            "nothing came from the client by UDP: open the media port in firewalls, and check \
             that the address this server offers is one the client can reach"
        }
        ConnectionFailure::StunUnauthenticated => {
            "checks came with credentials of another session: look for a proxy that mixes up \
             clients, or two servers behind one address"
        }
        ConnectionFailure::DtlsTimeout => {
            "UDP passes but the handshake didn't finish: look for heavy loss, or a path that \
             drops UDP packets above 1,200 bytes"
        }
        ConnectionFailure::DtlsFingerprint => {
            "the client's certificate is not the one its offer promised: look for something \
             that rewrites SDP, or for an attack"
        }
        ConnectionFailure::DtlsFailed => {
            "the client and this server share no DTLS version, cipher or SRTP profile: note the \
             client's name and version"
        }
        ConnectionFailure::ConsentExpired => {
            "it was connected and fell silent for 30 s: the client lost its network or was \
             stopped without leaving"
        }
    }
}
