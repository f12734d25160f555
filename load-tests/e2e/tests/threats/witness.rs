//! Two honest callers who talk all the while, and must not notice anything.

use std::{
    net::SocketAddr,
    panic::resume_unwind,
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread::{JoinHandle, spawn},
    time::Duration,
};

use e2e::{
    PATIENCE,
    peer::{Manner, Peer},
    server::Server,
};
use proto::ice::Credentials;

/// Who they are, and the SSRCs of their voices.
const CALLERS: [(&str, u32); 2] = [("ann", ANN), ("bob", BOB)];
pub(crate) const ANN: u32 = 0xa11_0001;
pub(crate) const BOB: u32 = 0xb0b_0001;

/// Between two packets of a voice.
const FRAME: Duration = Duration::from_millis(20);
/// Packets that each says at least, however short the attack was.
const SAID_MIN: usize = 10;

/// A call that goes on, on a thread of its own, until it is asked how it was.
pub(crate) struct Witness {
    stop: Sender<()>,
    call: JoinHandle<Vec<Vec<u8>>>,
}

/// Where the call's media goes, and what its first caller and the server know of each other.
pub(crate) struct Known {
    pub(crate) media: SocketAddr,
    pub(crate) caller: Credentials,
    pub(crate) server: Credentials,
}

/// One of the two.
struct Talker {
    peer: Peer,
    said: usize,
}

impl Witness {
    /// Lets two callers join `room`, and returns when they talk.
    pub(crate) fn start(server: &Server, room: &str) -> (Self, Known) {
        let address = server.address();
        let tokens = CALLERS.map(|(identity, _)| server.token(room, identity).sign());
        let (ready, started) = channel();
        let (stop, stopped) = channel();
        let call = spawn(move || {
            let mut callers = CALLERS.iter().zip(&tokens).map(|((identity, ssrc), token)| {
                let manner = Manner::with_ssrc(*ssrc);
                Peer::join_with(address, token, identity, manner)
            });
            let pair = [callers.next(), callers.next()].map(|peer| peer.expect("two"));
            let (pair, known) = introduce(pair);
            // Nobody listens any more when the test has failed.
            let _ = ready.send(known);
            account(talk(pair, &stopped))
        });
        let known = started.recv().expect("the witnesses join");
        (Self { stop, call }, known)
    }

    /// Ends the call, in which each must have heard the other's every packet, once and in order.
    /// Returns what they heard of others.
    pub(crate) fn finish(self) -> Vec<Vec<u8>> {
        drop(self.stop);
        self.call.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Waits until they hear each other; what they say from then on counts.
fn introduce(mut pair: [Peer; 2]) -> ([Talker; 2], Known) {
    let [ann, bob] = &mut pair;
    assert_hears(ann, bob, "at first");
    assert_hears(bob, ann, "at first");
    let (caller, server) = ann.credentials();
    let known = Known { media: ann.media(), caller, server };
    let pair = pair.map(|mut peer| {
        // The last of the greetings may still be on its way.
        peer.listen(FRAME);
        peer.heard.clear();
        Talker { peer, said: 0 }
    });
    (pair, known)
}

fn talk(mut pair: [Talker; 2], stopped: &Receiver<()>) -> [Talker; 2] {
    while pair[0].said < SAID_MIN || stopped.try_recv() == Err(TryRecvError::Empty) {
        for talker in &mut pair {
            talker.speak();
        }
        for talker in &mut pair {
            talker.peer.listen(FRAME / 2);
        }
    }
    pair
}

fn account([mut ann, mut bob]: [Talker; 2]) -> Vec<Vec<u8>> {
    let mut foreign = ann.account_of(&bob);
    foreign.extend(bob.account_of(&ann));
    foreign
}

impl Talker {
    fn speak(&mut self) {
        let words = self.words(self.said);
        self.peer.say(&words);
        self.said += 1;
    }

    fn words(&self, number: usize) -> Vec<u8> {
        format!("{} says {number}", self.peer.identity).into_bytes()
    }

    /// Takes in the rest of what the other said, and gives back what wasn't the other's.
    fn account_of(&mut self, other: &Self) -> Vec<Vec<u8>> {
        let last = other.words(other.said - 1);
        self.peer.run(PATIENCE / 4, &|peer| peer.heard.iter().any(|one| one.payload == last));
        assert!(!self.peer.ended, "{} was thrown out", self.peer.identity);

        let of_other = format!("{} says ", other.peer.identity).into_bytes();
        let heard = std::mem::take(&mut self.peer.heard).into_iter().map(|one| one.payload);
        let (heard, foreign): (Vec<_>, Vec<_>) = heard.partition(|one| one.starts_with(&of_other));
        let said: Vec<_> = (0..other.said).map(|number| other.words(number)).collect();
        let lost = said.iter().filter(|one| !heard.contains(one)).count();
        assert_eq!(lost, 0, "{} lost packets, of {}", self.peer.identity, other.said);
        assert!(heard == said, "{} heard packets twice, or out of order", self.peer.identity);
        foreign
    }
}

/// Lets `speaker` say something new until `listener` hears it.
pub(crate) fn assert_hears(speaker: &mut Peer, listener: &mut Peer, when: &str) {
    let words = format!("{} {when}", speaker.identity);
    let heard = |listener: &Peer| listener.payloads().contains(&words.as_bytes());
    let deadline = e2e::now() + PATIENCE;
    while e2e::now() < deadline {
        speaker.say(words.as_bytes());
        speaker.listen(FRAME / 4);
        if listener.run(FRAME, &heard) {
            return;
        }
    }
    panic!("{} did not hear {words}", listener.identity);
}
