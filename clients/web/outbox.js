// Notes that are recorded but not yet at the server. They are on this device's disk before the first byte leaves, so
// that a closed tab or a dead network costs nothing.

import { ApiError, sha256 } from './notes-api.js';

const DATABASE = 'adda.notes';
const STORE = 'outbox';
const BACK_OFF_MS = [0, 2000, 5000, 15000, 30000];

/** Events: `changed` (entries), `sent` (note). */
export class Outbox extends EventTarget {
  #api;
  #room;
  #database;
  #entries = new Map();
  #sending = false;

  constructor(api, room) {
    super();
    this.#api = api;
    this.#room = room;
    addEventListener('online', () => this.sendAll());
  }

  /** Oldest first. `state`: `waiting`, `sending`, `failed`; `progress` from 0 to 1. */
  get entries() {
    return [...this.#entries.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** Takes up what an earlier visit left. */
  async open() {
    this.#database = await openDatabase();
    const kept = await request(this.#store('readonly').getAll());
    for (const entry of kept.filter(({ room }) => room === this.#room))
      this.#entries.set(entry.key, { ...entry, state: 'waiting', progress: 0, tries: 0 });
    this.#changed();
    this.sendAll();
  }

  async add({ blob, contentType, durationMs, levels }) {
    const kept = {
      key: crypto.randomUUID(),
      room: this.#room,
      blob,
      contentType,
      durationMs,
      levels,
      createdAt: Date.now(),
    };
    await request(this.#store('readwrite').put(kept));
    this.#entries.set(kept.key, { ...kept, state: 'waiting', progress: 0, tries: 0 });
    this.#changed();
    this.sendAll();
  }

  retry(key) {
    const entry = this.#entries.get(key);
    if (entry) Object.assign(entry, { state: 'waiting', tries: 0 });
    this.#changed();
    this.sendAll();
  }

  async discard(key) {
    this.#entries.delete(key);
    await request(this.#store('readwrite').delete(key));
    this.#changed();
  }

  /** One after the other, in the order of recording. */
  async sendAll() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next; (next = this.entries.find(({ state }) => state === 'waiting'));)
        await this.#send(next);
    } finally {
      this.#sending = false;
    }
  }

  async #send(entry) {
    Object.assign(entry, { state: 'sending', progress: 0 });
    this.#changed();
    try {
      const { blob, contentType, room, key } = entry;
      const digest = await sha256(blob);
      const created = await this.#api.create(key, {
        room,
        contentType,
        bytes: blob.size,
        sha256: digest,
      });
      if (created.upload)
        await this.#api.upload(created.upload, blob, (progress) => {
          entry.progress = progress;
          this.#changed();
        });
      const note = await this.#api.complete(created.id, digest);
      await this.discard(key);
      this.dispatchEvent(new CustomEvent('sent', { detail: note }));
    } catch (error) {
      this.#onFailure(entry, error);
    }
  }

  #onFailure(entry, error) {
    entry.tries += 1;
    entry.reason = error.message;
    entry.state = 'failed';
    const passes = error instanceof ApiError && error.again;
    if (passes && entry.tries < BACK_OFF_MS.length)
      setTimeout(() => {
        if (entry.state !== 'failed' || !this.#entries.has(entry.key)) return;
        entry.state = 'waiting';
        this.sendAll();
      }, BACK_OFF_MS[entry.tries]);
    this.#changed();
  }

  #store(mode) {
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }

  #changed() {
    this.dispatchEvent(new Event('changed'));
  }
}

function openDatabase() {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: 'key' });
  return request(opening);
}

function request(of) {
  return new Promise((resolve, reject) => {
    of.onsuccess = () => resolve(of.result);
    of.onerror = () => reject(of.error);
  });
}
