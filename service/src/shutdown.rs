//! Being told to stop: once to finish gracefully, twice to stop at once.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Hears that the process is to stop. Cheap to clone; each clone hears it.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Phase>);

/// Makes the process stop. Dropping it counts as asking.
#[derive(Clone, Debug)]
pub struct Trigger(watch::Sender<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Stopping,
    Immediate,
}

impl Shutdown {
    /// Makes a pair that nothing but the trigger sets off.
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (Trigger(sender), Self(receiver))
    }

    /// Makes a pair that Ctrl-C and SIGTERM set off, too: the first asks, the second insists.
    ///
    /// Must be called inside a tokio runtime.
    pub fn on_signals() -> io::Result<(Trigger, Self)> {
        let (trigger, shutdown) = Self::new();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let pulled = trigger.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => pulled.pull(),
                    _ = terminate.recv() => pulled.pull(),
                }
            }
        });
        Ok((trigger, shutdown))
    }

    /// Resolves once the process is asked to stop, at once if it already was.
    pub async fn requested(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Resolves once the process is told to stop without ceremony.
    pub async fn immediate(&self) {
        self.reached(Phase::Immediate).await;
    }

    /// Says whether stopping has been asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() >= Phase::Stopping
    }

    async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        // An error means that no trigger is left: nobody could ask any more, so that is asking.
        let _reached_or_gone = receiver.wait_for(|now| *now >= phase).await;
    }
}

impl Trigger {
    /// Asks to stop; asking again insists.
    pub fn pull(&self) {
        self.0.send_modify(|phase| {
            *phase = match phase {
                Phase::Running => Phase::Stopping,
                Phase::Stopping | Phase::Immediate => Phase::Immediate,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_pull_asks_and_the_second_insists() {
        let (trigger, shutdown) = Shutdown::new();
        assert!(!shutdown.is_requested());

        trigger.pull();
        shutdown.requested().await;
        let insisted = shutdown.clone();
        let waiting = tokio::spawn(async move { insisted.immediate().await });
        assert!(!waiting.is_finished());

        trigger.pull();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_lost_trigger_counts_as_asking() {
        let (trigger, shutdown) = Shutdown::new();
        drop(trigger);
        shutdown.requested().await;
    }
}
