//! One participant, from its token to its leaving.

mod connection;
mod deafness;
mod descriptions;
mod hearing;
mod pace;
mod signal;
mod voice;

use std::{future, rc::Rc, time::Duration};

use anyhow::Context;
use connection::Connection;
use descriptions::Publishing;
use hearing::Hearing;
use pace::Pace;
use proto::{
    data::ChannelSide,
    livekit::{self, SignalTarget, signal_request, signal_response},
    sdp,
};
use signal::Signal;
use tokio::time::{self, Instant};
use voice::Voice;

use crate::{
    clock,
    limits::{JOIN_TIMEOUT, PING_INTERVAL, REPORT_INTERVAL},
    options::SignalPath,
    random, token,
    worker::Crew,
};

/// Who is to join where.
#[derive(Clone, Debug)]
pub(crate) struct Recruit {
    pub(crate) room: String,
    pub(crate) part: Part,
    /// Counts those with the same part in a room, from zero.
    pub(crate) number: u32,
    /// One of the first, who are asked what they lost while the rest joined.
    pub(crate) is_early: bool,
    /// Goes on reading what it hears.
    pub(crate) is_sampled: bool,
}

/// What a caller does in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Publishes, and hears nobody.
    Talker,
    /// Hears everybody, and publishes nothing.
    Listener,
}

/// Takes part in a call until everybody leaves. What goes wrong is noted in the ledger.
pub(crate) async fn call(crew: Rc<Crew>, recruit: Recruit) {
    if let Err(error) = take_part(&crew, &recruit).await {
        crew.ledger.borrow_mut().note_failed(format!("{error:#}"));
    }
}

async fn take_part(crew: &Crew, recruit: &Recruit) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut caller = time::timeout(JOIN_TIMEOUT, Caller::join(crew, recruit, started))
        .await
        .context("the WebSocket took too long")??;
    let mut leaving = crew.leaving.clone();
    let left = tokio::select! {
        lost = caller.stay() => lost,
        _ = leaving.wait_for(|leaving| *leaving) => Ok(()),
    };
    caller.signal.leave().await;
    left
}

struct Caller<'a> {
    crew: &'a Crew,
    part: Part,
    started: Instant,
    joined: bool,
    signal: Signal,
    /// The connection that we offer: the only one, on `/rtc/v1`.
    publisher: Connection,
    /// The connection that the server offers, on `/rtc`.
    subscriber: Option<Connection>,
    publishing: Publishing,
    hearing: Hearing,
    voice: Option<Voice>,
}

impl<'a> Caller<'a> {
    async fn join(crew: &'a Crew, recruit: &Recruit, started: Instant) -> anyhow::Result<Self> {
        let options = &crew.options;
        let Recruit { room, part, number, .. } = recruit;
        let identity = match part {
            Part::Talker => format!("talker-{number}"),
            Part::Listener => format!("listener-{number}"),
        };
        let token =
            token::sign(&options.key, &options.secret, room, &identity, clock::unix_time())?;
        let publisher = Connection::new(ChannelSide::Local)?;
        let mut publishing = Publishing::new(&publisher, crew.certificate.fingerprint());
        if *part == Part::Listener && options.path == SignalPath::OneConnection {
            publishing.receive_more(options.talkers);
        }
        let first_offer = match options.path {
            SignalPath::OneConnection => publishing.offer(),
            SignalPath::TwoConnections => None,
        };
        let hears = *part == Part::Listener;
        let signal = Signal::connect(options, &token, hears, first_offer).await?;
        let subscriber = match options.path {
            SignalPath::OneConnection => None,
            SignalPath::TwoConnections => Some(Connection::new(ChannelSide::Remote)?),
        };
        let hearing = Hearing::new(crew, recruit, started)?;
        Ok(Self {
            crew,
            part: *part,
            started,
            joined: false,
            signal,
            publisher,
            subscriber,
            publishing,
            hearing,
            voice: None,
        })
    }

    /// Lives on until the session is lost.
    async fn stay(&mut self) -> anyhow::Result<()> {
        let mut ping = time::interval(PING_INTERVAL);
        let packet = self.crew.options.packet_interval();
        let mut report = time::interval_at(Instant::now() + offset(packet)?, REPORT_INTERVAL);
        let pace = match self.part {
            Part::Talker => Some(Pace::new(offset(packet)?, packet)?),
            Part::Listener => None,
        };
        loop {
            let wake = self.settle()?;
            tokio::select! {
                message = self.signal.next() => self.on_signal(message?).await?,
                ready = self.publisher.readable() => {
                    ready?;
                    self.publisher.receive(|packet| self.hearing.on_packet(self.crew, packet));
                    if self.hearing.is_over() {
                        self.publisher.go_deaf()?;
                    }
                }
                ready = readable(self.subscriber.as_ref()) => {
                    ready?;
                    if let Some(subscriber) = &mut self.subscriber {
                        subscriber.receive(|packet| self.hearing.on_packet(self.crew, packet));
                        if self.hearing.is_over() {
                            subscriber.go_deaf()?;
                        }
                    }
                }
                ticks = ticks(pace.as_ref()) => self.talk(ticks?),
                _ = report.tick() => self.report(),
                _ = ping.tick() => self.signal.ping(clock::unix_time()).await?,
                () = sleep_until(wake) => {
                    let now = clock::now();
                    self.publisher.handle_timeout(now);
                    if let Some(subscriber) = &mut self.subscriber {
                        subscriber.handle_timeout(now);
                    }
                }
            }
        }
    }

