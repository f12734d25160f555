//! One participant of a call, whatever SDK it is made of, and the words a scenario is told in.

use std::{
    fmt::Debug,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{PATIENCE, driver::Driver, kind::Kind, now, server::Server, tone};

/// How long an SDK may take to notice that its WebSocket was closed.
const NOTICE: Duration = Duration::from_secs(3);

/// A client in a room. Leaves when dropped.
pub struct Client {
    kind: Kind,
    /// What the driver calls it: identities may come twice.
    handle: String,
    pub identity: String,
    pub sid: String,
    driver: &'static Driver,
    events: Receiver<Value>,
    /// Events that arrived and nobody has waited for yet.
    unseen: Vec<Value>,
}

impl Client {
    /// Joins `room` by way of the server itself.
    pub fn join(kind: Kind, server: &Server, room: &str, identity: &str) -> Self {
        let token = server.token(room, identity).sign();
        Self::join_at(kind, &server.url(), identity, &token)
    }

    /// Joins at `url`, which may be a proxy's, with a token of the caller's making.
    pub fn join_at(kind: Kind, url: &str, identity: &str, token: &str) -> Self {
        static CLIENTS: AtomicU32 = AtomicU32::new(0);
        let number = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let handle = format!("{identity}-{number}");
        let driver = Driver::of(kind);
        let events = driver.listen(&handle);
        let unseen = Vec::new();
        let (identity, sid) = (identity.to_owned(), String::new());
        let mut client = Self { kind, handle, identity, sid, driver, events, unseen };
        let joined =
            client.perform("join", json!({ "url": url, "token": token, "v0": kind.is_v0() }));
        client.sid = joined["sid"].as_str().unwrap_or_default().to_owned();
        client
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Publishes a microphone that hears one tone. Returns the track's SID.
    #[track_caller]
    pub fn publish_tone(&self, hz: u32) -> String {
        let opus = self.kind.speaks_opus().then(|| tone::encode(hz));
        let published = self.perform("publish", json!({ "hz": hz, "opus": opus }));
        published["sid"].as_str().unwrap_or_default().to_owned()
    }

    pub fn unpublish(&self) {
        self.perform("unpublish", json!({}));
    }

    pub fn mute(&self) {
        self.perform("mute", json!({ "muted": true }));
    }

    pub fn unmute(&self) {
        self.perform("mute", json!({ "muted": false }));
    }

    pub fn subscribe(&self, from: &str) {
        self.perform("subscribe", json!({ "from": from, "on": true }));
    }

    pub fn unsubscribe(&self, from: &str) {
        self.perform("subscribe", json!({ "from": from, "on": false }));
    }

    /// Waits until what it hears of `from` is a tone of `hz`.
    #[track_caller]
    pub fn expect_tone(&self, from: &str, hz: u32) {
        self.poll("tone", || self.listen(from), |heard| tone::is_close(*heard, hz));
    }

    /// Waits until it hears nothing of `from`.
    #[track_caller]
    pub fn expect_silence(&self, from: &str) {
        self.poll("silence", || self.listen(from), |heard| *heard == 0.0);
    }

    /// The loudest frequency of the next half second, 0 for silence.
    pub fn listen(&self, from: &str) -> f64 {
        let heard = self.perform("listen", json!({ "from": from }));
        match heard.get("opus") {
            Some(packets) => tone::decode(packets),
            None => heard["hz"].as_f64().unwrap_or_default(),
        }
    }

    /// Packets of `from` since the subscription began.
    pub fn packets(&self, from: &str) -> Packets {
        let counted = self.perform("packets", json!({ "from": from }));
        let number = |name: &str| counted[name].as_i64().unwrap_or_default();
        Packets { received: number("received"), lost: number("lost") }
    }

    /// The SRTP profiles that it speaks and listens by, as its own stack names them. aiortc only.
    #[must_use]
    pub fn profiles(&self) -> Value {
        self.perform("profiles", json!({}))
    }

    /// Packets of its microphone since it was published.
    fn sent(&self) -> i64 {
        self.perform("sent", json!({}))["packets"].as_i64().unwrap_or_default()
    }

    pub fn send_reliable(&self, to: &[&str], topic: &str, payload: &str) {
        self.send(true, to, topic, payload);
    }

    pub fn send_lossy(&self, to: &[&str], topic: &str, payload: &str) {
        self.send(false, to, topic, payload);
    }

    fn send(&self, reliable: bool, to: &[&str], topic: &str, payload: &str) {
        let fields = json!({ "reliable": reliable, "to": to, "topic": topic, "payload": payload });
        self.perform("send", fields);
    }

    /// From now on answers calls of `method` with the caller's identity and payload.
    pub fn answer_rpc(&self, method: &str) {
        self.perform("answerRpc", json!({ "method": method }));
    }

    pub fn rpc(&self, to: &str, method: &str, payload: &str) -> Result<String, String> {
        let answer = self.try_to("rpc", json!({ "to": to, "method": method, "payload": payload }));
        answer.map(|answer| answer.as_str().unwrap_or_default().to_owned())
    }

    pub fn set_attributes(&self, attributes: Value) {
        self.perform("set", json!({ "attributes": attributes }));
    }

    pub fn set_metadata(&self, metadata: &str) {
        self.perform("set", json!({ "metadata": metadata }));
    }

    pub fn set_name(&self, name: &str) {
        self.perform("set", json!({ "name": name }));
    }

    pub fn leave(&self) {
        self.perform("leave", json!({}));
    }

    /// What it knows of itself.
    pub fn me(&self) -> Value {
        self.perform("me", json!({}))
    }

    /// What it knows of another, `Null` when it knows nobody of that name.
    pub fn other(&self, identity: &str) -> Value {
        let others = self.perform("others", json!({}));
        let mut others = others.as_array().into_iter().flatten();
        others.find(|one| one["identity"] == identity).cloned().unwrap_or_default()
    }

    /// Waits until what it knows of `identity` satisfies `wanted`.
    #[track_caller]
    pub fn expect_other(&self, identity: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.poll("participant", || self.other(identity), |one| wanted(one))
    }

    #[track_caller]
    pub fn expect_me(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.poll("self", || self.me(), |one| wanted(one))
    }

    /// Waits for the next event of that name about that participant.
    #[track_caller]
    pub fn expect(&mut self, event: &str, identity: &str) -> Value {
        self.expect_that(event, |fields| fields["identity"] == identity)
    }

    /// Waits for the next event of that name that satisfies `wanted`, seen or yet to come.
    #[track_caller]
    pub fn expect_that(&mut self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = now() + PATIENCE;
        loop {
            let fits = |one: &Value| one["event"] == event && wanted(one);
            if let Some(at) = self.unseen.iter().position(fits) {
                return self.unseen.remove(at);
            }
            match self.events.recv_timeout(deadline.saturating_duration_since(now())) {
                Ok(event) => self.unseen.push(event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let seen = self.unseen.iter().map(Value::to_string).collect::<Vec<_>>();
                    panic!(
                        "{:?} {} waited for {event}; it saw:\n{}",
                        self.kind,
                        self.identity,
                        seen.join("\n")
                    )
                }
            }
        }
    }

    /// Waits for whichever comes first of these events.
    #[track_caller]
    pub fn expect_any(&mut self, events: &[&str]) -> Value {
        let deadline = now() + PATIENCE;
        loop {
            let fits =
                |one: &Value| events.iter().any(|event| one["event"].as_str() == Some(*event));
            if let Some(at) = self.unseen.iter().position(fits) {
                return self.unseen.remove(at);
            }
            let left = deadline.saturating_duration_since(now());
            match self.events.recv_timeout(left) {
                Ok(event) => self.unseen.push(event),
                Err(_) => panic!("{:?} {} waited for {events:?}", self.kind, self.identity),
            }
        }
    }

    /// Whether such an event has arrived and nobody has waited for it.
    pub fn saw(&mut self, event: &str) -> bool {
        self.unseen.extend(self.events.try_iter());
        self.unseen.iter().any(|one| one["event"] == event)
    }

    /// Whether it notices, in the time that an SDK takes to, that its signal connection is lost.
    pub fn lost_its_signal(&mut self) -> bool {
        let deadline = now() + NOTICE;
        loop {
            if self.saw("reconnecting") || self.saw("signalReconnecting") {
                return true;
            }
            match self.events.recv_timeout(deadline.saturating_duration_since(now())) {
                Ok(event) => self.unseen.push(event),
                Err(_) => return false,
            }
        }
    }

    /// Lets time pass while events gather. Not for waiting until something is true.
    pub fn watch(&mut self, span: Duration) {
        let deadline = now() + span;
        while let Ok(event) = self.events.recv_timeout(deadline.saturating_duration_since(now())) {
            self.unseen.push(event);
        }
    }

    #[track_caller]
    fn perform(&self, what: &str, fields: Value) -> Value {
        self.try_to(what, fields).unwrap_or_else(|error| {
            panic!("{:?} {} could not {what}: {error}", self.kind, self.identity)
        })
    }

    fn try_to(&self, what: &str, mut fields: Value) -> Result<Value, String> {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("do".to_owned(), json!(what));
            fields.insert("client".to_owned(), json!(self.handle));
            fields.retain(|_, value| !value.is_null());
        }
        self.driver.perform(fields)
    }

    /// Packets that a speaker may number and never send when it resumes. The Go SDK restarts ICE on
    /// its publisher then, and Pion's `Agent.Restart` unsets the selected pair and closes the old
    /// sockets before it has others (ice 4.2.0, agent.go:1651). Until a check passes on a new pair,
    /// `Conn.Write` sends nothing and reports no error (transport.go:101). Seen on the wire: up to
    /// four numbers that left neither the old port nor the new, and are missing from what we
    /// forward alike. A packet is 20 ms: how many there are is for the machine to say.
    fn swallowed_by_itself(&self) -> i64 {
        if self.kind == Kind::Go { 6 } else { 0 }
    }

    /// Asks again and again until the answer is right. The driver's own round trip is the pause.
    #[track_caller]
    fn poll<T: Debug>(&self, what: &str, ask: impl Fn() -> T, wanted: impl Fn(&T) -> bool) -> T {
        let deadline = now() + PATIENCE;
        loop {
            let answer = ask();
            if wanted(&answer) {
                return answer;
            }
            assert!(
                now() < deadline,
                "{:?} {} waited for the right {what}; it has {answer:?}",
                self.kind,
                self.identity
            );
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The room may be gone, and the test already failing.
        let _ = self.try_to("close", json!({}));
    }
}

/// What a client has received of one speaker.
#[derive(Clone, Copy, Debug)]
pub struct Packets {
    pub received: i64,
    pub lost: i64,
}

/// What a speaker had sent, and a listener received of it, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    received: Packets,
    sent: i64,
}

impl Passage {
    #[must_use]
    pub fn of(speaker: &Client, listener: &Client) -> Self {
        // Counted in this order, nothing that was sent since can be missing from what comes.
        let received = listener.packets(&speaker.identity);
        Self { received, sent: speaker.sent() }
    }

    /// Checks that what `speaker` has sent since has arrived, without a packet missing.
    #[track_caller]
    pub fn assert_unbroken(self, speaker: &Client, listener: &Client) {
        /// Still under way. Browsers count some before they leave.
        const UNDER_WAY_MAX: i64 = 15;
        /// Half a second of speech: less says nothing.
        const SENT_MIN: i64 = 25;
        speaker.poll("number of packets", || speaker.sent(), |sent| sent - self.sent >= SENT_MIN);
        let sent = speaker.sent() - self.sent;
        let (before, after) = (self.received, listener.packets(&speaker.identity));
        let lost = after.lost - before.lost;
        assert!(
            lost <= speaker.swallowed_by_itself(),
            "packets are missing: {before:?} → {after:?}"
        );
        let came = after.received - before.received;
        assert!(came >= sent - UNDER_WAY_MAX, "{came} of {sent} packets came");
    }
}
