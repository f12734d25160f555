// A note's loudness as bars.

import { create } from './dom.js';

const BARS = 48;
const FLOOR = 0.08;

/** Reads the server's waveform: base64 of a byte a point. */
export function levelsOf(base64) {
  try {
    return [...atob(base64 ?? '')].map((letter) => letter.charCodeAt(0) / 255);
  } catch {
    return [];
  }
}

/** Makes as many bars as there is room for; each shows the loudest point it covers. */
export function bars(levels) {
  const points = levels.length ? levels : [0];
  return Array.from({ length: BARS }, (_, bar) => {
    const from = Math.floor((bar * points.length) / BARS);
    const to = Math.max(from + 1, Math.ceil(((bar + 1) * points.length) / BARS));
    const level = Math.max(FLOOR, ...points.slice(from, to));
    const element = create('span', { className: 'bar-of-sound' });
    element.style.setProperty('--level', level.toFixed(3));
    return element;
  });
}

/** Fills the bars up to `share` of the whole. */
export function fill(element, share) {
  const played = Math.round(share * BARS);
  [...element.children].forEach((bar, index) => bar.classList.toggle('played', index < played));
}
