//! Our schema against `livekit-protocol`, which was made from LiveKit's own.
//!
//! Every message of ours goes to theirs and back with each field set alone, then with arbitrary
//! fields set together, in binary and in JSON. A wrong number, type or name loses the value.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests may fail the test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a schema uses a few of protobuf's kinds")]

use std::{collections::BTreeSet, fmt::Debug};

use arbtest::arbitrary::{self, Unstructured};
use livekit_protocol as theirs;
use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage as _, Value,
};
use proto::{
    json::{Style, from_json, to_json},
    livekit as ours,
};
use serde::{Serialize, de::DeserializeOwned};

/// Runs `$check` for each message that both sides have. Those of ours without fields are left out:
/// they are there to be recognised, and lose everything on the way by intention.
macro_rules! for_every_message {
    ($check:ident) => {{
        let mut checked = BTreeSet::new();
        for_every_message!($check, checked:
            SignalRequest, SignalResponse, WrappedJoinRequest, JoinRequest, ConnectionSettings,
            ClientInfo, JoinResponse, ServerInfo, IceServer, ClientConfiguration,
            ReconnectResponse, Room, Codec, ParticipantInfo, ParticipantPermission, TrackInfo,
            SimulcastCodecInfo, TimedVersion, SessionDescription, TrickleRequest, AddTrackRequest,
            SimulcastCodec, TrackPublishedResponse, TrackUnpublishedResponse, TrackSubscribed,
            MuteTrackRequest, UpdateSubscription, ParticipantTracks, UpdateTrackSettings,
            UpdateLocalAudioTrack, ParticipantUpdate, SpeakersChanged, SpeakerInfo,
            ConnectionQualityUpdate, ConnectionQualityInfo, LeaveRequest, RegionSettings,
            RegionInfo, Ping, Pong, SyncState, DataChannelInfo, DataChannelReceiveState,
            SubscriptionPermission, TrackPermission, SubscriptionPermissionUpdate,
            SubscriptionResponse, UpdateParticipantMetadata, RequestResponse, RoomUpdate,
            MediaSectionsRequirement, SimulateScenario, DataPacket, UserPacket, RpcRequest, RpcAck,
            RpcResponse, RpcError, data_stream::Header, data_stream::TextHeader,
            data_stream::ByteHeader, data_stream::Chunk, data_stream::Trailer, CreateRoomRequest,
            ListRoomsRequest, ListRoomsResponse, DeleteRoomRequest, ListParticipantsRequest,
            ListParticipantsResponse, RoomParticipantIdentity, MuteRoomTrackRequest,
            MuteRoomTrackResponse, UpdateParticipantRequest, UpdateSubscriptionsRequest,
            SendDataRequest, UpdateRoomMetadataRequest, WebhookEvent, VideoLayer);
        checked
    }};
    ($check:ident, $checked:ident: $($($name:ident)::+),+) => {
        $($checked.insert(ours::$($name)::+::full_name());
        $check::<ours::$($name)::+, theirs::$($name)::+>();)+
    };
}

trait Ours: Debug + Message + Name + Default + PartialEq {}
impl<T: Debug + Message + Name + Default + PartialEq> Ours for T {}

trait Theirs: Debug + Message + Default + PartialEq + Serialize + DeserializeOwned {}
impl<T: Debug + Message + Default + PartialEq + Serialize + DeserializeOwned> Theirs for T {}

#[test]
fn each_field_arrives_alone() {
    let checked = for_every_message!(check_fields);
    let all = pool();
    let expected =
        all.all_messages().filter(|message| message.fields().len() > 0 && !message.is_map_entry());
    let missing: Vec<_> = expected
        .map(|message| message.full_name().to_owned())
        .filter(|name| !checked.contains(name))
        .collect();
    assert!(missing.is_empty(), "not compared: {missing:?}");
}

fn check_fields<O: Ours, T: Theirs>() {
    let descriptor = descriptor_of::<O>();
    for field in descriptor.fields() {
        let mut message = DynamicMessage::new(descriptor.clone());
        message.set_field(&field, some_value(&field));
        check::<O, T>(&message);
    }
}

#[test]
fn arbitrary_fields_arrive_together() {
    for_every_message!(check_arbitrary);
}

fn check_arbitrary<O: Ours, T: Theirs>() {
    let descriptor = descriptor_of::<O>();
    arbtest::arbtest(|u| {
        check::<O, T>(&arb_message(u, &descriptor, 0)?);
        Ok(())
    })
    .budget_ms(20);
}

