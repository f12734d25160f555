//! Whether this process lives, has started, and can take new work, with the reasons why not.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc, time::Instant};

use tokio::sync::watch;

use crate::{clock, limits::TICK_MAX};

/// What the health endpoints answer. Cheap to clone; every clone is the same report.
#[derive(Clone, Debug)]
pub struct Health(watch::Sender<Report>);

#[derive(Clone, Debug, Default)]
struct Report {
    started: bool,
    unready: BTreeMap<&'static str, Cow<'static, str>>,
    watched: BTreeMap<String, Pulse>,
}

/// Tells when a part of the process was last seen going round its loop.
#[derive(Clone)]
struct Pulse(Arc<dyn Fn() -> Instant + Send + Sync>);

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

    /// What keeps the process from taking new work, as `part: reason`; empty when nothing does.
    pub fn reasons(&self) -> Vec<String> {
        let report = self.0.borrow();
        let starting = (!report.started).then(|| "process: still starting".to_owned());
        let unready = report.unready.iter().map(|(part, reason)| format!("{part}: {reason}"));
        starting.into_iter().chain(unready).collect()
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
        let health = Health::new();
        let stopped = clock::now();
        health.watch("shard 0", clock::now);
        health.watch("shard 1", move || stopped.checked_sub(Duration::from_secs(7)).unwrap());
        assert_eq!(health.stuck(), ["shard 1: no sign of life for 7 s"]);
    }

    #[test]
    fn readiness_names_every_part_that_is_in_the_way() {
        let health = Health::new();
        assert_eq!(health.reasons(), ["process: still starting"]);

        health.started();
        health.unready("sfu", "no shard answers");
        health.clone().unready("database", "disk is full");
        assert_eq!(health.reasons(), ["database: disk is full", "sfu: no shard answers"]);

        health.ready("sfu");
        health.ready("database");
        assert!(health.reasons().is_empty());
    }
}
