//! The words that every scenario is told in.

use std::{env, time::Duration};

use e2e::{
    client::Client,
    cluster::{Cluster, Shape},
    http::{self, Response},
    kind::Kind,
    talk::Talk,
};

/// The pool that the product's owner drew.
pub(crate) const TWO_OF_EACH: Shape = Shape { signaling: 2, sfu: 2, recorders: 0 };
/// How late a packet may be on a busy machine without a gap to be heard: a receiver's own buffer.
pub(crate) const LATE: Duration = Duration::from_secs(1);
/// How long an outage lasts, in seconds, unless said otherwise. Longer than any lease, heartbeat
/// or patience within the pool.
const OUTAGE_SECONDS: u64 = 6;
/// As was promised of Redis.
const LONG_OUTAGE_SECONDS: u64 = 60;
pub(crate) const ANN_HZ: u32 = 600;
pub(crate) const BOB_HZ: u32 = 900;
/// Rooms tried until one is where it is wanted.
const ROOMS_TRIED: usize = 12;

/// How long whatever is to be gone is gone: `ADDA_E2E_OUTAGE_SECONDS`, a minute for the nightly.
pub(crate) fn outage() -> Duration {
    told().unwrap_or(Duration::from_secs(OUTAGE_SECONDS))
}

/// The same of what is gone for a minute whenever it is played, unless that is told to be less.
pub(crate) fn long_outage() -> Duration {
    told().unwrap_or(Duration::from_secs(LONG_OUTAGE_SECONDS))
}

fn told() -> Option<Duration> {
    let told = env::var("ADDA_E2E_OUTAGE_SECONDS").ok()?;
    told.parse().ok().map(Duration::from_secs)
}

/// Two SDK clients who hear each other.
pub(crate) fn pair(cluster: &Cluster, kind: Kind, room: &str) -> [Client; 2] {
    let join = |identity: &str| {
        let token = cluster.token(room, identity).sign();
        Client::join_at(kind, &cluster.url(), identity, &token)
    };
    let [ann, bob] = [join("ann"), join("bob")];
    ann.publish_tone(ANN_HZ);
    bob.publish_tone(BOB_HZ);
    let pair = [ann, bob];
    expect_to_hear_each_other(&pair);
    pair
}

#[track_caller]
pub(crate) fn expect_to_hear_each_other([ann, bob]: &[Client; 2]) {
    bob.expect_tone("ann", ANN_HZ);
    ann.expect_tone("bob", BOB_HZ);
}

/// A conversation in a room of its own on another SFU than this.
pub(crate) fn talk_elsewhere(cluster: &Cluster, sfu: usize) -> Talk {
    for number in 0..ROOMS_TRIED {
        let talk = cluster.talk(&format!("elsewhere-{number}"));
        if cluster.sfu_at(talk.media[0]) != sfu {
            return talk;
        }
        talk.finish().assert_whole(LATE);
    }
    unreachable!("{ROOMS_TRIED} rooms are all on SFU {sfu}")
}

/// What one signaling node answers to somebody who would join and can't.
pub(crate) fn refusal_to_join(cluster: &Cluster, signaling: usize, room: &str) -> Response {
    let token = cluster.token(room, "asker").sign();
    let address = cluster.signaling[signaling].address();
    let request = format!(
        "GET /rtc?access_token={token} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    );
    http::exchange(address, request.as_bytes()).expect("it answers")
}