fn check<O: Ours, T: Theirs>(message: &DynamicMessage) {
    let bytes = message.encode_to_vec();
    let our_message = O::decode(&bytes[..]).unwrap();
    let their_message = T::decode(&bytes[..]).unwrap_or_else(|error| fail::<O>(message, &error));

    let sent = DynamicMessage::decode(message.descriptor(), &bytes[..]).unwrap();
    let bytes = their_message.encode_to_vec();
    let returned = DynamicMessage::decode(message.descriptor(), &bytes[..]).unwrap();
    assert!(returned == sent, "{}: {sent} in binary became {returned}", O::full_name());

    let our_text = to_json(&our_message, Style::Signal);
    let read: T =
        serde_json::from_str(&our_text).unwrap_or_else(|error| fail::<O>(message, &error));
    assert_eq!(read, their_message, "{} in our JSON: {our_text}", O::full_name());

    let their_text = serde_json::to_string(&their_message).unwrap();
    let read: O = from_json(&their_text).unwrap_or_else(|error| fail::<O>(message, &error));
    assert_eq!(read, our_message, "{} in their JSON: {their_text}", O::full_name());
}

fn fail<O: Name>(message: &DynamicMessage, error: &dyn Debug) -> ! {
    panic!("{}: {error:?} in {message}", O::full_name())
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(&include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"))[..]).unwrap()
}

fn descriptor_of<O: Name>() -> MessageDescriptor {
    pool().get_message_by_name(&O::full_name()).unwrap()
}

/// A value that can't be mistaken for a default, nor for one of another width.
fn some_value(field: &FieldDescriptor) -> Value {
    let one = |kind: &Kind| match kind {
        Kind::Message(inner) => Value::Message(DynamicMessage::new(inner.clone())),
        Kind::Enum(kind) => {
            Value::EnumNumber(kind.values().map(|value| value.number()).max().unwrap())
        }
        kind => scalar(kind, u64::MAX, "ভাষা"),
    };
    wrapped(field, one)
}

fn wrapped(field: &FieldDescriptor, one: impl Fn(&Kind) -> Value) -> Value {
    if field.is_map() {
        let value = field.kind().as_message().unwrap().map_entry_value_field().kind();
        Value::Map([(MapKey::String("key".into()), one(&value))].into())
    } else if field.is_list() {
        Value::List(vec![one(&field.kind())])
    } else {
        one(&field.kind())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
#[expect(clippy::cast_precision_loss, reason = "any bits will do")]
fn scalar(kind: &Kind, bits: u64, text: &str) -> Value {
    match kind {
        Kind::Bool => Value::Bool(bits & 1 == 1),
        Kind::Int32 => Value::I32(bits as i32),
        Kind::Int64 => Value::I64(bits as i64),
        Kind::Uint32 => Value::U32(bits as u32),
        Kind::Uint64 => Value::U64(bits),
        Kind::Float => Value::F32((bits % 1000) as f32 / 8.0),
        Kind::String => Value::String(text.to_owned()),
        Kind::Bytes => Value::Bytes(text.as_bytes().to_vec().into()),
        other => panic!("the schema has a {other:?}"),
    }
}

fn arb_message(
    u: &mut Unstructured<'_>,
    descriptor: &MessageDescriptor,
    depth: u8,
) -> arbitrary::Result<DynamicMessage> {
    let mut message = DynamicMessage::new(descriptor.clone());
    let fields: Vec<_> = descriptor.fields().collect();
    for _ in 0..u.int_in_range(0..=6_u8)? {
        let Some(field) = fields.get(u.choose_index(fields.len().max(1))?) else { break };
        let value = arb_field(u, field, depth)?;
        message.set_field(field, value);
    }
    Ok(message)
}

fn arb_field(
    u: &mut Unstructured<'_>,
    field: &FieldDescriptor,
    depth: u8,
) -> arbitrary::Result<Value> {
    if field.is_map() {
        let entries = (0..u.int_in_range(0..=2)?).map(|_| {
            let key = MapKey::String(u.arbitrary()?);
            Ok((key, Value::String(u.arbitrary()?)))
        });
        return entries.collect::<arbitrary::Result<_>>().map(Value::Map);
    }
    if field.is_list() {
        let items = (0..u.int_in_range(0..=2)?).map(|_| arb_value(u, &field.kind(), depth));
        return items.collect::<arbitrary::Result<_>>().map(Value::List);
    }
    arb_value(u, &field.kind(), depth)
}

fn arb_value(u: &mut Unstructured<'_>, kind: &Kind, depth: u8) -> arbitrary::Result<Value> {
    match kind {
        Kind::Message(inner) if depth < 4 => arb_message(u, inner, depth + 1).map(Value::Message),
        Kind::Message(inner) => Ok(Value::Message(DynamicMessage::new(inner.clone()))),
        Kind::Enum(kind) => {
            let values: Vec<_> = kind.values().map(|value| value.number()).collect();
            Ok(Value::EnumNumber(*u.choose(&values)?))
        }
        kind => Ok(scalar(kind, u.arbitrary()?, u.arbitrary()?)),
    }
}
