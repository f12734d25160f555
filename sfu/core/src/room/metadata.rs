//! What participants say about themselves: names, metadata, attributes.

use std::collections::BTreeMap;

use proto::{
    grants::Grants,
    ids::ParticipantSid,
    livekit::{
        RequestResponse, UpdateParticipantMetadata,
        request_response::{Reason, Value},
        signal_response::Message,
    },
};

use crate::{
    context::Context,
    limits::{ATTRIBUTES_BYTES_MAX, DISPLAY_NAME_BYTES_MAX, METADATA_BYTES_MAX},
    room::Room,
};

/// A change to what is known of a participant. Empty texts change nothing, and an attribute set
/// to nothing is removed: the wire has no other way to say so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    pub(super) metadata: &'a str,
    pub(super) attributes: &'a BTreeMap<String, String>,
}

impl Change<'_> {
    /// Applies all of it, or nothing if that is too much.
    pub(super) fn apply(&self, grants: &mut Grants) -> Result<(), TooLarge> {
        let mut attributes = grants.attributes.clone();
        for (key, value) in self.attributes {
            if value.is_empty() {
                attributes.remove(key);
            } else {
                attributes.insert(key.clone(), value.clone());
            }
        }
        let bytes: usize = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > ATTRIBUTES_BYTES_MAX
            || self.metadata.len() > METADATA_BYTES_MAX
            || self.name.len() > DISPLAY_NAME_BYTES_MAX
        {
            return Err(TooLarge);
        }
        grants.attributes = attributes;
        if !self.name.is_empty() {
            self.name.clone_into(&mut grants.name);
        }
        if !self.metadata.is_empty() {
            self.metadata.clone_into(&mut grants.metadata);
        }
        Ok(())
    }
}

/// A text is longer than we keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Room {
    pub(super) fn on_update_metadata(
        &mut self,
        sid: ParticipantSid,
        request: UpdateParticipantMetadata,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let change = Change {
            name: &request.name,
            metadata: &request.metadata,
            attributes: &request.attributes,
        };
        let (reason, message) = if !participant.profile.permission.can_update_metadata {
            (Reason::NotAllowed, "does not have permission to update own metadata")
        } else if change.apply(&mut participant.profile.grants).is_err() {
            (Reason::LimitExceeded, "metadata, name or attributes exceed the size limit")
        } else {
            self.announce(sid, cx);
            self.refresh_token(sid, cx);
            (Reason::Ok, "")
        };
        cx.stats.signals_refused += u64::from(reason != Reason::Ok);
        let response = RequestResponse {
            request_id: request.request_id,
            reason: reason.into(),
            message: message.to_owned(),
            value: Some(Value::UpdateMetadata(request)),
        };
        self.tell(sid, Message::RequestResponse(response), cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn attributes_are_merged_and_empty_ones_removed() {
        let mut grants =
            Grants { attributes: attributes(&[("hand", "up"), ("a", "1")]), ..Grants::default() };
        let changed = attributes(&[("hand", ""), ("b", "2")]);
        Change { name: "", metadata: "", attributes: &changed }.apply(&mut grants).unwrap();
        assert_eq!(grants.attributes, attributes(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn too_much_changes_nothing() {
        let mut grants = Grants { name: "Ada".to_owned(), ..Grants::default() };
        let long = "x".repeat(METADATA_BYTES_MAX + 1);
        let change = Change { name: "Bob", metadata: &long, attributes: &BTreeMap::new() };
        assert_eq!(change.apply(&mut grants), Err(TooLarge));
        assert_eq!(grants.name, "Ada");
    }
}
