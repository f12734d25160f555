//! The registry in Redis.
//!
//! Nodes are keys that expire, found by a set of their names; a room is a key with its epoch in
//! front, changed by scripts that compare it. Keys that a script reads together share a hash tag,
//! so that a cluster keeps them together, too.

mod link;

use std::time::Duration;

use proto::{
    ids::{Epoch, RoomName},
    pool::{NodeRecord, Owner, Placement},
};
use redis::{Cmd, FromRedisValue, Pipeline, Script, ScriptInvocation, aio::MultiplexedConnection};
use service::metrics::Registry as MetricsRegistry;
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

use self::link::Link;
use crate::{
    RegistryError,
    hints::{self, Hint},
    limits::{CALL_TIME, NODES_MAX, ROOM_TIME},
    metrics::Metrics,
};

/// Cheap to clone; every clone is the same connection.
#[derive(Clone, Debug)]
pub(crate) struct Redis {
    link: Link,
    metrics: Metrics,
}

/// The names of the nodes that announced themselves.
const NODES: &str = "{adda:nodes}";
/// What the key of one node's record starts with.
const NODE: &str = "{adda:nodes}:";
const ROOM: &str = "adda:room:";
const HINTS: &str = "adda:hints:";

/// 1: it is announced; 0: there are too many nodes, those apart whose record has expired.
const ANNOUNCE: &str = "
local function is_full() return redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[4]) end
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then
    if is_full() then
        for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            if redis.call('EXISTS', KEYS[1] .. ':' .. name) == 0 then
                redis.call('SREM', KEYS[1], name)
            end
        end
        if is_full() then return 0 end
    end
    redis.call('SADD', KEYS[1], ARGV[1])
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1";

/// The records, their names in order. Names whose record has expired are forgotten.
const LIST: &str = "
local names = redis.call('SMEMBERS', KEYS[1])
table.sort(names)
local records = {}
for _, name in ipairs(names) do
    local record = redis.call('GET', KEYS[1] .. ':' .. name)
    if record then table.insert(records, record) else redis.call('SREM', KEYS[1], name) end
end
return records";

