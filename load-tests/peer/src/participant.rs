//! A participant of a call: what it can do, and what happens to it.

use std::{collections::VecDeque, future::Future, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use proto::{data::Channel, livekit::DisconnectReason};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::{
    connection::{self, Channels},
    limits::{EVENTS_QUEUED_MAX, JOIN_TIMEOUT, PUBLICATIONS_QUEUED_MAX, PUBLISH_TIMEOUT},
    microphone::Microphone,
    session::{self, Publication},
};

/// Somebody in a room. Leaves when dropped.
pub struct Participant {
    sid: String,
    channels: Channels,
    publications: mpsc::Sender<Publication>,
    events: mpsc::Receiver<Event>,
    /// Events that came while something else was awaited.
    unseen: VecDeque<Event>,
}

/// What happens to a participant.
#[derive(Clone, Debug)]
pub enum Event {
    /// Signaling let us in, under this SID.
    Joined {
        sid: String,
    },
    /// Media can flow.
    Connected,
    ChannelOpen(Channel),
    Sound(Sound),
    Data {
        channel: Channel,
        payload: Bytes,
    },
    /// The media path is gone.
    Failed,
    /// The session is over, for the reason the server gave, if it gave one.
    Ended(Option<DisconnectReason>),
}

/// One packet of somebody's voice.
#[derive(Clone, Debug)]
pub struct Sound {
    /// The SID of who spoke.
    pub speaker: String,
    pub payload: Bytes,
    pub at: Instant,
}

impl Participant {
    /// Joins a room and waits until media and all three channels can be used.
    pub async fn join(server: SocketAddr, token: &str) -> Result<Self> {
        in_time(JOIN_TIMEOUT, "joining", Self::try_join(server, token)).await
    }

    async fn try_join(server: SocketAddr, token: &str) -> Result<Self> {
        let (events, received) = mpsc::channel(EVENTS_QUEUED_MAX);
        let (publications, asked) = mpsc::channel(PUBLICATIONS_QUEUED_MAX);
        let (connection, channels) = connection::open(events.clone()).await?;
        session::start(server, token, connection, asked, events).await?;
        let unseen = VecDeque::new();
        let sid = String::new();
        let mut joined = Self { sid, channels, publications, events: received, unseen };
        joined.settle().await?;
        Ok(joined)
    }

    async fn settle(&mut self) -> Result<()> {
        let mut is_connected = false;
        let mut open = 0;
        while self.sid.is_empty() || !is_connected || open < self.channels.len() {
            match self.receive().await? {
                Event::Joined { sid } => self.sid = sid,
                Event::Connected => is_connected = true,
                Event::ChannelOpen(_) => open += 1,
                Event::Failed => bail!("the media path failed"),
                Event::Ended(reason) => bail!("the server ended the session: {reason:?}"),
                event @ (Event::Sound(_) | Event::Data { .. }) => self.unseen.push_back(event),
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Publishes a microphone and waits until it may be spoken into.
    pub async fn publish(&self, ssrc: u32) -> Result<Microphone> {
        let cid = format!("microphone-{ssrc}");
        let microphone = Microphone::new(&cid, ssrc);
        let (published, is_published) = oneshot::channel();
        let publication = Publication { cid, track: microphone.track(), published };
        self.publications.send(publication).await?;
        let answered = async { is_published.await.context("the session ended") };
        in_time(PUBLISH_TIMEOUT, "publishing", answered).await?;
        Ok(microphone)
    }

    pub async fn send(&self, channel: Channel, payload: &[u8]) -> Result<()> {
        let channel = self.channels.get(&channel).context("no such channel")?;
        channel.send(BytesMut::from(payload)).await?;
        Ok(())
    }

    /// Waits for the next event; an error once there can be none.
    pub async fn next_event(&mut self) -> Result<Event> {
        match self.unseen.pop_front() {
            Some(event) => Ok(event),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Event> {
        self.events.recv().await.context("the session ended")
    }
}

pub(crate) fn now() -> Instant {
    Instant::now()
}

async fn in_time<T>(
    limit: Duration,
    what: &str,
    doing: impl Future<Output = Result<T>>,
) -> Result<T> {
    timeout(limit, doing).await.with_context(|| format!("{what} took over {limit:?}"))?
}
