//! What a recorder needs around it, and the room that it hears.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use proto::{
    ids::{Epoch, ParticipantSid, RoomName, RoomSid, TrackSid},
    link::{
        LinkEncoding, LinkFrame, LinkPacket, LinkPurpose, LinkRequest, LinkTrack, LinkTrackId,
        UnixMicros,
    },
    livekit::TrackSource,
    pool::{BootId, NodeRecord, NodeState, Owner, Placement, Role},
};
use recorder_server::{Config, OpenLink, Parts, Recorder};
use service::{
    clock::{now, unix_time},
    health::Health,
    metrics,
    shutdown::{Shutdown, Trigger},
};
use storage_database::{Claim, Database, NewRecording, Recording, RecordingId, RecordingStatus};
use storage_objects::{Objects, SigningKey};
use storage_registry::Registry;
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::dispatcher::{self, Dispatch};

/// How long anything may take. Only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Samples of a packet.
pub(crate) const FRAME: u32 = 960;

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
    pub(crate) objects: Objects,
    pub(crate) registry: Registry,
    /// What the recorder asks of rooms.
    pub(crate) links: mpsc::Receiver<OpenLink>,
    asking: mpsc::Sender<OpenLink>,
    pub(crate) spool_bytes_max: u64,
    pub(crate) health: Health,
    /// Where the recorder's log goes.
    pub(crate) log: Dispatch,
}

