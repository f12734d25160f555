//! One thread and the callers it carries.

use std::{cell::RefCell, rc::Rc, sync::Arc, thread};

use anyhow::Context;
use sfu_rtc::Certificate;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, LocalSet},
};

use crate::{
    caller::{self, Recruit},
    clock::Clock,
    ledger::{Arrivals, Cut, Ledger, Totals},
    limits::ORDERS_QUEUED_MAX,
    options::Options,
};

/// What all callers of a thread share.
pub(crate) struct Crew {
    pub(crate) options: Arc<Options>,
    pub(crate) certificate: Certificate,
    pub(crate) clock: Clock,
    pub(crate) ledger: RefCell<Ledger>,
    /// Turns true when everybody is to leave.
    pub(crate) leaving: watch::Receiver<bool>,
}

/// What every thread is told when it starts.
#[derive(Clone)]
pub(crate) struct Brief {
    pub(crate) options: Arc<Options>,
    pub(crate) certificate: Certificate,
    pub(crate) clock: Clock,
    pub(crate) totals: Arc<Totals>,
}

enum Order {
    Start(Box<Recruit>),
    Cut(oneshot::Sender<Cut>),
    TellArrivals(oneshot::Sender<Arrivals>),
}

/// A running thread. Dropped orders make its callers leave; then it ends.
pub(crate) struct Worker {
    orders: mpsc::Sender<Order>,
    ended: oneshot::Receiver<()>,
}

impl Worker {
    pub(crate) fn start(brief: Brief) -> anyhow::Result<Self> {
        let (orders, received) = mpsc::channel(ORDERS_QUEUED_MAX);
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("callers".to_owned()).spawn(move || {
            runtime.block_on(LocalSet::new().run_until(work(brief, received)));
            let _ = end.send(());
        })?;
        Ok(Self { orders, ended })
    }

    pub(crate) async fn recruit(&self, recruit: Recruit) -> anyhow::Result<()> {
        self.order(Order::Start(Box::new(recruit))).await
    }

    /// Ends a window and starts the next.
    pub(crate) async fn cut(&self) -> anyhow::Result<Cut> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Cut(answer)).await?;
        answered.await.context("a thread has ended")
    }

    pub(crate) async fn arrivals(&self) -> anyhow::Result<Arrivals> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::TellArrivals(answer)).await?;
        answered.await.context("a thread has ended")
    }

    /// Lets every caller leave.
    pub(crate) async fn end(self) {
        drop(self.orders);
        let _ = self.ended.await;
    }

    async fn order(&self, order: Order) -> anyhow::Result<()> {
        self.orders.send(order).await.ok().context("a thread has ended")
    }
}

async fn work(brief: Brief, mut orders: mpsc::Receiver<Order>) {
    let (leave, leaving) = watch::channel(false);
    let crew = Rc::new(Crew {
        options: brief.options,
        certificate: brief.certificate,
        clock: brief.clock,
        ledger: RefCell::new(Ledger::new(brief.totals)),
        leaving,
    });
    let mut callers = JoinSet::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Start(recruit) => {
                callers.spawn_local(caller::call(Rc::clone(&crew), *recruit));
            }
            Order::Cut(answer) => {
                let _ = answer.send(crew.ledger.borrow_mut().cut());
            }
            Order::TellArrivals(answer) => {
                let _ = answer.send(crew.ledger.borrow().arrivals());
            }
        }
    }
    let _ = leave.send(true);
    while callers.join_next().await.is_some() {}
}
