//! The one connection to Redis, kept by a task that makes it again whenever it is gone.
//!
//! The task proves every half second that Redis takes writes: a server that hangs, became a
//! replica or is out of memory is as good as gone. While it is, calls fail at once.

use std::sync::Arc;

use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo as _, ProtocolVersion, PushInfo,
    PushKind, Value, aio::MultiplexedConnection,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    RegistryError,
    hints::{Hint, Listeners},
    limits::{
        CALL_TIME, CONNECT_TIME, HEARTBEAT_INTERVAL, PUSHES_MAX, RECONNECT_INTERVAL,
        SUBSCRIPTIONS_MAX,
    },
    metrics::Metrics,
};

/// The way to the connection and its task, which ends with the last of these.
#[derive(Clone, Debug)]
pub(super) struct Link {
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    subscriptions: mpsc::Sender<Subscription>,
    doubts: Arc<Notify>,
}

#[derive(Debug)]
struct Subscription {
    channel: String,
    listener: mpsc::Sender<Hint>,
}

struct Keeper {
    client: Client,
    config: AsyncConnectionConfig,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    subscriptions: mpsc::Receiver<Subscription>,
    doubts: Arc<Notify>,
    pushes: mpsc::Receiver<PushInfo>,
    listeners: Listeners,
    metrics: Metrics,
}

/// Why a connection is not kept any longer.
enum Ended {
    /// Redis went away.
    Lost(RegistryError),
    /// Nobody needs it any more.
    Unneeded,
}

/// Proves that writes are taken.
const SIGN_OF_LIFE: &str = "adda:alive";

/// How long the proof stays, in milliseconds: long enough for people to find it.
const PROOF_MILLISECONDS: u64 = 5_000;

impl Link {
    pub(super) fn open(url: &str, metrics: Metrics) -> Result<Self, RegistryError> {
        let info = url.into_connection_info().map_err(|_unreadable| RegistryError::Url)?;
        // The third protocol carries hints on the same connection, so that one heartbeat is enough.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let (push, pushes) = mpsc::channel(PUSHES_MAX);
        let lost = metrics.hints_lost.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIME))
            .set_response_timeout(Some(CALL_TIME))
            .set_push_sender(move |info| {
                let pushed = push.try_send(info);
                if pushed.is_err() {
                    lost.inc();
                }
                // An error would end the connection: losing hints is better.
                Ok::<(), RegistryError>(())
            });
        let (connection, current) = watch::channel(None);
        let (subscribe, subscriptions) = mpsc::channel(SUBSCRIPTIONS_MAX);
        let doubts = Arc::new(Notify::new());
        let keeper = Keeper {
            client,
            config,
            connection,
            subscriptions,
            doubts: doubts.clone(),
            pushes,
            listeners: Listeners::default(),
            metrics,
        };
        tokio::spawn(keeper.run());
        Ok(Self { connection: current, subscriptions: subscribe, doubts })
    }

    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }

    pub(super) async fn up(&self) {
        // The task lives as long as we do.
        _ = self.connection.clone().wait_for(Option::is_some).await;
    }

    /// Has the connection looked at before its next heartbeat.
    pub(super) fn doubt(&self) {
        self.doubts.notify_one();
    }

    pub(super) fn listen(&self, channel: String, listener: mpsc::Sender<Hint>) {
        // Dropped when too many wait already, which ends the listener.
        _ = self.subscriptions.try_send(Subscription { channel, listener });
    }
}

