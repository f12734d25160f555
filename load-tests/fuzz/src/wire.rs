//! The codecs of `proto`.

use prost::Message as _;
use proto::{
    data_packet::Incoming,
    json::{Style, from_json, to_json},
    livekit::{
        CreateRoomRequest, DataPacket, JoinRequest, SendDataRequest, SignalRequest, SignalResponse,
        UpdateParticipantRequest, WrappedJoinRequest,
    },
    rtcp,
    rtp::{self, red::Primary},
    sdp::{Fingerprint, Session},
    stun,
};

pub(crate) fn stun(bytes: &[u8]) {
    let Ok(message) = stun::Message::parse(bytes) else { return };
    if let Some(integrity) = message.integrity {
        assert!(integrity.rest.len() < bytes.len(), "integrity covers what isn't there");
    }
}

pub(crate) fn rtp(bytes: &[u8]) {
    let _ = Primary::find(bytes);
    let Ok(packet) = rtp::Packet::parse(bytes) else { return };
    assert!(packet.header_len + packet.payload.len() <= bytes.len());
    for id in 0..=u8::MAX {
        let _ = (packet.extension(id), packet.mid(id), packet.audio_level(id));
    }
    if let Ok(primary) = Primary::find(packet.payload) {
        assert!(primary.offset <= packet.payload.len());
    }
}

pub(crate) fn rtcp(bytes: &[u8]) {
    let mut packets = rtcp::Compound::new(bytes);
    for packet in packets.by_ref().flatten() {
        let items = match packet {
            rtcp::Packet::SenderReport(report) => report.blocks().count(),
            rtcp::Packet::ReceiverReport(report) => report.blocks().count(),
            rtcp::Packet::SourceDescription(description) => description.cnames().count(),
            rtcp::Packet::Bye(bye) => bye.ssrcs().count(),
            rtcp::Packet::Nack(nack) => nack.lost().count(),
            rtcp::Packet::Other { .. } => 0,
        };
        assert!(items <= bytes.len() * 5, "more was read than bytes can say");
    }
    assert!(packets.next().is_none());
}

/// What is read is what is written: parse ∘ write ∘ parse = parse.
pub(crate) fn sdp(bytes: &[u8]) {
    let Ok(mut session) = Session::parse(bytes) else { return };
    let _ = session.peer();
    session.transport.fingerprints.retain(|print| *print != Fingerprint::Other);
    for section in &mut session.sections {
        section.transport.fingerprints.retain(|print| *print != Fingerprint::Other);
    }
    let written = session.to_string();
    let read = Session::parse(written.as_bytes());
    assert_eq!(read.as_ref(), Ok(&session), "{written}");
}

pub(crate) fn data_packet(bytes: &[u8]) {
    let Ok(packet) = Incoming::parse(bytes) else { return };
    let _ = (packet.destination_identities().count(), packet.destination_sids().count());
    let relayed = DataPacket::decode(packet.stamped("PA_a", "alice"));
    assert!(relayed.is_ok_and(|relayed| relayed.participant_identity == "alice"));
}

/// Frames and API calls; what is read is what is written.
pub(crate) fn signal_json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = from_json::<SignalResponse>(text);
    let _ = from_json::<CreateRoomRequest>(text);
    let _ = from_json::<SendDataRequest>(text);
    let _ = from_json::<UpdateParticipantRequest>(text);
    let Ok(request) = from_json::<SignalRequest>(text) else { return };
    for style in [Style::Signal, Style::Twirp] {
        assert_eq!(from_json(&to_json(&request, style)).as_ref(), Ok(&request));
    }
}

pub(crate) fn join_request(bytes: &[u8]) {
    let _ = WrappedJoinRequest::decode(bytes);
    let _ = SignalRequest::decode(bytes);
    let Ok(request) = JoinRequest::decode(bytes) else { return };
    assert_eq!(JoinRequest::decode(request.encode_to_vec().as_slice()).as_ref(), Ok(&request));
}
