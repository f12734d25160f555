// One participation in a call: signal and peer connection kept alive together.
//
// A lost signal connection is resumed while media flows on; a lost path gets new ICE credentials; when
// neither helps, we join again from scratch. Knows states and retries, nothing of participants.

import { Peer } from './peer.js';
import { SignalConnection, SignalError } from './protocol.js';

// Where each retry starts after the last one ended. The first ones hide a blip; the rest outlast a lift ride.
const RETRY_DELAYS_MS = [0, 300, 1200, 2700, 4800, 7000, 7000, 7000, 7000, 7000];
const RETRY_JITTER_MS = 1000;
const PEER_TIMEOUT_MS = 15_000;
const PATH_POLL_MS = 100;
// A dead path still says "connected" for a while: without better evidence wait this long to believe it.
const PATH_BLIND_WAIT_MS = 2000;
const DISCONNECTED_PATIENCE_MS = 1000;
const PUBLISH_TIMEOUT_MS = 10_000;

/** The server ended the call, or the attempt. */
class LeaveError extends Error {
  constructor({ reason, action }) {
    super(`the server said leave: ${reason ?? 'UNKNOWN_REASON'}`);
    this.reason = reason ?? 'UNKNOWN_REASON';
    this.action = action ?? 'DISCONNECT';
  }
}

export class Session {
  #listener;
  #url = '';
  #token = '';
  #signal = null;
  #peer = null;
  #participantSid = '';
  #ping = { interval: 0, timeout: 0 };
  #published = null;
  #publishing = new Map();
  #joined = false;
  #busy = false;
  #fullRejoin = false;
  #wake = () => {};
  #patience = 0;
  #ended = false;
  #lost = null;

  /**
   * `listener`: `onState(state)`, `onJoined(join)`, `onMessage(kind, value)`, `onTracks(received)`,
   * `onData(label, bytes)`, `onServer(info)`, `onPublished(track)`, `onPublishFailed(error)`,
   * `onRetryFailed(error)`, `onEnded(reason)`.
   */
  constructor(listener) {
    this.#listener = listener;
    this.onOnline = () => this.#onOnline();
    addEventListener('online', this.onOnline);
  }

  get token() {
    return this.#token;
  }

  get signalRttMs() {
    return this.#signal?.rttMs ?? null;
  }

  get sendsRed() {
    return this.#peer?.sendsRed ?? null;
  }

  getStats() {
    return this.#peer?.getStats() ?? Promise.resolve(new Map());
  }

  async connect(url, token) {
    this.#url = url;
    this.#token = token;
    this.#busy = true;
    this.#listener.onState('connecting');
    try {
      await this.#join();
    } catch (error) {
      this.#shut();
      throw error;
    }
    this.#recovered();
  }

  send(kind, value) {
    return this.#signal?.send(kind, value) ?? false;
  }

  sendData(label, bytes) {
    return this.#peer?.send(label, bytes) ?? false;
  }

  /** Publishes a microphone track, or swaps the one that is published. Before joining it waits for that. */
  async publish(track, { muted }) {
    if (this.#published) {
      this.#published.track = track;
      await this.#published.sender?.replaceTrack(track);
      return;
    }
    this.#published = { track, muted, cid: track.id, sender: null, info: null };
    if (this.#joined) await this.#announce();
  }

  /** The track was taken from us, by the server. Publishing again announces anew. */
  forgetPublished() {
    this.#published?.sender?.replaceTrack(null).catch(() => {});
    this.#published = null;
  }

  setMuted(muted) {
    if (!this.#published) return;
    this.#published.muted = muted;
    if (this.#published.info) this.send('mute', { sid: this.#published.info.sid, muted });
  }

  /** Leaves for good. */
  leave() {
    this.send('leave', { reason: 'CLIENT_INITIATED' });
    this.#end('CLIENT_INITIATED');
  }

  /** Drops the socket as a bad network would, for tests and for whoever wonders what happens. */
  dropSignal() {
    this.#signal?.close();
    this.#onLost('RR_SIGNAL_DISCONNECTED');
  }

  /** Starts over on a new peer connection, as after an outage that outlived our place. */
  rejoin() {
    this.#fullRejoin = true;
    this.#signal?.close();
    this.#onLost('RR_PUBLISHER_FAILED');
  }

  async #join() {
    const peer = this.#makePeer();
    const join = await this.#askToJoin(peer).catch((error) => {
      peer.close();
      throw error;
    });
    // What was heard on the old connection is heard until here.
    this.#peer?.close();
    this.#peer = peer;
    this.#lost = null;
    this.#participantSid = join.participant.sid;
    this.#ping = { interval: join.pingInterval ?? 0, timeout: join.pingTimeout ?? 0 };
    this.#signal.keepAlive(this.#ping.interval, this.#ping.timeout);
    this.#listener.onJoined(join);
    await peer.start(join.iceServers ?? []);
    this.#joined = true;
    this.#announceAgain();
    await this.#pathWorks(() => peer.state === 'connected');
    this.send('subscriptionPermission', { allParticipants: true });
  }

