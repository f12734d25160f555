//! Two peers who talk to each other, and what each heard of the other.

use std::time::Duration;

use bytes::Bytes;
use peer::{Event, Microphone, Participant, Sound};
use tokio::{sync::Semaphore, time::Instant};

use crate::server::{Server, within};

/// What is heard before this frame tells that both hear; nothing may be missing after it.
const SETTLED: usize = 100;
/// Frames are 20 ms apart; this much silence after the last means that the rest is lost.
const SILENCE: Duration = Duration::from_secs(3);

/// How long it may take until the first frame comes.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Ann and Bob, connected, subscribed to each other, silent so far.
pub(crate) struct Talk {
    ann: Speaker,
    bob: Speaker,
}

struct Speaker {
    name: &'static str,
    participant: Participant,
    microphone: Microphone,
}

/// What one of them heard, from [`SETTLED`] to the end.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Frames that never came.
    pub(crate) missing: usize,
    /// Packets with bytes that nobody said.
    pub(crate) foreign: usize,
    pub(crate) repeated: usize,
    pub(crate) longest_gap: Duration,
}

/// Tells an attack when both hear each other.
pub(crate) struct Settled(Semaphore);

impl Settled {
    pub(crate) async fn wait(&self) {
        let both = self.0.acquire_many(2).await.expect("never closed");
        both.forget();
    }
}

impl Talk {
    pub(crate) async fn begin(server: &Server, room: &str) -> Self {
        let ann = Speaker::join(server, room, "ann", 11).await;
        let bob = Speaker::join(server, room, "bob", 22).await;
        Self { ann, bob }
    }

    /// Both say `frames` frames while `meanwhile` happens. Returns what each heard, and how
    /// `meanwhile` ended.
    pub(crate) async fn go_on<T>(
        &mut self,
        frames: usize,
        meanwhile: impl AsyncFnOnce(&Settled) -> T,
    ) -> ([Heard; 2], T) {
        let settled = Settled(Semaphore::new(0));
        let (ann, bob) = (&mut self.ann, &mut self.bob);
        let (ann_sid, bob_sid) = (ann.sid(), bob.sid());
        let says = [voice(ann.name, frames), voice(bob.name, frames)];
        let [ann_says, bob_says] = &says;
        let (ann_spoke, bob_spoke, ann_heard, bob_heard, outcome) = tokio::join!(
            ann.microphone.say(ann_says.iter().cloned()),
            bob.microphone.say(bob_says.iter().cloned()),
            listen(&mut ann.participant, &bob_sid, bob_says, &settled),
            listen(&mut bob.participant, &ann_sid, ann_says, &settled),
            meanwhile(&settled),
        );
        ann_spoke.and(bob_spoke).expect("both may speak");
        ([ann_heard, bob_heard], outcome)
    }
}

impl Speaker {
    async fn join(server: &Server, room: &str, name: &'static str, ssrc: u32) -> Self {
        let participant = server.join(room, name).await;
        let microphone = participant.publish(ssrc).await.expect("who may publish can");
        Self { name, participant, microphone }
    }

    fn sid(&self) -> String {
        self.participant.sid().to_owned()
    }
}

impl Heard {
    /// Checks that every frame came, once, as it was said, and none much later than it should.
    pub(crate) fn assert_unharmed(&self, gap_max: Duration) {
        assert_eq!((self.missing, self.foreign, self.repeated), (0, 0, 0), "{self:?}");
        assert!(self.longest_gap <= gap_max, "{self:?}");
    }
}

/// What `name` says: frames that are told apart, and from anybody else's.
fn voice(name: &str, frames: usize) -> Vec<Bytes> {
    (0..frames).map(|number| Bytes::from(format!("{name:_<72}{number:08}"))).collect()
}

/// Listens to `speaker` until the last frame has come or it stays silent.
async fn listen(
    listener: &mut Participant,
    speaker: &str,
    says: &[Bytes],
    settled: &Settled,
) -> Heard {
    let mut times = vec![0_usize; says.len()];
    let mut foreign = 0;
    let mut longest_gap = Duration::ZERO;
    let mut latest: Option<Instant> = None;
    let mut patience = SUBSCRIBE_TIMEOUT;
    while times.last() == Some(&0)
        && let Some(sound) = next_sound(listener, patience).await
    {
        let said = says.iter().position(|frame| *frame == sound.payload);
        let Some(number) = said.filter(|_| sound.speaker == speaker) else {
            foreign += 1;
            continue;
        };
        times[number] += 1;
        if number == SETTLED {
            settled.0.add_permits(1);
        }
        let gap = latest.map_or(Duration::ZERO, |latest| sound.at.duration_since(latest));
        longest_gap = longest_gap.max(if number > SETTLED { gap } else { Duration::ZERO });
        latest = Some(sound.at);
        patience = SILENCE;
    }
    let missing = times[SETTLED..].iter().filter(|times| **times == 0).count();
    let repeated = times[SETTLED..].iter().filter(|times| **times > 1).count();
    Heard { missing, foreign, repeated, longest_gap }
}

/// The next packet of sound, `None` if none comes in time.
async fn next_sound(listener: &mut Participant, patience: Duration) -> Option<Sound> {
    let sound = async {
        loop {
            match listener.next_event().await.expect("the call goes on") {
                Event::Sound(sound) => return sound,
                Event::Failed | Event::Ended(_) => {
                    panic!("the server threw a peer out, or is gone")
                }
                Event::Joined { .. }
                | Event::Connected
                | Event::ChannelOpen(_)
                | Event::Data { .. } => {}
            }
        }
    };
    tokio::time::timeout(patience, sound).await.ok()
}

/// Waits for the next message on a data channel.
pub(crate) async fn next_data(listener: &mut Participant) -> (proto::data::Channel, Bytes) {
    let data = async {
        loop {
            if let Event::Data { channel, payload } = listener.next_event().await.expect("a call") {
                return (channel, payload);
            }
        }
    };
    within(Duration::from_secs(10), "a message", data).await
}
