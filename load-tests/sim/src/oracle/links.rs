//! Whether links got exactly what arrived.

use std::collections::BTreeMap;

use super::Complaint;
use crate::{LinkEvent, PersonId, Recording, RoomId, Told, clock::Time};

/// How far behind the newest a packet may come and still be told from one that was here before.
const WINDOW: u64 = 128;

/// Each packet that came of a track that wasn't muted is in every link to its room, once, under
/// the number its sender gave it with the wraps counted, and nothing else is in any.
pub fn links(recording: &Recording) -> Vec<Complaint> {
    let mut check = Check::default();
    for event in &recording.links {
        check.see(event);
    }
    check.settle();
    check.complaints
}

#[derive(Default)]
struct Check {
    links: BTreeMap<u64, Link>,
    /// The highest number of each talker's stream, by the life it belongs to.
    streams: BTreeMap<(PersonId, u32), u64>,
    /// What the packet at hand must become: link and track, then everything else.
    due: BTreeMap<(u64, u32), Packet>,
    complaints: Vec<Complaint>,
}

struct Link {
    place: Place,
    tracks: BTreeMap<u32, (PersonId, Muted)>,
}

/// A room on one node.
type Place = (u16, RoomId);
type Muted = bool;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    at: Time,
    index: u64,
    talker: PersonId,
    count: u32,
}

impl Check {
    fn see(&mut self, event: &LinkEvent) {
        match *event {
            LinkEvent::Arrived { at, node, room, talker, life, count, sequence } => {
                self.settle();
                if let Some(index) = self.number((talker, life), sequence) {
                    self.expect((node, room), Packet { at, index, talker, count });
                }
            }
            LinkEvent::Tapped { at, link, track, index, talker, count } => {
                let packet = Packet { at, index, talker, count };
                let due = self.due.remove(&(link, track));
                if due != Some(packet) {
                    self.complain(format!("link {link} got {packet:?} instead of {due:?}"));
                }
            }
            LinkEvent::Told { link, what } => {
                self.settle();
                self.tell(link, what);
            }
        }
    }

    /// The sender's number with its wraps; `None` for one that can't be told from an earlier.
    fn number(&mut self, stream: (PersonId, u32), sequence: u16) -> Option<u64> {
        let first = 0x1_0000 + u64::from(sequence);
        let highest = self.streams.entry(stream).or_insert(first);
        let [.., high, low] = highest.to_be_bytes();
        let ahead = sequence.wrapping_sub(u16::from_be_bytes([high, low])).cast_signed();
        let index = highest.saturating_add_signed(ahead.into());
        let tellable = *highest < index + WINDOW;
        *highest = index.max(*highest);
        tellable.then_some(index)
    }

    fn expect(&mut self, place: Place, packet: Packet) {
        let mut strangers = Vec::new();
        for (id, link) in self.links.iter().filter(|(_, link)| link.place == place) {
            let tracks = link.tracks.iter().filter(|(_, (talker, _))| *talker == packet.talker);
            let mut tracks = tracks.peekable();
            if tracks.peek().is_none() {
                strangers.push(*id);
            }
            let heard = tracks.filter(|(_, (_, muted))| !muted);
            self.due.extend(heard.map(|(track, _)| ((*id, *track), packet)));
        }
        for link in strangers {
            self.complain(format!("link {link} was not told whose voice came: {packet:?}"));
        }
    }

    fn tell(&mut self, link: u64, what: Told) {
        if let Told::Opened { node, room } = what {
            let opened = Link { place: (node, room), tracks: BTreeMap::new() };
            let earlier = self.links.insert(link, opened);
            if earlier.is_some() {
                self.complain(format!("link {link} was opened twice"));
            }
            return;
        }
        let Some(open) = self.links.get_mut(&link) else {
            // One that was refused, or that had closed by itself when its listener went.
            if what != Told::Closed {
                self.complain(format!("link {link} was told {what:?} while it was closed"));
            }
            return;
        };
        let news = match what {
            Told::Started { track, talker, muted } => {
                open.tracks.insert(track, (talker, muted)).is_none()
            }
            Told::Muted { track, muted } => open
                .tracks
                .get_mut(&track)
                .is_some_and(|(_, was)| std::mem::replace(was, muted) != muted),
            Told::Ended { track } => open.tracks.remove(&track).is_some(),
            Told::Closed => self.links.remove(&link).is_some(),
            Told::Opened { .. } => true,
        };
        if !news {
            self.complain(format!("link {link} was told {what:?}, which was no news"));
        }
    }

    fn settle(&mut self) {
        for ((link, _), packet) in std::mem::take(&mut self.due) {
            self.complain(format!("link {link} missed {packet:?}"));
        }
    }

    fn complain(&mut self, what: String) {
        self.complaints.push(Complaint { oracle: "links", what });
    }
}
