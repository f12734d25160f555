// The call page: joins, shows, and says what happened. What is said to the server is `room.js`'s matter.

import { Details } from './details.js';
import { announce, byId, copyText, pageLoaded } from './dom.js';
import { drawIcons, setIcon } from './icons.js';
import { admission, readInvitation, shareLink } from './invitation.js';
import { offerLanguages } from './language.js';
import { microphoneAllowedHere, openMicrophone } from './microphone.js';
import { notify, withdraw, withdrawAll } from './notices.js';
import { httpUrl } from './protocol.js';
import { Room } from './room.js';
import { setUpSound } from './sound.js';
import { lasting } from './storage.js';
import { applyText, chooseLanguage, t } from './text.js';
import { Tiles } from './tiles.js';

const NAME_KEY = 'adda.name';
const COPIED_MS = 2000;
const ECHO_PATIENCE_MS = 8000;
const ANNOUNCE_PEOPLE_MAX = 20;
const STATE_ICONS = { connected: 'state-on', disconnected: 'state-off' };

// Why a call ended or didn't begin: the words, the picture and the next step.
const ENDINGS = {
  CLIENT_INITIATED: { words: 'endedLeft', icon: 'leave', again: 'rejoin' },
  PARTICIPANT_REMOVED: { words: 'endedRemoved', icon: 'alert', again: 'tryAgain' },
  ROOM_DELETED: { words: 'endedDeleted', icon: 'leave', again: 'startAgain' },
  ROOM_CLOSED: { words: 'endedDeleted', icon: 'leave', again: 'startAgain' },
  DUPLICATE_IDENTITY: { words: 'endedDuplicate', icon: 'people', again: 'useHere' },
  SERVER_SHUTDOWN: { words: 'endedShutdown', icon: 'state-off', again: 'tryAgain' },
  SIGNAL_CLOSE: { words: 'endedLost', icon: 'state-off', again: 'tryAgain' },
  NOT_ALLOWED: { words: 'endedExpired', icon: 'alert', again: 'tryAgain' },
  unreachable: { words: 'failedUnreachable', icon: 'state-off', again: 'tryAgain' },
  timeout: { words: 'failedUnreachable', icon: 'state-off', again: 'tryAgain' },
  notAllowed: { words: 'failedNotAllowed', icon: 'alert', again: 'tryAgain' },
  notSupported: { words: 'failedNotSupported', icon: 'alert', again: 'tryAgain' },
  mediaFailed: { words: 'failedMedia', icon: 'alert', again: 'tryAgain' },
  token: { words: 'failedToken', icon: 'alert', again: 'tryAgain' },
};
const OTHER_ENDING = { words: 'endedOther', icon: 'leave', again: 'rejoin' };

const MICROPHONE_WORDS = {
  denied: 'microphoneDenied',
  missing: 'microphoneMissing',
  busy: 'microphoneBusy',
  insecure: 'microphoneInsecure',
  failed: 'microphoneFailed',
};

const room = new Room();
const tiles = new Tiles(room);
const details = new Details(room);
const invitation = readInvitation();
let withMicrophone = true;
let admitted = null;
let echoCalled = false;
// Which press of a join button is the newest: what an older one still brings is let go.
let entry = 0;
let peopleChanged = false;

function start() {
  window.adda = room;
  chooseLanguage();
  drawIcons();
  offerLanguages(byId('language'), drawWords);
  byId('name').value = invitation.name || lasting.get(NAME_KEY) || '';
  byId('name').readOnly = Boolean(invitation.name);
  setUpSound(room, reopenMicrophone);
  listenToPage();
  listenToRoom();
  drawWords();
  requestAnimationFrame(animate);
  pageLoaded();
}

function listenToPage() {
  byId('join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    join({ microphone: true });
  });
  byId('join-listen').addEventListener('click', () => join({ microphone: false }));
  byId('name').addEventListener('input', () => showNameError(false));
  byId('mute').addEventListener('click', toggleMute);
  byId('hand').addEventListener('click', toggleHand);
  byId('copy-link').addEventListener('click', () => copyLink(byId('copy-link-words')));
  byId('empty-copy').addEventListener('click', () =>
    copyLink(byId('empty-copy').querySelector('[data-text]')),
  );
  byId('link').addEventListener('focus', ({ target }) => target.select());
  byId('call-echo').addEventListener('click', callEcho);
  byId('details-button').addEventListener('click', () => details.toggle());
  byId('leave').addEventListener('click', leave);
  byId('ended-again').addEventListener('click', () => join({ microphone: withMicrophone }));
  byId('ended-back').addEventListener('click', () => show('join', 'join-title'));
  addEventListener('keydown', onKey);
  addEventListener('pagehide', () => room.disconnect());
}

