//! A network of the tests' own: loopback, and one interface with an address and a route.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The addresses of the interface, and of the router that isn't there. None comes by itself a
/// second later, as a link-local one would: with each, Chromium gives up what it is loading.
const COMMANDS: &[&str] = &[
    "link set lo up",
    "link add call0 type veth peer name call1",
    "link set call0 addrgenmode none",
    "link set call1 addrgenmode none",
    "address add 10.77.0.1/24 dev call0",
    "address add fd77::1/64 dev call0 nodad",
    "link set call0 up",
    "link set call1 up",
    "route add default via 10.77.0.2 dev call0",
];

/// The process that keeps the network alive; it ends when its input does, so with this one.
static HOLDER: OnceLock<Option<Holder>> = OnceLock::new();

struct Holder {
    child: Child,
}

/// Moves this thread, and all it will start, into the network. On a desk without the right to
/// make one, tests go on where they are.
pub(crate) fn enter() {
    let holder = HOLDER.get_or_init(Holder::start);
    if let Some(holder) = holder {
        holder.enter();
    }
}

impl Holder {
    fn start() -> Option<Self> {
        let mut child = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // `cat` answers once `unshare` has become it.
        let asked = child.stdin.as_mut().is_some_and(|stdin| stdin.write_all(b"there?\n").is_ok());
        let mut answer = String::new();
        let stdout = child.stdout.as_mut()?;
        let answered = BufReader::new(stdout).read_line(&mut answer).is_ok_and(|read| read > 0);
        if !asked || !answered {
            return None;
        }
        let holder = Self { child };
        holder.enter();
        for command in COMMANDS {
            let words = command.split(' ');
            let done = Command::new("ip").args(words).status().expect("`ip` runs");
            assert!(done.success(), "ip {command}");
        }
        Some(holder)
    }

    fn enter(&self) {
        let path = format!("/proc/{}/ns/net", self.child.id());
        let network = File::open(&path).expect("the network's holder lives");
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("the network can be entered");
    }
}
