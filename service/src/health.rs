//! Whether this process lives, has started, and can take new work, and what is wrong with it.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc, time::Instant};

use proto::pool::Role;
use tokio::sync::watch;

use crate::{clock, limits::TICK_MAX};

/// What the health endpoints answer. Cheap to clone; every clone is the same report.
#[derive(Clone, Debug)]
pub struct Health(watch::Sender<Report>);

#[derive(Clone, Debug)]
struct Report {
    /// What the process is there for.
    roles: Vec<Role>,
    started: bool,
    troubles: BTreeMap<&'static str, Trouble>,
    watched: BTreeMap<String, Pulse>,
}

/// What is wrong with a part.
#[derive(Clone, Debug)]
struct Trouble {
    weight: Weight,
    reason: Cow<'static, str>,
}

/// What is wrong with a part, for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub part: &'static str,
    text: Cow<'static, str>,
}

/// What somebody who brings new work notices of a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// It is better brought elsewhere.
    Blocks,
    /// So is work of this kind; the process may have other.
    BlocksRole(Role),
    /// Some of it waits, or is done with less certainty.
    Hampers,
}

/// Tells when a part of the process was last seen going round its loop.
#[derive(Clone)]
struct Pulse(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Health {
    /// Makes the report of a process with these roles that is still starting.
    pub fn new(roles: Vec<Role>) -> Self {
        let (troubles, watched) = (BTreeMap::new(), BTreeMap::new());
        Self(watch::Sender::new(Report { roles, started: false, troubles, watched }))
    }

    /// Configuration is parsed and ports are bound.
    pub fn started(&self) {
        self.0.send_modify(|report| report.started = true);
    }

    /// `part` keeps the process from taking new work, for this reason, until [`Self::ready`].
    pub fn unready(&self, part: &'static str, reason: impl Into<Cow<'static, str>>) {
        self.trouble(part, Weight::Blocks, reason.into());
    }

    /// `part` keeps new work of this kind away, for this reason, until [`Self::ready`]. A process
    /// that does nothing else takes none at all.
    pub fn unready_for(
        &self,
        role: Role,
        part: &'static str,
        reason: impl Into<Cow<'static, str>>,
    ) {
        self.trouble(part, Weight::BlocksRole(role), reason.into());
    }

    /// `part` is not as it should be, for this reason, until [`Self::ready`]; the process takes
    /// new work all the same.
    pub fn degraded(&self, part: &'static str, reason: impl Into<Cow<'static, str>>) {
        self.trouble(part, Weight::Hampers, reason.into());
    }

    fn trouble(&self, part: &'static str, weight: Weight, reason: Cow<'static, str>) {
        let trouble = Trouble { weight, reason };
        self.0.send_modify(|report| _ = report.troubles.insert(part, trouble));
    }

    /// Nothing is wrong with `part`.
    pub fn ready(&self, part: &'static str) {
        self.0.send_if_modified(|report| report.troubles.remove(part).is_some());
    }

    /// The process lives only while `part` shows a sign of life at least every two seconds.
    /// `last_tick` says when the latest was. It must not block.
    pub fn watch(
        &self,
        part: impl Into<String>,
        last_tick: impl Fn() -> Instant + Send + Sync + 'static,
    ) {
        let (part, pulse) = (part.into(), Pulse(Arc::new(last_tick)));
        self.0.send_modify(|report| _ = report.watched.insert(part, pulse));
    }

    /// The parts that have stopped, as `part: since when`; empty in a process that lives.
    pub fn stuck(&self) -> Vec<String> {
        let now = clock::now();
        let report = self.0.borrow();
        let ages = report
            .watched
            .iter()
            .map(|(part, pulse)| (part, now.saturating_duration_since((pulse.0)())));
        let stuck = ages.filter(|(_, age)| *age > TICK_MAX);
        stuck
            .map(|(part, age)| format!("{part}: no sign of life for {} s", age.as_secs()))
            .collect()
    }

    /// Says whether the process has started.
    pub fn is_started(&self) -> bool {
        self.0.borrow().started
    }

    /// Says whether the process can take new work.
    pub fn is_ready(&self) -> bool {
        let report = self.0.borrow();
        let is_blocked = report.troubles.values().any(|it| it.weight == Weight::Blocks);
        report.started && !is_blocked && !report.is_every_role_blocked()
    }

    /// The kinds of work of this process that are better brought elsewhere.
    pub fn unready_roles(&self) -> Vec<Role> {
        let report = self.0.borrow();
        report.roles.iter().copied().filter(|role| report.is_blocked(*role)).collect()
    }

    /// What is wrong, part by part, whether it keeps the process from taking new work or not; empty
    /// when nothing is.
    pub fn reasons(&self) -> Vec<Reason> {
        let report = self.0.borrow();
        let starting = (!report.started)
            .then_some(Reason { part: "process", text: Cow::Borrowed("still starting") });
        let troubles = report.troubles.iter();
        let troubles =
            troubles.map(|(part, trouble)| Reason { part, text: trouble.reason.clone() });
        starting.into_iter().chain(troubles).collect()
    }

    /// The same as it is shown: `part: reason`.
    pub fn said(&self) -> Vec<String> {
        self.reasons().iter().map(Reason::to_string).collect()
    }
}

impl Report {
    fn is_blocked(&self, role: Role) -> bool {
        self.troubles.values().any(|trouble| trouble.weight == Weight::BlocksRole(role))
    }

    fn is_every_role_blocked(&self) -> bool {
        !self.roles.is_empty() && self.roles.iter().all(|role| self.is_blocked(*role))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.text)
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pulse").field(&(self.0)()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_part_that_stopped_is_named_and_one_that_goes_on_is_not() {
        let health = Health::new(Vec::new());
        let stopped = clock::now();
        health.watch("shard 0", clock::now);
        health.watch("shard 1", move || stopped.checked_sub(Duration::from_secs(7)).unwrap());
        assert_eq!(health.stuck(), ["shard 1: no sign of life for 7 s"]);
    }

    #[test]
    fn readiness_names_every_part_that_is_in_the_way() {
        let health = Health::new(Vec::new());
        assert_eq!(health.said(), ["process: still starting"]);

        health.started();
        health.unready("sfu", "no shard answers");
        health.clone().unready("database", "disk is full");
        assert_eq!(health.said(), ["database: disk is full", "sfu: no shard answers"]);

        health.ready("sfu");
        health.ready("database");
        assert!(health.reasons().is_empty() && health.is_ready());
    }

    #[test]
    fn what_is_merely_worse_than_it_should_be_is_said_and_keeps_no_work_away() {
        let health = Health::new(Vec::new());
        health.degraded("registry", "Redis can't be reached");
        assert!(!health.is_ready(), "it has not started");

        health.started();
        assert_eq!(health.said(), ["registry: Redis can't be reached"]);
        assert!(health.is_ready());

        health.unready("database", "disk is full");
        assert!(!health.is_ready());
        health.ready("database");
        health.ready("registry");
        assert!(health.is_ready() && health.reasons().is_empty());
    }
    #[test]
    fn a_role_that_takes_no_work_leaves_the_others_be() {
        let both = Health::new(vec![Role::Sfu, Role::Recorder]);
        let alone = Health::new(vec![Role::Recorder]);
        for health in [&both, &alone] {
            health.started();
            health.unready_for(Role::Recorder, "spool", "it is full");
            assert_eq!(health.unready_roles(), [Role::Recorder]);
            assert_eq!(health.said(), ["spool: it is full"]);
        }
        assert!(both.is_ready() && !alone.is_ready());

        alone.ready("spool");
        assert!(alone.is_ready() && alone.unready_roles().is_empty());
    }
}
