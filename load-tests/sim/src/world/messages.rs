//! Data messages: their way up, which loses none and keeps their order, and back down.

use prost::Message as _;
use proto::{
    data::Channel,
    livekit::{DataPacket, data_packet::Value},
};
use sfu_core::Input;

use super::{Datagram, Event, Heading, World, number_of};
use crate::{
    Random, Received, RoomId, Said, client::person_of, network::Way, shell::End, voice::Voice,
};

impl World<'_> {
    /// Somebody says something to a room.
    pub(super) fn say(&mut self, end: End, room: RoomId, count: u32, payload: Vec<u8>) {
        self.recording.said.push(Said { at: self.now, talker: end.person, room, count });
        self.post_in_order(end, Heading::ToServer, Datagram::DataUp { room, payload });
    }

    pub(super) fn post_in_order(&mut self, end: End, heading: Heading, datagram: Datagram) {
        let quality = self.persona(end.person).map(|persona| persona.media).unwrap_or_default();
        let name = [6, u64::from(end.person.0), u64::from(end.life), number_of(end.side, heading)];
        let random = Random::named(self.plan.seed, &name);
        let sent = self.now.max(self.lights_on(end.person));
        let way = self.channels.entry((end, heading));
        let way = way.or_insert_with(|| Way::new(quality, random));
        // What was sent while the network was away is sent again once it is back.
        let at = way.in_order(sent);
        self.schedule(at, Event::Datagram(end, datagram));
    }

    pub(super) fn on_data_up(&mut self, end: End, room: RoomId, payload: &[u8]) {
        let Some(index) = self.shard_at(end, room) else { return };
        let now = self.now;
        if let Some(shell) = self.shells.get_mut(index)
            && let Some(id) = shell.open_end(end)
        {
            shell.input(Input::Data { id, channel: Channel::Reliable, payload }, now);
        }
        self.collect(index);
    }

    pub(super) fn on_data_down(&mut self, end: End, payload: &[u8]) {
        if !self.is_alive(end) {
            return;
        }
        let room = self.clients.get(&end.person).and_then(|client| client.room);
        let packet = DataPacket::decode(payload).unwrap_or_default();
        let user = if let Some(Value::User(user)) = &packet.value { Some(user) } else { None };
        let voice = user.and_then(|user| Voice::read(&user.payload));
        let (Some(room), Some(Voice { room: said_in, talker, count })) = (room, voice) else {
            return self.fault(Some(end.person), "a message that nobody said");
        };
        let sent = self.recording.said.iter().rfind(|it| (it.talker, it.count) == (talker, count));
        let at = sent.map(|said| said.at).unwrap_or_default();
        self.recording.received.push(Received {
            at: self.now,
            listener: end.person,
            life: end.life,
            room,
            said: Said { at, talker, room: said_in, count },
            taken_for: person_of(&packet.participant_identity),
        });
    }
}
