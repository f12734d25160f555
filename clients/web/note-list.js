// The list of notes, those at the server and those on their way, drawn so that what plays is never redrawn away.

import { clock } from './clock.js';
import { create } from './dom.js';
import { icon } from './icons.js';
import { hueOf, initials } from './person.js';
import { currentLanguage, t } from './text.js';
import { bars, fill, levelsOf } from './waveform.js';

const STEP_MS = 5000;

export class NoteList {
  #element;
  #player;
  #actions;
  #rows = new Map();

  /** `actions`: `remove(note)`, `retry(entry)`, `discard(entry)`, `heard(id)`, `isHeard(note)`, `isOwn(note)`, `ownName`. */
  constructor(element, player, actions) {
    this.#element = element;
    this.#player = player;
    this.#actions = actions;
    player.addEventListener('changed', () => this.drawPlayback());
  }

  draw(notes, entries) {
    const wanted = [
      ...notes.map((note) => [note.id, () => this.#noteRow(note)]),
      ...entries.map((entry) => [entry.key, () => this.#entryRow(entry)]),
    ];
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, { element }] of this.#rows)
      if (!keys.has(key)) {
        element.remove();
        this.#rows.delete(key);
      }
    wanted.forEach(([key, make], index) => {
      if (!this.#rows.has(key)) this.#rows.set(key, make());
      const { element, update } = this.#rows.get(key);
      update?.(entries.find((entry) => entry.key === key));
      if (this.#element.children[index] !== element)
        this.#element.insertBefore(element, this.#element.children[index] ?? null);
    });
    this.drawPlayback();
  }

  drawPlayback() {
    for (const { drawPlayback } of this.#rows.values()) drawPlayback?.();
  }

  #noteRow(note) {
    const own = this.#actions.isOwn(note);
    const name = own ? t('you') : senderOf(note);
    const play = create('button', { className: 'button play', type: 'button' });
    const sound = soundBar(levelsOf(note.waveform));
    const time = create('span', { className: 'time' });
    const speed = create('button', { className: 'chip speed', type: 'button' });
    const dot = create('span', { className: 'unheard' }, t('notesUnheard'));
    const problem = create('p', { className: 'error', hidden: true });
    const extra = own ? [this.#removeButton(note)] : [];
    const element = create(
      'li',
      { className: 'note', dataset: { id: note.id, own } },
      head(senderOf(note), name, note.createdAt, dot),
      create('div', { className: 'sound' }, play, sound, time, speed, ...extra),
      problem,
    );
    play.addEventListener('click', () => this.#player.toggle(note.id));
    speed.addEventListener('click', () => this.#player.nextSpeed());
    this.#makeSeekable(sound, note, name);
    const drawPlayback = () =>
      this.#drawNote({ note, name, play, sound, time, speed, dot, problem });
    return { element, drawPlayback };
  }

  #drawNote({ note, name, play, sound, time, speed, dot, problem }) {
    const current = this.#player.id === note.id;
    const { playing, loading, positionMs, failed } = this.#player;
    const busy = current && loading;
    const position = current ? Math.min(positionMs, note.durationMs) : 0;
    const picture = busy ? 'state-busy' : current && playing ? 'pause' : 'play';
    if (play.dataset.icon !== picture) {
      play.dataset.icon = picture;
      play.replaceChildren(icon(picture));
      play.firstChild.classList.toggle('spin', busy);
    }
    play.setAttribute('aria-label', t(current && playing ? 'notesPause' : 'notesPlay', { name }));
    fill(sound, note.durationMs ? position / note.durationMs : 0);
    sound.setAttribute('aria-valuenow', Math.round(position / 1000));
    sound.setAttribute(
      'aria-valuetext',
      t('notesPosition', { at: clock(position), of: clock(note.durationMs) }),
    );
    time.textContent =
      current && (playing || position > 0)
        ? `${clock(position)} / ${clock(note.durationMs)}`
        : clock(note.durationMs);
    speed.textContent = `${this.#player.speed}×`;
    speed.setAttribute('aria-label', t('notesSpeed', { speed: this.#player.speed }));
    speed.hidden = !current;
    if (current && playing && position >= Math.min(1000, note.durationMs / 5))
      this.#actions.heard(note.id);
    dot.hidden = this.#actions.isHeard(note);
    problem.hidden = !(current && failed);
    if (!problem.hidden)
      problem.replaceChildren(icon('alert'), failed.reason || t('notesUnplayable'));
  }

  #makeSeekable(sound, note, name) {
    Object.assign(sound, { tabIndex: 0, role: 'slider', ariaLabel: t('notesSeek', { name }) });
    sound.setAttribute('aria-valuemin', 0);
    sound.setAttribute('aria-valuemax', Math.round(note.durationMs / 1000));
    const seek = (share) => this.#player.seek(note.id, share, note.durationMs);
    sound.addEventListener('click', ({ clientX }) => {
      const { left, width } = sound.getBoundingClientRect();
      const share = (clientX - left) / width;
      seek(document.documentElement.dir === 'rtl' ? 1 - share : share);
    });
    sound.addEventListener('keydown', (event) => {
      const forward = document.documentElement.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
      const back = forward === 'ArrowLeft' ? 'ArrowRight' : 'ArrowLeft';
      const at = this.#player.id === note.id ? this.#player.positionMs : 0;
      const to = { [forward]: at + STEP_MS, [back]: at - STEP_MS, Home: 0, End: note.durationMs };
      if (!(event.key in to)) return;
      event.preventDefault();
      seek(to[event.key] / note.durationMs);
    });
  }

  #removeButton(note) {
    const words = create('span', { className: 'unseen' }, t('notesDelete'));
    const button = create('button', { className: 'button quiet remove', type: 'button' });
    button.append(icon('bin'), words);
    button.addEventListener('click', () => this.#actions.remove(note));
    return button;
  }

  #entryRow(entry) {
    const progress = create('progress', { max: 1, value: 0, ariaLabel: t('notesSending') });
    const words = create('span', { className: 'hint', role: 'status' });
    const retry = create('button', { className: 'button', type: 'button' }, t('tryAgain'));
    const discard = create(
      'button',
      { className: 'button quiet', type: 'button' },
      t('notesDiscard'),
    );
    retry.addEventListener('click', () => this.#actions.retry(entry));
    discard.addEventListener('click', () => this.#actions.discard(entry));
    const element = create(
      'li',
      { className: 'note', dataset: { key: entry.key, own: true } },
      head(this.#actions.ownName, t('you'), entry.createdAt),
      create(
        'div',
        { className: 'sound' },
        soundBar(entry.levels),
        create('span', { className: 'time' }, clock(entry.durationMs)),
      ),
      create('div', { className: 'sending' }, progress, words, retry, discard),
    );
    const update = ({ state, progress: share, reason }) => {
      element.dataset.state = state;
      progress.value = share;
      progress.hidden = state === 'failed';
      retry.hidden = discard.hidden = state !== 'failed';
      words.textContent =
        state === 'failed'
          ? t('notesNotSent', { why: clause(reason) || t('notesOffline') })
          : t('notesSending');
    };
    return { element, update };
  }
}

/** A sentence as a part of another one. */
const clause = (sentence) => (sentence ?? '').replace(/\.$/, '');

/** What to call somebody: the identity, without what a development server adds to tell two people of one name apart. */
const nameOf = (identity) => identity.replace(/-[0-9a-f]{8}$/, '');

/** What to call who sent a note. */
export const senderOf = ({ from, fromName }) => fromName || nameOf(from);

function soundBar(levels) {
  return create('div', { className: 'waveform' }, ...bars(levels));
}

function head(fullName, shownName, at, ...more) {
  const when = new Date(at);
  const time = create('time', { className: 'hint', dateTime: when.toISOString() });
  time.textContent = when.toLocaleString(currentLanguage(), {
    dateStyle: 'short',
    timeStyle: 'short',
  });
  return create(
    'div',
    { className: 'head' },
    create(
      'span',
      { className: 'avatar', ariaHidden: 'true', dataset: { hue: hueOf(fullName) } },
      initials(fullName),
    ),
    create('span', { className: 'name', dir: 'auto' }, shownName),
    time,
    ...more,
  );
}
