// One tile a person: who, how loud, what state, how good a connection. State is always said in words too.

import { byId, create } from './dom.js';
import { icon } from './icons.js';
import { hueOf, initials } from './person.js';
import { t } from './text.js';

// Who `POST /v1/rooms/{room}/echo` invites.
const ECHO_IDENTITY = 'echo-ada';
const TILES_MAX = 120;
const CROWD_FEW = 4;
const CROWD_MANY = 16;
const QUALITY_ICONS = {
  EXCELLENT: 'quality-3',
  GOOD: 'quality-2',
  POOR: 'quality-1',
  LOST: 'quality-0',
};
const LEVEL_STEP = 0.02;

export class Tiles {
  #room;
  #tiles = new Map();

  constructor(room) {
    this.#room = room;
  }

  /** Draws who is there. Order: ourselves, then as they came. */
  draw() {
    const everybody = [this.#room.local, ...this.#room.participants.values()].filter(
      ({ identity }) => identity,
    );
    const shown = everybody.slice(0, TILES_MAX);
    const kept = new Set(shown.map(({ identity }) => identity));
    for (const [identity, tile] of this.#tiles)
      if (!kept.has(identity)) this.#discard(identity, tile);
    for (const participant of shown)
      this.#tile(participant).draw(participant, participant === this.#room.local);
    const list = byId('tiles');
    list.dataset.crowd =
      shown.length <= CROWD_FEW ? 'few' : shown.length <= CROWD_MANY ? 'some' : 'many';
    byId('more-people').hidden = everybody.length <= TILES_MAX;
    byId('more-people').textContent = t('moreMany', { count: everybody.length - TILES_MAX });
  }

  /** Once a frame: rings and the word beside them. */
  animate() {
    this.#room.measure();
    for (const tile of this.#tiles.values()) tile.animate();
  }

  clear() {
    for (const [identity, tile] of this.#tiles) this.#discard(identity, tile);
  }

  #tile({ identity }) {
    let tile = this.#tiles.get(identity);
    if (!tile) {
      tile = new Tile(identity);
      this.#tiles.set(identity, tile);
      byId('tiles').append(tile.element);
    }
    return tile;
  }

  #discard(identity, tile) {
    tile.element.remove();
    this.#tiles.delete(identity);
  }
}

class Tile {
  #participant = null;
  #avatar = create('div', { className: 'avatar', ariaHidden: 'true' });
  #name = create('span', { className: 'name', dir: 'auto' });
  #chip = create('span', { className: 'chip' });
  #voice = create('li');
  #quality = create('li');
  #hand = create('li', { className: 'hand' });
  #level = 0;
  #drawn = '';

  constructor(identity) {
    this.#avatar.dataset.hue = hueOf(identity);
    const who = create('div', { className: 'who' }, this.#name, this.#chip);
    const marks = create('ul', { className: 'marks' }, this.#voice, this.#quality, this.#hand);
    this.element = create(
      'li',
      { className: 'tile', dataset: { identity } },
      this.#avatar,
      who,
      marks,
    );
  }

  draw(participant, isLocal) {
    this.#participant = participant;
    this.#avatar.textContent = initials(participant.name);
    this.#name.textContent = participant.name;
    this.#name.title = participant.name;
    const chip = isLocal ? t('you') : participant.identity === ECHO_IDENTITY ? t('echoCaller') : '';
    this.#chip.textContent = chip;
    this.#chip.hidden = chip === '';
    this.#drawQuality(participant.quality);
    this.#hand.hidden = !participant.attributes.hand;
    this.#hand.replaceChildren(icon('hand'), t('handRaised'));
    this.#drawn = '';
    this.animate();
  }

  animate() {
    const { level, speaking, muted, publishes } = this.#participant;
    if (Math.abs(level - this.#level) >= LEVEL_STEP || (level === 0) !== (this.#level === 0)) {
      this.#level = level;
      this.#avatar.style.setProperty('--level', level.toFixed(2));
    }
    const voice = !publishes ? 'listening' : muted ? 'muted' : speaking ? 'speaking' : 'micOn';
    if (voice !== this.#drawn) this.#drawVoice(voice);
  }

  #drawVoice(voice) {
    this.#drawn = voice;
    const icons = { listening: 'listen', muted: 'mic-off', speaking: 'wave', micOn: 'mic' };
    this.#voice.className = voice;
    this.#voice.replaceChildren(icon(icons[voice]), t(voice));
    this.element.dataset.speaking = String(voice === 'speaking');
    this.element.dataset.muted = String(voice === 'muted');
    this.element.dataset.voice = voice;
  }

  #drawQuality(quality) {
    this.#quality.hidden = !(quality in QUALITY_ICONS);
    if (this.#quality.hidden) return;
    const words = t(`quality${quality}`);
    this.#quality.className = ['POOR', 'LOST'].includes(quality) ? 'bad' : '';
    this.#quality.title = t('qualityLabel', { quality: words });
    this.#quality.replaceChildren(icon(QUALITY_ICONS[quality]), words);
  }
}
