//! The JSON form of the client protocol: text frames on the signal socket, Twirp, webhooks.
//!
//! Knows the messages by the descriptors that the build compiled from `schema/`, so that it works
//! for all of them alike. Reading takes both spellings of a name, and skips fields and enum values
//! it doesn't know. It goes no deeper than the schema: what is skipped is skipped in a loop.

use std::sync::LazyLock;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage as _, Value,
};
use serde_json::{Map, Value as Json};

use crate::limits::JSON_BYTES_MAX;

/// How names and defaults are written. Reading takes either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `lowerCamelCase`, defaults left out: the signal socket, and webhooks.
    Signal,
    /// `snake_case`, defaults present, `null` for an absent message: Twirp.
    Twirp,
}

/// Why a text is not the message that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FromJsonError {
    #[error("longer than {JSON_BYTES_MAX} bytes")]
    TooLong,
    #[error("not JSON (line {line}, column {column})")]
    Syntax { line: usize, column: usize },
    #[error("a value of the wrong type, or two of one choice (line {line}, column {column})")]
    Mismatch { line: usize, column: usize },
    #[error("not a message of the schema")]
    UnknownMessage,
}

/// Writes `message` in the given style.
pub fn to_json<M: Message + Name>(message: &M, style: Style) -> String {
    let dynamic = descriptor_of::<M>().and_then(|descriptor| {
        DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()
    });
    debug_assert!(dynamic.is_some(), "{} is not in the schema", M::full_name());
    dynamic.map_or_else(String::new, |dynamic| object_of(&dynamic, style).to_string())
}

/// Reads a message from its JSON form.
pub fn from_json<M: Message + Name + Default>(text: &str) -> Result<M, FromJsonError> {
    if text.len() > JSON_BYTES_MAX {
        return Err(FromJsonError::TooLong);
    }
    let descriptor = descriptor_of::<M>().ok_or(FromJsonError::UnknownMessage)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let options = prost_reflect::DeserializeOptions::new().deny_unknown_fields(false);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor, &mut reader, &options)
        .and_then(|dynamic| reader.end().map(|()| dynamic))
        .map_err(|error| refusal_of(&error))?;
    dynamic.transcode_to().map_err(|_| FromJsonError::UnknownMessage)
}

fn refusal_of(error: &serde_json::Error) -> FromJsonError {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        FromJsonError::Mismatch { line, column }
    } else {
        FromJsonError::Syntax { line, column }
    }
}

fn descriptor_of<M: Name>() -> Option<MessageDescriptor> {
    static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| {
        let schema: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"));
        DescriptorPool::decode(schema).ok()
    });
    POOL.as_ref()?.get_message_by_name(&M::full_name())
}

fn object_of(message: &DynamicMessage, style: Style) -> Json {
    let mut object = Map::new();
    for field in message.descriptor().fields() {
        let name = match style {
            Style::Signal => field.json_name(),
            Style::Twirp => field.name(),
        };
        if message.has_field(&field) || style == Style::Twirp && !field.supports_presence() {
            object.insert(name.to_owned(), field_of(message, &field, style));
        } else if style == Style::Twirp && field.containing_oneof().is_none() {
            object.insert(name.to_owned(), Json::Null);
        }
    }
    Json::Object(object)
}

fn field_of(message: &DynamicMessage, field: &FieldDescriptor, style: Style) -> Json {
    value_of(&message.get_field(field), &field.kind(), style)
}

fn value_of(value: &Value, kind: &Kind, style: Style) -> Json {
    match value {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::I32(number) => (*number).into(),
        Value::U32(number) => (*number).into(),
        Value::I64(number) => number.to_string().into(),
        Value::U64(number) => number.to_string().into(),
        Value::F32(number) => float_of(number.to_string(), f64::from(*number)),
        Value::F64(number) => float_of(number.to_string(), *number),
        Value::String(text) => text.as_str().into(),
        Value::Bytes(bytes) => BASE64_STANDARD.encode(bytes).into(),
        Value::EnumNumber(number) => enum_of(*number, kind),
        Value::Message(message) => object_of(message, style),
        Value::List(items) => items.iter().map(|item| value_of(item, kind, style)).collect(),
        Value::Map(entries) => {
            let kind = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
            let kind = kind.unwrap_or(Kind::String);
            let entry = |(key, value)| (key_of(key), value_of(value, &kind, style));
            Json::Object(entries.iter().map(entry).collect())
        }
    }
}

/// `digits` is the shortest text that reads back as the number, in its own width.
fn float_of(digits: String, number: f64) -> Json {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        digits.parse().unwrap_or(number).into()
    }
}

/// A value that a later schema added has no name for us: its number stands for it.
fn enum_of(number: i32, kind: &Kind) -> Json {
    let value = kind.as_enum().and_then(|kind| kind.get_value(number));
    value.map_or_else(|| number.into(), |value| value.name().into())
}

fn key_of(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
