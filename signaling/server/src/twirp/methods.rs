//! What each method asks of its caller's rights and of the room's owner.

use axum::response::Response;
use prost::Message as _;
use proto::{
    control::{Operation, OperationError, Reply, RoomAction},
    ids::{Identity, RoomName},
    link::UnixMicros,
    livekit::{
        CreateRoomRequest, DeleteRoomRequest, ListParticipantsRequest, ListParticipantsResponse,
        ListRoomsRequest, ListRoomsResponse, MuteRoomTrackRequest, MuteRoomTrackResponse,
        ParticipantInfo, Room, RoomParticipantIdentity, SendDataRequest, UpdateParticipantRequest,
        UpdateRoomMetadataRequest, UpdateSubscriptionsRequest,
    },
};
use service::clock;
use tracing::warn;

use super::{
    Call,
    error::{Code, TwirpError},
};
use crate::{
    access,
    hub::{AskError, Hold},
    keeper::NotWritten,
    revocations::{self, NotRevoked},
};

impl Call {
    pub(super) async fn create_room(&self) -> Result<Response, TwirpError> {
        let request: CreateRoomRequest = self.decode()?;
        self.require(self.grant.room_create)?;
        let room = request
            .name
            .parse::<RoomName>()
            .map_err(|error| TwirpError::new(Code::InvalidArgument, error.to_string()))?;
        let (hold, is_new) = self.app.owners.place_new(&room).await?;
        if is_new {
            // On disk before anybody is told that it exists.
            self.app.keeper.save(&room, hold.epoch(), request.encode_to_vec()).await?;
        }
        let room = room_in(self.ask(&hold, Operation::Create(request)).await?)?;
        Ok(self.encode(&room))
    }

    pub(super) async fn list_rooms(&self) -> Result<Response, TwirpError> {
        let request: ListRoomsRequest = self.decode()?;
        self.require(self.grant.room_list)?;
        let rooms = self.app.owners.hub.list_rooms(request.names).await?;
        Ok(self.encode(&ListRoomsResponse { rooms }))
    }

    pub(super) async fn delete_room(&self) -> Result<Response, TwirpError> {
        let request: DeleteRoomRequest = self.decode()?;
        self.require(self.grant.room_create)?;
        let hold = self.hold(&request.room).await?.ok_or(OperationError::NoSuchRoom)?;
        let database = &self.app.owners.database;
        // Ending the call doesn't wait for the database, which may be gone.
        let (revoked, deleted) = tokio::join!(
            revocations::revoke_all(database, hold.room()),
            self.ask(&hold, Operation::Delete)
        );
        revoked?;
        deleted?;
        self.app.keeper.end(hold.room(), hold.epoch()).await?;
        Ok(self.encode_empty())
    }

    pub(super) async fn list_participants(&self) -> Result<Response, TwirpError> {
        let request: ListParticipantsRequest = self.decode()?;
        let participants = match self.hold_as_admin(&request.room).await? {
            None => Vec::new(),
            Some(hold) => match self.ask(&hold, Operation::ListParticipants).await {
                Ok(Reply::Participants(participants)) => participants,
                Ok(_) => return Err(unexpected()),
                Err(AskError::Refused(OperationError::NoSuchRoom)) => Vec::new(),
                Err(error) => return Err(error.into()),
            },
        };
        Ok(self.encode(&ListParticipantsResponse { participants }))
    }

    pub(super) async fn get_participant(&self) -> Result<Response, TwirpError> {
        let request: RoomParticipantIdentity = self.decode()?;
        let operation = Operation::GetParticipant { identity: request.identity };
        let reply = self.ask_about_participant(&request.room, operation).await?;
        Ok(self.encode(&participant_in(reply)?))
    }

    pub(super) async fn remove_participant(&self) -> Result<Response, TwirpError> {
        let request: RoomParticipantIdentity = self.decode()?;
        self.require(access::is_admin_of(Some(&self.grant), &request.room))?;
        let end = revocations::end_for(request.revoke_token_ts, clock::unix_time())
            .map_err(|error| TwirpError::new(Code::InvalidArgument, error.to_string()))?;
        let operation = Operation::Remove { identity: request.identity.clone() };
        // Ending the call doesn't wait for the database, which may be gone.
        let (revoked, removed) = tokio::join!(
            self.revoke(&request, end),
            self.ask_about_participant(&request.room, operation)
        );
        revoked?;
        removed?;
        Ok(self.encode_empty())
    }

    /// Whether the participant is there or not: it may never have joined, or have left by itself.
    async fn revoke(
        &self,
        RoomParticipantIdentity { room, identity, .. }: &RoomParticipantIdentity,
        end: UnixMicros,
    ) -> Result<(), NotRevoked> {
        let (Ok(room), Ok(identity)) = (room.parse::<RoomName>(), identity.parse::<Identity>())
        else {
            return Ok(());
        };
        revocations::revoke_one(&self.app.owners.database, &room, &identity, end).await
    }

