//! The echo caller: a participant of the server's own, for whoever is alone.
//!
//! It greets with a clip, then sends back what it hears a moment later. It plays packets, it
//! doesn't decode them, so it repeats one voice at a time: whoever speaks first, until that
//! voice rests.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    control::{Event, OperationError, Reply, RequestId, SignalPath},
    grants::{Grants, VideoGrant},
    ids::{Identity, ParticipantSid, TrackSid},
    livekit::{
        ClientInfo, DisconnectReason, SimulcastCodecInfo, TimedVersion, TrackInfo, TrackSource,
        participant_info,
    },
    rtp::{Packet, RtpTime},
    sdp::Mid,
};

use crate::{
    Output,
    context::Context,
    limits::{ECHO_DELAY, ECHO_PACKETS_MAX, ECHO_PAYLOAD_BYTES_MAX},
    room::{
        Room,
        listener::{Encoding, Terms, Voice},
        participant::{Participant, Profile},
        stream::units,
        track::Track,
        tracks::TrackKey,
    },
    timers::Timer,
};

const IDENTITY: &str = "echo-ada";
const NAME: &str = "Ada";
/// One packet of the clip.
const FRAME: Duration = Duration::from_millis(20);
/// How often it looks whether somebody listens.
const PATIENCE: Duration = Duration::from_millis(100);
/// A voice that has rested this long lets another be repeated.
const REST: Duration = Duration::from_secs(1);
/// What the clip claims of its loudness, in −dBov.
const GREETING_LEVEL: u8 = 24;
/// The clip's packets have this payload type until a listener's description says another.
const TERMS: Terms = Terms { opus: 111, red: None, level_extension: 0 };

#[derive(Debug)]
pub(super) struct Echo {
    sid: ParticipantSid,
    track: TrackSid,
    act: Act,
    /// Numbers what it sends.
    index: u64,
    timestamp: RtpTime,
    sent_at: Option<Instant>,
    held: VecDeque<Held>,
    /// Whose voice is being repeated, and when it was last heard.
    voice: Option<(TrackKey, Instant)>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Nobody hears it yet.
    Waiting,
    /// This packet of the clip is next.
    Greeting(usize),
    Repeating,
}

/// A packet to be sent back.
#[derive(Debug)]
struct Held {
    due: Instant,
    marker: bool,
    level: Option<u8>,
    payload: Bytes,
}

impl Room {
    pub(super) fn on_call_echo(&mut self, request: RequestId, cx: &mut Context) {
        let result = self.call_echo(cx);
        cx.event(Event::Reply { request, result });
    }

    fn call_echo(&mut self, cx: &mut Context) -> Result<Reply, OperationError> {
        if self.echo.is_some() {
            return Ok(Reply::Done);
        }
        if self.participants.is_empty() {
            return Err(OperationError::Invalid("nobody is in the room".into()));
        }
        let identity: Identity = IDENTITY
            .parse()
            .map_err(|_| OperationError::Invalid("no identity for the caller".into()))?;
        let mid =
            Mid::new("0").ok_or(OperationError::Invalid("no section for the caller".into()))?;
        if self.identities.contains_key(&identity) {
            return Err(OperationError::Invalid("the echo caller's identity is taken".into()));
        }
        let sid = self.enter_echo(identity, cx);
        let track = self.publish_echo(sid, mid, cx);
        self.echo = Some(Echo::new(sid, track));
        self.announce(sid, cx);
        self.happened_joined(sid, cx);
        self.introduce(sid, &[track], cx);
        cx.set_timer(cx.now, Timer::Echo(self.id));
        Ok(Reply::Done)
    }

