//! Makes one answer of the shards' lists of rooms.

use std::collections::BTreeMap;

use proto::{control::RequestId, livekit};

use crate::limits::REQUESTS_MAX;

/// Lists of rooms of which some shards still owe their part.
pub(super) struct Lists {
    shards: usize,
    waiting: BTreeMap<RequestId, (usize, Vec<livekit::Room>)>,
}

impl Lists {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards, waiting: BTreeMap::new() }
    }

    /// Adds one shard's part. Returns the whole once every shard has answered.
    pub(super) fn add(
        &mut self,
        request: RequestId,
        rooms: Vec<livekit::Room>,
    ) -> Option<Vec<livekit::Room>> {
        if self.waiting.len() >= REQUESTS_MAX {
            // Only a shard that has ended owes an answer for so long.
            self.waiting.pop_first();
        }
        let (answered, all) = self.waiting.entry(request).or_default();
        *answered += 1;
        all.extend(rooms);
        if *answered < self.shards {
            return None;
        }
        self.waiting.remove(&request).map(|(_, rooms)| rooms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_rooms_is_complete_when_every_shard_has_answered() {
        let mut lists = Lists::new(2);
        let room = |name: &str| livekit::Room { name: name.into(), ..Default::default() };
        assert!(lists.add(RequestId(1), vec![room("a")]).is_none());
        assert!(lists.add(RequestId(2), vec![]).is_none());
        let rooms = lists.add(RequestId(1), vec![room("b")]).unwrap();
        assert_eq!(rooms.len(), 2);
        assert!(lists.waiting.contains_key(&RequestId(2)) && lists.waiting.len() == 1);
    }
}