    pub(super) async fn mute_published_track(&self) -> Result<Response, TwirpError> {
        let request: MuteRoomTrackRequest = self.decode()?;
        let MuteRoomTrackRequest { room, identity, track_sid, muted } = request;
        let hold = self.hold_as_admin(&room).await?.ok_or(OperationError::NoSuchParticipant)?;
        let track = match self.ask(&hold, Operation::MuteTrack { identity, track_sid, muted }).await
        {
            Ok(Reply::Track(track)) => track,
            Ok(_) => return Err(unexpected()),
            // LiveKit's answer to a track it doesn't know.
            Err(AskError::Refused(OperationError::NoSuchTrack)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(self.encode(&MuteRoomTrackResponse { track: track.map(|track| *track) }))
    }

    pub(super) async fn update_participant(&self) -> Result<Response, TwirpError> {
        let request: UpdateParticipantRequest = self.decode()?;
        let room = request.room.clone();
        let operation = Operation::UpdateParticipant(request);
        let reply = self.ask_about_participant(&room, operation).await?;
        Ok(self.encode(&participant_in(reply)?))
    }

    pub(super) async fn update_subscriptions(&self) -> Result<Response, TwirpError> {
        let request: UpdateSubscriptionsRequest = self.decode()?;
        let room = request.room.clone();
        self.ask_about_participant(&room, Operation::UpdateSubscriptions(request)).await?;
        Ok(self.encode_empty())
    }

    pub(super) async fn send_data(&self) -> Result<Response, TwirpError> {
        let request: SendDataRequest = self.decode()?;
        let hold = self.hold_as_admin(&request.room).await?.ok_or(OperationError::NoSuchRoom)?;
        self.ask(&hold, Operation::SendData(request)).await?;
        Ok(self.encode_empty())
    }

    pub(super) async fn update_room_metadata(&self) -> Result<Response, TwirpError> {
        let UpdateRoomMetadataRequest { room, metadata } = self.decode()?;
        let hold = self.hold_as_admin(&room).await?.ok_or(OperationError::NoSuchRoom)?;
        let operation = Operation::UpdateMetadata { metadata: metadata.clone() };
        let room = room_in(self.ask(&hold, operation).await?)?;
        self.save_metadata(&hold, metadata).await?;
        Ok(self.encode(&room))
    }

    /// A room that comes back after a restart does so with the metadata it was given last.
    async fn save_metadata(&self, hold: &Hold, metadata: String) -> Result<(), TwirpError> {
        let saved = self.app.owners.database.settings(hold.room()).await.map_err(|error| {
            warn!(room = hold.room().as_str(), %error, "settings of a room were not read");
            NotWritten
        })?;
        let settings = saved.and_then(|saved| CreateRoomRequest::decode(saved.as_slice()).ok());
        if let Some(settings) = settings {
            let settings = CreateRoomRequest { metadata, ..settings }.encode_to_vec();
            self.app.keeper.save(hold.room(), hold.epoch(), settings).await?;
        }
        Ok(())
    }

    fn require(&self, right: bool) -> Result<(), TwirpError> {
        if right { Ok(()) } else { Err(TwirpError::denied()) }
    }

    /// Returns the room if it is known. Whoever may not moderate it doesn't learn whether it is.
    async fn hold_as_admin(&self, room: &str) -> Result<Option<Hold>, TwirpError> {
        self.require(access::is_admin_of(Some(&self.grant), room))?;
        self.hold(room).await
    }

    async fn hold(&self, room: &str) -> Result<Option<Hold>, TwirpError> {
        let Ok(room) = room.parse::<RoomName>() else { return Ok(None) };
        Ok(self.app.owners.find(&room).await?)
    }

    async fn ask_about_participant(
        &self,
        room: &str,
        operation: Operation,
    ) -> Result<Reply, TwirpError> {
        let hold = self.hold_as_admin(room).await?.ok_or(OperationError::NoSuchParticipant)?;
        Ok(self.ask(&hold, operation).await?)
    }

    async fn ask(&self, hold: &Hold, operation: Operation) -> Result<Reply, AskError> {
        let operation = Box::new(operation);
        self.app.owners.hub.ask(hold, |request| RoomAction::Admin { request, operation }).await
    }
}

fn room_in(reply: Reply) -> Result<Room, TwirpError> {
    let Reply::Room(room) = reply else { return Err(unexpected()) };
    Ok(*room)
}

fn participant_in(reply: Reply) -> Result<ParticipantInfo, TwirpError> {
    let Reply::Participant(participant) = reply else { return Err(unexpected()) };
    Ok(*participant)
}

/// Our own bug: the owner answered another question than it was asked.
fn unexpected() -> TwirpError {
    debug_assert!(false, "the owner answered another question");
    TwirpError::new(Code::Internal, "the room's owner gave an unexpected answer")
}

impl From<NotWritten> for TwirpError {
    fn from(_: NotWritten) -> Self {
        Self::new(Code::Unavailable, "the database can't take this right now")
    }
}

impl From<NotRevoked> for TwirpError {
    fn from(_: NotRevoked) -> Self {
        let text = "whoever was there was removed, but the database can't refuse their tokens now: \
                    try again in a moment";
        Self::new(Code::Unavailable, text)
    }
}