    fn enter_echo(&mut self, identity: Identity, cx: &mut Context) -> ParticipantSid {
        let sid = ParticipantSid::from_random(cx.random.bits128());
        let video = VideoGrant { can_subscribe: Some(true), ..VideoGrant::default() };
        let grants = Grants {
            identity: IDENTITY.to_owned(),
            name: NAME.to_owned(),
            video: Some(video),
            ..Grants::default()
        };
        let joined = (cx.now, cx.unix_micros());
        let software = (ClientInfo::default(), "");
        let profile = Profile::new(sid, identity.clone(), grants, software, joined);
        let mut participant = Participant::new(profile, SignalPath::OneConnection, None);
        participant.presence.state = participant_info::State::Active;
        participant.presence.is_announced = true;
        self.participants.insert(sid, participant);
        self.identities.insert(identity, sid);
        sid
    }

    fn publish_echo(&mut self, owner: ParticipantSid, mid: Mid, cx: &mut Context) -> TrackSid {
        let sid = TrackSid::from_random(cx.random.bits128());
        let info = track_info(sid, &mid, cx.unix_micros());
        let mut track = Track::new(sid, owner, info, mid, (TERMS, cx.now));
        // There is nobody to tell.
        track.subscribed_told = true;
        self.tracks.insert(track);
        if let Some(participant) = self.participants.get_mut(&owner) {
            participant.publishing.tracks.insert(sid);
        }
        sid
    }

    /// Keeps a packet that others are getting now, to be sent back later.
    pub(super) fn hold_for_echo(
        &mut self,
        from: TrackKey,
        voice: &Voice,
        packet: &Packet<'_>,
        cx: &mut Context,
    ) {
        let Some(echo) = &mut self.echo else { return };
        if self.tracks.key(echo.track) != Some(from) && echo.hold(from, voice, packet, cx.now) {
            cx.set_timer(cx.now + ECHO_DELAY, Timer::Echo(self.id));
        }
    }

    pub(super) fn on_echo(&mut self, cx: &mut Context) {
        let Some(mut echo) = self.echo.take() else { return };
        match echo.act {
            Act::Waiting => self.await_listener(&mut echo, cx),
            Act::Greeting(next) => self.greet(&mut echo, next, cx),
            Act::Repeating => self.repeat(&mut echo, cx),
        }
        self.echo = Some(echo);
    }

    fn await_listener(&self, echo: &mut Echo, cx: &mut Context) {
        let listeners = self.tracks.get(echo.track).map(|track| track.listeners.as_slice());
        let is_heard = listeners.unwrap_or_default().iter().any(|it| it.open);
        if is_heard {
            echo.act = Act::Greeting(0);
        }
        let wait = if is_heard { FRAME } else { PATIENCE };
        cx.set_timer(cx.now + wait, Timer::Echo(self.id));
    }

    fn greet(&mut self, echo: &mut Echo, next: usize, cx: &mut Context) {
        let Some(payload) = cx.config.greeting.get(next).cloned() else {
            echo.act = Act::Repeating;
            return;
        };
        echo.act = Act::Greeting(next + 1);
        cx.set_timer(cx.now + FRAME, Timer::Echo(self.id));
        let held = Held { due: cx.now, marker: next == 0, level: Some(GREETING_LEVEL), payload };
        self.send_echo(echo, held, cx);
    }

    fn repeat(&mut self, echo: &mut Echo, cx: &mut Context) {
        while let Some(held) = echo.take_due(cx.now) {
            self.send_echo(echo, held, cx);
        }
        if let Some(next) = echo.held.front() {
            cx.set_timer(next.due, Timer::Echo(self.id));
        }
    }

    fn send_echo(&mut self, echo: &mut Echo, held: Held, cx: &mut Context) {
        let Some(track) = self.tracks.get_mut(echo.track) else { return };
        let voice = echo.number(&held);
        track.clock.on_packet(voice.timestamp, cx.clock.ntp(cx.now));
        track.intake.last_at = Some(cx.now);
        let is_loud =
            held.level.is_some_and(|level| track.speech.observe(level, voice.payload_len));
        let mut to = Vec::with_capacity(track.listeners.len());
        if !track.info.muted {
            track.distribute(&voice, cx.now, &mut to);
        }
        if is_loud {
            self.watch_speakers(cx);
        }
        if !to.is_empty() {
            cx.outbox.push_back(Output::Voice { to, payload: held.payload });
        }
    }