/// One life of a recorder, on a runtime of its own that can be killed.
pub(crate) struct Life {
    runtime: Option<Runtime>,
    recorder: Option<Recorder>,
    trigger: Trigger,
    metrics: metrics::Registry,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::within(tempfile::tempdir().expect("a folder")).await
    }

    /// Another world in which all has happened that happened here. This one is over.
    pub(crate) async fn again(&self) -> Self {
        self.database.close().await;
        let folder = tempfile::tempdir().expect("a folder");
        copy(self.folder.path(), folder.path());
        Self::within(folder).await
    }

    async fn within(folder: TempDir) -> Self {
        let database = Database::sqlite(&folder.path().join("adda.db")).await.expect("a database");
        let key = SigningKey::new(&[7; 32]);
        let objects =
            Objects::filesystem(&folder.path().join("objects"), &key, "").expect("a store");
        let registry = Registry::in_process();
        let (asking, links) = mpsc::channel(8);
        let (health, spool_bytes_max) = (Health::new(vec![Role::Recorder]), 1 << 30);
        health.started();
        let log = Dispatch::none();
        Self { folder, database, objects, registry, links, asking, spool_bytes_max, health, log }
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    pub(crate) fn spool_of(&self, node: &str) -> PathBuf {
        self.folder.path().join(format!("spool-{node}"))
    }

    /// Has the recorder of this epoch be taken for dead.
    pub(crate) async fn expire(&self, id: RecordingId, epoch: u64) {
        let past = UnixMicros(0);
        self.database.renew_recording(id, Epoch(epoch), past, None).await.expect("a database");
    }

    /// Starts a recorder; each boot is another life of the same node.
    pub(crate) fn start(&self, boot: u64) -> Life {
        self.start_in("recorder-1", boot, self.spool())
    }

    /// The same of another node, with a disk of its own.
    pub(crate) fn start_other(&self, node: &str, boot: u64) -> Life {
        self.start_in(node, boot, self.spool_of(node))
    }

    fn start_in(&self, node_id: &str, boot: u64, spool: PathBuf) -> Life {
        let log = self.log.clone();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            // For as long as the thread lives.
            .on_thread_start(move || std::mem::forget(dispatcher::set_default(&log)))
            .build();
        let runtime = runtime.expect("a runtime");
        let (trigger, shutdown) = Shutdown::new();
        let owner =
            Owner { node: node_id.parse().expect("a name"), boot: BootId::from_random(boot) };
        let announce = Some(node(&owner, Role::Recorder));
        let spool_bytes_max = self.spool_bytes_max;
        let config = Config { owner, announce, spool, spool_bytes_max };
        let parts = Parts {
            database: self.database.clone(),
            objects: self.objects.clone(),
            registry: self.registry.clone(),
            health: self.health.clone(),
            links: self.asking.clone(),
        };
        let mut metrics = metrics::registry("0");
        let guard = runtime.enter();
        let recorder = Recorder::start(config, parts, &mut metrics, shutdown).expect("a spool");
        drop(guard);
        Life { runtime: Some(runtime), recorder: Some(recorder), trigger, metrics }
    }

    /// Places a room on the node that this test is, and asks for its recording.
    pub(crate) async fn ask(&self, room: &str) -> RecordingId {
        let id = self.ask_silently(room).await;
        self.registry.hint("recordings", b"").await.expect("a hint");
        id
    }

    /// Claims a room for the node that this test is, over an epoch of at most `above`.
    pub(crate) async fn place(&self, room: &RoomName, above: Epoch) -> Placement {
        let claim = self.database.claim(room, &sfu(), above).await.expect("a claim");
        let placement = match claim {
            Claim::Granted(epoch) => Placement { owner: sfu(), epoch },
            Claim::Held(placement) => placement,
        };
        self.registry.set_room(room, &placement).await.expect("a registry");
        placement
    }

    /// The same as [`Self::ask`], and nobody says "look".
    pub(crate) async fn ask_silently(&self, room: &str) -> RecordingId {
        let room: RoomName = room.parse().expect("a name");
        self.place(&room, Epoch(0)).await;
        let sfu = node(&sfu(), Role::Sfu);
        self.registry.announce(&sfu, Duration::from_secs(600)).await.expect("a registry");
        let at = UnixMicros(micros(unix_time()));
        let id = RecordingId::new(at, micros(unix_time()).into());
        let requested_by = "operator".parse().expect("a name");
        let new = NewRecording { id, room, requested_by, consent: true, at };
        self.database.create_recording(&new).await.expect("a recording");
        id
    }

    /// Waits until the recorder asks for the room's voice.
    pub(crate) async fn hears(&mut self) -> Room {
        self.hears_named().await.1
    }

    /// The same, and which room it is.
    pub(crate) async fn hears_named(&mut self) -> (String, Room) {
        let (request, room) = self.asked().await;
        room.opens(request.epoch).await;
        (request.room.to_string(), room)
    }

    /// What the recorder asks of a room, which has not answered yet.
    pub(crate) async fn asked(&mut self) -> (LinkRequest, Room) {
        let asked = timeout(PATIENCE, self.links.recv()).await.expect("a recorder that listens");
        let open = asked.expect("a channel");
        assert_eq!(open.request.purpose, LinkPurpose::Recording);
        assert_eq!(open.node.owner, sfu());
        (open.request, Room { frames: open.frames })
    }

    pub(crate) async fn stop(&self, id: RecordingId) {
        self.database.request_stop(id, at_ms(0)).await.expect("a database");
    }

    pub(crate) async fn recording(&self, id: RecordingId) -> Recording {
        self.database.recording(id).await.expect("a database").expect("a recording")
    }

    pub(crate) async fn reaches(&self, id: RecordingId, status: RecordingStatus) -> Recording {
        self.until(&format!("{status:?}"), async || {
            let recording = self.recording(id).await;
            (recording.status == status).then_some(recording)
        })
        .await
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn until<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        let deadline = now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(now() < deadline, "waited for {what}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the spool holds this many bytes of Ogg.
    pub(crate) async fn spools(&self, bytes: u64) {
        self.until("the spool", async || (self.spooled() >= bytes).then_some(())).await;
    }

    pub(crate) fn spooled(&self) -> u64 {
        self.spooled_in(&self.spool())
    }

    /// The same of another disk.
    pub(crate) async fn spools_in(&self, spool: &Path, bytes: u64) {
        self.until("the spool", async || (self.spooled_in(spool) >= bytes).then_some(())).await;
    }

    pub(crate) fn spooled_in(&self, spool: &Path) -> u64 {
        let folders = fs::read_dir(spool).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
        let files = files.flatten().filter(|file| file.path().extension() == Some("ogg".as_ref()));
        files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }

    /// The bytes of the object of that key.
    pub(crate) async fn object(&self, key: &str) -> Vec<u8> {
        let key = key.parse().expect("a key");
        let object = self.objects.get(&key, None).await.expect("a store").expect("an object");
        let mut bytes = Vec::new();
        let mut stream = object.stream;
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.expect("a chunk"));
        }
        bytes
    }
}

