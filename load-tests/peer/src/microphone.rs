//! A published track: what it is handed goes out as RTP, byte for byte.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use rtc::{
    media_stream::MediaStreamTrack,
    rtp::{Header, Packet},
    rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind},
};
use tokio::time::{MissedTickBehavior, interval};
use webrtc::media_stream::track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP};

use crate::connection::{OPUS_PAYLOAD_TYPE, opus};

/// What one packet of Opus holds.
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: u32 = 960;

/// A voice in the room.
pub struct Microphone {
    track: Arc<dyn TrackLocal>,
    ssrc: u32,
    sequence_number: u16,
    timestamp: u32,
}

impl Microphone {
    /// Makes a track that no connection knows yet. `cid` names it in signaling and in SDP.
    pub(crate) fn new(cid: &str, ssrc: u32) -> Self {
        let coding = RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: coding,
            active: true,
            codec: opus(),
            ..Default::default()
        };
        let track = MediaStreamTrack::new(
            cid.to_owned(),
            cid.to_owned(),
            cid.to_owned(),
            RtpCodecKind::Audio,
            vec![encoding],
        );
        let track: Arc<dyn TrackLocal> = Arc::new(TrackLocalStaticRTP::new(track));
        Self { track, ssrc, sequence_number: 0, timestamp: 0 }
    }

    pub(crate) fn track(&self) -> Arc<dyn TrackLocal> {
        Arc::clone(&self.track)
    }

    /// Says these frames, one every 20 ms.
    pub async fn say(&mut self, frames: impl IntoIterator<Item = Bytes>) -> Result<()> {
        let mut clock = interval(FRAME);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for frame in frames {
            clock.tick().await;
            self.write(frame).await?;
        }
        Ok(())
    }

    async fn write(&mut self, payload: Bytes) -> Result<()> {
        let header = Header {
            version: 2,
            payload_type: OPUS_PAYLOAD_TYPE,
            sequence_number: self.sequence_number,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.sequence_number = self.sequence_number.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES);
        self.track.write_rtp(Packet { header, payload }).await?;
        Ok(())
    }
}
