//! Tracks that were asked for, and how a section of a description is known to be one of them.

use proto::{
    ids::TrackSid,
    livekit::{
        AddTrackRequest, SimulcastCodecInfo, TimedVersion, TrackInfo, TrackSource, video_layer,
    },
    sdp::Section,
};

use crate::room::listener::Terms;

/// A track that was asked for and is in no description yet.
#[derive(Clone, Debug)]
pub(super) struct PendingTrack {
    pub(super) sid: TrackSid,
    /// The client's names for it: any of them may be the track's in its description.
    cids: Vec<String>,
    pub(super) info: TrackInfo,
}

impl PendingTrack {
    pub(super) fn new(sid: TrackSid, request: &AddTrackRequest) -> Self {
        let simulcast = request.simulcast_codecs.iter().map(|codec| codec.cid.clone());
        let cids = std::iter::once(request.cid.clone()).chain(simulcast).collect();
        let info = TrackInfo {
            sid: sid.to_string(),
            r#type: request.r#type,
            name: request.name.clone(),
            muted: request.muted,
            disable_dtx: request.disable_dtx,
            source: request.source,
            codecs: vec![SimulcastCodecInfo {
                cid: request.cid.clone(),
                video_layer_mode: video_layer::Mode::OneSpatialLayerPerStream.into(),
                ..SimulcastCodecInfo::default()
            }],
            stereo: request.stereo,
            disable_red: request.disable_red,
            encryption: request.encryption,
            stream: stream_of(request),
            audio_features: request.audio_features.clone(),
            backup_codec_policy: request.backup_codec_policy,
            ..TrackInfo::default()
        };
        Self { sid, cids, info }
    }

    pub(super) fn is_named(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.cids.iter().any(|cid| cid == name))
    }

    /// Whether a request under this id has been answered with this track.
    pub(super) fn was_asked_under(&self, cid: &str) -> bool {
        self.cids.first().is_some_and(|known| known == cid)
    }

    /// What is to be told of the track now that `section` describes it.
    pub(super) fn described_by(
        self,
        section: &Section,
        terms: Terms,
        unix_micro: i64,
    ) -> TrackInfo {
        let name = track_name(section);
        let is_named = self.is_named(name);
        let mime = if terms.red.is_some() { "audio/red" } else { "audio/opus" };
        let mut info = self.info;
        info.mime_type = mime.to_owned();
        info.mid = section.mid.to_string();
        info.version = Some(TimedVersion { unix_micro, ticks: 0 });
        if let Some(codec) = info.codecs.first_mut() {
            codec.mime_type = mime.to_owned();
            codec.mid = section.mid.to_string();
            if !is_named {
                codec.sdp_cid = name.unwrap_or_default().to_owned();
            }
        }
        info
    }
}

/// Tracks that are to be played in step share a stream; these are LiveKit's names.
fn stream_of(request: &AddTrackRequest) -> String {
    if !request.stream.is_empty() {
        return request.stream.clone();
    }
    match request.source() {
        TrackSource::ScreenShare | TrackSource::ScreenShareAudio => "screenshare".to_owned(),
        TrackSource::Unknown | TrackSource::Camera | TrackSource::Microphone => "camera".to_owned(),
    }
}

/// The client's name for what a section sends.
pub(super) fn track_name(section: &Section) -> Option<&str> {
    let sources = section.sources.iter().filter_map(|source| source.msid.as_ref());
    section.msid.iter().chain(sources).find_map(|msid| msid.track.as_deref())
}
