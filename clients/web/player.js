// Plays one note at a time.

import { lasting } from './storage.js';

const SPEED_KEY = 'adda.speed';
export const SPEEDS = [1, 1.5, 2, 0.5];
// Browsers learn the length of what they recorded themselves only when they look for its end.
const FAR_AWAY_S = 1e7;

/** Events: `changed`, `ended` (id). */
export class Player extends EventTarget {
  #audio = new Audio();
  #load;
  #url = '';
  // Plays, or did until its end.
  #runs = false;
  id = null;
  loading = false;
  failed = null;

  /** `load(id)` brings a note's sound as a blob. */
  constructor(load) {
    super();
    this.#load = load;
    this.#audio.preload = 'auto';
    this.#audio.playbackRate = this.speed;
    for (const event of ['play', 'pause', 'timeupdate', 'seeked'])
      this.#audio.addEventListener(event, () => this.#changed());
    this.#audio.addEventListener('play', () => (this.#runs = true));
    this.#audio.addEventListener('pause', () => (this.#runs &&= this.#audio.ended));
    this.#audio.addEventListener('ended', () => {
      const { id } = this;
      // Whoever goes to a note's end while it rests wants to be there.
      if (!this.#runs) return;
      this.#runs = false;
      this.#audio.currentTime = 0;
      this.#changed();
      this.dispatchEvent(new CustomEvent('ended', { detail: id }));
    });
  }

  get playing() {
    return !this.#audio.paused && !this.#audio.ended;
  }

  get positionMs() {
    return this.#audio.currentTime * 1000;
  }

  get speed() {
    const speed = Number(lasting.get(SPEED_KEY));
    return SPEEDS.includes(speed) ? speed : 1;
  }

  nextSpeed() {
    const next = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length];
    lasting.set(SPEED_KEY, next);
    this.#audio.playbackRate = next;
    this.#changed();
  }

  async toggle(id) {
    if (this.id === id && !this.loading && !this.failed) {
      if (this.playing) this.#audio.pause();
      else await this.#play();
      return;
    }
    if (await this.#open(id)) await this.#play();
  }

  /** To a share of the note, from 0 to 1; opens it first if need be. */
  async seek(id, share, durationMs) {
    if (this.id !== id && !(await this.#open(id))) return;
    this.#audio.currentTime = (Math.min(1, Math.max(0, share)) * durationMs) / 1000;
    this.#changed();
  }

  stop() {
    this.#audio.pause();
    this.id = null;
    this.#changed();
  }

  async #open(id) {
    this.#audio.pause();
    Object.assign(this, { id, loading: true, failed: null });
    this.#changed();
    try {
      const blob = await this.#load(id);
      if (this.id !== id) return false;
      URL.revokeObjectURL(this.#url);
      this.#url = URL.createObjectURL(blob);
      this.#audio.src = this.#url;
      this.#audio.playbackRate = this.speed;
      await this.#learnLength();
    } catch (error) {
      if (this.id === id) this.failed = error;
    }
    if (this.id !== id) return false;
    this.loading = false;
    this.#changed();
    return !this.failed;
  }

  async #learnLength() {
    await this.#next('loadedmetadata');
    if (this.#audio.duration !== Infinity) return;
    this.#audio.currentTime = FAR_AWAY_S;
    await this.#next('durationchange');
    this.#audio.currentTime = 0;
  }

  #next(event) {
    return new Promise((resolve, reject) => {
      this.#audio.addEventListener(event, resolve, { once: true });
      this.#audio.addEventListener('error', () => reject(this.#audio.error), { once: true });
    });
  }

  async #play() {
    try {
      await this.#audio.play();
    } catch (error) {
      this.failed = error;
      this.#changed();
    }
  }

  #changed() {
    this.dispatchEvent(new Event('changed'));
  }
}