impl Life {
    /// Ends it as `kill -9` does: nothing more is written, nobody is told.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        self.trigger.pull();
        if let Some(recorder) = self.recorder.take() {
            recorder.stopped().await;
        }
    }

    /// What `/metrics` shows of one series.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The room's end of a link.
pub(crate) struct Room {
    pub(crate) frames: mpsc::Sender<LinkFrame>,
}

impl Room {
    /// Begins to tell of its life under this epoch.
    pub(crate) async fn opens(&self, epoch: Epoch) {
        let sid = RoomSid::from_random(1);
        self.say(LinkFrame::Opened { sid, epoch, at: at_ms(0) }).await;
    }

    /// Nobody hears it any more.
    pub(crate) fn is_left(&self) -> bool {
        self.frames.is_closed()
    }

    pub(crate) async fn say(&self, frame: LinkFrame) {
        timeout(PATIENCE, self.frames.send(frame)).await.expect("in time").expect("a listener");
    }

    pub(crate) async fn publishes(&self, id: u32) {
        self.say(LinkFrame::TrackStarted(Box::new(LinkTrack {
            id: LinkTrackId(id),
            sid: sid(id),
            name: "microphone".to_owned(),
            source: TrackSource::Microphone,
            muted: false,
            participant: ParticipantSid::from_random(id.into()),
            identity: format!("speaker-{id}").parse().expect("a name"),
            participant_name: format!("Speaker {id}"),
            at: at_ms(0),
        })))
        .await;
    }

    /// Says the packets of one track with these numbers, each 20 ms after the one before.
    pub(crate) async fn speaks(&self, id: u32, packets: impl IntoIterator<Item = (u32, Vec<u8>)>) {
        for (number, payload) in packets {
            self.speaks_as(id, number.into(), number, &payload).await;
        }
    }

    /// The same with one packet, which its sender counts as `index`.
    pub(crate) async fn speaks_as(&self, id: u32, index: u64, number: u32, payload: &[u8]) {
        let packet = LinkPacket { index, ..packet(id, number, payload) };
        self.say(LinkFrame::Packets(vec![packet])).await;
    }
}

pub(crate) fn sid(id: u32) -> TrackSid {
    TrackSid::from_random(id.into())
}

/// Milliseconds after the room began, which every test lets happen in 2023.
pub(crate) fn at_ms(ms: u64) -> UnixMicros {
    UnixMicros(1_700_000_000_000_000 + ms * 1_000)
}

fn packet(id: u32, number: u32, payload: &[u8]) -> LinkPacket {
    LinkPacket {
        track: LinkTrackId(id),
        received: at_ms(u64::from(number) * 20),
        index: u64::from(number),
        timestamp: number.wrapping_mul(FRAME),
        encoding: LinkEncoding::Opus,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// Packets that hold something, whatever it is: 20 ms of SILK.
pub(crate) fn murmur(numbers: std::ops::Range<u32>) -> impl Iterator<Item = (u32, Vec<u8>)> {
    numbers.map(|number| (number, [&[0x48][..], &[0x55; 60], &number.to_be_bytes()].concat()))
}

/// The media node that this test is.
fn sfu() -> Owner {
    Owner { node: "sfu-1".parse().expect("a name"), boot: BootId::from_random(1) }
}

fn node(owner: &Owner, role: Role) -> NodeRecord {
    let state = NodeState::Ready;
    NodeRecord { state, ..NodeRecord::starting(owner.clone(), vec![role]) }
}

/// Copies a folder and all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).expect("copied"),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a time")
}
