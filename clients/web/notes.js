// The page of a room's voice notes: hears, records, sends.

import { clock } from './clock.js';
import { announce, byId, copyText, pageLoaded } from './dom.js';
import { Hold } from './hold.js';
import { drawIcons, setIcon } from './icons.js';
import { offerLanguages } from './language.js';
import { admission, claimsOf, readInvitation, shareLink } from './invitation.js';
import { microphoneAllowedHere } from './microphone.js';
import { NoteList, senderOf } from './note-list.js';
import { NotesApi } from './notes-api.js';
import { notify, withdraw } from './notices.js';
import { Outbox } from './outbox.js';
import { Player } from './player.js';
import { NOTE_MS_MAX, Recorder } from './recorder.js';
import { lasting } from './storage.js';
import { applyText, chooseLanguage, t } from './text.js';
import { bars } from './waveform.js';

const NAME_KEY = 'adda.name';
const HEARD_KEY = 'adda.heard';
const HEARD_MAX = 2000;
const TOKEN_KEY = 'adda.notes.token';
const TOKEN_SPARE_MS = 60 * 60 * 1000;
const POLL_MS = 3000;
const TOO_SHORT_MS = 700;
const LAST_MS = 60_000;
const COPIED_MS = 2000;
const LIVE_BARS = 24;

const MICROPHONE_WORDS = {
  denied: 'notesMicrophoneDenied',
  missing: 'notesMicrophoneMissing',
  busy: 'notesMicrophoneBusy',
  insecure: 'notesMicrophoneInsecure',
  failed: 'notesMicrophoneFailed',
  unsupported: 'notesNoRecorder',
};

const invitation = readInvitation();
const recorder = new Recorder();
const hold = new Hold(byId('hold'));
const notes = new Map();
const heard = new Set(JSON.parse(lasting.get(HEARD_KEY) ?? '[]'));
let api = null;
let outbox = null;
let player = null;
let list = null;
let self = '';
// The cursor of the page that may still grow.
let after = '';
let loaded = false;
// What is being recorded: taken up, let go or sent by whoever comes first.
let take = null;

function start() {
  chooseLanguage();
  drawIcons();
  offerLanguages(byId('language'), drawWords);
  byId('name').value = invitation.name || lasting.get(NAME_KEY) || '';
  byId('name').readOnly = Boolean(invitation.name);
  byId('join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    enter();
  });
  byId('name').addEventListener('input', () => showNameError(false));
  byId('copy-link').addEventListener('click', copyLink);
  byId('cancel').addEventListener('click', () => hold.cancel());
  hold.addEventListener('begin', beginTake);
  hold.addEventListener('phase', drawRecorder);
  hold.addEventListener('send', sendTake);
  hold.addEventListener('cancel', () => letGo('notesCancelled'));
  addEventListener('pagehide', () => recorder.cancel());
  document.addEventListener('visibilitychange', () => document.hidden || refresh());
  drawWords();
  pageLoaded();
}

async function enter() {
  const name = byId('name').value.trim();
  showNameError(name === '');
  if (name === '') return byId('name').focus();
  if (!invitation.name) lasting.set(NAME_KEY, name);
  byId('join').disabled = true;
  try {
    const { url, token } = await sameAsBefore(name);
    self = claimsOf(token).sub;
    api = new NotesApi(url, token);
  } catch (error) {
    const words = error.reason === 'token' ? 'failedToken' : 'failedUnreachable';
    byId('join-error').replaceChildren(`${t(`${words}Title`)}. ${t(words)}`);
    byId('join-error').hidden = false;
    return;
  } finally {
    byId('join').disabled = false;
  }
  await open();
}

/** Who comes back is the same person, so that what is on its way is theirs and what they sent can be deleted. */
async function sameAsBefore(name) {
  const key = `${TOKEN_KEY}.${invitation.room}.${name}`;
  const kept = JSON.parse(lasting.get(key) ?? 'null');
  if (kept && claimsOf(kept.token).exp * 1000 > Date.now() + TOKEN_SPARE_MS) return kept;
  const admitted = await admission(invitation, name);
  if (!invitation.token) lasting.set(key, JSON.stringify(admitted));
  return admitted;
}

async function open() {
  player = new Player((id) => api.content(id));
  player.addEventListener('ended', ({ detail }) => playNext(detail));
  outbox = new Outbox(api, invitation.room);
  list = new NoteList(byId('notes'), player, {
    remove,
    retry: ({ key }) => outbox.retry(key),
    discard: ({ key }) => outbox.discard(key),
    heard: markHeard,
    isHeard: (note) => heard.has(note.id) || isOwn(note),
    isOwn,
    ownName: byId('name').value.trim(),
  });
  outbox.addEventListener('changed', draw);
  outbox.addEventListener('sent', ({ detail }) => {
    keep([detail]);
    announce(t('notesSent'));
  });
  document.body.dataset.view = 'notes';
  byId('join-view').hidden = true;
  byId('notes-view').hidden = byId('bar').hidden = false;
  byId('notes-heading').focus();
  drawRecorder();
  try {
    await outbox.open();
  } catch {
    byId('hold').disabled = true;
    notify('disk', t('notesNoDisk'), { kind: 'warn', lasting: true });
  }
  await refresh();
  setInterval(() => document.hidden || refresh(), POLL_MS);
}

