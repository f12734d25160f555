// The panel for choosing microphone and speaker.

import { byId, create } from './dom.js';
import {
  cleansUp,
  devices,
  preferMicrophone,
  preferredMicrophone,
  setCleansUp,
} from './microphone.js';
import { t } from './text.js';

const CAN_CHOOSE_SPEAKER = 'setSinkId' in HTMLMediaElement.prototype;

/** `reopen()` opens the preferred microphone in place of the present one, if there is one. */
export function setUpSound(room, reopen) {
  byId('clean-up').checked = cleansUp();
  byId('sound').addEventListener(
    'toggle',
    ({ newState }) => newState === 'open' && listDevices(room),
  );
  navigator.mediaDevices?.addEventListener?.('devicechange', () => listDevices(room));
  byId('microphones').addEventListener('change', ({ target }) => {
    preferMicrophone(target.value);
    reopen();
  });
  byId('speakers').addEventListener('change', ({ target }) =>
    room.setSpeaker(target.value).catch(() => listDevices(room)),
  );
  byId('clean-up').addEventListener('change', ({ target }) => {
    setCleansUp(target.checked);
    reopen();
  });
}

async function listDevices(room) {
  const used = room.microphone?.getSettings().deviceId ?? preferredMicrophone();
  fill(byId('microphones'), await devices('audioinput'), used);
  byId('speakers-field').hidden = !CAN_CHOOSE_SPEAKER;
  if (CAN_CHOOSE_SPEAKER)
    fill(byId('speakers'), await devices('audiooutput'), byId('speakers').value);
}

function fill(select, found, chosen) {
  const named = found.map(({ deviceId, label }, index) => ({
    deviceId,
    label: label || t('unnamedDevice', { number: index + 1 }),
  }));
  const all = named.some(({ deviceId }) => deviceId === 'default')
    ? named
    : [{ deviceId: '', label: t('systemDefault') }, ...named];
  select.replaceChildren(
    ...all.map(({ deviceId, label }) =>
      create('option', { value: deviceId, selected: deviceId === chosen }, label),
    ),
  );
}
