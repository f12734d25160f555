//! Watches the registry and keeps a link to every SFU node that it lists.
//!
//! When the registry is away, the nodes it listed last and the links to them stay as they are.

use std::collections::BTreeMap;

use proto::pool::Owner;
use proto_cluster::{Token, client};
use storage_registry::Registry;
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, info, warn};

use crate::{
    hub::{Hub, LinkId, LinkNews, carry},
    limits::{LISTING_INTERVAL, REDIAL_MAX, REDIAL_MIN},
};

/// Watches the pool for one signaling node.
pub(crate) struct Watch {
    hub: Hub,
    registry: Registry,
    links: mpsc::Sender<LinkNews>,
    /// What opens other nodes' cluster ports. `None` in a pool of one process.
    token: Option<Token>,
    /// The SFU in this process, which needs no dialing.
    local: Option<Owner>,
    dialing: BTreeMap<Owner, AbortHandle>,
    is_registry_up: bool,
    nodes: watch::Sender<()>,
}

impl Watch {
    /// Makes the watch, and what tells when nodes come or go.
    pub(crate) fn new(
        hub: Hub,
        registry: Registry,
        links: mpsc::Sender<LinkNews>,
        token: Option<Token>,
        local: Option<Owner>,
    ) -> (Self, watch::Receiver<()>) {
        let (nodes, receiver) = watch::channel(());
        let dialing = BTreeMap::new();
        let watch =
            Self { hub, registry, links, token, local, dialing, is_registry_up: true, nodes };
        (watch, receiver)
    }

    /// Runs until the hub is gone, or until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(LISTING_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let listing = self.registry.nodes().await;
            self.note_registry(listing.as_ref().err());
            let Ok(observed) = self.hub.observe(listing.ok()).await else { return };
            self.dial(observed.linkable);
        }
    }

    fn note_registry<E: std::fmt::Display>(&mut self, error: Option<&E>) {
        match error {
            Some(error) if self.is_registry_up => {
                warn!(%error, "registry can't be asked: going on with the nodes known last");
            }
            None if !self.is_registry_up => {
                info!("registry answers again");
                tokio::spawn(republish(self.hub.clone(), self.registry.clone()));
            }
            Some(_) | None => {}
        }
        self.is_registry_up = error.is_none();
    }

    /// Starts a dialer for each node that has none, and ends those of nodes that are gone.
    fn dial(&mut self, linkable: Vec<(Owner, String)>) {
        let Some(token) = &self.token else { return };
        let linkable: BTreeMap<Owner, String> =
            linkable.into_iter().filter(|(owner, _)| Some(owner) != self.local.as_ref()).collect();
        let before = self.dialing.len();
        self.dialing.retain(|owner, dialer| {
            let is_wanted = linkable.contains_key(owner) && !dialer.is_finished();
            if !is_wanted {
                dialer.abort();
            }
            is_wanted
        });
        let mut has_changed = self.dialing.len() < before;
        for (owner, address) in linkable {
            self.dialing.entry(owner).or_insert_with_key(|owner| {
                has_changed = true;
                let links = self.links.clone();
                tokio::spawn(keep_link(owner.clone(), address, token.clone(), links)).abort_handle()
            });
        }
        if has_changed {
            self.nodes.send_replace(());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.dialing.values().for_each(AbortHandle::abort);
    }
}

/// Links one life of one node, again and again, until another life answers in its place.
async fn keep_link(owner: Owner, address: String, token: Token, links: mpsc::Sender<LinkNews>) {
    let mut pause = REDIAL_MIN;
    loop {
        match client::control(&address, &token).await {
            Ok(control) if control.owner == owner => {
                pause = REDIAL_MIN;
                let link = LinkId::new();
                let (owner, commands) = (owner.clone(), control.commands);
                if links.send(LinkNews::Up { link, owner, commands }).await.is_err() {
                    return;
                }
                // A task of its own: whatever becomes of the dialer, the end of the link is told.
                _ = tokio::spawn(carry(link, control.events, links.clone())).await;
                continue;
            }
            Ok(control) => {
                let found = control.owner;
                debug!(wanted = ?owner, ?found, "another life of the node answered");
                _ = links.send(LinkNews::Failed { owner }).await;
                return;
            }
            Err(error) => debug!(sfu = owner.node.as_str(), %error, "SFU node was not linked"),
        }
        if links.send(LinkNews::Failed { owner: owner.clone() }).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(REDIAL_MAX);
    }
}

/// Puts every live room on the map of a registry that may have lost it.
async fn republish(hub: Hub, registry: Registry) {
    let Ok(placements) = hub.placements().await else { return };
    for (room, place) in placements {
        if registry.set_room(&room, &place).await.is_err() {
            // It is away again, and will be put right when it is back.
            return;
        }
    }
}
