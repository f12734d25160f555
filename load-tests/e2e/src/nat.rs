//! A cloud's NAT between clients and one server: public addresses in front, private ones behind.

use std::process::Command;

use crate::weather::nft;

/// What clients are told. Nobody has them: the router gives what is sent there to the private ones.
pub const PUBLIC: [&str; 2] = ["203.0.113.7", "2001:db8:7::7"];
/// What the server's machine has.
const PRIVATE: [&str; 2] = ["10.88.0.2", "fd88::2"];

const TABLE: &str = "nat88";

/// A router that works until it is dropped. There is one in the network at a time.
pub struct Nat {
    _one: (),
}

impl Nat {
    /// Gives the machine its private addresses and puts the router in front of them. Media that
    /// comes to a private address by another way than the router is dropped. The network must
    /// have been entered.
    #[must_use]
    pub fn start() -> Self {
        let ([public_v4, public_v6], [private_v4, private_v6]) = (PUBLIC, PRIVATE);
        ip(&["address", "add", &format!("{private_v4}/32"), "dev", "lo"]);
        ip(&["address", "add", &format!("{private_v6}/128"), "dev", "lo", "nodad"]);
        ip(&["-6", "route", "add", &format!("{public_v6}/128"), "dev", "call0"]);
        nft(&format!(
            "table inet {TABLE} {{
  chain router {{
    type nat hook output priority -100;
    ip daddr {public_v4} dnat ip to {private_v4}
    ip6 daddr {public_v6} dnat ip6 to {private_v6}
  }}
  chain arrival {{
    type filter hook input priority 0;
    ct status dnat accept
    ip daddr {private_v4} udp dport 1024-65535 drop
    ip6 daddr {private_v6} udp dport 1024-65535 drop
  }}
}}
"
        ));
        Self { _one: () }
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        nft(&format!("delete table inet {TABLE}\n"));
        let [private_v4, private_v6] = PRIVATE;
        ip(&["address", "del", &format!("{private_v4}/32"), "dev", "lo"]);
        ip(&["address", "del", &format!("{private_v6}/128"), "dev", "lo"]);
        ip(&["-6", "route", "del", &format!("{}/128", PUBLIC[1]), "dev", "call0"]);
    }
}

fn ip(words: &[&str]) {
    let done = Command::new("ip").args(words).status().expect("`ip` runs");
    assert!(done.success(), "ip {}", words.join(" "));
}
