//! Whom a client believes to be there.

use std::collections::BTreeMap;

use proto::livekit::{ParticipantInfo, participant_info::State};

use super::person_of;
use crate::PersonId;

#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    /// By sid.
    people: BTreeMap<String, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    person: Option<PersonId>,
    version: u32,
    tracks: Vec<String>,
}

impl Roster {
    pub(super) fn update(&mut self, participants: Vec<ParticipantInfo>) {
        for participant in participants {
            let known = self.people.get(&participant.sid);
            if known.is_some_and(|known| known.version > participant.version) {
                continue;
            }
            if participant.state() == State::Disconnected {
                self.people.remove(&participant.sid);
                continue;
            }
            let tracks = participant.tracks.into_iter().map(|track| track.sid).collect();
            let person = person_of(&participant.identity);
            let known = Known { person, version: participant.version, tracks };
            self.people.insert(participant.sid, known);
        }
    }

    /// Each track and whose it is.
    pub(super) fn tracks(&self) -> BTreeMap<String, PersonId> {
        let people = self.people.values().filter_map(|known| Some((known.person?, &known.tracks)));
        people.flat_map(|(who, tracks)| tracks.iter().map(move |sid| (sid.clone(), who))).collect()
    }

    pub(super) fn person(&self, sid: &str) -> Option<PersonId> {
        self.people.get(sid)?.person
    }
}