impl Keeper {
    async fn run(mut self) {
        let mut told = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    info!("Redis is up");
                    told = false;
                    match self.keep(connection).await {
                        Ended::Unneeded => return,
                        Ended::Lost(error) => warn!(%error, "Redis is gone"),
                    }
                }
                Err(error) if told => debug!(%error, "Redis is still gone"),
                Err(error) => {
                    told = true;
                    warn!(%error, "Redis can't be reached");
                }
            }
            if !self.pause().await {
                return;
            }
        }
    }

    /// Connects, subscribes to every topic and proves that it works.
    async fn connect(&mut self) -> Result<MultiplexedConnection, RegistryError> {
        let connect = async {
            let connecting = self.client.get_multiplexed_async_connection_with_config(&self.config);
            let mut connection = connecting.await?;
            for topic in self.listeners.topics() {
                connection.subscribe(topic).await?;
            }
            prove(&mut connection).await?;
            Ok(connection)
        };
        timeout(CONNECT_TIME, connect).await.unwrap_or(Err(RegistryError::Late))
    }

    /// Shares the connection for as long as it works.
    async fn keep(&mut self, mut connection: MultiplexedConnection) -> Ended {
        self.connection.send_replace(Some(connection.clone()));
        self.metrics.up.set(1);
        self.metrics.connections.inc();
        self.listeners.tell_all(&Hint::Lost);
        let mut heartbeat = interval(HEARTBEAT_INTERVAL);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            if let Err(ended) = self.step(&mut connection, &mut heartbeat).await {
                break ended;
            }
        };
        self.connection.send_replace(None);
        self.metrics.up.set(0);
        ended
    }

    async fn step(
        &mut self,
        connection: &mut MultiplexedConnection,
        heartbeat: &mut Interval,
    ) -> Result<(), Ended> {
        tokio::select! {
            subscription = self.subscriptions.recv() => {
                let Some(Subscription { channel, listener }) = subscription else {
                    return Err(Ended::Unneeded);
                };
                let deserted = self.listeners.forget_the_gone();
                self.listeners.add(channel.clone(), listener);
                bounded(resubscribe(connection, deserted, channel)).await.map_err(Ended::Lost)
            }
            Some(push) = self.pushes.recv() => self.on_push(push),
            () = self.doubts.notified() => prove(connection).await.map_err(Ended::Lost),
            _tick = heartbeat.tick() => prove(connection).await.map_err(Ended::Lost),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds answer subscriptions")]
    fn on_push(&mut self, push: PushInfo) -> Result<(), Ended> {
        match push.kind {
            PushKind::Message => {
                if let [Value::BulkString(channel), Value::BulkString(payload)] = &*push.data
                    && let Ok(channel) = std::str::from_utf8(channel)
                {
                    self.listeners.tell(channel, &Hint::Said(payload.clone()));
                }
                Ok(())
            }
            PushKind::Disconnection => Err(Ended::Lost(RegistryError::Down)),
            _ => Ok(()),
        }
    }

    /// Waits before the next attempt. Says whether there is to be one.
    async fn pause(&mut self) -> bool {
        let over = sleep(RECONNECT_INTERVAL);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => {
                    // What an earlier connection still said is about that one.
                    while self.pushes.try_recv().is_ok() {}
                    return true;
                }
                subscription = self.subscriptions.recv() => match subscription {
                    Some(Subscription { channel, listener }) => {
                        self.listeners.add(channel, listener);
                    }
                    None => return false,
                },
            }
        }
    }
}

async fn resubscribe(
    connection: &mut MultiplexedConnection,
    deserted: Vec<String>,
    wanted: String,
) -> redis::RedisResult<()> {
    for channel in deserted {
        connection.unsubscribe(channel).await?;
    }
    connection.subscribe(wanted).await
}

async fn prove(connection: &mut MultiplexedConnection) -> Result<(), RegistryError> {
    let mut command = Cmd::set(SIGN_OF_LIFE, 1);
    bounded(command.arg("PX").arg(PROOF_MILLISECONDS).exec_async(connection)).await
}

async fn bounded(call: impl Future<Output = redis::RedisResult<()>>) -> Result<(), RegistryError> {
    match timeout(CALL_TIME, call).await {
        Ok(result) => Ok(result?),
        Err(_elapsed) => Err(RegistryError::Late),
    }
}
