// How loud somebody is, from 0 to 1, in steps a frame apart.
//
// Our own voice is measured on the track; others' is what their packets say, else what the browser's
// statistics say of their sound. Any may be missing (Firefox without a screen suspends its audio clock);
// then the answer is 0 and the server's word counts.

const FLOOR_DB = -55;
const FULL_DB = -12;
const RELEASE_PER_READ = 0.82;

/** Measures a local track. */
export class LevelMeter {
  #context = null;
  #analyser = null;
  #source = null;
  #samples = null;

  constructor(track) {
    if (typeof AudioContext === 'undefined') return;
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
    this.#context.resume().catch(() => {});
  }

  read() {
    if (this.#context?.state !== 'running') return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let energy = 0;
    for (const sample of this.#samples) energy += sample * sample;
    return fromAmplitude(Math.sqrt(energy / this.#samples.length));
  }

  close() {
    this.#source?.disconnect();
    this.#context?.close().catch(() => {});
    this.#context = null;
  }
}

/** The level in the newest packet of a receiver; `null` where packets don't carry it. */
export function packetLevel(receiver) {
  const [newest] = receiver.getSynchronizationSources?.() ?? [];
  return Number.isFinite(newest?.audioLevel) ? fromAmplitude(newest.audioLevel) : null;
}

/** Levels by track id, out of an `RTCStatsReport`. */
export function reportedLevels(report) {
  const inbound = [...report.values()].filter(
    ({ type, audioLevel }) => type === 'inbound-rtp' && Number.isFinite(audioLevel),
  );
  return new Map(
    inbound.map(({ trackIdentifier, audioLevel }) => [trackIdentifier, fromAmplitude(audioLevel)]),
  );
}

/** Jumps up at once and falls slowly, so that a ring doesn't flicker between syllables. */
export function smooth(previous, level) {
  const falling = previous * RELEASE_PER_READ;
  return level > falling ? level : falling < 0.01 ? 0 : falling;
}

function fromAmplitude(amplitude) {
  if (!(amplitude > 0)) return 0;
  const decibels = 20 * Math.log10(amplitude);
  return Math.min(1, Math.max(0, (decibels - FLOOR_DB) / (FULL_DB - FLOOR_DB)));
}
