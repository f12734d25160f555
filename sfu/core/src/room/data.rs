//! Data packets: read for where they go, stamped with who sent them, handed on unchanged.

use bytes::Bytes;
use prost::Message as _;
use proto::{
    control::{OperationError, Reply},
    data::Channel,
    data_packet::Incoming,
    ids::ParticipantSid,
    livekit::{
        DataPacket, SendDataRequest, UserPacket,
        data_packet::{Kind, Value},
    },
};

use crate::{
    Output, TransportId,
    context::Context,
    limits::{DATA_BYTES_MAX, LIST_MAX},
    room::{Room, participant::Participant},
};

/// Whom a packet is for: those named in either way, or everybody.
#[derive(Debug, Default)]
struct Destinations {
    identities: Vec<String>,
    sids: Vec<String>,
}

impl Room {
    /// A message from one of our clients.
    pub(crate) fn on_data(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        channel: Channel,
        payload: &[u8],
        cx: &mut Context,
    ) {
        self.heard_from(sid, id, cx);
        if self.relay_data(sid, channel, payload, cx).is_none() {
            cx.stats.data_refused += 1;
        }
    }

    fn relay_data(
        &mut self,
        sid: ParticipantSid,
        channel: Channel,
        payload: &[u8],
        cx: &mut Context,
    ) -> Option<()> {
        let sender = self.participants.get(&sid)?;
        let may_send = sender.profile.permission.can_publish_data;
        if !may_send || channel == Channel::DataTrack || payload.len() > DATA_BYTES_MAX {
            return None;
        }
        let incoming = Incoming::parse(payload).ok()?;
        if !is_relayed(incoming.packet()) {
            return None;
        }
        let destinations = Destinations {
            identities: incoming.destination_identities().map(str::to_owned).collect(),
            sids: incoming.destination_sids().map(str::to_owned).collect(),
        };
        let stamped = incoming.stamped(&sid.to_string(), sender.profile.identity.as_str());
        self.deliver(Some(sid), &destinations, channel, &stamped, cx);
        Some(())
    }

    /// From the API: from nobody in the room, so to everybody.
    pub(super) fn on_send_data(
        &mut self,
        request: SendDataRequest,
        cx: &mut Context,
    ) -> Result<Reply, OperationError> {
        let named = request.destination_identities.len() + request.destination_sids.len();
        if request.data.len() > DATA_BYTES_MAX || named > LIST_MAX {
            cx.stats.data_refused += 1;
            return Err(OperationError::Invalid(
                "data or destinations exceed the size limit".into(),
            ));
        }
        let kind = request.kind();
        let destinations = Destinations {
            identities: request.destination_identities.clone(),
            sids: request.destination_sids.clone(),
        };
        let packet = Bytes::from(packet_of(request).encode_to_vec());
        self.deliver(None, &destinations, channel_for(kind), &packet, cx);
        Ok(Reply::Done)
    }

    fn deliver(
        &mut self,
        sender: Option<ParticipantSid>,
        destinations: &Destinations,
        channel: Channel,
        payload: &Bytes,
        cx: &mut Context,
    ) {
        let receivers = self.participants.values_mut().filter(|it| {
            Some(it.profile.sid) != sender && it.is_active() && destinations.include(it)
        });
        for receiver in receivers {
            let Some(connection) = receiver.connections.downstream_mut() else { continue };
            if connection.ready_for(channel, payload) {
                let (to, payload) = (connection.id, payload.clone());
                cx.outbox.push_back(Output::Data { to, channel, payload });
                cx.stats.data_forwarded += 1;
            }
        }
    }
}

impl Destinations {
    fn include(&self, receiver: &Participant) -> bool {
        let profile = &receiver.profile;
        let named = |identity: &String| identity == profile.identity.as_str();
        (self.identities.is_empty() && self.sids.is_empty())
            || self.identities.iter().any(named)
            || self.sids.iter().any(|sid| sid.parse() == Ok(profile.sid))
    }
}

/// What only a server says, and what only a server collects, goes nowhere.
fn is_relayed(packet: &DataPacket) -> bool {
    !matches!(packet.value, None | Some(Value::Speaker(_) | Value::Metrics(_)))
}

fn channel_for(kind: Kind) -> Channel {
    match kind {
        Kind::Reliable => Channel::Reliable,
        Kind::Lossy => Channel::Lossy,
    }
}

fn packet_of(request: SendDataRequest) -> DataPacket {
    let user = UserPacket {
        payload: request.data,
        topic: request.topic,
        nonce: request.nonce,
        destination_sids: request.destination_sids,
        destination_identities: request.destination_identities.clone(),
        ..UserPacket::default()
    };
    DataPacket {
        kind: request.kind,
        destination_identities: request.destination_identities,
        value: Some(Value::User(user)),
        ..DataPacket::default()
    }
}
