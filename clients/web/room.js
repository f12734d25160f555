// A call as an application sees it: who is there, who speaks, and what to do about it.
//
// Events carry the names that LiveKit's SDKs use. The room plays what it receives; drawing is left to
// others. See `README.md` for the events and for what `window.adda` offers.

import { LevelMeter, reportedLevels } from './levels.js';
import { Participant } from './participant.js';
import { decode, encode } from './protobuf.js';
import { Session } from './session.js';
import { CallStats } from './stats.js';

const PARTICIPANTS_MAX = 5000;
const HISTORY_MAX = 100;
const REQUEST_TIMEOUT_MS = 5000;
const LEVELS_INTERVAL_MS = 100;

export class Room extends EventTarget {
  /** disconnected, connecting, connected, signalReconnecting or reconnecting. */
  state = 'disconnected';
  name = '';
  metadata = '';
  recording = false;
  server = { version: '', nodeId: '', region: '' };
  local = new Participant();
  /** Everybody else, by identity. */
  participants = new Map();
  /** What happened and when, newest last: for a report. */
  history = [];
  #session = null;
  #received = new Map();
  #players = new Map();
  #speakerId = '';
  #playbackBlocked = false;
  #microphone = null;
  #muted = false;
  #meter = null;
  #stats = new CallStats();
  #reportedLevels = new Map();
  #levelsAskedAt = 0;
  #sequence = 0;
  #requestId = 0;
  #requests = new Map();

  on(name, handler) {
    this.addEventListener(name, ({ detail }) => handler(detail));
    return this;
  }

