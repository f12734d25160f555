//! The peer connection of the crate `webrtc`, set up as a LiveKit client sets up its own.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use anyhow::Result;
use proto::data::Channel;
use rtc::{
    peer_connection::configuration::media_engine::MIME_TYPE_OPUS,
    rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind},
};
use tokio::sync::mpsc;
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit},
    media_stream::track_remote::{TrackRemote, TrackRemoteEvent},
    peer_connection::{
        MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
        RTCPeerConnectionState, Registry, register_default_interceptors,
    },
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit},
};

use crate::participant::{Event, Sound, now};

pub(crate) const OPUS_PAYLOAD_TYPE: u8 = 111;

pub(crate) type Channels = BTreeMap<Channel, Arc<dyn DataChannel>>;

/// Makes a connection with the three channels and one section to listen by.
pub(crate) async fn open(
    events: mpsc::Sender<Event>,
) -> Result<(Arc<dyn PeerConnection>, Channels)> {
    let mut media = MediaEngine::default();
    media.register_codec(opus_parameters(), RtpCodecKind::Audio)?;
    let registry = register_default_interceptors(Registry::new(), &mut media)?;
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(Handler { events: events.clone() }))
        .with_udp_addrs(vec![(Ipv4Addr::LOCALHOST, 0)])
        .build()
        .await?;
    let connection: Arc<dyn PeerConnection> = Arc::new(connection);
    let mut channels = Channels::new();
    for channel in Channel::ALL {
        let opened = connection.create_data_channel(channel.label(), Some(init(channel))).await?;
        tokio::spawn(read(channel, Arc::clone(&opened), events.clone()));
        channels.insert(channel, opened);
    }
    add_listening_section(connection.as_ref()).await?;
    Ok((connection, channels))
}

/// Adds a section in which the server can send one more speaker.
pub(crate) async fn add_listening_section(connection: &dyn PeerConnection) -> Result<()> {
    let init = in_direction(RTCRtpTransceiverDirection::Recvonly);
    connection.add_transceiver_from_kind(RtpCodecKind::Audio, Some(init)).await?;
    Ok(())
}

pub(crate) fn in_direction(direction: RTCRtpTransceiverDirection) -> RTCRtpTransceiverInit {
    RTCRtpTransceiverInit { direction, streams: Vec::new(), send_encodings: Vec::new() }
}

pub(crate) fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

fn opus_parameters() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE }
}

fn init(channel: Channel) -> RTCDataChannelInit {
    match channel {
        Channel::Reliable => RTCDataChannelInit { ordered: true, ..Default::default() },
        Channel::Lossy | Channel::DataTrack => {
            RTCDataChannelInit { ordered: false, max_retransmits: Some(0), ..Default::default() }
        }
    }
}

async fn read(channel: Channel, opened: Arc<dyn DataChannel>, events: mpsc::Sender<Event>) {
    while let Some(event) = opened.poll().await {
        let event = match event {
            DataChannelEvent::OnOpen => Event::ChannelOpen(channel),
            DataChannelEvent::OnMessage(message) => {
                Event::Data { channel, payload: message.data.freeze() }
            }
            DataChannelEvent::OnError
            | DataChannelEvent::OnClosing
            | DataChannelEvent::OnClose
            | DataChannelEvent::OnBufferedAmountLow
            | DataChannelEvent::OnBufferedAmountHigh
            | _ => continue,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// What the connection calls back.
struct Handler {
    events: mpsc::Sender<Event>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = if state == RTCPeerConnectionState::Connected {
            Event::Connected
        } else if state == RTCPeerConnectionState::Failed {
            Event::Failed
        } else {
            return;
        };
        // Nobody listens once the participant is dropped.
        let _ = self.events.send(event).await;
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        tokio::spawn(listen(track, self.events.clone()));
    }
}

async fn listen(track: Arc<dyn TrackRemote>, events: mpsc::Sender<Event>) {
    let stream = track.stream_id().await;
    // LiveKit names streams `PA_…|TR_…`.
    let speaker = stream.split('|').next().unwrap_or_default().to_owned();
    while let Some(event) = track.poll().await {
        if let TrackRemoteEvent::OnRtpPacket(packet) = event {
            let payload = packet.payload;
            let sound = Sound { speaker: speaker.clone(), payload, at: now() };
            if events.send(Event::Sound(sound)).await.is_err() {
                return;
            }
        }
    }
}
