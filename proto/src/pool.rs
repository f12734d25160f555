//! What nodes say of themselves in the registry, and who owns which room.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, InvalidName, NodeId};

/// One life of a process. A node that was started again has another: what the earlier life held
/// is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BootId(u64);

impl BootId {
    /// Makes an id of 64 random bits.
    pub fn from_random(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BootId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidName)
    }
}

impl From<BootId> for String {
    fn from(boot: BootId) -> Self {
        boot.to_string()
    }
}

impl TryFrom<String> for BootId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

/// One life of one node: what owns rooms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    pub node: NodeId,
    pub boot: BootId,
}

/// Where a room lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    pub owner: Owner,
    pub epoch: Epoch,
}

/// What a process of the pool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Signaling,
    Sfu,
    Recorder,
}

/// Whether a node takes new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    Ready,
    /// It lives, and can't take new work; `/readyz` says why.
    Unready,
    /// It goes away once its rooms have ended.
    Draining,
}

/// A node's heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    #[serde(flatten)]
    pub owner: Owner,
    pub roles: Vec<Role>,
    pub region: String,
    pub version: String,
    pub state: NodeState,
    /// What it can't do more of now, while it does the rest. Nodes of earlier versions say nothing.
    #[serde(default)]
    pub unready_roles: Vec<Role>,
    /// Where its cluster port is reached, as `host:port`. Empty in one process.
    pub cluster: String,
    pub rooms: u64,
    pub participants: u64,
    /// The busiest of its resources, 0 to 1.
    pub load: f64,
    /// What is wrong with it, as its `/readyz` says. Nodes of earlier versions say nothing.
    #[serde(default)]
    pub reasons: Vec<String>,
}

impl NodeRecord {
    /// A node that has just started: not ready, and nothing on it.
    pub fn starting(owner: Owner, roles: Vec<Role>) -> Self {
        Self {
            owner,
            roles,
            region: String::new(),
            version: String::new(),
            state: NodeState::Unready,
            unready_roles: Vec::new(),
            cluster: String::new(),
            rooms: 0,
            participants: 0,
            load: 0.0,
            reasons: Vec::new(),
        }
    }

    /// Whether it takes new work of this kind.
    pub fn takes(&self, role: Role) -> bool {
        let is_able = self.roles.contains(&role) && !self.unready_roles.contains(&role);
        self.state == NodeState::Ready && is_able
    }
}