function listenToRoom() {
  room
    .on('connectionStateChanged', drawState)
    .on('reconnected', () => announce(t('saidReconnected')))
    .on('roomUpdated', drawPeople)
    .on('participantConnected', (participant) => onPerson('saidJoined', participant))
    .on('participantDisconnected', ({ participant }) => onPerson('saidLeft', participant))
    .on('participantUpdated', onUpdated)
    .on('connectionQualityChanged', drawPeople)
    .on('trackMuted', drawControls)
    .on('trackUnmuted', drawControls)
    .on('localTrackPublished', drawPeople)
    .on('microphoneChanged', watchMicrophone)
    .on('microphoneFailed', () => tellAboutMicrophone('failed'))
    .on('mutedByModerator', () => notify('moderator', t('mutedByModerator')))
    .on('askedToUnmute', () =>
      notify('moderator', t('askedToUnmute'), {
        action: { words: t('unmute'), run: () => setMuted(false) },
      }),
    )
    .on('participantPermissionsChanged', onPermissions)
    .on('audioPlaybackChanged', onPlayback)
    .on('disconnected', (reason) => end(ENDINGS[reason] ?? OTHER_ENDING));
}

async function join({ microphone }) {
  const name = byId('name').value.trim();
  showNameError(name === '');
  if (name === '') {
    byId('name').focus();
    return;
  }
  if (!invitation.name) lasting.set(NAME_KEY, name);
  entry += 1;
  const thisEntry = entry;
  withMicrophone = microphone;
  echoCalled = false;
  room.setMuted(false);
  show('call', 'call-title');
  drawState('connecting');
  drawPeople();
  try {
    const opened = microphone ? addMicrophone() : null;
    admitted = await admission(invitation, name);
    if (thisEntry !== entry) return;
    await Promise.all([room.connect(admitted.url, admitted.token), opened]);
    announce(t('saidConnected'));
    drawPeople();
  } catch (error) {
    if (thisEntry === entry && document.body.dataset.view === 'call')
      end(ENDINGS[error.reason] ?? OTHER_ENDING, error.message);
  }
}

/** Opens the microphone, or explains why we only listen. Never fails. */
async function addMicrophone() {
  withdraw('microphone');
  try {
    const track = await openMicrophone();
    if (document.body.dataset.view === 'call') await room.setMicrophone(track);
    else track.stop();
  } catch (error) {
    tellAboutMicrophone(error.reason ?? 'failed');
  }
  drawControls();
}

async function reopenMicrophone() {
  if (room.microphone) await addMicrophone();
}

function tellAboutMicrophone(reason) {
  const action = reason === 'insecure' ? null : { words: t('tryAgain'), run: addMicrophone };
  notify('microphone', t(MICROPHONE_WORDS[reason]), { kind: 'warn', action });
}

function watchMicrophone(track) {
  track.addEventListener('ended', () => {
    if (room.microphone === track)
      notify('microphone', t('microphoneUnplugged'), {
        kind: 'warn',
        action: { words: t('tryAgain'), run: addMicrophone },
      });
  });
  drawControls();
}

function toggleMute() {
  if (room.microphone) setMuted(!room.muted);
  else addMicrophone();
}

function setMuted(muted) {
  room.setMuted(muted);
  withdraw('moderator');
  announce(t(muted ? 'saidMuted' : 'saidUnmuted'));
}

async function toggleHand() {
  const raised = Boolean(room.local.attributes.hand);
  await room.setAttributes({ hand: raised ? '' : 'up' }).catch(() => {});
}

async function copyLink(words) {
  const link = shareLink(invitation.room);
  if (!(await copyText(link))) {
    notify('copy', t('copyFailed', { link }));
    return;
  }
  words.textContent = t('copied');
  announce(t('copied'));
  setTimeout(() => (words.textContent = t('copyLink')), COPIED_MS);
}

async function callEcho() {
  echoCalled = true;
  drawEmpty();
  const address = `${httpUrl(admitted.url)}/v1/rooms/${encodeURIComponent(invitation.room)}/echo`;
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { authorization: `Bearer ${room.token}` },
    });
    if (response.ok) {
      setTimeout(giveUpOnEcho, ECHO_PATIENCE_MS);
      return;
    }
    const { detail, title } = await response.json().catch(() => ({}));
    throw new Error(
      detail ?? (response.status === 404 ? t('echoMissing') : (title ?? response.status)),
    );
  } catch (error) {
    tellAboutEcho(error.message);
  }
}

function giveUpOnEcho() {
  if (echoCalled && room.state !== 'disconnected' && room.participants.size === 0)
    tellAboutEcho(t('echoSilent'));
}

function tellAboutEcho(why) {
  echoCalled = false;
  notify('echo', t('echoFailed', { why }), { kind: 'warn' });
  drawEmpty();
}

function leave() {
  entry += 1;
  const early = room.state === 'disconnected';
  room.disconnect();
  if (early) end(ENDINGS.CLIENT_INITIATED);
}

