//! One connection's commands on their way to the shards.

use proto::control::{Command, Event, RequestId, RoomAction, RoomCommand};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::{ConnectionId, Control, Message, Newcomer, Origin, Session};

/// Bits of a node-wide request id that count; the ones above name the connection.
pub(super) const COUNTER_BITS: u32 = 40;

/// The tables' owner is gone, and the node with it.
struct NodeEnded;

/// Carries the commands of one connection.
pub(super) struct Inbound {
    control: Control,
    origin: Origin,
    requests: u64,
}

impl Inbound {
    pub(super) fn new(control: Control, origin: Origin) -> Self {
        Self { control, origin, requests: 0 }
    }

    /// Runs until the connection ends, then disconnects its sessions.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        outbox: mpsc::Sender<Event>,
    ) {
        let (ended, mut end) = oneshot::channel();
        let (id, given) = oneshot::channel();
        let newcomer = Newcomer { events: outbox, ended, id };
        if self.tell(Message::Connect(newcomer)).await.is_err() {
            return;
        }
        let Ok(id) = given.await else { return };
        let left = loop {
            tokio::select! {
                left = &mut end => break left,
                command = commands.recv() => {
                    let Some(command) = command else {
                        _ = self.tell(Message::End(id)).await;
                        break end.await;
                    };
                    if self.on_command(id, command).await.is_err() {
                        return;
                    }
                }
            }
        };
        drop(commands);
        for session in left.unwrap_or_default() {
            self.disconnect(session).await;
        }
    }

    async fn on_command(&mut self, id: ConnectionId, command: Command) -> Result<(), NodeEnded> {
        let command = match command {
            Command::Room(mut command) => {
                self.prepare(id, &mut command).await?;
                Command::Room(command)
            }
            Command::ListRooms { request, names } => {
                Command::ListRooms { request: self.ask(id, request).await?, names }
            }
            Command::Shutdown | Command::Evacuate if self.origin == Origin::Cluster => {
                warn!("another node asked this one to shut down; it goes on");
                return Ok(());
            }
            Command::Shutdown => Command::Shutdown,
            Command::Evacuate => Command::Evacuate,
        };
        self.control.mailboxes.post(command).await;
        Ok(())
    }

    /// Tells the tables what answers the command will have, before there can be any.
    async fn prepare(
        &mut self,
        id: ConnectionId,
        command: &mut RoomCommand,
    ) -> Result<(), NodeEnded> {
        let RoomCommand { room, epoch, action } = command;
        match action {
            RoomAction::Join(join) => {
                let session = Session { id: join.session, room: room.clone(), epoch: *epoch };
                self.tell(Message::Join { connection: id, session }).await
            }
            RoomAction::Signal { .. } => Ok(()),
            RoomAction::Disconnected { session } => self.tell(Message::Left(*session)).await,
            RoomAction::Admin { request, .. } | RoomAction::CallEcho { request } => {
                *request = self.ask(id, *request).await?;
                Ok(())
            }
        }
    }

    /// Returns a request id that is the node's only one, known to be that of `original`.
    async fn ask(
        &mut self,
        connection: ConnectionId,
        original: RequestId,
    ) -> Result<RequestId, NodeEnded> {
        self.requests += 1;
        let request = RequestId(u64::from(connection.0) << COUNTER_BITS | self.requests);
        self.tell(Message::Ask { connection, request, original }).await?;
        Ok(request)
    }

    async fn disconnect(&self, session: Session) {
        let Session { id, room, epoch } = session;
        let action = RoomAction::Disconnected { session: id };
        let command = RoomCommand { room, epoch, action };
        self.control.mailboxes.post(Command::Room(Box::new(command))).await;
    }

    async fn tell(&self, message: Message) -> Result<(), NodeEnded> {
        self.control.messages.send(message).await.map_err(|_| NodeEnded)
    }
}
