//! Cores and codecs read no clock, no socket, no file, no environment and no chance.

use crate::{check::rust, workspace::Source};

/// Paths that reach the operating system, by prefix. Address and duration types are values.
const BANNED: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::Stderr",
    "std::io::Stdin",
    "std::io::Stdout",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::thread",
    "std::time::Instant::now",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
    "UdpSocket",
    "TcpStream",
];

pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_core(source)) {
        for (line, path) in rust::paths(source.production()) {
            let starts = |banned: &&&str| {
                path.strip_prefix(**banned)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            if let Some(banned) = BANNED.iter().find(starts) {
                findings.push(format!("{}:{line}: {banned}", source.path));
            }
        }
    }
    findings
}

fn is_core(source: &Source) -> bool {
    let folder = source.path.split_once("/src/").map_or("", |(folder, _)| folder);
    let is_core = folder == "proto" || folder == "sfu/rtc" || folder.ends_with("/core");
    is_core && source.is_rust()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(path: &str, text: &str) -> Vec<String> {
        findings(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_core_with_a_socket_a_file_or_a_clock_is_refused() {
        let text =
            "//! Core.\nuse std::{fs, net::{IpAddr, UdpSocket}};\nfn f() { Instant::now(); }";
        let found = judge("sfu/core/src/room.rs", text);
        let expected = [
            "sfu/core/src/room.rs:2: std::fs",
            "sfu/core/src/room.rs:2: std::net::UdpSocket",
            "sfu/core/src/room.rs:3: Instant::now",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn addresses_durations_and_compile_time_environment_are_values() {
        let text = "use std::{net::{IpAddr, SocketAddr}, time::{Duration, Instant}};\n\
                    const V: &str = env!(\"CARGO_PKG_VERSION\");";
        assert_eq!(judge("proto/src/lib.rs", text), [""; 0]);
    }

    #[test]
    fn a_shell_may_touch_the_system_and_so_may_a_cores_own_tests() {
        assert_eq!(judge("sfu/server/src/shard.rs", "use std::fs;"), [""; 0]);
        let text = "//! Core.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}";
        assert_eq!(judge("turn/core/src/lib.rs", text), [""; 0]);
    }
}
