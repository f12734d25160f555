// Small tools for drawing without a framework.

export const byId = (id) => document.getElementById(id);

export function create(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', iconAddress(name));
  svg.append(use);
  return svg;
}

export const iconAddress = (name) => `/assets/icons.svg#${name}`;

export function setIcon(useId, name) {
  byId(useId).setAttribute('href', iconAddress(name));
}

/** Says something to people who don't see the page. */
export function announce(words) {
  const live = byId('live');
  live.textContent = '';
  requestAnimationFrame(() => (live.textContent = words));
}

export async function copyText(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    return false;
  }
}
