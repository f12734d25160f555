//! Why a call failed, and whether it is worth another try.

/// The registry failed, or refuses what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("redis.url must be redis://HOST:PORT/ or rediss://HOST:PORT/")]
    Url,
    #[error("Redis can't be reached")]
    Down,
    #[error("Redis took too long")]
    Late,
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
    #[error("the pool has as many nodes as it may have")]
    TooManyNodes,
    #[error("as many rooms are placed as may be")]
    TooManyRooms,
    #[error("a hint can't be so long")]
    TooLong,
    #[error("a record can't be written down")]
    Record(#[from] serde_json::Error),
}

impl RegistryError {
    /// Whether the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Down | Self::Late | Self::Redis(_) | Self::TooManyNodes | Self::TooManyRooms => {
                true
            }
            Self::Url | Self::TooLong | Self::Record(_) => false,
        }
    }
}