/** Reads on from where the list ended last time. */
async function refresh() {
  if (!api) return;
  try {
    for (;;) {
      const { items, next } = await api.list(invitation.room, after);
      keep(items);
      if (!next) break;
      after = next;
    }
    withdraw('load');
    loaded = true;
  } catch (error) {
    notify('load', t('notesNotLoaded', { why: error.message || t('notesOffline') }), {
      kind: 'warn',
      action: { words: t('tryAgain'), run: refresh },
    });
  }
  draw();
}

function keep(items) {
  for (const note of items.filter(({ status }) => status === 'ready')) {
    if (loaded && !notes.has(note.id) && !isOwn(note))
      announce(t('notesNew', { name: senderOf(note) }));
    notes.set(note.id, note);
  }
  draw();
}

function draw() {
  const ordered = [...notes.values()].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 120;
  const before = byId('notes').children.length;
  list.draw(ordered, outbox.entries);
  const count = byId('notes').children.length;
  byId('waiting').hidden = loaded || count > 0;
  byId('empty').hidden = !loaded || count > 0;
  if (count > before && atEnd) byId('notes').lastElementChild?.scrollIntoView({ block: 'end' });
}

async function remove(note) {
  try {
    await api.remove(note.id);
    if (player.id === note.id) player.stop();
    notes.delete(note.id);
    draw();
  } catch (error) {
    notify('delete', t('notesNotDeleted', { why: error.message || t('notesOffline') }), {
      kind: 'warn',
    });
  }
}

function playNext(id) {
  const ordered = [...notes.values()].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  const next = ordered[ordered.findIndex((note) => note.id === id) + 1];
  if (next && !heard.has(next.id) && !isOwn(next)) player.toggle(next.id);
}

function markHeard(id) {
  if (heard.has(id)) return;
  heard.add(id);
  lasting.set(HEARD_KEY, JSON.stringify([...heard].slice(-HEARD_MAX)));
}

async function beginTake() {
  const mine = (take = { state: 'opening' });
  player.stop();
  withdraw('microphone');
  byId('live-bars').replaceChildren();
  try {
    await recorder.start(drawLevel);
  } catch (error) {
    if (take === mine) {
      take = null;
      hold.cancel();
      notify('microphone', t(MICROPHONE_WORDS[error.reason] ?? 'notesMicrophoneFailed'), {
        kind: 'warn',
      });
    }
    return;
  }
  if (take === mine) {
    mine.state = 'recording';
    announce(t('notesRecording'));
  } else {
    // Let go while the browser asked for the microphone.
    recorder.cancel();
    announce(t('notesReady'));
    byId('hold-words').textContent = t('notesHold');
  }
  drawRecorder();
}

async function sendTake() {
  if (take?.state !== 'recording') return letGo('notesReady');
  if (recorder.elapsedMs < TOO_SHORT_MS) return letGo('notesTooShort');
  take = null;
  const note = await recorder.stop();
  drawRecorder();
  try {
    await outbox.add(note);
  } catch {
    notify('disk', t('notesNoDisk'), { kind: 'warn' });
  }
}

function letGo(words) {
  const wasOurs = take !== null;
  take = null;
  recorder.cancel();
  drawRecorder();
  if (wasOurs) notify('recorder', t(words));
}

function drawLevel() {
  byId('live-bars').replaceChildren(...bars(recorder.levels.slice(-LIVE_BARS)).slice(0, LIVE_BARS));
  const { elapsedMs } = recorder;
  const left = NOTE_MS_MAX - elapsedMs;
  byId('time').textContent =
    left < LAST_MS ? t('notesLeft', { time: clock(left) }) : clock(elapsedMs);
  if (left <= 0) hold.send();
}

function drawRecorder() {
  const { phase } = hold;
  const active = phase !== 'idle';
  byId('bar').dataset.phase = phase === 'holding' ? 'recording' : phase;
  byId('recording').hidden = !active;
  byId('cancel').hidden = phase !== 'locked';
  const opening = active && take?.state === 'opening';
  const hints = { holding: 'notesSlide', cancelling: 'notesSlideCancel', locked: 'notesLocked' };
  byId('recorder-hint').textContent = active ? t(opening ? 'notesOpening' : hints[phase]) : '';
  if (!active || opening) byId('time').textContent = '';
  const [picture, words] = {
    idle: ['mic', 'notesHold'],
    holding: ['mic', 'notesRelease'],
    cancelling: ['close', 'notesSlideCancel'],
    locked: ['send', 'notesSend'],
  }[phase];
  setIcon(byId('hold-icon'), picture);
  byId('hold-words').textContent = t(words);
  if (active) withdraw('recorder');
}

async function copyLink() {
  const link = shareLink(invitation.room, 'notes');
  const words = byId('copy-link-words');
  if (!(await copyText(link))) return notify('copy', t('copyFailed', { link }));
  words.textContent = t('copied');
  announce(t('copied'));
  setTimeout(() => (words.textContent = t('copyLink')), COPIED_MS);
}

function drawWords() {
  const { room } = invitation;
  applyText({ room });
  document.title = t('notesHeading', { room });
  byId('room-name').textContent = room;
  byId('notes-heading').textContent = t('notesHeading', { room });
  byId('hold-words').textContent = t('notesHold');
  if (!microphoneAllowedHere()) byId('hold').disabled = true;
  if (!microphoneAllowedHere())
    notify('microphone', t('notesMicrophoneInsecure'), { kind: 'warn', lasting: true });
}

function showNameError(shown) {
  byId('name-error').hidden = !shown;
  byId('name').setAttribute('aria-invalid', shown);
}

function isOwn({ from }) {
  return from === self;
}

start();
