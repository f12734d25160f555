//! Relaying what clients say over data channels, without losing what we don't know.
//!
//! A [`DataPacket`] is decoded to learn where it goes, but what goes out is made of the bytes that
//! came in: fields of a later schema travel on. Only the sender's name is ours to say, so every
//! claim about it is cut out and the truth put in its place.

mod wire;

use bytes::Bytes;
use prost::Message as _;

use crate::{
    limits::{DATA_PACKET_BYTES_MAX, DESTINATIONS_MAX},
    livekit::{DataPacket, data_packet::Value},
};
use wire::{Field, fields_of, write_bytes};

// Field numbers of `livekit.DataPacket` and `livekit.UserPacket`.
const USER: u32 = 2;
const PARTICIPANT_IDENTITY: u32 = 4;
const PARTICIPANT_SID: u32 = 17;
const USER_PARTICIPANT_SID: u32 = 1;
const USER_PARTICIPANT_IDENTITY: u32 = 5;

/// Why a packet is not relayed. The sender's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataPacketError {
    #[error("longer than {DATA_PACKET_BYTES_MAX} bytes")]
    TooLong,
    #[error("not a data packet")]
    Malformed,
    #[error("several bodies")]
    SeveralBodies,
    #[error("more than {DESTINATIONS_MAX} destinations")]
    TooManyDestinations,
}

/// A packet as its sender wrote it, and what it says.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    packet: DataPacket,
    fields: Vec<Field<'a>>,
    /// The fields of the body, when that is a [`Value::User`].
    user: Vec<Field<'a>>,
}

impl<'a> Incoming<'a> {
    /// Reads a packet from one message of a data channel.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DataPacketError> {
        if bytes.len() > DATA_PACKET_BYTES_MAX {
            return Err(DataPacketError::TooLong);
        }
        let packet = DataPacket::decode(bytes).map_err(|_| DataPacketError::Malformed)?;
        let fields = fields_of(bytes).ok_or(DataPacketError::Malformed)?;
        let mut bodies = fields.iter().filter(|field| is_body(field.number));
        let user = bodies.next().filter(|body| body.number == USER);
        if bodies.next().is_some() {
            return Err(DataPacketError::SeveralBodies);
        }
        let user = user.map_or(Some(Vec::new()), |user| fields_of(user.content));
        let user = user.ok_or(DataPacketError::Malformed)?;
        let incoming = Self { packet, fields, user };
        let named = incoming
            .destination_identities()
            .count()
            .saturating_add(incoming.destination_sids().count());
        if named > DESTINATIONS_MAX {
            return Err(DataPacketError::TooManyDestinations);
        }
        Ok(incoming)
    }

    /// What was understood of the packet.
    pub fn packet(&self) -> &DataPacket {
        &self.packet
    }

    /// Whom the packet is for, by identity. When this and [`Incoming::destination_sids`] are both
    /// empty it is for everybody.
    pub fn destination_identities(&self) -> impl Iterator<Item = &str> {
        let of_user = match &self.packet.value {
            Some(Value::User(user)) => user.destination_identities.as_slice(),
            _ => &[],
        };
        self.packet.destination_identities.iter().chain(of_user).map(String::as_str)
    }

    /// Whom the packet is for, by session id: what older clients name.
    pub fn destination_sids(&self) -> impl Iterator<Item = &str> {
        let of_user = match &self.packet.value {
            Some(Value::User(user)) => user.destination_sids.as_slice(),
            _ => &[],
        };
        of_user.iter().map(String::as_str)
    }

    /// Returns the packet as others get it: every byte of it, but for who sent it.
    pub fn stamped(&self, sid: &str, identity: &str) -> Bytes {
        let mut out = Vec::new();
        for field in &self.fields {
            match field.number {
                PARTICIPANT_SID | PARTICIPANT_IDENTITY => {}
                USER => write_bytes(USER, &self.stamped_user(sid, identity), &mut out),
                _ => out.extend_from_slice(field.whole),
            }
        }
        write_bytes(PARTICIPANT_IDENTITY, identity.as_bytes(), &mut out);
        write_bytes(PARTICIPANT_SID, sid.as_bytes(), &mut out);
        out.into()
    }

    fn stamped_user(&self, sid: &str, identity: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for field in &self.user {
            if !matches!(field.number, USER_PARTICIPANT_SID | USER_PARTICIPANT_IDENTITY) {
                out.extend_from_slice(field.whole);
            }
        }
        write_bytes(USER_PARTICIPANT_SID, sid.as_bytes(), &mut out);
        write_bytes(USER_PARTICIPANT_IDENTITY, identity.as_bytes(), &mut out);
        out
    }
}

/// Whether a field is a member of the packet's oneof, as far as the schema goes. A packet without
/// any may hold one that a later schema added: it is relayed like the rest.
fn is_body(number: u32) -> bool {
    matches!(number, 2 | 3 | 6..=15 | 18)
}
