// Pictures beside words: strokes on a 24 × 24 grid, drawn here rather than fetched so that none flickers.

const SVG = 'http://www.w3.org/2000/svg';

const STROKES = {
  brand: 'M5 10v4M9.7 6v12M14.3 8.5v7M19 10.5v3',
  mic: 'M12 3h0a3 3 0 0 1 3 3v5a3 3 0 0 1 -3 3h-0a3 3 0 0 1 -3 -3v-5a3 3 0 0 1 3 -3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3',
  'mic-off':
    'M9 9.5V6a3 3 0 0 1 6 0v5c0 .7-.2 1.3-.6 1.8M5.5 11.5a6.5 6.5 0 0 0 10.3 5.3M18.5 11.5c0 .8-.15 1.6-.4 2.3M12 18v3M4 4l16 16',
  wave: 'M4 10v4M8 7v10M12 4v16M16 7v10M20 10v4',
  listen:
    'M4 14v-2a8 8 0 0 1 16 0v2M5 14h0.5a2 2 0 0 1 2 2v2a2 2 0 0 1 -2 2h-0.5a2 2 0 0 1 -2 -2v-2a2 2 0 0 1 2 -2zM18.5 14h0.5a2 2 0 0 1 2 2v2a2 2 0 0 1 -2 2h-0.5a2 2 0 0 1 -2 -2v-2a2 2 0 0 1 2 -2z',
  people:
    'M5.5 8a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0M2.5 20a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.5a6.5 6.5 0 0 1 3.5 5.5',
  link: 'M10 14a4.5 4.5 0 0 0 6.4 0l3-3A4.5 4.5 0 0 0 13 4.6l-1 1M14 10a4.5 4.5 0 0 0-6.4 0l-3 3a4.5 4.5 0 0 0 6.4 6.4l1-1',
  copy: 'M11 9h7a2 2 0 0 1 2 2v7a2 2 0 0 1 -2 2h-7a2 2 0 0 1 -2 -2v-7a2 2 0 0 1 2 -2zM5 15H4.5A1.5 1.5 0 0 1 3 13.5v-9A1.5 1.5 0 0 1 4.5 3h9A1.5 1.5 0 0 1 15 4.5V5',
  hand: 'M7 12V6.5a1.5 1.5 0 0 1 3 0V11M10 10.5v-6a1.5 1.5 0 0 1 3 0V11M13 11V5.5a1.5 1.5 0 0 1 3 0V13M16 9.5a1.5 1.5 0 0 1 3 0V15a6 6 0 0 1-6 6c-2.7 0-4.3-1-5.5-3l-3-5a1.4 1.4 0 0 1 2.4-1.5L7 13',
  details: 'M4 20V10M10 20V4M16 20v-7M20.5 20v-4',
  tune: 'M4 7h9M19 7h1M4 17h1M11 17h9M13.5 7a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0M5.5 17a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0',
  leave:
    'M3 14.5c-.6-1-.6-2.3.2-3.1 4.9-4.5 12.7-4.5 17.6 0 .8.8.8 2.1.2 3.1l-.6 1c-.3.6-1 .8-1.6.6l-3-1c-.6-.2-1-.7-1-1.3v-2c-1.8-.5-3.8-.5-5.6 0v2c0 .6-.4 1.1-1 1.3l-3 1c-.6.2-1.3 0-1.6-.6z',
  close: 'M6 6l12 12M18 6 6 18',
  again: 'M20 12a8 8 0 1 1-2.6-5.9M20 3v4.5h-4.5',
  alert: 'M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.1',
  info: 'M3 12a9 9 0 1 0 18 0a9 9 0 1 0 -18 0M12 11v5.5M12 7.7v.1',
  play: 'M8 5v14l11-7z',
  pause: 'M9 5v14M15 5v14',
  lock: 'M7 11h10a2 2 0 0 1 2 2v5a2 2 0 0 1 -2 2h-10a2 2 0 0 1 -2 -2v-5a2 2 0 0 1 2 -2zM8 11V8a4 4 0 0 1 8 0v3',
  send: 'M4 12 20 4l-5 16-3.5-6.5zM11.5 13.5 20 4',
  bin: 'M4 7h16M10 7V4h4v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5',
  echo: 'M12 20H5.5A2.5 2.5 0 0 1 3 17.5v-9A2.5 2.5 0 0 1 5.5 6H13M9 11v3M6.5 12v1M11.5 10v5M16 8.5a5 5 0 0 1 0 7M18.7 5.5a9.5 9.5 0 0 1 0 13',
  'state-on': 'M5 12.5 10 17.5 19 7',
  'state-busy':
    'M12 3v4M12 17v4M3 12h4M17 12h4M5.6 5.6l2.9 2.9M15.5 15.5l2.9 2.9M5.6 18.4l2.9-2.9M15.5 8.5l2.9-2.9',
  'state-off':
    'M4 4l16 16M12 19.5v.1M8.5 15.5a5 5 0 0 1 5.5-1M5 12a10 10 0 0 1 4-2.3M19 12a10 10 0 0 0-5-2.8',
};

// Full strokes, and faint ones for the bars that are missing.
const QUALITY = {
  'quality-3': ['M5 20v-4M12 20v-9M19 20V4', ''],
  'quality-2': ['M5 20v-4M12 20v-9', 'M19 20V4'],
  'quality-1': ['M5 20v-4', 'M12 20v-9M19 20V4'],
  'quality-0': ['M3 3l6 6M9 3 3 9', 'M5 20v-4M12 20v-9M19 20V4'],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  draw(svg, name);
  return svg;
}

/** Replaces the picture in `[data-icon]`. */
export function setIcon(element, name) {
  element.dataset.icon = name;
  element.replaceChildren(icon(name));
}

/** Draws what the document only names. */
export function drawIcons() {
  for (const element of document.querySelectorAll('[data-icon]'))
    setIcon(element, element.dataset.icon);
}

function draw(svg, name) {
  const [full, faint] = QUALITY[name] ?? [STROKES[name], ''];
  svg.append(path(full));
  if (faint) svg.append(path(faint, 'faint'));
}

function path(strokes, className = '') {
  const element = document.createElementNS(SVG, 'path');
  element.setAttribute('d', strokes);
  if (className) element.setAttribute('class', className);
  return element;
}
