//! Commands: signaling → SFU.

use proto::control::{Command, Join, RequestId, Resume, RoomAction, RoomCommand, SignalPath};

use super::{MessageError, epoch, known, nothing, parsed, present, session, session_id};
use crate::message::{self as pb, command::What, room_command::Action};

impl From<Command> for pb::Command {
    fn from(command: Command) -> Self {
        let what = match command {
            Command::Room(command) => What::Room((*command).into()),
            Command::ListRooms { request, names } => {
                What::ListRooms(pb::ListRooms { request: request.0, names })
            }
            Command::Shutdown => What::Shutdown(nothing()),
            Command::Evacuate => What::Evacuate(nothing()),
        };
        Self { what: Some(what) }
    }
}

impl TryFrom<pb::Command> for Command {
    type Error = MessageError;

    fn try_from(command: pb::Command) -> Result<Self, MessageError> {
        match present("command", command.what)? {
            What::Hello(_) => Err(MessageError::Malformed("command: a second hello")),
            What::Room(command) => Ok(Self::Room(Box::new(command.try_into()?))),
            What::ListRooms(pb::ListRooms { request, names }) => {
                Ok(Self::ListRooms { request: RequestId(request), names })
            }
            What::Shutdown(_) => Ok(Self::Shutdown),
            What::Evacuate(_) => Ok(Self::Evacuate),
        }
    }
}

impl From<RoomCommand> for pb::RoomCommand {
    fn from(command: RoomCommand) -> Self {
        let RoomCommand { room, epoch, action } = command;
        let action = match action {
            RoomAction::Join(join) => Action::Join((*join).into()),
            RoomAction::Signal { session: id, request } => {
                Action::Signal(pb::Signal { session: session(id), request: Some(*request) })
            }
            RoomAction::Disconnected { session: id } => {
                Action::Disconnected(pb::Session { id: id.0.to_be_bytes().to_vec() })
            }
            RoomAction::Admin { request, operation } => Action::Admin(pb::Admin {
                request: request.0,
                operation: Some((*operation).into()),
            }),
            RoomAction::CallEcho { request } => {
                Action::CallEcho(pb::CallEcho { request: request.0 })
            }
        };
        Self { room: room.into(), epoch: epoch.0, action: Some(action) }
    }
}

impl TryFrom<pb::RoomCommand> for RoomCommand {
    type Error = MessageError;

    fn try_from(command: pb::RoomCommand) -> Result<Self, MessageError> {
        let action = match present("action", command.action)? {
            Action::Join(join) => RoomAction::Join(Box::new(join.try_into()?)),
            Action::Signal(signal) => RoomAction::Signal {
                session: session_id(signal.session)?,
                request: Box::new(present("signal request", signal.request)?),
            },
            Action::Disconnected(session) => {
                RoomAction::Disconnected { session: session_id(Some(session))? }
            }
            Action::Admin(admin) => RoomAction::Admin {
                request: RequestId(admin.request),
                operation: Box::new(present("operation", admin.operation)?.into()),
            },
            Action::CallEcho(call) => RoomAction::CallEcho { request: RequestId(call.request) },
        };
        Ok(Self { room: parsed("room", &command.room)?, epoch: epoch(command.epoch)?, action })
    }
}

impl From<Join> for pb::Join {
    fn from(join: Join) -> Self {
        let path = match join.protocol {
            SignalPath::TwoConnections => pb::SignalPath::TwoConnections,
            SignalPath::OneConnection => pb::SignalPath::OneConnection,
        };
        Self {
            session: session(join.session),
            identity: join.identity.into(),
            grants: Some(join.grants.into()),
            client: Some(join.client),
            user_agent: join.user_agent,
            path: path.into(),
            auto_subscribe: join.auto_subscribe,
            resume: join.resume.map(|resume| pb::Resume {
                participant: resume.participant.map(|sid| sid.to_string()),
                reason: resume.reason,
            }),
            publisher_offer: join.publisher_offer,
            add_tracks: join.add_tracks,
            sync_state: join.sync_state.map(|state| *state),
        }
    }
}

impl TryFrom<pb::Join> for Join {
    type Error = MessageError;

    fn try_from(join: pb::Join) -> Result<Self, MessageError> {
        let protocol = match known("signal path", join.path)? {
            pb::SignalPath::Unspecified => return Err(MessageError::Absent("signal path")),
            pb::SignalPath::TwoConnections => SignalPath::TwoConnections,
            pb::SignalPath::OneConnection => SignalPath::OneConnection,
        };
        Ok(Self {
            session: session_id(join.session)?,
            identity: parsed("identity", &join.identity)?,
            grants: present("grants", join.grants)?.into(),
            client: present("client", join.client)?,
            user_agent: join.user_agent,
            protocol,
            auto_subscribe: join.auto_subscribe,
            resume: join.resume.map(Resume::try_from).transpose()?,
            publisher_offer: join.publisher_offer,
            add_tracks: join.add_tracks,
            sync_state: join.sync_state.map(Box::new),
        })
    }
}

impl TryFrom<pb::Resume> for Resume {
    type Error = MessageError;

    fn try_from(resume: pb::Resume) -> Result<Self, MessageError> {
        let participant =
            resume.participant.map(|sid| parsed("resumed participant", &sid)).transpose()?;
        Ok(Self { participant, reason: resume.reason })
    }
}
