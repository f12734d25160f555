//! Where events from SFU nodes find the sockets and requests they are for, and rooms their node.
//!
//! One task owns the tables: links, sessions, requests that wait for an answer, rooms and where
//! they are, and the [`signaling_core::Pool`] that judges nodes. It never waits for a client, a
//! store or an SFU node: what can't be delivered at once ends the session it was for.
//!
//! # Limits
//!
//! [`REQUESTS_MAX`] waiting requests and [`ROOMS_MAX`] rooms. One more is refused. A session's
//! queue holds [`OUTGOING_MESSAGES_MAX`] messages; one more ends the session.

mod dispatcher;
mod links;
mod rooms;

use std::time::Instant;

use futures_util::future::join_all;
use proto::{
    control::{Command, MediaStage, OperationError, Reply, RequestId, RoomAction, RoomCommand},
    grants::Grants,
    ids::{Epoch, RoomName, SessionId},
    livekit,
    pool::{NodeRecord, Owner, Placement},
};
use signaling_core::Unavailable;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

pub(crate) use dispatcher::Dispatcher;
pub(crate) use links::{LinkId, LinkNews, carry};
pub(crate) use rooms::{Hold, Liveness};

use crate::limits::{OUTGOING_MESSAGES_MAX, REQUEST_TIME};
#[cfg(doc)]
use crate::limits::{REQUESTS_MAX, ROOMS_MAX};

/// The way to the tables. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    messages: mpsc::Sender<Message>,
    /// Changes whenever a room that had no place might have one.
    news: watch::Receiver<()>,
}

/// What the tables' owner is asked.
#[derive(Debug)]
enum Message {
    Seek {
        room: RoomName,
        seen: Seen,
        asked: Instant,
        reply: oneshot::Sender<Verdict>,
    },
    Learn {
        room: RoomName,
        place: Placement,
        liveness: Liveness,
        reply: oneshot::Sender<Option<Hold>>,
    },
    Introduced {
        hold: Hold,
    },
    Observe {
        listing: Option<Vec<NodeRecord>>,
        reply: oneshot::Sender<Observed>,
    },
    Records {
        reply: oneshot::Sender<Vec<NodeRecord>>,
    },
    /// Of which of these nothing is heard any more?
    UnheardOf {
        holders: Vec<Owner>,
        reply: oneshot::Sender<Vec<Owner>>,
    },
    Placements {
        reply: oneshot::Sender<Vec<(RoomName, Placement)>>,
    },
    Register {
        session: SessionId,
        hold: Hold,
        mailbox: Seat,
        reply: oneshot::Sender<Option<()>>,
    },
    Unregister {
        session: SessionId,
    },
    Ask {
        link: LinkId,
        reply: oneshot::Sender<Option<Question>>,
    },
    AskAll {
        reply: oneshot::Sender<Option<Vec<Addressed>>>,
    },
    Stop,
    CutAll(Cut),
    WhenEmpty {
        reply: oneshot::Sender<()>,
    },
}

/// What the stores say of a room's place, as far as they were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    NotAsked,
    Nowhere,
    At(Placement),
}

/// What is to be done about a room.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is there, or about to be.
    Found {
        hold: Hold,
        liveness: Liveness,
    },
    /// Not known here: ask the stores.
    Unknown,
    /// Nobody alive holds it: claim it for `owner`, every epoch up to `above` being over.
    Claim {
        owner: Owner,
        above: Epoch,
    },
    /// Not clear yet. Ask again on news, at the latest then.
    Wait {
        until: Instant,
    },
    Unavailable {
        reason: Unavailable,
    },
    /// The table is.
    Full,
}

/// What follows from a listing of nodes.
#[derive(Debug)]
pub(crate) struct Observed {
    /// The nodes that there should be a link to, and their cluster addresses.
    pub(crate) linkable: Vec<(Owner, String)>,
}

/// A session's place in the table.
#[derive(Debug)]
struct Seat {
    frames: mpsc::Sender<Outgoing>,
    cut: mpsc::Sender<Cut>,
}

