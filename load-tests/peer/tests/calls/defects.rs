//! The two defects that keep the crate `webrtc` out of the server, set off against the server.
//!
//! `docs/decisions/0002-webrtc-crate-stays-out-of-the-server.md` tells what they do elsewhere.

use std::time::Duration;

use peer::attack::SKIP_MAX;

use crate::{
    hostile::Hostile,
    server::{Server, within},
    talk::{Heard, Talk},
};

/// Eight seconds, most of it after the attack.
const FRAMES: usize = 400;
/// Either defect would stall the shard for seconds or for good; a busy machine stalls for less.
const GAP_MAX: Duration = Duration::from_millis(500);
/// An attack costs some 10 ms and 40 kB; keeping the fragments would cost megabytes.
const CPU_MAX: Duration = Duration::from_millis(500);
const MEMORY_BYTES_MAX: u64 = 2 << 20;
const ATTACK_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_in_60_000_fragments_leaves_the_other_calls_unharmed() {
    attack(async |mut hostile| {
        hostile.send_fragmented_hello().await;
        assert!(hostile.check().await, "the server took no notice of the attacker");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_forward_tsn_leaves_the_other_calls_unharmed() {
    attack(async |mut hostile| {
        hostile.connect().await;
        hostile.send_forward_tsn(1).await;
        assert!(hostile.is_believed(1).await, "forgeries do not reach SCTP");

        hostile.send_forward_tsn(SKIP_MAX).await;

        hostile.send_forward_tsn(2).await;
        assert!(hostile.is_believed(2).await, "the forgery was believed, or ended the association");
    })
    .await;
}

/// Lets a client join regularly and do `harm` while two peers talk on the same shard, then looks
/// at the two and at the process.
async fn attack(harm: impl AsyncFnOnce(Hostile)) {
    let mut server = Server::start().await;
    let hostile = Hostile::join(&server, "room").await;
    let mut talk = Talk::begin(&server, "room").await;

    let (heard, cost) = talk
        .go_on(FRAMES, async |settled| {
            settled.wait().await;
            let before = server.usage();
            within(ATTACK_MAX, "the attack", harm(hostile)).await;
            let after = server.usage();
            Cost {
                cpu: after.cpu.saturating_sub(before.cpu),
                memory_bytes: after.resident_peak_bytes - before.resident_peak_bytes,
            }
        })
        .await;

    assert!(server.is_up(), "the process died:\n{}", server.log());
    heard.iter().for_each(|one: &Heard| one.assert_unharmed(GAP_MAX));
    cost.assert_bounded();
}

/// What the attack cost the server, the two voices it forwards meanwhile included.
#[derive(Debug)]
struct Cost {
    cpu: Duration,
    memory_bytes: u64,
}

impl Cost {
    fn assert_bounded(&self) {
        assert!(self.cpu <= CPU_MAX, "{self:?}");
        assert!(self.memory_bytes <= MEMORY_BYTES_MAX, "{self:?}");
    }
}
