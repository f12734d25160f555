// The operator page: nodes, rooms, recordings, and what is wrong with them.

import { AdminApi } from './admin-api.js';
import { clock } from './clock.js';
import { announce, byId, create, pageLoaded } from './dom.js';
import { drawIcons, icon } from './icons.js';
import { notify, withdraw } from './notices.js';
import { untilClosed } from './storage.js';
import { applyText, chooseLanguage, currentLanguage, t } from './text.js';

const POLL_MS = 2000;
const ROOMS_SHOWN_MAX = 200;
const ROOMS_ASKED_MAX = 20;
const BUSY_LOAD = 0.8;
const STATES = {
  ready: { kind: 'good', icon: 'state-on' },
  draining: { kind: 'warn', icon: 'state-busy' },
  unready: { kind: 'bad', icon: 'alert' },
  recording: { kind: 'warn', icon: 'mic' },
  finalizing: { kind: 'warn', icon: 'state-busy' },
  available: { kind: 'good', icon: 'state-on' },
  failed: { kind: 'bad', icon: 'alert' },
};
// Rooms of which we showed recordings stay asked about when they end.
const asked = new Set();
let api = null;
let timer = 0;

function start() {
  chooseLanguage();
  drawIcons();
  applyText();
  byId('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    enter(byId('token').value.trim());
  });
  byId('sign-out').addEventListener('click', () => {
    untilClosed.clear();
    location.replace(location.pathname);
  });
  pageLoaded();
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  // The address bar and the history are no place for a token.
  if (given) history.replaceState(null, '', location.pathname);
  const token = given ?? untilClosed.get('adda.operator');
  if (token) enter(token);
}

async function enter(token) {
  api = new AdminApi(token);
  try {
    await api.pool();
  } catch (error) {
    const words = error.status === 0 ? t('failedUnreachable') : error.message;
    byId('token-error').replaceChildren(icon('alert'), t('adminRefused', { why: words }));
    byId('token-error').hidden = false;
    byId('token').focus();
    return;
  }
  untilClosed.set('adda.operator', token);
  document.body.dataset.view = 'admin';
  byId('join-view').hidden = true;
  byId('admin-view').hidden = byId('fresh').hidden = byId('sign-out').hidden = false;
  byId('wrong-title').focus();
  await refresh();
}

async function refresh() {
  clearTimeout(timer);
  try {
    const [{ nodes, reasons = [] }, rooms] = await Promise.all([api.pool(), api.rooms()]);
    for (const { name } of rooms.slice(0, ROOMS_ASKED_MAX)) asked.add(name);
    const recordings = await recordingsOf([...asked]);
    draw({ nodes, rooms, reasons, recordings });
    withdraw('load');
    byId('fresh').textContent = t('adminFresh', {
      time: new Date().toLocaleTimeString(currentLanguage()),
    });
  } catch (error) {
    const why = error.message || t('failedUnreachable');
    notify('load', t('adminStale', { why }), { kind: 'warn', lasting: true });
  }
  timer = setTimeout(refresh, POLL_MS);
}

/** Newest first. A room that can't be asked spoils none of the others. */
async function recordingsOf(rooms) {
  const of = async (room) =>
    (await api.recordings(room).catch(() => [])).map((one) => ({ room, ...one }));
  const all = (await Promise.all(rooms.map(of))).flat();
  return all.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}

function draw({ nodes, rooms, reasons, recordings }) {
  drawFindings(findings({ nodes, reasons, recordings }));
  drawTable('nodes', NODE_COLUMNS, nodes);
  const running = new Map(
    recordings.filter(({ status }) => status === 'recording').map((one) => [one.room, one]),
  );
  const shown = rooms
    .slice(0, ROOMS_SHOWN_MAX)
    .map((room) => ({ ...room, recording: running.get(room.name) }));
  drawTable('rooms', ROOM_COLUMNS, shown);
  showIfAny('rooms', rooms);
  drawTable('recordings', RECORDING_COLUMNS, recordings);
  showIfAny('recordings', recordings);
}

/** One sentence for each thing that somebody should do something about. */
function findings({ nodes, reasons, recordings }) {
  const versions = [...new Set(nodes.map(({ version }) => version))].sort();
  return [
    ...reasons,
    ...saidByNodes(nodes, reasons),
    ...nodes
      .filter(({ state, reasons = [] }) => state !== 'ready' && reasons.length === 0)
      .map(({ id, state }) => t('adminNodeState', { id, state: t(`adminState_${state}`) })),
    ...nodes
      .filter(({ load }) => load >= BUSY_LOAD)
      .map(({ id, load }) => t('adminNodeBusy', { id, load: percent(load) })),
    ...(versions.length > 1 ? [t('adminVersions', { versions: versions.join(', ') })] : []),
    ...recordings
      .filter(({ status }) => status === 'failed')
      .map(({ id, room, failure }) => t('adminRecordingFailed', { id, room, why: failure ?? '–' })),
    ...recordings
      .filter(({ status, failure }) => status !== 'failed' && failure)
      .map(({ room, failure }) => t('adminRecordingTrouble', { room, why: failure })),
  ];
}

/** What nodes said in their latest heartbeats, beside `known`: each thing once, with all who said it. */
function saidByNodes(nodes, known) {
  const ids = new Map();
  for (const { id, reasons = [] } of nodes)
    for (const reason of reasons)
      if (!known.includes(reason)) ids.set(reason, [...(ids.get(reason) ?? []), id]);
  return [...ids].map(([reason, of]) => `${of.join(', ')} – ${reason}`);
}

