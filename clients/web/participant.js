// One person in the room: who they are, what they publish, and how loud they are at the moment.

import { packetLevel, smooth } from './levels.js';

// Speech is bridged over pauses shorter than this, so that a name doesn't blink.
const SPEAKING_HANG_MS = 400;
const SPEAKING_LEVEL = 0.25;

export class Participant {
  sid = '';
  identity = '';
  name = '';
  metadata = '';
  attributes = {};
  permission = null;
  kind = 'STANDARD';
  version = -1;
  /** EXCELLENT, GOOD, POOR, LOST, or '' before the first report. */
  quality = '';
  level = 0;
  /** By track SID: `{sid, muted, source, mimeType, name, receiver?}`. */
  tracks = new Map();
  #named = false;
  #loudAt = -Infinity;

  /** Takes in what the server says, unless it is older than what we know. Says whether it was news. */
  update(info) {
    const version = info.version ?? 0;
    if (info.sid === this.sid && version < this.version) return false;
    this.version = version;
    this.sid = info.sid;
    this.identity = info.identity ?? '';
    this.name = info.name || this.identity;
    this.metadata = info.metadata ?? '';
    this.attributes = info.attributes ?? {};
    this.permission = info.permission ?? null;
    this.kind = info.kind ?? 'STANDARD';
    this.#updateTracks(info.tracks ?? []);
    return true;
  }

  get microphone() {
    for (const track of this.tracks.values()) if (track.type === 'AUDIO') return track;
    return null;
  }

  get muted() {
    return this.microphone?.muted ?? true;
  }

  get publishes() {
    return this.microphone !== null;
  }

  /** The server's list of loudest people says so. */
  set named(active) {
    this.#named = active;
  }

  get speaking() {
    return !this.muted && (this.#named || performance.now() - this.#loudAt < SPEAKING_HANG_MS);
  }

  /** Called once a frame. `reported` are levels by track id, for packets that say none. Says whether they are needed. */
  measure(reported) {
    const receiver = this.microphone?.receiver;
    const told = receiver ? packetLevel(receiver) : 0;
    this.hear(told ?? reported.get(receiver.track.id) ?? 0);
    return told === null;
  }

  /** Takes a level of this moment. */
  hear(level) {
    const now = this.muted ? 0 : level;
    this.level = smooth(this.level, now);
    if (now > SPEAKING_LEVEL) this.#loudAt = performance.now();
  }

  #updateTracks(infos) {
    const known = this.tracks;
    this.tracks = new Map();
    for (const {
      sid,
      type = 'AUDIO',
      name = '',
      muted = false,
      source = 'UNKNOWN',
      mimeType = '',
    } of infos) {
      this.tracks.set(sid, { ...known.get(sid), sid, type, name, muted, source, mimeType });
    }
  }
}