    /// Sends what is to be sent; returns when to wake up.
    fn settle(&mut self) -> anyhow::Result<Option<Instant>> {
        let mut wake = self.publisher.drain()?;
        if let Some(subscriber) = &mut self.subscriber {
            wake = wake.into_iter().chain(subscriber.drain()?).min();
        }
        let connected = match (&self.subscriber, self.part) {
            (Some(subscriber), Part::Listener) => subscriber.is_connected(),
            (Some(_) | None, Part::Talker) | (None, Part::Listener) => {
                self.publisher.is_connected()
            }
        };
        if connected && !self.joined {
            self.joined = true;
            self.crew.ledger.borrow_mut().note_joined(self.started.elapsed());
        }
        let deadline = self.started + JOIN_TIMEOUT;
        if self.joined {
            return Ok(wake.map(Instant::from_std));
        }
        anyhow::ensure!(Instant::now() < deadline, "connecting took too long");
        Ok(Some(wake.map_or(deadline, |wake| deadline.min(Instant::from_std(wake)))))
    }

    async fn on_signal(&mut self, message: signal_response::Message) -> anyhow::Result<()> {
        use signal_response::Message;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for people's eyes")]
        match message {
            Message::Join(_) => self.on_join().await,
            Message::Answer(answer) => self.on_answer(&answer).await,
            Message::Offer(offer) => self.on_offer(&offer).await,
            Message::Trickle(trickle) => {
                self.on_trickle(&trickle);
                Ok(())
            }
            Message::TrackPublished(_) => {
                self.publishing.send_voice(random::bytes().map(u32::from_be_bytes)?);
                self.offer().await
            }
            Message::MediaSectionsRequirement(lacking) => {
                self.publishing.receive_more(lacking.num_audios);
                self.offer().await
            }
            Message::Leave(leave) => {
                anyhow::bail!("the server ended the session: {:?}", leave.reason())
            }
            _ => Ok(()),
        }
    }

    async fn on_join(&mut self) -> anyhow::Result<()> {
        if self.part == Part::Listener {
            return Ok(());
        }
        let request = livekit::AddTrackRequest {
            cid: descriptions::TRACK.to_owned(),
            name: "microphone".to_owned(),
            r#type: livekit::TrackType::Audio.into(),
            source: livekit::TrackSource::Microphone.into(),
            disable_dtx: true,
            disable_red: true,
            ..livekit::AddTrackRequest::default()
        };
        self.signal.send(signal_request::Message::AddTrack(request)).await
    }

    /// Offers the publisher connection anew, after the answer to the last offer.
    async fn offer(&mut self) -> anyhow::Result<()> {
        let Some(offer) = self.publishing.offer() else { return Ok(()) };
        self.signal.send(signal_request::Message::Offer(offer)).await
    }

    async fn on_answer(&mut self, answer: &livekit::SessionDescription) -> anyhow::Result<()> {
        let session = sdp::Session::parse(answer.sdp.as_bytes())?;
        self.publisher.learn(&session, self.crew)?;
        if let Some(ssrc) = self.publishing.take_answer()
            && self.voice.is_none()
        {
            self.voice = Some(Voice::new(ssrc)?);
        }
        if self.publishing.wants_to_offer() { self.offer().await } else { Ok(()) }
    }

    async fn on_offer(&mut self, offer: &livekit::SessionDescription) -> anyhow::Result<()> {
        let Some(subscriber) = &mut self.subscriber else { return Ok(()) };
        let session = sdp::Session::parse(offer.sdp.as_bytes())?;
        subscriber.learn(&session, self.crew)?;
        let fingerprint = self.crew.certificate.fingerprint();
        let answer = descriptions::answer(session, subscriber.local(), fingerprint, offer.id);
        self.signal.send(signal_request::Message::Answer(answer)).await
    }

    fn on_trickle(&mut self, trickle: &livekit::TrickleRequest) {
        let Some(address) = descriptions::candidate_address(&trickle.candidate_init) else {
            return;
        };
        let connection = match trickle.target() {
            SignalTarget::Publisher => Some(&mut self.publisher),
            SignalTarget::Subscriber => self.subscriber.as_mut(),
        };
        if let Some(connection) = connection {
            connection.learn_address(address, self.crew);
        }
    }

    /// Says what was to be said by now: late, if this thread had no time before.
    fn talk(&mut self, packets: u64) {
        if let Some(voice) = &mut self.voice
            && self.publisher.is_connected()
        {
            (0..packets).for_each(|_| voice.say(&mut self.publisher, self.crew));
        }
    }

    fn report(&mut self) {
        if let Some(voice) = &self.voice {
            self.publisher.send_rtcp(voice.report());
        }
        let connection = self.subscriber.as_mut().unwrap_or(&mut self.publisher);
        if let Some(report) = self.hearing.report() {
            connection.send_rtcp(report);
        }
    }
}

async fn readable(connection: Option<&Connection>) -> anyhow::Result<()> {
    match connection {
        Some(connection) => connection.readable().await,
        None => future::pending().await,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => time::sleep_until(wake).await,
        None => future::pending().await,
    }
}

async fn ticks(pace: Option<&Pace>) -> anyhow::Result<u64> {
    match pace {
        Some(pace) => Ok(pace.ticks().await?),
        None => future::pending().await,
    }
}

/// Callers that started together don't go on in step. Never zero.
fn offset(packet: Duration) -> anyhow::Result<Duration> {
    let part = random::bytes().map(u16::from_be_bytes)?;
    Ok(packet * (u32::from(part) + 1) / (1 << 16))
}
