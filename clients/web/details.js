// The drawer with numbers: what somebody who helps with a bad call asks first.

import { announce, byId, copyText, create } from './dom.js';
import { lasting } from './storage.js';
import { t } from './text.js';

const REFRESH_MS = 1000;
const COPIED_MS = 2000;
const SHORTCUTS_KEY = 'adda.shortcuts';

export class Details {
  #room;
  #timer = 0;

  constructor(room) {
    this.#room = room;
    byId('details-close').addEventListener('click', () => this.close());
    byId('copy-report').addEventListener('click', () => this.#copyReport());
    byId('details').addEventListener('keydown', ({ key }) => key === 'Escape' && this.close());
    byId('shortcuts').checked = lasting.get(SHORTCUTS_KEY) !== 'off';
    byId('shortcuts').addEventListener('change', ({ target }) =>
      lasting.set(SHORTCUTS_KEY, target.checked ? 'on' : 'off'),
    );
  }

  get shortcutsOn() {
    return byId('shortcuts').checked;
  }

  toggle() {
    if (byId('details').hidden) this.#open();
    else this.close();
  }

  close() {
    if (byId('details').hidden) return;
    clearInterval(this.#timer);
    byId('details').hidden = true;
    byId('details-button').setAttribute('aria-expanded', 'false');
    byId('details-button').focus();
  }

  #open() {
    byId('details').hidden = false;
    byId('details-button').setAttribute('aria-expanded', 'true');
    byId('details-title').focus();
    const keys = [
      ['M', 'keyMute'],
      ['H', 'keyHand'],
      ['D', 'keyDetails'],
      ['L', 'keyLeave'],
    ];
    byId('shortcut-list').replaceChildren(
      ...keys.flatMap(([key, words]) => [
        create('dt', {}, t(words)),
        create('dd', {}, create('kbd', {}, key)),
      ]),
    );
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS);
    this.#refresh();
  }

  async #refresh() {
    const stats = await this.#room.stats();
    const rows = [
      ['readingState', t(stats.state)],
      ['readingRtt', milliseconds(stats.rttMs)],
      ['readingSignalRtt', milliseconds(stats.signalRttMs)],
      ['readingLossIn', percent(stats.lossInPercent)],
      ['readingLossOut', percent(stats.lossOutPercent)],
      ['readingJitter', milliseconds(stats.jitterMs)],
      ['readingConcealed', percent(stats.concealedPercent)],
      ['readingCodec', stats.codec ?? t('unknown')],
      [
        'readingRed',
        stats.red === null || stats.red === undefined ? t('unknown') : t(stats.red ? 'on' : 'off'),
      ],
      ['readingPath', stats.path ?? t('unknown')],
      [
        'readingNode',
        [stats.server.nodeId, stats.server.region].filter(Boolean).join(', ') || t('unknown'),
      ],
    ];
    byId('readings').replaceChildren(
      ...rows.flatMap(([name, value]) => [
        create('dt', {}, t(name)),
        create('dd', { dir: 'auto', dataset: { reading: name } }, value),
      ]),
    );
  }

  async #copyReport() {
    const report = {
      at: new Date().toISOString(),
      room: this.#room.name,
      participants: this.#room.participants.size + 1,
      browser: navigator.userAgent,
      stats: await this.#room.stats(),
      history: this.#room.history,
    };
    const words = byId('copy-report').querySelector('[data-text]');
    const copied = await copyText(JSON.stringify(report, null, 2));
    words.textContent = t(copied ? 'copied' : 'copyReport');
    if (copied) announce(t('copied'));
    setTimeout(() => (words.textContent = t('copyReport')), COPIED_MS);
  }
}

const milliseconds = (value) =>
  value === null || value === undefined ? t('unknown') : `${value} ms`;
const percent = (value) => (value === null || value === undefined ? t('unknown') : `${value} %`);
