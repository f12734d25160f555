//! Peers who talk to each other without a pause, and the ear that says what each missed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    PATIENCE, now,
    peer::{Manner, Peer},
};

/// Between two packets of a speaker.
const PACE: Duration = Duration::from_millis(20);
/// One look at a peer's sockets takes this and what they wait.
const LOOK: Duration = Duration::from_millis(1);
/// How long after the last word everything must have arrived.
const TAIL: Duration = Duration::from_millis(600);
/// As long as a packet of real speech.
const PAYLOAD_BYTES: usize = 40;
const SSRC_BASE: u32 = 0x7a1c_0000;

/// Who takes part, and by which way.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub identity: String,
    pub token: String,
    /// Where it joins.
    pub through: SocketAddr,
    /// Where it takes up its session again when the signal connection is lost.
    pub back: SocketAddr,
}

/// A conversation that goes on until it is finished. Every packet has its speaker and number in it.
pub struct Talk {
    /// Where the media of each goes.
    pub media: Vec<SocketAddr>,
    stop: Sender<()>,
    news: Receiver<News>,
    thread: JoinHandle<Record>,
}

/// What the main thread may wait for.
enum News {
    /// Somebody heard somebody: listener, speaker.
    Heard(usize, usize),
    /// Somebody heard somebody who is in the room and not of this conversation.
    HeardAnother,
    /// Somebody took up their session again.
    Resumed(usize),
}

/// Who said what when, and who heard it when. Peers are their places in the conversation.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub names: Vec<String>,
    /// By speaker and number.
    pub said: BTreeMap<(usize, u32), Instant>,
    /// By listener, speaker and number; twice what came twice.
    pub heard: BTreeMap<(usize, usize, u32), Vec<Instant>>,
    /// How often each took up its session again.
    pub resumed: Vec<u32>,
    /// Whose session was over at the end.
    pub ended: Vec<String>,
}

impl Talk {
    /// Has them join and talk, each every 20 ms, and returns once everybody hears everybody.
    #[must_use]
    pub fn of(speakers: Vec<Speaker>) -> Self {
        let (stop, stopped) = channel();
        let (tell, news) = channel();
        let (join, joined) = channel();
        let count = speakers.len();
        let thread = thread::spawn(move || {
            let peers: Vec<Peer> = (1..).zip(&speakers).map(|(ssrc, one)| one.join(ssrc)).collect();
            let _ = join.send(peers.iter().map(Peer::media).collect());
            converse(peers, &stopped, &tell)
        });
        // The thread fails its test by itself; what it said is on the test's own error stream.
        let media = joined.recv().expect("everybody joins");
        let talk = Self { media, stop, news, thread };
        talk.wait_for_pairs(count);
        talk
    }

    /// Waits until everybody hears everybody anew.
    pub fn wait_until_heard(&self) {
        let _stale = self.news.try_iter().count();
        self.wait_for_pairs(self.media.len());
    }

    /// Ends it and returns what there is to judge.
    #[must_use]
    pub fn finish(self) -> Record {
        let _ = self.stop.send(());
        self.thread.join().expect("the conversation")
    }

    /// Waits until these have taken up their session again since the start or the last wait.
    pub fn wait_until_resumed(&self, places: &[usize]) {
        let mut missing: BTreeSet<usize> = places.iter().copied().collect();
        self.wait("resumed", |news| {
            if let News::Resumed(place) = news {
                missing.remove(&place);
            }
            missing.is_empty()
        });
    }

    fn wait_for_pairs(&self, peers: usize) {
        let pairs = peers * peers.saturating_sub(1);
        let mut heard = BTreeSet::new();
        self.wait("heard", |news| {
            if let News::Heard(listener, speaker) = news {
                heard.insert((listener, speaker));
            }
            // Who is alone in this conversation hears those of another.
            heard.len() >= pairs
        });
    }

    fn wait(&self, what: &str, mut is_done: impl FnMut(News) -> bool) {
        let deadline = now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(now());
            let news = self.news.recv_timeout(left);
            let news = news.unwrap_or_else(|_| panic!("not everybody has {what}"));
            if is_done(news) {
                return;
            }
        }
    }
}

impl Speaker {
    fn join(&self, ssrc: u32) -> Peer {
        let manner = Manner::with_ssrc(SSRC_BASE + ssrc);
        let mut peer = Peer::join_with(self.through, &self.token, &self.identity, manner);
        peer.come_back_through(self.back, &self.token);
        peer
    }
}