/// What reaches a session from the SFU, in order.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Frame(Box<livekit::SignalResponse>),
    Refresh(Box<Grants>),
    /// The client hears nothing of it.
    Reached(MediaStage),
    /// Nothing follows.
    Close,
}

/// Why a session ends at once, whatever is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It doesn't read what it is sent.
    TooSlow,
    /// Its room has another epoch: a new connection finds the right owner.
    Misplaced,
    /// The link to its room's node is gone, perhaps the node with it.
    LinkLost,
    /// The process stops.
    Stopping,
}

/// The session's ends of its [`Seat`].
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) frames: mpsc::Receiver<Outgoing>,
    pub(crate) cut: mpsc::Receiver<Cut>,
}

/// A request with an id, and where its answer arrives.
#[derive(Debug)]
struct Question {
    id: RequestId,
    answer: oneshot::Receiver<Answer>,
}

/// A question, and the way to the node that it is for.
type Addressed = (mpsc::Sender<Command>, Question);

/// What the SFU answers a request.
#[derive(Debug)]
enum Answer {
    Reply(Result<Reply, OperationError>),
    Rooms(Vec<livekit::Room>),
}

/// The tables are full, or the SFU doesn't answer. Trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("busy")]
pub(crate) struct Busy;

/// Why a room's owner did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Refused(#[from] OperationError),
}

impl Hub {
    /// Says what is to be done about `room`, on behalf of somebody who asked at `asked`.
    pub(crate) async fn seek(
        &self,
        room: &RoomName,
        seen: Seen,
        asked: Instant,
    ) -> Result<Verdict, Busy> {
        self.call(|reply| Message::Seek { room: room.clone(), seen, asked, reply }).await
    }