  async connect(url, token) {
    if (this.#session) throw new Error('this room is already connected');
    this.#reset();
    this.#session = new Session(this.#sessionListener());
    if (this.#microphone) await this.#session.publish(this.#microphone, { muted: this.#muted });
    try {
      await this.#session.connect(url, token);
    } catch (error) {
      this.#note('connect failed', error.reason ?? error.message);
      this.#session = null;
      this.#dropMicrophone();
      this.#setState('disconnected');
      throw error;
    }
    this.#emit('connected');
  }

  /** Leaves, and lets go of the microphone. */
  disconnect() {
    if (this.#session) this.#session.leave();
    else this.#dropMicrophone();
  }

  /** Where in the retries a dropped socket or a lost place lead: `signal-reconnect` or `full-reconnect`. */
  simulate(scenario) {
    if (scenario === 'signal-reconnect') this.#session?.dropSignal();
    if (scenario === 'full-reconnect') this.#session?.rejoin();
  }

  get canPublish() {
    return this.local.permission?.canPublish ?? false;
  }

  get canUpdateMetadata() {
    return this.local.permission?.canUpdateMetadata ?? false;
  }

  /** The newest token; the server refreshes it. For calls to its HTTP API. */
  get token() {
    return this.#session?.token ?? '';
  }

  get muted() {
    return this.#muted;
  }

  get microphone() {
    return this.#microphone;
  }

  /** Some sound is held back until the listener touches the page. */
  get playbackBlocked() {
    return this.#playbackBlocked;
  }

  /** Publishes a microphone track, or takes it in place of the present one. */
  async setMicrophone(track) {
    this.#microphone?.stop();
    this.#microphone = track;
    this.#meter?.close();
    this.#meter = new LevelMeter(track);
    track.enabled = !this.#muted;
    await this.#session?.publish(track, { muted: this.#muted });
    this.#emit('microphoneChanged', track);
  }

  setMuted(muted) {
    this.#muted = muted;
    if (this.#microphone) this.#microphone.enabled = !muted;
    if (this.local.microphone) this.local.microphone.muted = muted;
    this.#session?.setMuted(muted);
    this.#emit(muted ? 'trackMuted' : 'trackUnmuted', this.local);
  }

  /** Sets attributes of our own, such as a raised hand: here at once, for others when the server agreed. */
  async setAttributes(attributes) {
    const { metadata, name, attributes: before } = this.local;
    this.#showAttributes({ ...before, ...attributes });
    try {
      await this.#request('updateMetadata', { metadata, name, attributes });
    } catch (error) {
      this.#showAttributes(before);
      throw error;
    }
  }

  #showAttributes(attributes) {
    this.local.attributes = attributes;
    this.#emit('participantUpdated', this.local);
  }

  /** Sends what the server answers by its `requestId`. */
  #request(kind, value) {
    this.#requestId += 1;
    const requestId = this.#requestId;
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('the server did not answer')),
        REQUEST_TIMEOUT_MS,
      );
      this.#requests.set(requestId, ({ reason = 'OK', message }) => {
        clearTimeout(timer);
        if (reason === 'OK') resolve();
        else reject(new Error(message || reason));
      });
    });
    this.#session?.send(kind, { ...value, requestId });
    return answered.finally(() => this.#requests.delete(requestId));
  }

  publishData(payload, { topic = '', reliable = true, destinationIdentities = [] } = {}) {
    const packet = { destinationIdentities, user: { payload, topic } };
    if (!reliable) return this.#session?.sendData('_lossy', encode('DataPacket', packet)) ?? false;
    this.#sequence += 1;
    return (
      this.#session?.sendData(
        '_reliable',
        encode('DataPacket', { ...packet, sequence: this.#sequence }),
      ) ?? false
    );
  }

  /** Plays what the browser held back. Call it from a click. */
  async startAudio() {
    const played = await Promise.allSettled(
      [...this.#players.values()].map((player) => player.play()),
    );
    this.#setPlaybackBlocked(played.some(({ status }) => status === 'rejected'));
  }

  async setSpeaker(deviceId) {
    this.#speakerId = deviceId;
    await Promise.all([...this.#players.values()].map((player) => player.setSinkId?.(deviceId)));
  }

  /** Refreshes everybody's `level` and `speaking`; cheap enough for every frame. */
  measure() {
    this.local.hear(this.#meter?.read() ?? 0);
    let silentPackets = false;
    for (const participant of this.participants.values())
      silentPackets = participant.measure(this.#reportedLevels) || silentPackets;
    if (silentPackets) this.#askForLevels();
  }

  async #askForLevels() {
    const now = performance.now();
    if (now - this.#levelsAskedAt < LEVELS_INTERVAL_MS) return;
    this.#levelsAskedAt = now;
    const report = await this.#session?.getStats();
    if (report) this.#reportedLevels = reportedLevels(report);
  }

  async stats() {
    const report = await this.#session?.getStats();
    const reading = report ? this.#stats.read(report) : {};
    const red = this.#session?.sendsRed ?? this.#hearsRed();
    return {
      state: this.state,
      signalRttMs: this.#session?.signalRttMs ?? null,
      server: this.server,
      red,
      ...reading,
    };
  }

  #hearsRed() {
    const heard = [...this.participants.values()]
      .map(({ microphone }) => microphone)
      .filter((track) => track?.receiver);
    return heard.length > 0
      ? heard.some(({ mimeType }) => mimeType.toLowerCase() === 'audio/red')
      : null;
  }

  #sessionListener() {
    return {
      onState: (state) => this.#setState(state),
      onJoined: (join) => this.#onJoined(join),
      onServer: (info) => this.#onServer(info),
      onMessage: (kind, value) => this.#onMessage(kind, value),
      onTracks: (received) => this.#onTracks(received),
      onData: (label, bytes) => this.#onData(label, bytes),
      onPublished: (track) => this.#onPublished(track),
      onPublishFailed: (error) => this.#emit('microphoneFailed', error),
      onRetryFailed: (error) => this.#note('retry failed', error.message),
      onEnded: (reason) => this.#onEnded(reason),
    };
  }

  #reset() {
    this.local = new Participant();
    this.participants = new Map();
    this.#stats = new CallStats();
    this.#requests.clear();
    this.#stopPlaying([]);
    this.#received = new Map();
  }

  #setState(state) {
    if (state === this.state) return;
    const before = this.state;
    this.state = state;
    this.#note('state', state);
    this.#emit('connectionStateChanged', state);
    const isRecovery = ['signalReconnecting', 'reconnecting'].includes(before);
    if (state === 'connected' && isRecovery) this.#emit('reconnected');
    else if (['signalReconnecting', 'reconnecting'].includes(state)) this.#emit(state);
  }

  #onJoined(join) {
    const present = new Set((join.otherParticipants ?? []).map(({ identity }) => identity));
    for (const participant of [...this.participants.values()])
      if (!present.has(participant.identity)) this.#remove(participant);
    this.#onServer({
      ...join.serverInfo,
      version: join.serverInfo?.version ?? join.serverVersion,
      region: join.serverRegion,
    });
    this.#onRoom(join.room ?? {});
    this.local.update(join.participant);
    for (const info of join.otherParticipants ?? []) this.#upsert(info);
    this.#note('joined', this.server.nodeId);
    this.#emit('participantUpdated', this.local);
  }

  #onServer({ version, nodeId, region } = {}) {
    if (!version) return;
    this.server = { version, nodeId: nodeId ?? '', region: region ?? '' };
  }

  #onRoom({ name, metadata, activeRecording }) {
    this.name = name ?? this.name;
    this.metadata = metadata ?? '';
    this.recording = activeRecording ?? false;
    this.#emit('roomUpdated');
  }

  #onMessage(kind, value) {
    if (kind === 'update') this.#onUpdate(value.participants ?? []);
    else if (kind === 'speakersChanged') this.#onSpeakers(value.speakers ?? []);
    else if (kind === 'connectionQuality') this.#onQuality(value.updates ?? []);
    else if (kind === 'mute') this.#onServerMute(value);
    else if (kind === 'trackUnpublished') this.#onUnpublished(value);
    else if (kind === 'roomUpdate') this.#onRoom(value.room ?? {});
    else if (kind === 'requestResponse') this.#requests.get(value.requestId ?? 0)?.(value);
  }

  #onUpdate(infos) {
    for (const info of infos) {
      if (info.sid === this.local.sid) this.#onLocal(info);
      else if (info.state === 'DISCONNECTED') this.#onGone(info);
      else if (info.identity !== this.local.identity) this.#upsert(info);
    }
  }

  #onLocal(info) {
    const couldPublish = this.canPublish;
    if (!this.local.update(info)) return;
    // The server's echo of a mute may be older than the last press of the button.
    if (this.local.microphone) this.local.microphone.muted = this.#muted;
    if (couldPublish !== this.canPublish) this.#emit('participantPermissionsChanged', this.local);
    this.#emit('participantUpdated', this.local);
  }

  #onGone({ sid, identity, disconnectReason }) {
    const participant = this.participants.get(identity);
    if (participant?.sid === sid) this.#remove(participant, disconnectReason);
  }

  #upsert(info) {
    const known = this.participants.get(info.identity);
    if (!known && this.participants.size >= PARTICIPANTS_MAX) return;
    const participant = known ?? new Participant();
    if (!participant.update(info)) return;
    this.participants.set(participant.identity, participant);
    this.#connectTracks();
    this.#emit(known ? 'participantUpdated' : 'participantConnected', participant);
  }

  #remove(participant, reason = 'UNKNOWN_REASON') {
    this.participants.delete(participant.identity);
    this.#connectTracks();
    this.#emit('participantDisconnected', { participant, reason });
  }

  #onSpeakers(speakers) {
    for (const { sid, active = false } of speakers) {
      const participant = this.#bySid(sid);
      if (participant) participant.named = active;
    }
    this.#emit('activeSpeakersChanged');
  }

  #onQuality(updates) {
    for (const { participantSid, quality = 'POOR' } of updates) {
      const participant = this.#bySid(participantSid);
      if (!participant) continue;
      participant.quality = quality;
      this.#emit('connectionQualityChanged', participant);
    }
  }

  /** A moderator may silence us; speaking again is ours to decide. */
  #onServerMute({ sid, muted = false }) {
    if (sid !== this.local.microphone?.sid) return;
    if (muted) this.setMuted(true);
    else this.#session.setMuted(this.#muted);
    this.#emit(muted ? 'mutedByModerator' : 'askedToUnmute');
  }

  #onPublished({ sid, mimeType = '', muted = false }) {
    this.local.tracks.set(sid, {
      sid,
      type: 'AUDIO',
      source: 'MICROPHONE',
      name: '',
      mimeType,
      muted: muted || this.#muted,
    });
    if (muted !== this.#muted) this.#session.setMuted(this.#muted);
    this.#emit('localTrackPublished', sid);
    this.#emit('participantUpdated', this.local);
  }

  #onUnpublished({ trackSid }) {
    this.local.tracks.delete(trackSid);
    this.#session.forgetPublished();
    this.#dropMicrophone();
    this.#emit('localTrackUnpublished', trackSid);
    this.#emit('participantUpdated', this.local);
  }

  #dropMicrophone() {
    this.#microphone?.stop();
    this.#meter?.close();
    this.#microphone = null;
    this.#meter = null;
  }

  #onTracks(received) {
    this.#received = new Map(received.map(({ trackSid, receiver }) => [trackSid, receiver]));
    this.#connectTracks();
  }

  /** Ties what the peer connection receives to whom the server says it is from, whichever came first. */
  #connectTracks() {
    for (const participant of this.participants.values()) {
      for (const track of participant.tracks.values()) {
        const receiver = this.#received.get(track.sid);
        if (track.receiver === receiver) continue;
        track.receiver = receiver;
        if (receiver) this.#play(track.sid, receiver);
        this.#emit(receiver ? 'trackSubscribed' : 'trackUnsubscribed', { participant, track });
      }
    }
    this.#stopPlaying([...this.#received.keys()]);
  }

  #play(trackSid, receiver) {
    const player = this.#players.get(trackSid) ?? new Audio();
    this.#players.set(trackSid, player);
    player.srcObject = new MediaStream([receiver.track]);
    if (this.#speakerId) player.setSinkId?.(this.#speakerId).catch(() => {});
    player.play().then(
      () => this.#setPlaybackBlocked(false),
      (error) => error.name === 'NotAllowedError' && this.#setPlaybackBlocked(true),
    );
  }

  #stopPlaying(keep) {
    for (const [trackSid, player] of this.#players) {
      if (keep.includes(trackSid)) continue;
      player.srcObject = null;
      this.#players.delete(trackSid);
    }
  }

  #setPlaybackBlocked(blocked) {
    if (this.#playbackBlocked === blocked) return;
    this.#playbackBlocked = blocked;
    this.#emit('audioPlaybackChanged', !blocked);
  }

  #onData(label, bytes) {
    let packet;
    try {
      packet = decode('DataPacket', bytes);
    } catch {
      return;
    }
    if (!packet.user) return;
    const participant = this.participants.get(packet.participantIdentity) ?? null;
    const { payload = new Uint8Array(), topic = '' } = packet.user;
    this.#emit('dataReceived', { payload, topic, participant, reliable: label === '_reliable' });
  }

  #onEnded(reason) {
    this.#session = null;
    this.#dropMicrophone();
    this.#stopPlaying([]);
    this.#note('ended', reason);
    this.#emit('disconnected', reason);
  }

  #bySid(sid) {
    if (sid === this.local.sid) return this.local;
    for (const participant of this.participants.values())
      if (participant.sid === sid) return participant;
    return null;
  }

  #note(what, detail) {
    this.history.push({ at: new Date().toISOString(), what, detail });
    if (this.history.length > HISTORY_MAX) this.history.shift();
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