/// Epochs have a fixed number of digits, since Lua's numbers hold no more than 53 bits.
const SET_ROOM: &str = "
local known = redis.call('GET', KEYS[1])
if known and string.sub(known, 1, #ARGV[1]) > ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return 1";

const REMOVE_ROOM: &str = "
local known = redis.call('GET', KEYS[1])
if known and string.sub(known, 1, #ARGV[1]) <= ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1";

const EPOCH_DIGITS: usize = 20;

impl Redis {
    pub(crate) fn connect(url: &str) -> Result<Self, RegistryError> {
        let metrics = Metrics::new();
        let link = Link::open(url, metrics.clone())?;
        Ok(Self { link, metrics })
    }

    pub(crate) fn register(&self, registry: &mut MetricsRegistry) {
        self.metrics.register(registry);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.link.connection().is_some()
    }

    pub(crate) async fn up(&self) {
        self.link.up().await;
    }

    pub(crate) async fn announce(
        &self,
        node: &NodeRecord,
        ttl: Duration,
    ) -> Result<(), RegistryError> {
        let record = serde_json::to_string(node)?;
        let name = name_of(&node.owner);
        let script = Script::new(ANNOUNCE);
        let mut call = script.key(NODES);
        call.key(format!("{NODE}{name}")).arg(name).arg(record);
        call.arg(milliseconds(ttl)).arg(NODES_MAX);
        let announced: bool = self.call(call).await?;
        if announced { Ok(()) } else { Err(RegistryError::TooManyNodes) }
    }

    pub(crate) async fn withdraw(&self, owner: &Owner) -> Result<(), RegistryError> {
        let name = name_of(owner);
        let mut both = redis::pipe();
        both.atomic().srem(NODES, &name).ignore().del(format!("{NODE}{name}")).ignore();
        self.call(both).await
    }

    pub(crate) async fn nodes(&self) -> Result<Vec<NodeRecord>, RegistryError> {
        let script = Script::new(LIST);
        let records: Vec<Vec<u8>> = self.call(script.key(NODES)).await?;
        Ok(records.iter().filter_map(|record| read(record)).collect())
    }

    pub(crate) async fn set_room(
        &self,
        room: &RoomName,
        placement: &Placement,
    ) -> Result<bool, RegistryError> {
        let owner = serde_json::to_string(&placement.owner)?;
        let script = Script::new(SET_ROOM);
        let mut call = script.key(key_of(room));
        call.arg(digits(placement.epoch)).arg(owner).arg(milliseconds(ROOM_TIME));
        self.call(call).await
    }

    pub(crate) async fn room(&self, room: &RoomName) -> Result<Option<Placement>, RegistryError> {
        let value: Option<Vec<u8>> = self.call(Cmd::get(key_of(room))).await?;
        Ok(value.and_then(|value| {
            let (epoch, owner) = value.split_at_checked(EPOCH_DIGITS)?;
            let epoch = std::str::from_utf8(epoch).ok()?.parse().ok()?;
            Some(Placement { owner: read(owner)?, epoch: Epoch(epoch) })
        }))
    }

    pub(crate) async fn remove_room(
        &self,
        room: &RoomName,
        epoch: Epoch,
    ) -> Result<(), RegistryError> {
        let script = Script::new(REMOVE_ROOM);
        let mut call = script.key(key_of(room));
        call.arg(digits(epoch));
        self.call(call).await
    }

    pub(crate) async fn hint(&self, topic: &str, payload: &[u8]) -> Result<(), RegistryError> {
        self.call(Cmd::publish(format!("{HINTS}{topic}"), payload)).await
    }

    pub(crate) fn hints(&self, topic: &str) -> mpsc::Receiver<Hint> {
        let (listener, hints) = hints::channel();
        self.link.listen(format!("{HINTS}{topic}"), listener);
        hints
    }

    /// Bounds a call in time, counts it, and has the connection looked at when it failed.
    async fn call<T>(&self, call: impl Call<T>) -> Result<T, RegistryError> {
        let result = match self.link.connection() {
            None => Err(RegistryError::Down),
            Some(connection) => match timeout(CALL_TIME, call.on(connection)).await {
                Ok(result) => result.map_err(RegistryError::from),
                Err(_elapsed) => Err(RegistryError::Late),
            },
        };
        self.metrics.count(result.as_ref().err());
        if result.is_err() {
            self.link.doubt();
        }
        result
    }
}

/// What can be asked of a connection.
trait Call<T> {
    async fn on(self, connection: MultiplexedConnection) -> redis::RedisResult<T>;
}

impl<T: FromRedisValue> Call<T> for Cmd {
    async fn on(self, mut connection: MultiplexedConnection) -> redis::RedisResult<T> {
        self.query_async(&mut connection).await
    }
}

impl<T: FromRedisValue> Call<T> for Pipeline {
    async fn on(self, mut connection: MultiplexedConnection) -> redis::RedisResult<T> {
        self.query_async(&mut connection).await
    }
}

impl<T: FromRedisValue> Call<T> for ScriptInvocation<'_> {
    async fn on(self, mut connection: MultiplexedConnection) -> redis::RedisResult<T> {
        self.invoke_async(&mut connection).await
    }
}

/// Unique even if a node's name has a slash, since a boot has none.
fn name_of(owner: &Owner) -> String {
    format!("{}/{}", owner.node, owner.boot)
}

fn key_of(room: &RoomName) -> String {
    format!("{ROOM}{room}")
}

fn digits(epoch: Epoch) -> String {
    format!("{:020}", epoch.0)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What another version wrote so that we can't read it is as good as absent.
fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json)
        .inspect_err(|error| warn!(%error, "a record in Redis was not understood"))
        .ok()
}
