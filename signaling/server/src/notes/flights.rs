//! Requests under way that must not be made twice at once.

use std::collections::BTreeSet;

use tokio::sync::watch;

/// Names of what is under way in this process. Clones share them. No larger than the number of
/// connections.
#[derive(Clone, Debug)]
pub(super) struct Flights(watch::Sender<BTreeSet<String>>);

/// Keeps a name taken until it is dropped, however the request ends.
#[derive(Debug)]
pub(super) struct Flight {
    flights: Flights,
    name: String,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(BTreeSet::new()))
    }

    /// Takes a name; `None` while somebody has it.
    pub(super) fn take(&self, name: String) -> Option<Flight> {
        let is_free = self.0.send_if_modified(|names| names.insert(name.clone()));
        is_free.then(|| Flight { flights: self.clone(), name })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.0.send_if_modified(|names| names.remove(&self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_until_its_flight_ends() {
        let flights = Flights::new();
        let first = flights.take("a".to_owned()).unwrap();
        assert!(flights.take("a".to_owned()).is_none());
        assert!(flights.take("b".to_owned()).is_some());
        drop(first);
        assert!(flights.take("a".to_owned()).is_some());
    }
}
