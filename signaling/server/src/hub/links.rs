//! The links to SFU nodes: what is carried over one, and which there are.

use std::collections::BTreeMap;

use proto::{
    control::{Command, Event},
    pool::Owner,
};
use service::random;
use tokio::sync::mpsc;

/// One life of one link. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(super) u128);

impl LinkId {
    pub(crate) fn new() -> Self {
        // Without chance all links are one, which merely cuts too many sessions.
        Self(random::bits().unwrap_or_default())
    }
}

/// What links tell the tables' owner, in order.
#[derive(Debug)]
pub(crate) enum LinkNews {
    Up {
        link: LinkId,
        owner: Owner,
        commands: mpsc::Sender<Command>,
    },
    Event {
        link: LinkId,
        event: Event,
    },
    Down {
        link: LinkId,
    },
    /// A link to this node could not be made.
    Failed {
        owner: Owner,
    },
}

/// Carries what comes over a link until it ends.
pub(crate) async fn carry(
    link: LinkId,
    mut events: mpsc::Receiver<Event>,
    news: mpsc::Sender<LinkNews>,
) {
    while let Some(event) = events.recv().await {
        if news.send(LinkNews::Event { link, event }).await.is_err() {
            return;
        }
    }
    // Without a hub there is nobody to tell.
    _ = news.send(LinkNews::Down { link }).await;
}

/// The links there are, by id and by owner.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<LinkId, Link>,
    of_owner: BTreeMap<Owner, LinkId>,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) owner: Owner,
    pub(super) commands: mpsc::Sender<Command>,
}

impl Links {
    pub(super) fn add(&mut self, link: LinkId, owner: Owner, commands: mpsc::Sender<Command>) {
        self.of_owner.insert(owner.clone(), link);
        self.links.insert(link, Link { owner, commands });
    }

    /// Takes a link out, and returns whose it was.
    pub(super) fn remove(&mut self, link: LinkId) -> Option<Owner> {
        let Link { owner, .. } = self.links.remove(&link)?;
        if self.of_owner.get(&owner) == Some(&link) {
            self.of_owner.remove(&owner);
        }
        Some(owner)
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Link> {
        self.links.get(&link)
    }

    pub(super) fn to(&self, owner: &Owner) -> Option<(LinkId, mpsc::Sender<Command>)> {
        let link = *self.of_owner.get(owner)?;
        Some((link, self.links.get(&link)?.commands.clone()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }
}