function drawFindings(sentences) {
  const lines = sentences.length
    ? sentences.map((words) => finding('warn', 'alert', words))
    : [finding('good', 'state-on', t('adminAllWell'))];
  const before = byId('findings').textContent;
  byId('findings').replaceChildren(...lines);
  const after = byId('findings').textContent;
  if (before && before !== after) announce(after);
}

function finding(kind, picture, words) {
  return create('li', { dataset: { kind } }, icon(picture), create('span', {}, words));
}

const NODE_COLUMNS = [
  { title: 'adminNode', head: true, cell: ({ id }) => id },
  { title: 'adminRoles', cell: ({ roles }) => roles.join(', ') },
  { title: 'adminRegion', cell: ({ region }) => region || '–' },
  { title: 'adminState', cell: ({ state }) => stateCell(state) },
  { title: 'adminVersion', cell: ({ version }) => version },
  { title: 'adminRooms', number: true, cell: ({ rooms }) => String(rooms) },
  { title: 'adminParticipants', number: true, cell: ({ participants }) => String(participants) },
  { title: 'adminLoad', cell: ({ load }) => loadCell(load) },
];

const ROOM_COLUMNS = [
  { title: 'adminRoom', head: true, cell: ({ name }) => name },
  {
    title: 'adminParticipants',
    number: true,
    cell: ({ num_participants = 0 }) => String(num_participants),
  },
  { title: 'adminTalkers', number: true, cell: ({ num_publishers = 0 }) => String(num_publishers) },
  { title: 'adminSince', cell: ({ creation_time }) => when(Number(creation_time) * 1000) },
  { title: 'adminRecording', cell: recordCell },
];

const RECORDING_COLUMNS = [
  { title: 'adminRoom', head: true, cell: ({ room }) => room },
  { title: 'adminStarted', cell: ({ startedAt }) => when(Date.parse(startedAt)) },
  { title: 'adminState', cell: ({ status }) => stateCell(status) },
  { title: 'adminTracks', number: true, cell: ({ tracks = [] }) => String(tracks.length) },
  { title: 'adminLength', number: true, cell: ({ tracks = [] }) => length(tracks) },
  { title: 'adminGaps', number: true, cell: ({ tracks = [] }) => gaps(tracks) },
  { title: 'adminId', cell: ({ id }) => create('code', { dir: 'ltr' }, id) },
];

function drawTable(name, columns, rows) {
  byId(`${name}-head`).replaceChildren(
    create(
      'tr',
      {},
      ...columns.map(({ title, number }) =>
        create('th', { scope: 'col', className: number ? 'number' : '' }, t(title)),
      ),
    ),
  );
  const focused = document.activeElement?.dataset?.action;
  byId(name).replaceChildren(
    ...rows.map((row) =>
      create(
        'tr',
        {},
        ...columns.map(({ head, number, cell }) =>
          create(
            head ? 'th' : 'td',
            { dir: 'auto', className: number ? 'number' : '', ...(head && { scope: 'row' }) },
            cell(row),
          ),
        ),
      ),
    ),
  );
  // A redrawn button keeps the focus that it had.
  if (focused)
    byId(name)
      .querySelector(`[data-action="${CSS.escape(focused)}"]`)
      ?.focus();
}

/** A table without rows gives way to a sentence. */
function showIfAny(name, rows) {
  byId(name).closest('.scroll').hidden = rows.length === 0;
  byId(`no-${name}`).hidden = rows.length > 0;
}

function stateCell(state) {
  const { kind, icon: picture } = STATES[state] ?? { kind: 'warn', icon: 'info' };
  return create(
    'span',
    { className: 'cell-state', dataset: { kind } },
    icon(picture),
    t(`adminState_${state}`),
  );
}

function loadCell(load) {
  const meter = create('meter', {
    min: 0,
    max: 1,
    high: BUSY_LOAD,
    value: load,
    ariaHidden: 'true',
  });
  return create('span', { className: 'load' }, meter, percent(load));
}

function recordCell({ name, recording }) {
  const words = t(recording ? 'adminStop' : 'adminRecord');
  const button = create(
    'button',
    { className: 'button', type: 'button', dataset: { action: `record-${name}` } },
    icon(recording ? 'close' : 'mic'),
    words,
  );
  button.setAttribute('aria-label', `${words}: ${name}`);
  button.addEventListener('click', () =>
    act(button, () => (recording ? api.stop(recording.id) : api.record(name))),
  );
  return button;
}

async function act(button, run) {
  button.disabled = true;
  try {
    await run();
    withdraw('act');
  } catch (error) {
    notify('act', t('adminFailed', { why: error.message || t('failedUnreachable') }), {
      kind: 'warn',
    });
  }
  await refresh();
}

const percent = (share) => `${Math.round(share * 100)} %`;

function when(ms) {
  return Number.isFinite(ms) && ms > 0
    ? new Date(ms).toLocaleString(currentLanguage(), { dateStyle: 'short', timeStyle: 'medium' })
    : '–';
}

function length(tracks) {
  const ends = tracks.map(({ startMs = 0, durationMs = 0 }) => startMs + durationMs);
  return clock(Math.max(0, ...ends));
}

/** Seconds of sound that were lost, silence by choice apart. */
function gaps(tracks) {
  const lost = tracks
    .flatMap(({ gaps = [] }) => gaps)
    .filter(({ reason }) => !['mute', 'muted', 'dtx', 'silence'].includes(reason));
  const ms = lost.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return `${(ms / 1000).toFixed(1)} s`;
}

start();
