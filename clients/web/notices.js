// What needs telling above the call: one line each, with the next step beside it.

import { announce, byId, create } from './dom.js';
import { icon } from './icons.js';
import { t } from './text.js';

const shown = new Map();

/**
 * Shows a notice, in place of an earlier one of the same `id`.
 * `action` is `{words, run}`; `kind` is `warn` or `info`; `lasting` ones can't be dismissed.
 */
export function notify(
  id,
  words,
  { kind = 'info', action = null, lasting = false, spin = false } = {},
) {
  const mark = icon(spin ? 'state-busy' : kind === 'warn' ? 'alert' : 'info');
  mark.classList.toggle('spin', spin);
  const notice = create(
    'div',
    { className: 'notice', id: `notice-${id}`, dataset: { kind } },
    mark,
    create('p', {}, words),
  );
  if (action) notice.append(actionButton(id, action));
  if (!lasting) notice.append(dismissButton(id));
  const before = shown.get(id);
  if (before) before.replaceWith(notice);
  else byId('notices').append(notice);
  shown.set(id, notice);
  announce(words);
}

/** Puts the focus where the page's main control is, rather than nowhere. */
function rest() {
  document.querySelector('[data-rest]')?.focus();
}

export function withdraw(id) {
  shown.get(id)?.remove();
  shown.delete(id);
}

export function withdrawAll() {
  for (const id of [...shown.keys()]) withdraw(id);
}

function actionButton(id, { words, run }) {
  const button = create('button', { className: 'button', type: 'button' }, words);
  button.addEventListener('click', () => {
    withdraw(id);
    rest();
    run();
  });
  return button;
}

function dismissButton(id) {
  const button = create(
    'button',
    { className: 'button quiet', type: 'button' },
    icon('close'),
    create('span', { className: 'unseen' }, t('dismiss')),
  );
  button.addEventListener('click', () => {
    withdraw(id);
    rest();
  });
  return button;
}
