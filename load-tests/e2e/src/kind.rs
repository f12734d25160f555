//! The kinds of client that every scenario is played with.

use std::path::PathBuf;

/// One SDK on one platform and signal path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// livekit-client in Chromium, one peer connection (`/rtc/v1`).
    ChromiumV1,
    /// livekit-client in Chromium, two peer connections (`/rtc`).
    ChromiumV0,
    FirefoxV1,
    FirefoxV0,
    /// The Go SDK: Pion on `/rtc`, the only path it knows.
    Go,
    /// The Python wheel: the Rust SDK with libwebrtc, on `/rtc/v1`.
    Python,
    /// The same on `/rtc`.
    PythonV0,
    /// aiortc in Python, which offers no SRTP profile but `AES128_CM_SHA1_80`. On `/rtc`, no SDK,
    /// and no more than sound both ways.
    Aiortc,
}

impl Kind {
    /// Whether it is told to use two peer connections.
    pub(crate) fn is_v0(self) -> bool {
        matches!(
            self,
            Self::ChromiumV0 | Self::FirefoxV0 | Self::PythonV0 | Self::Go | Self::Aiortc
        )
    }

    /// It neither encodes nor decodes: the test does both for it.
    pub(crate) fn speaks_opus(self) -> bool {
        self == Self::Go
    }

    /// The program that drives it, with its arguments.
    pub(crate) fn driver(self) -> (PathBuf, Vec<PathBuf>) {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        match self {
            Self::ChromiumV1 | Self::ChromiumV0 => {
                ("node".into(), vec![here.join("node/driver.js"), "chromium".into()])
            }
            Self::FirefoxV1 | Self::FirefoxV0 => {
                ("node".into(), vec![here.join("node/driver.js"), "firefox".into()])
            }
            Self::Go => (here.join("go/bin/client"), vec![]),
            Self::Python | Self::PythonV0 => {
                (here.join("python/.venv/bin/python"), vec![here.join("python/driver.py")])
            }
            Self::Aiortc => {
                (here.join("python/.venv/bin/python"), vec![here.join("python/aiortc_client.py")])
            }
        }
    }

    /// What the client calls the end of a call for `reason`: the Go SDK knows few reasons.
    pub fn calls_it(self, reason: &'static str) -> &'static str {
        let known = ["CLIENT_INITIATED", "DUPLICATE_IDENTITY", "PARTICIPANT_REMOVED"];
        if self == Self::Go && !known.contains(&reason) { "OTHER" } else { reason }
    }
}

/// The program that drives browsers on the call page.
pub(crate) fn call_page_driver() -> (PathBuf, Vec<PathBuf>) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    ("node".into(), vec![here.join("node/caller.js")])
}