    /// Hears of news that may change a [`Verdict::Wait`], from now on.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        let mut news = self.news.clone();
        news.mark_unchanged();
        news
    }

    /// States where `room` is. The hold's epoch may be higher if that is known by now; `None`
    /// when the node isn't linked any more.
    pub(crate) async fn learn(
        &self,
        room: &RoomName,
        place: Placement,
        liveness: Liveness,
    ) -> Result<Option<Hold>, Busy> {
        self.call(|reply| Message::Learn { room: room.clone(), place, liveness, reply }).await
    }

    /// Notes that the holder of the room has been told with what settings it was created.
    pub(crate) async fn introduced(&self, hold: &Hold) {
        // If the hub is gone, so is the table.
        let _gone = self.messages.send(Message::Introduced { hold: hold.clone() }).await;
    }

    /// Takes in what the registry listed; `None` when it can't be asked.
    pub(crate) async fn observe(&self, listing: Option<Vec<NodeRecord>>) -> Result<Observed, Busy> {
        self.call(|reply| Message::Observe { listing, reply }).await
    }

    /// Every node that is listed or linked.
    pub(crate) async fn records(&self) -> Result<Vec<NodeRecord>, Busy> {
        self.call(|reply| Message::Records { reply }).await
    }

    /// Those of `holders` who are gone as far as the registry can tell.
    pub(crate) async fn unheard_of(&self, holders: Vec<Owner>) -> Result<Vec<Owner>, Busy> {
        self.call(|reply| Message::UnheardOf { holders, reply }).await
    }

    /// Where every live room is.
    pub(crate) async fn placements(&self) -> Result<Vec<(RoomName, Placement)>, Busy> {
        self.call(|reply| Message::Placements { reply }).await
    }

    /// Gives `session` a place: from now on events reach its mailbox.
    pub(crate) async fn register(&self, session: SessionId, hold: &Hold) -> Result<Mailbox, Busy> {
        let (frames, mailbox_frames) = mpsc::channel(OUTGOING_MESSAGES_MAX);
        let (cut, mailbox_cut) = mpsc::channel(1);
        let mailbox = Seat { frames, cut };
        let register = |reply| Message::Register { session, hold: hold.clone(), mailbox, reply };
        self.call(register).await?.ok_or(Busy)?;
        Ok(Mailbox { frames: mailbox_frames, cut: mailbox_cut })
    }

    /// Takes `session` out of the table.
    pub(crate) async fn unregister(&self, session: SessionId) {
        // If the hub is gone, so is the table.
        let _gone = self.messages.send(Message::Unregister { session }).await;
    }

    /// Sends an action to the owner of the held room, waiting for space for a while.
    pub(crate) async fn send(&self, hold: &Hold, action: RoomAction) -> Result<(), Busy> {
        let (room, epoch) = (hold.room().clone(), hold.epoch());
        let command = Command::Room(Box::new(RoomCommand { room, epoch, action }));
        send(hold.commands(), command).await
    }

    /// Sends an action that is answered, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        hold: &Hold,
        action: impl FnOnce(RequestId) -> RoomAction,
    ) -> Result<Reply, AskError> {
        let link = hold.link();
        let question = self.call(|reply| Message::Ask { link, reply }).await?.ok_or(Busy)?;
        self.send(hold, action(question.id)).await?;
        match answer_of(question).await? {
            Answer::Reply(reply) => Ok(reply?),
            Answer::Rooms(_) => Err(Busy.into()),
        }
    }

    /// Asks every linked node which of `names` are live, or all that are when `names` is empty.
    pub(crate) async fn list_rooms(&self, names: Vec<String>) -> Result<Vec<livekit::Room>, Busy> {
        let questions = self.call(|reply| Message::AskAll { reply }).await?.ok_or(Busy)?;
        let lists = questions.into_iter().map(async |(commands, question)| {
            match list(&commands, question, names.clone()).await {
                // The link has just ended: its rooms are on their way elsewhere.
                Err(Busy) if commands.is_closed() => Ok(Vec::new()),
                listed => listed,
            }
        });
        let lists: Result<Vec<_>, Busy> = join_all(lists).await.into_iter().collect();
        Ok(lists?.into_iter().flatten().collect())
    }

    /// Asks the node of the held room alone.
    pub(crate) async fn list_rooms_at(
        &self,
        hold: &Hold,
        names: Vec<String>,
    ) -> Result<Vec<livekit::Room>, Busy> {
        let link = hold.link();
        let question = self.call(|reply| Message::Ask { link, reply }).await?.ok_or(Busy)?;
        list(hold.commands(), question, names).await
    }

    /// From here on, rooms that end are not forgotten.
    pub(crate) async fn stop(&self) {
        let _gone = self.messages.send(Message::Stop).await;
    }

    /// Ends every session at once.
    pub(crate) async fn cut_all(&self, cut: Cut) {
        let _gone = self.messages.send(Message::CutAll(cut)).await;
    }

    /// Resolves once no session is left.
    pub(crate) async fn emptied(&self) {
        let _gone = self.call(|reply| Message::WhenEmpty { reply }).await;
    }

    async fn call<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<T>) -> Message,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        self.messages.send_timeout(message(reply), REQUEST_TIME).await.map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }
}

async fn send(commands: &mpsc::Sender<Command>, command: Command) -> Result<(), Busy> {
    commands.send_timeout(command, REQUEST_TIME).await.map_err(|_| Busy)
}

async fn list(
    commands: &mpsc::Sender<Command>,
    question: Question,
    names: Vec<String>,
) -> Result<Vec<livekit::Room>, Busy> {
    send(commands, Command::ListRooms { request: question.id, names }).await?;
    match answer_of(question).await? {
        Answer::Rooms(rooms) => Ok(rooms),
        Answer::Reply(_) => Err(Busy),
    }
}

/// Waits for the answer, which doesn't come when the link ends or another node is the owner.
async fn answer_of(question: Question) -> Result<Answer, Busy> {
    timeout(REQUEST_TIME, question.answer).await.map_err(|_| Busy)?.map_err(|_| Busy)
}
