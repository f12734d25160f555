//! M2: only an authentic check is answered.

use aws_lc_rs::hmac;
use e2e::peer::{Manner, Peer};

use crate::scene::{Scene, stranger};

const BINDING_REQUEST: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const CONTROLLING: u16 = 0x802a;

/// The two names of a check's USERNAME.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) to: String,
    pub(crate) from: String,
}

/// Which parts a check has, and what is in them.
#[derive(Clone)]
struct Recipe {
    kind: u16,
    username: Option<String>,
    password: Option<String>,
    has_fingerprint: bool,
    tail: Vec<u8>,
}

impl Recipe {
    fn good(names: &Names, password: &str) -> Self {
        Self {
            kind: BINDING_REQUEST,
            username: Some(format!("{}:{}", names.to, names.from)),
            password: Some(password.to_owned()),
            has_fingerprint: true,
            tail: Vec::new(),
        }
    }

    /// Writes it, each part it has being right for what is before it.
    fn write(&self) -> Vec<u8> {
        let mut message = self.kind.to_be_bytes().to_vec();
        message.extend([0, 0, 0x21, 0x12, 0xa4, 0x42]);
        message.extend(b"twelve bytes");
        if let Some(username) = &self.username {
            push(&mut message, USERNAME, username.as_bytes());
        }
        push(&mut message, PRIORITY, &[0, 0, 0, 1]);
        push(&mut message, CONTROLLING, &[1; 8]);
        message.extend(&self.tail);
        if let Some(password) = &self.password {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
            set_length(&mut message, 24);
            let tag = hmac::sign(&key, &message);
            push(&mut message, INTEGRITY, tag.as_ref());
        }
        if self.has_fingerprint {
            set_length(&mut message, 8);
            let sum = crc32(&message) ^ 0x5354_554e;
            push(&mut message, FINGERPRINT, &sum.to_be_bytes());
        }
        set_length(&mut message, 0);
        message
    }
}

/// A check that is answered.
pub(crate) fn good_check(names: &Names, password: &str) -> Vec<u8> {
    Recipe::good(names, password).write()
}

/// A check that moves its session to where it comes from.
pub(crate) fn nomination(names: &Names, password: &str) -> Vec<u8> {
    let tail = [USE_CANDIDATE.to_be_bytes(), [0, 0]].concat();
    Recipe { tail, ..Recipe::good(names, password) }.write()
}

fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Makes the header say that `more` bytes follow what is there.
fn set_length(message: &mut [u8], more: usize) {
    let length = u16::try_from(message.len() - 20 + more).expect("short");
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(sum & 1))
        })
    })
}

#[test]
fn m2_a_check_is_answered_only_when_it_is_authentic() {
    let scene = Scene::start();
    let eve = Peer::join(&scene.server, "hers", "eve", Manner::with_ssrc(0xe7e_0001));
    let (own, server) = eve.credentials();
    let names = Names { to: server.ufrag, from: own.ufrag.clone() };
    let good = Recipe::good(&names, &server.pwd);
    let named =
        |to: &str, from: &str| Recipe { username: Some(format!("{to}:{from}")), ..good.clone() };
    let kind = |kind| Recipe { kind, ..good.clone() }.write();
    let password = |text: &str| Recipe { password: Some(text.to_owned()), ..good.clone() }.write();
    let spoilt = |at: usize| {
        let mut bytes = good.write();
        bytes[at] ^= 1;
        bytes
    };
    let end = good.write().len();
    let forgeries = [
        ("no username", Recipe { username: None, ..good.clone() }.write()),
        ("an empty username", Recipe { username: Some(String::new()), ..good.clone() }.write()),
        ("half a username", Recipe { username: Some(names.to.clone()), ..good.clone() }.write()),
        ("an unknown ufrag", named("nobody", &names.from).write()),
        ("the ufrags the wrong way round", named(&names.from, &names.to).write()),
        ("another sender's ufrag", named(&names.to, "somebody").write()),
        ("a wrong password", password("0123456789abcdefghijklmnop")),
        ("the sender's own password", password(&own.pwd)),
        ("an empty password", password("")),
        ("a wrong integrity", spoilt(end - 9)),
        ("a wrong fingerprint", spoilt(end - 1)),
        ("no integrity", Recipe { password: None, ..good.clone() }.write()),
        ("no fingerprint", Recipe { has_fingerprint: false, ..good.clone() }.write()),
        ("neither", Recipe { password: None, has_fingerprint: false, ..good.clone() }.write()),
        ("an indication", kind(0x0011)),
        ("a success response", kind(0x0101)),
        ("an error response", kind(0x0111)),
        ("an allocation", kind(0x0003)),
        ("another cookie", spoilt(4)),
        ("a length that lies", spoilt(3)),
        ("an attribute longer than the message", {
            let tail = [0x80, 0x22, 0xff, 0xff].to_vec();
            Recipe { tail, ..good.clone() }.write()
        }),
        ("cut short", good.write()[..end - 3].to_vec()),
        ("bytes behind the end", [good.write(), vec![0; 4]].concat()),
    ];
    for (what, datagram) in forgeries {
        let socket = stranger();
        socket.send_to(&datagram, scene.media).expect("sent");
        assert_eq!(scene.bytes_sent_to(&socket), 0, "{what}");
    }
    // The good one is answered, so each of the others was refused for its own fault.
    let socket = stranger();
    socket.send_to(&good.write(), scene.media).expect("sent");
    assert!(scene.bytes_sent_to(&socket) > 0);
    scene.assert_unharmed();
}
