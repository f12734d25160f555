//! The conversation with signaling: one offer at a time, and what the server asks for.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use proto::livekit::{
    AddTrackRequest, ClientInfo, ConnectionSettings, JoinRequest, LeaveRequest, SessionDescription,
    TrackSource, TrackType, client_info::Sdk, signal_request, signal_response::Message,
};
use tokio::sync::{mpsc, oneshot};
use webrtc::{
    media_stream::track_local::TrackLocal,
    peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription},
    rtp_transceiver::RTCRtpTransceiverDirection,
};

use crate::{
    connection::{add_listening_section, in_direction},
    participant::Event,
    signal::Signal,
};

/// The protocol version that LiveKit's Rust SDK says.
const PROTOCOL: i32 = 16;

/// A track to publish, and who waits until it may be spoken into.
pub(crate) struct Publication {
    pub(crate) cid: String,
    pub(crate) track: Arc<dyn TrackLocal>,
    pub(crate) published: oneshot::Sender<()>,
}

struct Session {
    signal: Signal,
    connection: Arc<dyn PeerConnection>,
    events: mpsc::Sender<Event>,
    /// The id of the latest offer, and whether its answer is still to come.
    offer: u32,
    is_offered: bool,
    /// Something changed since the latest offer.
    is_stale: bool,
    /// Tracks that the server has yet to admit, by our name for them.
    asked: BTreeMap<String, Publication>,
    /// Who waits for the answer to a coming offer.
    admitted: Vec<oneshot::Sender<()>>,
}

/// Joins with a first offer; the session goes on by itself until it is over.
pub(crate) async fn start(
    server: SocketAddr,
    token: &str,
    connection: Arc<dyn PeerConnection>,
    publications: mpsc::Receiver<Publication>,
    events: mpsc::Sender<Event>,
) -> Result<()> {
    let offer = 1;
    let description = describe(connection.as_ref(), offer).await?;
    let client = ClientInfo { sdk: Sdk::Rust.into(), protocol: PROTOCOL, ..Default::default() };
    let settings = ConnectionSettings { auto_subscribe: true, ..Default::default() };
    let request = JoinRequest {
        client_info: Some(client),
        connection_settings: Some(settings),
        publisher_offer: Some(description),
        ..Default::default()
    };
    let signal = Signal::join(server, token, &request).await?;
    let session = Session {
        signal,
        connection,
        events,
        offer,
        is_offered: true,
        is_stale: false,
        asked: BTreeMap::new(),
        admitted: Vec::new(),
    };
    tokio::spawn(session.run(publications));
    Ok(())
}

/// Makes an offer of what the connection wants to be.
async fn describe(connection: &dyn PeerConnection, id: u32) -> Result<SessionDescription> {
    let offer = connection.create_offer(None).await?;
    connection.set_local_description(offer).await?;
    let description = connection.local_description().await.context("no description")?;
    let r#type = "offer".to_owned();
    Ok(SessionDescription { r#type, sdp: description.sdp, id, ..Default::default() })
}

impl Session {
    async fn run(mut self, mut publications: mpsc::Receiver<Publication>) {
        let reason = loop {
            let step = tokio::select! {
                publication = publications.recv() => match publication {
                    Some(publication) => self.on_publish(publication).await,
                    None => {
                        let leave = signal_request::Message::Leave(LeaveRequest::default());
                        // Whether it arrives or not, we are gone.
                        let _ = self.signal.send(leave).await;
                        break None;
                    }
                },
                message = self.signal.next() => match message {
                    Ok(Message::Leave(leave)) => break Some(leave.reason()),
                    Ok(message) => self.on_message(message).await,
                    Err(error) => Err(error),
                },
            };
            if step.is_err() {
                break None;
            }
        };
        let _ = self.events.send(Event::Ended(reason)).await;
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is for what this client lacks")]
    async fn on_message(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Join(join) => {
                let sid = join.participant.unwrap_or_default().sid;
                self.events.send(Event::Joined { sid }).await?;
                Ok(())
            }
            Message::Answer(answer) => self.on_answer(answer).await,
            Message::Trickle(trickle) => self.on_candidate(&trickle.candidate_init).await,
            Message::TrackPublished(published) => self.on_admitted(&published.cid).await,
            Message::MediaSectionsRequirement(lacking) => {
                self.on_sections_lacking(lacking.num_audios).await
            }
            _ => Ok(()),
        }
    }

    async fn on_publish(&mut self, publication: Publication) -> Result<()> {
        let request = AddTrackRequest {
            cid: publication.cid.clone(),
            name: "microphone".to_owned(),
            r#type: TrackType::Audio.into(),
            source: TrackSource::Microphone.into(),
            disable_red: true,
            ..Default::default()
        };
        self.asked.insert(publication.cid.clone(), publication);
        self.signal.send(signal_request::Message::AddTrack(request)).await
    }

    async fn on_admitted(&mut self, cid: &str) -> Result<()> {
        let Some(publication) = self.asked.remove(cid) else { return Ok(()) };
        let init = in_direction(RTCRtpTransceiverDirection::Sendonly);
        self.connection.add_transceiver_from_track(publication.track, Some(init)).await?;
        self.admitted.push(publication.published);
        self.offer().await
    }

    /// None are lacking when free sections suffice; an offer is due all the same.
    async fn on_sections_lacking(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            add_listening_section(self.connection.as_ref()).await?;
        }
        self.offer().await
    }

    async fn on_answer(&mut self, answer: SessionDescription) -> Result<()> {
        if answer.id != self.offer {
            return Ok(());
        }
        let description = RTCSessionDescription::answer(answer.sdp)?;
        self.connection.set_remote_description(description).await?;
        self.is_offered = false;
        if self.is_stale {
            return self.offer().await;
        }
        for published in self.admitted.drain(..) {
            // Who no longer waits needn't know.
            let _ = published.send(());
        }
        Ok(())
    }

    async fn on_candidate(&self, init: &str) -> Result<()> {
        let candidate: RTCIceCandidateInit = serde_json::from_str(init)?;
        if !candidate.candidate.is_empty() {
            self.connection.add_ice_candidate(candidate).await?;
        }
        Ok(())
    }

    /// Offers what changed, once the answer to the offer before has come.
    async fn offer(&mut self) -> Result<()> {
        self.is_stale = self.is_offered;
        if self.is_offered {
            return Ok(());
        }
        self.is_offered = true;
        self.offer += 1;
        let description = describe(self.connection.as_ref(), self.offer).await?;
        self.signal.send(signal_request::Message::Offer(description)).await
    }
}
