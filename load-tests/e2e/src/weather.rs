//! Bad networks between clients and one server's media ports, by packet filter.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::server::Server;

/// A server has a media port for each core of the machine; no other server's come before this.
const SHARDS_MAX: u16 = 16;

/// What happens to media of a server, both ways.
#[derive(Clone, Copy, Debug)]
pub enum Weather {
    /// So many packets of a hundred are lost.
    Loss { percent: u8 },
    /// Nothing passes over IPv4.
    NoIpv4,
}

/// A filter that holds until dropped.
pub struct Filter {
    table: String,
}

impl Weather {
    /// Lets it come over this server's media.
    #[must_use]
    pub fn over(self, server: &Server) -> Filter {
        let first = server.media_address().port();
        let last = first + SHARDS_MAX;
        let table = format!("weather{first}");
        let fate = match self {
            Self::Loss { percent } => format!("numgen random mod 100 < {percent} drop"),
            Self::NoIpv4 => "meta nfproto ipv4 drop".to_owned(),
        };
        // Where packets arrive: a filter where they leave would tell the sender.
        let rules = format!(
            "table inet {table} {{\n  chain arrival {{\n    type filter hook input priority 0;\n    \
             udp dport {first}-{last} {fate}\n    udp sport {first}-{last} {fate}\n  }}\n}}\n"
        );
        nft(&rules);
        Filter { table }
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        nft(&format!("delete table inet {}\n", self.table));
    }
}

/// Has `nft` take in rules.
pub(crate) fn nft(rules: &str) {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("`nft` runs; `cargo xtask setup` installs it");
    child.stdin.take().expect("piped").write_all(rules.as_bytes()).expect("read");
    assert!(child.wait().expect("it ends").success(), "nft refused:\n{rules}");
}
