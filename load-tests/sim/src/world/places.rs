//! Where rooms are, as far as each signaling node knows, and which node a client's media goes to.

use std::{collections::BTreeMap, time::Duration};

use proto::{
    control::{Command, RoomAction, RoomCommand},
    ids::{Epoch, SessionId},
    livekit::{
        DisconnectReason, LeaveRequest, SignalResponse, leave_request::Action,
        signal_response::Message,
    },
};

use super::{Event, World};
use crate::{
    Admitted, Claim, PersonId, Random, RoomId, clock::Time, plan::FIRST_EPOCH, shell::End,
};

/// Longest time until every signaling node has heard of a grant.
pub(crate) const UNHEARD_MAX: Duration = Duration::from_secs(2);
const SIGNALING_NODES: u64 = 2;

/// A room's owner, and under which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub node: u16,
    pub epoch: Epoch,
}

/// One of the nodes where sockets end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SignalingId(u64);

impl SignalingId {
    pub(super) fn pick(random: &mut Random) -> Self {
        Self(random.below(SIGNALING_NODES))
    }
}

/// What each signaling node knows of rooms that were granted anew.
#[derive(Default)]
pub(super) struct Places(BTreeMap<(SignalingId, RoomId), Place>);

impl Places {
    pub(super) fn known(&self, to: SignalingId, room: RoomId) -> Place {
        let first = Place { node: 0, epoch: FIRST_EPOCH };
        self.0.get(&(to, room)).copied().unwrap_or(first)
    }

    fn learn(&mut self, by: SignalingId, room: RoomId, place: Place) {
        if self.known(by, room).epoch < place.epoch {
            self.0.insert((by, room), place);
        }
    }
}

/// A command, and which node it is for.
pub(super) struct Addressed {
    pub room: RoomId,
    pub place: Place,
    pub action: RoomAction,
    /// Whose join it is, if it is one of somebody who begins anew.
    pub newcomer: Option<(PersonId, u32)>,
}

impl World<'_> {
    pub(super) fn schedule_grants(&mut self) {
        for (number, grant) in (0..).zip(&self.plan.grants) {
            let place = Place { node: grant.node, epoch: grant.epoch };
            let mut random = Random::named(self.plan.seed, &[8, number]);
            let claimant = SignalingId::pick(&mut random);
            for signaling in (0..SIGNALING_NODES).map(SignalingId) {
                let late =
                    if signaling == claimant { Time::ZERO } else { random.up_to(UNHEARD_MAX) };
                self.schedule(grant.at + late, Event::Granted(signaling, grant.room, place));
            }
        }
    }

    /// A signaling node has lost sight of a room's owner and knows the next. Whoever came through
    /// it is told to connect again; to the owner, if it lives on, they are without a socket.
    pub(super) fn on_granted(&mut self, by: SignalingId, room: RoomId, place: Place) {
        self.places.learn(by, room, place);
        for (session, left) in self.sockets.misplaced(by, room, place.epoch) {
            self.hang_up(session, DisconnectReason::SignalClose, Action::Resume);
            self.command(left);
        }
    }

    /// A node knows of a higher epoch than the signaling node that asked.
    pub(super) fn on_stale(&mut self, node: u16, session: Option<SessionId>, current: Epoch) {
        if let Some(claim) = self.recording.claims.last_mut() {
            claim.refused = true;
        }
        let Some(session) = session else { return };
        if let Some((signaling, room)) = self.sockets.end_of(session) {
            self.places.learn(signaling, room, Place { node, epoch: current });
        }
        self.hang_up(session, DisconnectReason::StateMismatch, Action::Reconnect);
    }

    fn hang_up(&mut self, session: SessionId, reason: DisconnectReason, action: Action) {
        let leave = LeaveRequest {
            reason: reason.into(),
            action: action.into(),
            ..LeaveRequest::default()
        };
        let response = Box::new(SignalResponse { message: Some(Message::Leave(leave)) });
        if let Some(at) = self.sockets.arrival_down(session, self.now) {
            self.schedule(at, Event::Response(session, response));
        }
        if let Some(at) = self.sockets.close(session, self.now) {
            self.schedule(at, Event::Closed(session));
        }
    }

    /// Gives a command to the node it is for.
    pub(super) fn command(&mut self, addressed: Addressed) {
        let Addressed { room, place, action, newcomer } = addressed;
        if let Some(life) = newcomer {
            self.homes.insert(life, place);
        }
        let Ok(name) = format!("room{}", room.0).parse() else { return };
        let Place { node, epoch } = place;
        let command = Command::Room(Box::new(RoomCommand { room: name, epoch, action }));
        self.recording.claims.push(Claim { at: self.now, node, room, epoch, refused: false });
        let (index, now) = (self.shard_of(node, room), self.now);
        if let Some(shell) = self.shells.get_mut(index) {
            shell.input(sfu_core::Input::Command(command), now);
        }
        self.collect(index);
    }

    pub(super) fn on_admitted(&mut self, session: SessionId) {
        let Some((who, room, place)) = self.sockets.guest(session) else {
            return self.fault(None, "a join that nobody asked for");
        };
        let epoch = place.epoch;
        self.recording.admitted.push(Admitted { at: self.now, who, room, epoch });
    }

    /// Which shard of which node has a room.
    pub(super) fn shard_of(&self, node: u16, room: RoomId) -> usize {
        usize::from(node) * self.shards + usize::from(room.0) % self.shards
    }

    /// Where a client's media goes: to the node that its description came from.
    pub(super) fn home_of(&self, end: End) -> Option<Place> {
        self.homes.get(&(end.person, end.life)).copied()
    }

    pub(super) fn shard_at(&self, end: End, room: RoomId) -> Option<usize> {
        Some(self.shard_of(self.home_of(end)?.node, room))
    }
}
