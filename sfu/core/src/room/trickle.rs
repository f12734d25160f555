//! Our candidates, told one by one.
//!
//! The description holds them too: some clients wait for the one, some for the other.

use std::net::SocketAddr;

use proto::{
    ids::ParticipantSid,
    livekit::{SignalTarget, TrickleRequest, signal_response::Message},
};

use crate::{
    context::Context,
    room::{Room, connection::Connection},
};

/// The `typ host` preference of RFC 8445 §5.1.2.2.
const HOST_PREFERENCE: u32 = 126;

impl Room {
    pub(super) fn send_candidates(
        &self,
        sid: ParticipantSid,
        target: SignalTarget,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let connection = match target {
            SignalTarget::Publisher => &participant.connections.publisher,
            SignalTarget::Subscriber => &participant.connections.subscriber,
        };
        let Some(connection) = connection else { return };
        let candidates = cx.config.candidates.clone();
        let last = candidates.len().saturating_sub(1);
        for (place, address) in candidates.into_iter().enumerate() {
            let trickle = TrickleRequest {
                candidate_init: candidate_init(connection, place, address),
                target: target.into(),
                r#final: place == last,
            };
            cx.signal(participant.presence.session, Message::Trickle(trickle));
        }
    }
}

/// The JSON of an `RTCIceCandidateInit`. Nothing in it needs escaping: a mid is a token.
fn candidate_init(connection: &Connection, place: usize, address: SocketAddr) -> String {
    let preference = u32::from(u16::MAX).saturating_sub(u32::try_from(place).unwrap_or_default());
    let priority = HOST_PREFERENCE << 24 | preference << 8 | 255;
    let (ip, port) = (address.ip(), address.port());
    let ufrag = &connection.local.ufrag;
    let foundation = place + 1;
    let candidate =
        format!("candidate:{foundation} 1 udp {priority} {ip} {port} typ host ufrag {ufrag}");
    let (line, mid) = match &connection.tagged {
        Some((line, mid)) => (*line, mid.as_str()),
        None => (0, "0"),
    };
    format!(
        r#"{{"candidate":"{candidate}","sdpMid":"{mid}","sdpMLineIndex":{line},"usernameFragment":null}}"#
    )
}
