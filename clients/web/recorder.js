// Records one note at a time from the microphone, and says how loud it is while it does.

import { LevelMeter } from './levels.js';
import { openMicrophone } from './microphone.js';

const TYPES = ['audio/ogg;codecs=opus', 'audio/webm;codecs=opus', 'audio/mp4'];
const BITS_PER_SECOND = 32_000;
const LEVEL_INTERVAL_MS = 100;
export const NOTE_MS_MAX = 15 * 60 * 1000;

export class Recorder {
  #recorder = null;
  #track = null;
  #meter = null;
  #timer = 0;
  #started = 0;
  levels = [];

  get isRecording() {
    return this.#recorder !== null;
  }

  get elapsedMs() {
    return this.isRecording ? performance.now() - this.#started : 0;
  }

  /** Fails with a `reason` of `microphone.js`, or `unsupported`. */
  async start(onLevel) {
    const type = TYPES.find((type) => globalThis.MediaRecorder?.isTypeSupported(type));
    if (!type) throw Object.assign(new Error('no recorder'), { reason: 'unsupported' });
    this.#track = await openMicrophone();
    this.#meter = new LevelMeter(this.#track);
    this.levels = [];
    this.#recorder = new MediaRecorder(new MediaStream([this.#track]), {
      mimeType: type,
      audioBitsPerSecond: BITS_PER_SECOND,
    });
    this.#recorder.start();
    this.#started = performance.now();
    this.#timer = setInterval(() => {
      this.levels.push(this.#meter.read());
      onLevel();
    }, LEVEL_INTERVAL_MS);
  }

  /** Ends, and returns `{blob, contentType, durationMs, levels}`. */
  async stop() {
    const { levels } = this;
    const durationMs = Math.round(this.elapsedMs);
    const recorder = this.#recorder;
    const chunks = [];
    recorder.ondataavailable = ({ data }) => chunks.push(data);
    const ended = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.stop();
    await ended;
    this.#release();
    const [contentType] = recorder.mimeType.split(';');
    return { blob: new Blob(chunks, { type: contentType }), contentType, durationMs, levels };
  }

  cancel() {
    if (this.#recorder?.state === 'recording') this.#recorder.stop();
    this.#release();
  }

  #release() {
    clearInterval(this.#timer);
    this.#meter?.close();
    this.#track?.stop();
    this.#recorder = this.#track = this.#meter = null;
  }
}