function onKey(event) {
  const typing = event.target.closest?.('input:not([type="checkbox"]), select, textarea');
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (
    typing ||
    modified ||
    event.repeat ||
    document.body.dataset.view !== 'call' ||
    !details.shortcutsOn
  )
    return;
  const run = {
    KeyM: toggleMute,
    KeyH: () => room.canUpdateMetadata && toggleHand(),
    KeyD: () => details.toggle(),
    KeyL: leave,
  }[event.code];
  if (!run) return;
  event.preventDefault();
  run();
}

function onPerson(words, participant) {
  if (room.participants.size <= ANNOUNCE_PEOPLE_MAX) announce(t(words, { name: participant.name }));
  drawPeople();
}

function onUpdated(participant) {
  const tile = document.querySelector(
    `.tile[data-identity="${CSS.escape(participant.identity)}"] .hand`,
  );
  const wasDown = tile?.hidden ?? true;
  drawPeople();
  if (participant !== room.local && wasDown && participant.attributes.hand)
    announce(t('saidHand', { name: participant.name }));
}

function onPermissions() {
  if (room.canPublish)
    notify('speaking', t('speakingGranted'), { action: { words: t('speak'), run: addMicrophone } });
  else notify('speaking', t('speakingRevoked'), { kind: 'warn' });
  drawControls();
}

function onPlayback(allowed) {
  if (allowed) withdraw('playback');
  else
    notify('playback', t('playbackBlocked'), {
      kind: 'warn',
      lasting: true,
      action: { words: t('turnOnSound'), run: () => room.startAudio() },
    });
}

function end({ words, icon, again }, detail = '') {
  withdrawAll();
  details.close();
  tiles.clear();
  drawState('disconnected');
  byId('sound').hidePopover();
  byId('ended-title').textContent = t(`${words}Title`);
  byId('ended-lead').textContent = t(words);
  byId('ended-detail').textContent = detail;
  byId('ended-detail').hidden = detail === '';
  byId('ended-again-words').textContent = t(again);
  setIcon(byId('ended-icon'), icon);
  show('ended', 'ended-title');
  announce(`${t(`${words}Title`)}. ${t(words)}`);
}

function show(view, focus) {
  document.body.dataset.view = view;
  for (const each of ['join', 'call', 'ended']) byId(`${each}-view`).hidden = each !== view;
  byId('bar').hidden = view !== 'call';
  if (view !== 'call') byId('people').hidden = true;
  byId('state').hidden = view === 'join';
  byId(focus).focus();
}

function showNameError(wrong) {
  byId('name-error').hidden = !wrong;
  byId('name').setAttribute('aria-invalid', String(wrong));
}

function drawWords() {
  applyText({ room: invitation.room });
  byId('room-name').textContent = invitation.room;
  byId('call-title').textContent = t('callTitle', { room: invitation.room });
  byId('join-hint').textContent = t(microphoneAllowedHere() ? 'joinHint' : 'joinHintInsecure');
  byId('link').value = shareLink(invitation.room);
  document.title = `${invitation.room} · adda`;
  drawState(room.state);
}

function drawState(state) {
  byId('state').dataset.state = state;
  byId('state-words').textContent = t(state);
  setIcon(byId('state-icon'), STATE_ICONS[state] ?? 'state-busy');
  if (state === 'signalReconnecting')
    notify('banner', t('bannerSignalReconnecting'), { kind: 'warn', lasting: true, spin: true });
  else if (state === 'reconnecting')
    notify('banner', t('bannerReconnecting'), { kind: 'warn', lasting: true, spin: true });
  else withdraw('banner');
}

/** Many may come at once: they are drawn together, with the next frame. */
function drawPeople() {
  peopleChanged = true;
}

function drawPeopleNow() {
  peopleChanged = false;
  const joined = room.local.sid !== '';
  tiles.draw();
  byId('waiting').hidden = joined;
  byId('people').hidden = !joined;
  byId('people-count').textContent = t('peopleCount', { count: room.participants.size + 1 });
  drawEmpty();
  drawControls();
}

function drawEmpty() {
  const joined = room.local.sid !== '';
  byId('empty').hidden = !joined || room.participants.size > 0;
  byId('call-echo').disabled = echoCalled;
  byId('call-echo-words').textContent = t(echoCalled ? 'callingEcho' : 'callEcho');
}

function drawControls() {
  const silent = !room.microphone;
  byId('mute').hidden = room.local.sid !== '' && !room.canPublish;
  byId('mute').dataset.muted = silent ? 'off' : String(room.muted);
  byId('mute-words').textContent = t(silent ? 'speak' : room.muted ? 'unmute' : 'mute');
  setIcon(byId('mute-icon'), room.muted && !silent ? 'mic-off' : 'mic');
  const raised = Boolean(room.local.attributes.hand);
  byId('hand').hidden = !room.canUpdateMetadata;
  byId('hand').setAttribute('aria-pressed', String(raised));
  byId('hand-words').textContent = t(raised ? 'lowerHand' : 'raiseHand');
}

function animate() {
  if (document.body.dataset.view === 'call') {
    if (peopleChanged) drawPeopleNow();
    tiles.animate();
  }
  requestAnimationFrame(animate);
}

start();