    /// It keeps nobody company but others.
    pub(super) fn is_echo(&self, sid: ParticipantSid) -> bool {
        self.echo.as_ref().is_some_and(|echo| echo.sid == sid)
    }

    pub(super) fn end_echo_if_alone(&mut self, cx: &mut Context) {
        let Some(sid) = self.echo.as_ref().map(|echo| echo.sid) else { return };
        if !self.participants.contains_key(&sid) {
            self.echo = None;
        } else if self.participants.len() == 1 {
            self.echo = None;
            self.remove(sid, DisconnectReason::ClientInitiated, cx);
        }
    }
}

impl Echo {
    fn new(sid: ParticipantSid, track: TrackSid) -> Self {
        Self {
            sid,
            track,
            act: Act::Waiting,
            index: 0,
            timestamp: RtpTime(0),
            sent_at: None,
            held: VecDeque::with_capacity(ECHO_PACKETS_MAX),
            voice: None,
        }
    }

    /// Returns whether it is the first packet held, so that nothing wakes the caller for it yet.
    fn hold(&mut self, from: TrackKey, voice: &Voice, packet: &Packet<'_>, now: Instant) -> bool {
        let start = match voice.encoding {
            Encoding::Opus => 0,
            Encoding::Red { primary, .. } => primary,
        };
        let payload = packet.payload.get(start..).unwrap_or_default();
        let is_repeating = matches!(self.act, Act::Repeating);
        if !is_repeating || !self.listens_to(from, now) || payload.len() > ECHO_PAYLOAD_BYTES_MAX {
            return false;
        }
        if self.held.len() >= ECHO_PACKETS_MAX {
            self.held.pop_front();
        }
        self.held.push_back(Held {
            due: now + ECHO_DELAY,
            marker: voice.marker,
            level: voice.level,
            payload: Bytes::copy_from_slice(payload),
        });
        self.held.len() == 1
    }

    fn listens_to(&mut self, from: TrackKey, now: Instant) -> bool {
        let rests =
            |(_, heard_at): &(TrackKey, Instant)| now.saturating_duration_since(*heard_at) > REST;
        if self.voice.as_ref().is_none_or(rests) {
            self.voice = Some((from, now));
        }
        match &mut self.voice {
            Some((speaker, heard_at)) if *speaker == from => {
                *heard_at = now;
                true
            }
            _ => false,
        }
    }

    fn take_due(&mut self, now: Instant) -> Option<Held> {
        self.held.front().filter(|held| held.due <= now)?;
        self.held.pop_front()
    }

    /// The next packet in sequence, as far on in time as it is later.
    fn number(&mut self, held: &Held) -> Voice {
        let since = self.sent_at.map(|sent_at| held.due.saturating_duration_since(sent_at));
        self.timestamp = self.timestamp.plus(units(since.unwrap_or_default()).0);
        self.sent_at = Some(held.due);
        self.index += 1;
        Voice {
            index: self.index,
            timestamp: self.timestamp,
            marker: held.marker,
            encoding: Encoding::Opus,
            level: held.level,
            payload_len: held.payload.len(),
        }
    }
}

fn track_info(sid: TrackSid, mid: &Mid, unix_micro: i64) -> TrackInfo {
    let codec = SimulcastCodecInfo {
        mime_type: "audio/opus".to_owned(),
        mid: mid.to_string(),
        ..SimulcastCodecInfo::default()
    };
    TrackInfo {
        sid: sid.to_string(),
        name: "echo".to_owned(),
        source: TrackSource::Microphone.into(),
        mime_type: "audio/opus".to_owned(),
        mid: mid.to_string(),
        codecs: vec![codec],
        stream: "camera".to_owned(),
        version: Some(TimedVersion { unix_micro, ticks: 0 }),
        ..TrackInfo::default()
    }
}
