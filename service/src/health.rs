//! Whether this process lives, has started, and can take new work, with the reasons why not.

use std::{borrow::Cow, collections::BTreeMap};

use tokio::sync::watch;

/// What the health endpoints answer. Cheap to clone; every clone is the same report.
#[derive(Clone, Debug)]
pub struct Health(watch::Sender<Report>);

#[derive(Clone, Debug, Default)]
struct Report {
    started: bool,
    unready: BTreeMap<&'static str, Cow<'static, str>>,
}

impl Health {
    /// Makes the report of a process that is still starting.
    #[expect(clippy::new_without_default, reason = "a process has one, made on purpose")]
    pub fn new() -> Self {
        Self(watch::Sender::new(Report::default()))
    }

    /// Configuration is parsed and ports are bound.
    pub fn started(&self) {
        self.0.send_modify(|report| report.started = true);
    }

    /// `part` keeps the process from taking new work, for this reason, until [`Self::ready`].
    pub fn unready(&self, part: &'static str, reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        self.0.send_modify(|report| _ = report.unready.insert(part, reason));
    }

    /// `part` is no obstacle.
    pub fn ready(&self, part: &'static str) {
        self.0.send_if_modified(|report| report.unready.remove(part).is_some());
    }

    /// Says whether the process has started.
    pub fn is_started(&self) -> bool {
        self.0.borrow().started
    }

    /// Says whether nothing but `part`, if that, keeps the process from taking new work.
    pub fn is_ready_but_for(&self, part: &str) -> bool {
        let report = self.0.borrow();
        report.started && report.unready.keys().all(|unready| *unready == part)
    }

    /// What keeps the process from taking new work, as `part: reason`; empty when nothing does.
    pub fn reasons(&self) -> Vec<String> {
        let report = self.0.borrow();
        let starting = (!report.started).then(|| "process: still starting".to_owned());
        let unready = report.unready.iter().map(|(part, reason)| format!("{part}: {reason}"));
        starting.into_iter().chain(unready).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_every_part_that_is_in_the_way() {
        let health = Health::new();
        assert_eq!(health.reasons(), ["process: still starting"]);
        assert!(!health.is_ready_but_for("process"));

        health.started();
        health.unready("sfu", "no shard answers");
        health.clone().unready("database", "disk is full");
        assert_eq!(health.reasons(), ["database: disk is full", "sfu: no shard answers"]);
        assert!(!health.is_ready_but_for("sfu"));

        health.ready("database");
        assert!(health.is_ready_but_for("sfu") && !health.is_ready_but_for("process"));
        health.ready("sfu");
        health.ready("database");
        assert!(health.reasons().is_empty());
    }
}
