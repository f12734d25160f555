//! Every bound of this crate, with its reason.

use std::time::Duration;

/// How long a part of the process may go without a sign of life before it counts as stuck.
pub(crate) const TICK_MAX: Duration = Duration::from_secs(2);

/// Longest token looked at. The largest recorded one is below 1 KiB; attributes and metadata
/// may take the rest.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// How far two honest clocks may differ when `exp`, `nbf` and `iat` are judged.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(60);

/// Deepest nesting of JSON inside a token. Grants need three.
pub(crate) const TOKEN_DEPTH_MAX: usize = 8;

/// Longest key name repeated in an error; a longer one is not a key of anybody.
pub(crate) const KEY_NAME_BYTES_MAX: usize = 64;
