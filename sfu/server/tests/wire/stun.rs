//! Checks that nobody should believe are not answered, and counted by why.

use aws_lc_rs::hmac;
use proto::stun::{ConnectivityCheck, TransactionId, Username};
use sfu_server::StunRefusals;
use tokio::net::UdpSocket;

use crate::{
    caller::{Caller, UFRAG},
    node::Node,
};

#[tokio::test]
async fn what_is_wrong_with_a_check_is_counted() {
    let mut node = Node::start(1);
    let alice = Caller::join(&mut node).await;
    let before = node.wait_until(|it| it.core.participants == 1).await.io.stun;
    let eve = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    eve.connect(node.inner.addresses[0]).await.unwrap();

    let (to, pwd) = (alice.remote.ufrag.as_str(), alice.remote.pwd.as_str());
    let guessed = "a password of hers, guessed";
    for (datagrams, datagram) in [
        (1, vec![0; 20]),
        (2, check(to, UFRAG, guessed)),
        (3, check("nobody", UFRAG, pwd)),
        (4, check(to, "somebody else", pwd)),
        (5, binding_indication()),
    ] {
        for _ in 0..datagrams {
            eve.send(&datagram).await.unwrap();
        }
    }
    let expected = StunRefusals {
        malformed: before.malformed + 1,
        username: before.username + 3 + 4 + 5,
        integrity: before.integrity + 2,
        unsupported: before.unsupported,
    };
    node.wait_until(|it| it.io.stun == expected).await;
    assert!(eve.try_recv(&mut [0; 100]).is_err(), "an answer to a stranger");
}

fn check(to: &str, from: &str, pwd: &str) -> Vec<u8> {
    let check = ConnectivityCheck {
        transaction: TransactionId([7; 12]),
        username: Username { to, from },
        priority: 1,
        tie_breaker: 1,
        use_candidate: true,
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes());
    check.write(|bytes| hmac::sign(&key, bytes).as_ref().try_into().unwrap())
}

/// A keep-alive as RFC 8445 §11 has it: names nobody.
fn binding_indication() -> Vec<u8> {
    [&[0x00, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat()
}
