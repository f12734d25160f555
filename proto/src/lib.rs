//! Everything that crosses a wire, as types and codecs. Knows no clock, socket or runtime.

mod be;
pub mod control;
pub mod data;
pub mod data_packet;
pub mod grants;
pub mod ice;
pub mod ids;
#[cfg(feature = "json")]
pub mod json;
pub mod limits;
pub mod link;
pub mod pool;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod stun;

/// The client protocol: LiveKit's signalling messages, stated in `schema/livekit.proto`.
#[expect(clippy::all, reason = "generated from the schema, which has the comments")]
pub mod livekit {
    include!(concat!(env!("OUT_DIR"), "/livekit.rs"));
}
