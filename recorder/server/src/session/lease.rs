//! Tells the database that somebody works on a recording, and hears from it when to stop.

use std::sync::Arc;

use storage_database::Progress;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Shared,
    limits::RENEW_INTERVAL,
    rows::{self, Answer, Job},
};

/// What the database last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Held,
    /// Somebody asked to stop.
    Stopped,
    /// It is another recorder's under a higher epoch, or not there any more.
    Taken,
}

/// A lease that is renewed until this is dropped. A database that is gone takes nothing away.
#[derive(Debug)]
pub(crate) struct Lease {
    standing: watch::Receiver<Standing>,
    progress: watch::Sender<Progress>,
    renewing: JoinHandle<()>,
}

impl Lease {
    pub(super) fn keep(shared: Arc<Shared>, job: &Job) -> Self {
        let (sender, standing) = watch::channel(Standing::Held);
        let (progress, mut told) = watch::channel(Progress::default());
        told.mark_changed();
        let job = job.clone();
        let renewing = tokio::spawn(async move {
            let mut tick = interval(RENEW_INTERVAL);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut started_is_known = false;
            while *sender.borrow() != Standing::Taken {
                tick.tick().await;
                if !started_is_known && let Some(at) = job.started.get() {
                    let told = rows::set_started(&shared, &job, *at).await;
                    started_is_known = told == Answer::Done;
                }
                let news = told.has_changed().is_ok_and(|has| has);
                let news = news.then(|| told.borrow_and_update().clone());
                match rows::renew(&shared, &job, news.as_ref()).await {
                    Some(standing) => _ = sender.send_replace(standing),
                    // It wasn't heard.
                    None if news.is_some() => told.mark_changed(),
                    None => {}
                }
            }
        });
        Self { standing, progress, renewing }
    }

    /// Says how far the recording is, with the next renewal.
    pub(super) fn tell(&self, progress: Progress) {
        self.progress.send_if_modified(|told| {
            let is_news = *told != progress;
            if is_news {
                *told = progress;
            }
            is_news
        });
    }

    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.standing() == Standing::Taken
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
