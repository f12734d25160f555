//! Who listens to which topic.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use crate::limits::{HINTS_MAX, LISTENERS_MAX};

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Somebody said this.
    Said(Vec<u8>),
    /// The connection was gone: whatever was said meanwhile is lost, so look for yourself.
    Lost,
}

/// The listeners of one process, by topic.
#[derive(Debug, Default)]
pub(crate) struct Listeners(BTreeMap<String, Vec<mpsc::Sender<Hint>>>);

/// Makes a listener's two ends.
pub(crate) fn channel() -> (mpsc::Sender<Hint>, mpsc::Receiver<Hint>) {
    mpsc::channel(HINTS_MAX)
}

impl Listeners {
    /// Adds a listener, or drops it, which ends it, when there are too many.
    pub(crate) fn add(&mut self, topic: String, listener: mpsc::Sender<Hint>) {
        self.forget_the_gone();
        if self.0.values().map(Vec::len).sum::<usize>() < LISTENERS_MAX {
            self.0.entry(topic).or_default().push(listener);
        }
    }

    /// Forgets who stopped listening, and returns the topics that nobody listens to any more.
    pub(crate) fn forget_the_gone(&mut self) -> Vec<String> {
        let is_deserted = |_: &String, listeners: &mut Vec<mpsc::Sender<Hint>>| {
            listeners.retain(|listener| !listener.is_closed());
            listeners.is_empty()
        };
        self.0.extract_if(.., is_deserted).map(|(topic, _)| topic).collect()
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn tell(&self, topic: &str, hint: &Hint) {
        for listener in self.0.get(topic).into_iter().flatten() {
            // Full or gone: lossy by nature.
            _ = listener.try_send(hint.clone());
        }
    }

    pub(crate) fn tell_all(&self, hint: &Hint) {
        for topic in self.0.keys() {
            self.tell(topic, hint);
        }
    }
}
