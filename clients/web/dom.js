// Small tools for drawing without a framework.

export const byId = (id) => document.getElementById(id);

export function create(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

/** The page can be used: what said that it is loading goes. */
export function pageLoaded() {
  byId('loading').remove();
  byId('join-view').hidden = false;
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