  async #askToJoin(peer) {
    const first = await this.#openSignal({ offer: await peer.earlyOffer() });
    if (first.kind !== 'join')
      throw new SignalError('notSupported', `expected join, got ${first.kind}`);
    return first.value;
  }

  async #resume(reason) {
    const first = await this.#openSignal({
      reconnect: true,
      participantSid: this.#participantSid,
      reason,
    });
    if (first.kind === 'join')
      throw new LeaveError({ reason: 'STATE_MISMATCH', action: 'RECONNECT' });
    this.#lost = null;
    this.#signal.keepAlive(this.#ping.interval, this.#ping.timeout);
    // Usually `reconnect` comes first, but an update for everybody may overtake it.
    this.#onMessage(first.kind, first.value);
    this.send('syncState', {
      ...this.#peer.syncState,
      subscription: {},
      publishTracks: this.#publishedTracks(),
    });
    this.send('subscriptionPermission', { allParticipants: true });
    this.#announceAgain();
    this.#peer.restart();
    const started = performance.now();
    await this.#pathWorks(() => this.#peer.state === 'connected' && this.#pathIsFresh(started));
  }

  async #openSignal(request) {
    this.#signal?.close();
    const signal = new SignalConnection({
      onMessage: (kind, value) => this.#signal === signal && this.#onMessage(kind, value),
      onClose: () => this.#signal === signal && this.#onLost('RR_SIGNAL_DISCONNECTED'),
    });
    this.#signal = signal;
    const first = await signal.open(this.#url, this.#token, request);
    if (first.kind === 'leave') throw new LeaveError(first.value);
    return first;
  }

  #makePeer() {
    const peer = new Peer({
      sendOffer: (offer) => this.send('offer', offer),
      sendCandidate: (candidate) =>
        this.send('trickle', { candidateInit: JSON.stringify(candidate), target: 'PUBLISHER' }),
      onTracks: (received) => this.#peer === peer && this.#listener.onTracks(received),
      onState: (state) => this.#peer === peer && this.#onPeerState(state),
      onData: (label, bytes) => this.#listener.onData(label, bytes),
      onFailed: () => this.#peer === peer && this.#onLost('RR_PUBLISHER_FAILED'),
    });
    return peer;
  }

  #pathIsFresh(started) {
    return this.#peer.usesFreshPath ?? performance.now() - started > PATH_BLIND_WAIT_MS;
  }

  /** Waits until `works()`, or fails when the attempt is lost or takes too long. */
  async #pathWorks(works) {
    const deadline = performance.now() + PEER_TIMEOUT_MS;
    while (!works()) {
      if (this.#ended) throw new SignalError('unreachable', 'left meanwhile');
      if (this.#lost === 'RR_SIGNAL_DISCONNECTED')
        throw new SignalError('unreachable', 'the signal connection was lost');
      const late = performance.now() > deadline;
      if (late || this.#lost === 'RR_PUBLISHER_FAILED')
        throw new SignalError('mediaFailed', 'no network path for sound was found');
      await pause(PATH_POLL_MS);
    }
  }

  #onMessage(kind, value) {
    if (kind === 'answer') this.#peer.answer(value);
    else if (kind === 'trickle') this.#onTrickle(value);
    else if (kind === 'mediaSectionsRequirement') this.#onSectionsRequired(value);
    else if (kind === 'trackPublished') this.#onPublished(value);
    else if (kind === 'refreshToken') this.#token = value;
    else if (kind === 'leave') this.#onLeave(value);
    else if (kind === 'reconnect') this.#onReconnect(value);
    else this.#listener.onMessage(kind, value);
  }

  #onSectionsRequired({ numAudios }) {
    this.#peer.addReceiveSections(numAudios ?? 0);
    this.#peer.negotiate();
  }

  #onTrickle({ candidateInit }) {
    try {
      this.#peer.addCandidate(JSON.parse(candidateInit));
    } catch {
      // One unreadable candidate leaves the others.
    }
  }

  #onReconnect({ iceServers, serverInfo }) {
    if (iceServers) this.#peer.configure(iceServers);
    this.#listener.onServer(serverInfo);
  }

  #onLeave(leave) {
    const { reason, action } = new LeaveError(leave);
    if (action === 'DISCONNECT') {
      this.#end(reason);
      return;
    }
    this.#fullRejoin ||= action === 'RECONNECT';
    this.#signal.close();
    this.#onLost('RR_SIGNAL_DISCONNECTED');
  }

  #onPeerState(state) {
    clearTimeout(this.#patience);
    if (state === 'failed') this.#onLost('RR_PUBLISHER_FAILED');
    if (state !== 'disconnected') return;
    this.#patience = setTimeout(
      () => this.#busy || this.#onLost('RR_PUBLISHER_FAILED'),
      DISCONNECTED_PATIENCE_MS,
    );
  }

  /** The machine changed networks: old addresses may be dead though nothing has noticed yet. */
  #onOnline() {
    this.#wake();
    if (this.#joined && !this.#busy) this.#onLost('RR_PUBLISHER_FAILED');
  }

  #onLost(reason) {
    if (this.#ended) return;
    this.#lost = reason;
    if (this.#joined && !this.#busy) this.#recover(reason);
  }

  #recovered() {
    this.#busy = false;
    this.#listener.onState('connected');
    if (this.#lost) this.#recover(this.#lost);
  }

  async #recover(reason) {
    this.#busy = true;
    for (let attempt = 0; attempt < RETRY_DELAYS_MS.length && !this.#ended; attempt += 1) {
      this.#showRecovery();
      await this.#backOff(attempt);
      if (await this.#resumeOrRejoin(reason)) {
        this.#recovered();
        return;
      }
    }
    this.#end('SIGNAL_CLOSE');
  }

  #showRecovery() {
    if (!this.#ended)
      this.#listener.onState(this.#fullRejoin ? 'reconnecting' : 'signalReconnecting');
  }

  /** A server that answers but can't resume is there to be joined at once. */
  async #resumeOrRejoin(reason) {
    if (!this.#fullRejoin) {
      if (await this.#tryToRecover(reason)) return true;
      if (!this.#fullRejoin) return false;
      this.#showRecovery();
    }
    return this.#tryToRecover(reason);
  }

  async #tryToRecover(reason) {
    if (this.#ended) return false;
    try {
      if (this.#fullRejoin) await this.#startOver();
      else await this.#resume(reason);
      this.#fullRejoin = false;
      return true;
    } catch (error) {
      this.#listener.onRetryFailed(error);
      if (error instanceof LeaveError && error.action === 'DISCONNECT') this.#end(error.reason);
      if (error.reason === 'notAllowed') this.#end('NOT_ALLOWED');
      // A resume that reached the server and still failed won't succeed the next time either.
      const serverAnswered = !(error instanceof SignalError) || error.reason === 'mediaFailed';
      this.#fullRejoin ||= serverAnswered;
      return false;
    }
  }

  async #startOver() {
    this.#joined = false;
    if (this.#published) Object.assign(this.#published, { sender: null, info: null });
    await this.#join();
  }

  #backOff(attempt) {
    const jitter = attempt > 1 ? Math.random() * RETRY_JITTER_MS : 0;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_DELAYS_MS[attempt] + jitter);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** After a join or a resume: tells the server of a microphone it hasn't confirmed. */
  #announceAgain() {
    if (this.#published && !this.#published.info)
      this.#announce().catch((error) => this.#listener.onPublishFailed(error));
  }

  async #announce() {
    const published = this.#published;
    if (!published.sender) {
      published.cid = published.track.id;
      published.sender = this.#peer.addMicrophone(published.track);
    }
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('the server did not take the microphone in time')),
        PUBLISH_TIMEOUT_MS,
      );
      this.#publishing.set(published.cid, (info) => {
        clearTimeout(timer);
        resolve(info);
      });
    });
    const settings = published.track.getSettings();
    this.send('addTrack', {
      cid: published.cid,
      type: 'AUDIO',
      source: 'MICROPHONE',
      muted: published.muted,
      audioFeatures: featuresOf(settings),
    });
    published.info = await answered.finally(() => this.#publishing.delete(published.cid));
    this.#peer.negotiate();
    this.#listener.onPublished(published.info);
  }

  #onPublished({ cid, track }) {
    this.#publishing.get(cid)?.(track);
  }

  #publishedTracks() {
    const { info, cid } = this.#published ?? {};
    return info ? [{ cid, track: info }] : [];
  }

  #end(reason) {
    if (this.#ended) return;
    this.#shut();
    this.#listener.onState('disconnected');
    this.#listener.onEnded(reason);
  }

  #shut() {
    this.#ended = true;
    removeEventListener('online', this.onOnline);
    clearTimeout(this.#patience);
    this.#wake();
    this.#signal?.close();
    this.#peer?.close();
  }
}

function featuresOf({ autoGainControl, echoCancellation, noiseSuppression }) {
  return [
    autoGainControl && 'TF_AUTO_GAIN_CONTROL',
    echoCancellation && 'TF_ECHO_CANCELLATION',
    noiseSuppression && 'TF_NOISE_SUPPRESSION',
  ].filter(Boolean);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
