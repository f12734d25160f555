//! Everything that reads a peer's bytes, as functions that a fuzzer can call.
//!
//! A target takes any bytes and panics when what it called broke a promise. `tests/corpus.rs`
//! replays the committed inputs and mutations of them; README.md says how to discover more.

mod clock;
pub mod mutate;
mod recording;
mod script;
mod shard;
mod transport;
mod wire;

/// One function to feed with anything.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its folder in `corpus/`.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

/// Every target there is.
pub const TARGETS: [Target; 10] = [
    Target { name: "stun", run: wire::stun },
    Target { name: "rtp", run: wire::rtp },
    Target { name: "rtcp", run: wire::rtcp },
    Target { name: "sdp", run: wire::sdp },
    Target { name: "data_packet", run: wire::data_packet },
    Target { name: "signal_json", run: wire::signal_json },
    Target { name: "join_request", run: wire::join_request },
    Target { name: "transport", run: transport::transport },
    Target { name: "shard", run: shard::shard },
    Target { name: "recording", run: recording::recording },
];

/// Returns the target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
