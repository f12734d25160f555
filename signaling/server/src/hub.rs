//! Where events from the SFU find the sockets and requests they are for.
//!
//! One task owns the tables: sessions, requests that wait for an answer, rooms and their epochs.
//! It never waits for a client, a database or the SFU: what can't be delivered at once ends the
//! session it was for.
//!
//! # Limits
//!
//! [`REQUESTS_MAX`] waiting requests and [`ROOMS_MAX`] rooms. One more is refused. A session's
//! queue holds [`OUTGOING_MESSAGES_MAX`] messages; one more ends the session.

mod dispatcher;
mod rooms;

use proto::{
    control::{Command, OperationError, Reply, RequestId, RoomAction, RoomCommand},
    grants::Grants,
    ids::{Epoch, RoomName, SessionId},
    livekit,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

pub(crate) use dispatcher::Dispatcher;
pub(crate) use rooms::Hold;

use crate::limits::{OUTGOING_MESSAGES_MAX, REQUEST_TIME};
#[cfg(doc)]
use crate::limits::{REQUESTS_MAX, ROOMS_MAX};

/// The way to the tables and to the SFU. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    messages: mpsc::Sender<Message>,
    commands: mpsc::Sender<Command>,
}

/// What the tables' owner is asked.
#[derive(Debug)]
enum Message {
    Find { room: RoomName, reply: oneshot::Sender<Found> },
    Learn { room: RoomName, epoch: Epoch, reply: oneshot::Sender<Option<Hold>> },
    Register { session: SessionId, seat: Seat, reply: oneshot::Sender<()> },
    Unregister { session: SessionId },
    Ask { reply: oneshot::Sender<Option<Question>> },
    Stop,
    CutAll(Cut),
    WhenEmpty { reply: oneshot::Sender<()> },
}

/// What is known of a room's owner.
#[derive(Debug)]
pub(crate) enum Found {
    /// Ours, live or about to be.
    Ours { hold: Hold, liveness: Liveness },
    /// Not known to be anybody's. Every epoch up to this one is over.
    Unknown { dead: Epoch },
}

/// Whether a room that is ours has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    Live,
    /// Claimed, not started yet, or ended with somebody still holding it.
    Idle,
}

/// A session's place in the table.
#[derive(Debug)]
struct Seat {
    room: RoomName,
    frames: mpsc::Sender<Outgoing>,
    cut: mpsc::Sender<Cut>,
}

/// What reaches a session from the SFU, in order.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Frame(Box<livekit::SignalResponse>),
    Refresh(Box<Grants>),
    /// Nothing follows.
    Close,
}

/// Why a session ends at once, whatever is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It doesn't read what it is sent.
    TooSlow,
    /// Its room's owner is gone, or has another epoch: a new connection finds the right one.
    Misplaced,
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
    /// Looks `room` up.
    pub(crate) async fn find(&self, room: &RoomName) -> Result<Found, Busy> {
        self.call(|reply| Message::Find { room: room.clone(), reply }).await
    }

    /// States that `room` is ours under `epoch`, as the database says. The hold's epoch may be
    /// higher if that is known by now.
    pub(crate) async fn learn(&self, room: &RoomName, epoch: Epoch) -> Result<Hold, Busy> {
        let learn = |reply| Message::Learn { room: room.clone(), epoch, reply };
        self.call(learn).await?.ok_or(Busy)
    }

    /// Gives `session` a place: from now on events reach its mailbox.
    pub(crate) async fn register(
        &self,
        session: SessionId,
        room: RoomName,
    ) -> Result<Mailbox, Busy> {
        let (frames, mailbox_frames) = mpsc::channel(OUTGOING_MESSAGES_MAX);
        let (cut, mailbox_cut) = mpsc::channel(1);
        let seat = Seat { room, frames, cut };
        self.call(|reply| Message::Register { session, seat, reply }).await?;
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
        self.command(Command::Room(Box::new(RoomCommand { room, epoch, action }))).await
    }

    /// Sends an action that is answered, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        hold: &Hold,
        action: impl FnOnce(RequestId) -> RoomAction,
    ) -> Result<Reply, AskError> {
        let question = self.question().await?;
        self.send(hold, action(question.id)).await?;
        match answer_of(question).await? {
            Answer::Reply(reply) => Ok(reply?),
            Answer::Rooms(_) => Err(Busy.into()),
        }
    }

    /// Asks every SFU shard which of `names` are live, or all that are when `names` is empty.
    pub(crate) async fn list_rooms(&self, names: Vec<String>) -> Result<Vec<livekit::Room>, Busy> {
        let question = self.question().await?;
        self.command(Command::ListRooms { request: question.id, names }).await?;
        match answer_of(question).await? {
            Answer::Rooms(rooms) => Ok(rooms),
            Answer::Reply(_) => Err(Busy),
        }
    }

    /// Tells the SFU to end every room. From here on, rooms that end are not forgotten.
    pub(crate) async fn stop(&self) -> Result<(), Busy> {
        self.messages.send(Message::Stop).await.map_err(|_| Busy)?;
        self.command(Command::Shutdown).await
    }

    /// Ends every session at once.
    pub(crate) async fn cut_all(&self, cut: Cut) {
        let _gone = self.messages.send(Message::CutAll(cut)).await;
    }

    /// Resolves once no session is left.
    pub(crate) async fn emptied(&self) {
        let _gone = self.call(|reply| Message::WhenEmpty { reply }).await;
    }

    async fn question(&self) -> Result<Question, Busy> {
        self.call(|reply| Message::Ask { reply }).await?.ok_or(Busy)
    }

    async fn command(&self, command: Command) -> Result<(), Busy> {
        self.commands.send_timeout(command, REQUEST_TIME).await.map_err(|_| Busy)
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

async fn answer_of(question: Question) -> Result<Answer, Busy> {
    timeout(REQUEST_TIME, question.answer).await.map_err(|_| Busy)?.map_err(|_| Busy)
}