fn converse(mut peers: Vec<Peer>, stopped: &Receiver<()>, tell: &Sender<News>) -> Record {
    let names = peers.iter().map(|peer| peer.identity.clone()).collect();
    let mut record = Record { names, ..Default::default() };
    let (mut number, mut next, mut end) = (0, now(), None);
    let mut resumed = vec![0; peers.len()];
    static TALKS: AtomicU32 = AtomicU32::new(0);
    let talk = TALKS.fetch_add(1, Ordering::Relaxed);
    loop {
        if end.is_none() && stopped.try_recv() != Err(TryRecvError::Empty) {
            end = Some(now() + TAIL);
        }
        match end {
            Some(end) if now() > end => {
                record.resumed = resumed;
                let ended = peers.iter().filter(|peer| peer.ended);
                record.ended = ended.map(|peer| peer.identity.clone()).collect();
                return record;
            }
            Some(_) => {}
            None => {
                for (place, peer) in peers.iter_mut().enumerate() {
                    record.said.insert((place, number), now());
                    peer.say(&words(talk, place, number));
                }
                number += 1;
            }
        }
        next += PACE;
        loop {
            for (place, peer) in peers.iter_mut().enumerate() {
                peer.listen(LOOK);
                for one in peer.heard.drain(..) {
                    let (from, speaker, number) = meaning(&one.payload).expect("words");
                    if from != talk {
                        let _ = tell.send(News::HeardAnother);
                        continue;
                    }
                    record.heard.entry((place, speaker, number)).or_default().push(now());
                    // Nobody may be waiting.
                    let _ = tell.send(News::Heard(place, speaker));
                }
                if resumed[place] < peer.resumed {
                    resumed[place] = peer.resumed;
                    let _ = tell.send(News::Resumed(place));
                }
            }
            if now() >= next {
                break;
            }
        }
    }
}

fn words(talk: u32, speaker: usize, number: u32) -> Vec<u8> {
    let mut payload = vec![0; PAYLOAD_BYTES];
    let text = format!("{talk} {speaker} {number} ");
    payload[..text.len()].copy_from_slice(text.as_bytes());
    payload
}

/// What [`words`] said.
fn meaning(payload: &[u8]) -> Option<(u32, usize, u32)> {
    let text = String::from_utf8_lossy(payload);
    let mut words = text.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

impl Record {
    /// Checks that everybody heard every packet of everybody once, from the first they heard to
    /// the last that was said, none later than `limit`, and that all are still there.
    #[track_caller]
    pub fn assert_whole(&self, limit: Duration) {
        assert!(self.ended.is_empty(), "gone at the end: {:?}", self.ended);
        let faults = self.faults(limit);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// What is missing, came twice or came late; one line each.
    #[must_use]
    pub fn faults(&self, limit: Duration) -> Vec<String> {
        let places = 0..self.names.len();
        let pairs = places.clone().flat_map(|one| places.clone().map(move |other| (one, other)));
        pairs
            .filter(|(listener, speaker)| listener != speaker)
            .filter_map(|(listener, speaker)| self.fault_of(listener, speaker, limit))
            .collect()
    }

    fn fault_of(&self, listener: usize, speaker: usize, limit: Duration) -> Option<String> {
        let between = format!("{} of {}", self.names[listener], self.names[speaker]);
        let heard = self.heard.range((listener, speaker, 0)..=(listener, speaker, u32::MAX));
        let Some((_, _, first)) = heard.clone().next().map(|(key, _)| *key) else {
            return Some(format!("{between}: heard nothing"));
        };
        let said = self.said.range((speaker, first)..=(speaker, u32::MAX));
        let (mut missing, mut twice, mut latest) = (Vec::new(), 0, Duration::ZERO);
        for ((_, number), at) in said {
            match self.heard.get(&(listener, speaker, *number)).map(Vec::as_slice) {
                None | Some([]) => missing.push(*number),
                Some([arrival, more @ ..]) => {
                    twice += more.len();
                    latest = latest.max(arrival.saturating_duration_since(*at));
                }
            }
        }
        let is_whole = missing.is_empty() && twice == 0 && latest <= limit;
        (!is_whole).then(|| {
            let count = missing.len();
            missing.truncate(10);
            format!("{between}: {count} missing {missing:?}, {twice} twice, {latest:?} late")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    /// Two peers, of whom the second heard of the first what `delays` says, packet by packet.
    fn record(delays: &[&[u64]]) -> Record {
        let start = now();
        let mut record =
            Record { names: vec!["ann".to_owned(), "bob".to_owned()], ..Default::default() };
        for (number, delays) in (0..).zip(delays) {
            let at = start + PACE * number;
            record.said.insert((0, number), at);
            record.said.insert((1, number), at);
            record.heard.insert((0, 1, number), vec![at]);
            let arrivals: Vec<Instant> =
                delays.iter().map(|delay| at + Duration::from_millis(*delay)).collect();
            if !arrivals.is_empty() {
                record.heard.insert((1, 0, number), arrivals);
            }
        }
        record
    }

    #[test]
    fn a_whole_conversation_has_no_fault() {
        // Packets before the first that is heard were said to nobody.
        assert_eq!(record(&[&[], &[3], &[50], &[1]]).faults(LIMIT), [""; 0]);
    }

    #[test]
    fn what_is_missing_twice_late_or_never_heard_is_told() {
        let told = |delays: &[&[u64]]| record(delays).faults(LIMIT).join("");
        assert!(told(&[&[1], &[], &[1]]).contains("1 missing [1]"));
        assert!(told(&[&[1], &[]]).contains("1 missing [1]"));
        assert!(told(&[&[1], &[1, 2]]).contains("1 twice"));
        assert!(told(&[&[1], &[101]]).contains("101ms late"));
        assert!(told(&[&[], &[]]).contains("bob of ann: heard nothing"));
    }
}
