// People on the call page: each has a browser of their own, with a WAV file as microphone or none.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { open as openFirefox } from './firefox.js';
import { serve } from './lines.js';

const callers = new Map(); // client → { page, close }

function launchOptions(wav) {
  const microphone = wav
    ? ['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${wav}`]
    : [];
  return {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      ...microphone,
      '--autoplay-policy=no-user-gesture-required',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-quic',
      '--no-sandbox',
      '--use-fake-ui-for-media-stream',
    ],
  };
}

async function openChromium(wav) {
  const browser = await chromium.launch(launchOptions(wav));
  // As somebody who was warned of a certificate that nobody vouches for, and went on.
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  return { page, close: () => browser.close() };
}

// Somebody who told Chromium to let no site keep anything: a setting, so a profile that has it.
async function openChromiumThatKeepsNothing(wav) {
  const profile = await mkdtemp(join(tmpdir(), 'adda-e2e-profile-'));
  await mkdir(join(profile, 'Default'));
  const settings = { profile: { default_content_setting_values: { cookies: 2 } } };
  await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify(settings));
  const context = await chromium.launchPersistentContext(profile, launchOptions(wav));
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { page: context.pages()[0] ?? (await context.newPage()), close };
}

function openBrowser(browser, wav) {
  if (browser === 'firefox') return openFirefoxPage();
  return browser === 'keepsNothing' ? openChromiumThatKeepsNothing(wav) : openChromium(wav);
}

async function openFirefoxPage() {
  const browser = await openFirefox();
  return { page: await browser.newPage(() => {}), close: () => browser.close() };
}

// Runs in the page. `window.adda` is the page's room; what it plays is looked at by frequency.
function ear() {
  if (window.ear) return;
  const FFT_SIZE = 8192;
  const QUIET_DB = -65;
  const audio = new AudioContext();
  const analysers = new Map(); // track id → analyser
  let clicked;

  function loudest(track) {
    if (!analysers.has(track.id)) {
      const analyser = audio.createAnalyser();
      analyser.fftSize = FFT_SIZE;
      analyser.smoothingTimeConstant = 0;
      audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      analysers.set(track.id, analyser);
    }
    const bins = new Float32Array(FFT_SIZE / 2);
    analysers.get(track.id).getFloatFrequencyData(bins);
    let top = 2;
    for (let bin = 2; bin < bins.length; bin += 1) if (bins[bin] > bins[top]) top = bin;
    return bins[top] > QUIET_DB ? (top * audio.sampleRate) / FFT_SIZE : 0;
  }

  function heardNow() {
    const participants = Array.from(window.adda.participants.values());
    const tracks = participants.map((one) => one.microphone?.receiver?.track);
    return tracks.filter(Boolean).map(loudest).filter((hz) => hz > 0);
  }

  // Every text that these have shown, in order.
  const told = { '#state-words': [], '#notices': [], '#live': [] };
  for (const [selector, texts] of Object.entries(told)) {
    const element = document.querySelector(selector);
    if (!element) continue;
    const note = () => {
      const text = element.textContent.trim();
      if (text !== '' && text !== texts.at(-1)) texts.push(text);
    };
    const changes = { characterData: true, childList: true, subtree: true };
    new MutationObserver(note).observe(element, changes);
  }

  window.ear = {
    told: (selector) => told[selector],
    begin() {
      clicked = performance.now();
    },
    press(selector) {
      window.ear.begin();
      document.querySelector(selector).click();
    },
    // Waits for `hz`, or for any sound when it is 0. Resolves to milliseconds since the press.
    hear(hz, patience) {
      return new Promise((done, fail) => {
        const started = performance.now();
        const timer = setInterval(() => {
          const fits = (one) => hz === 0 || Math.abs(one - hz) <= 20;
          const waited = performance.now();
          if (heardNow().some(fits)) {
            clearInterval(timer);
            done(waited - clicked);
          } else if (waited - started > patience) {
            clearInterval(timer);
            fail(new Error(`not heard; now ${JSON.stringify(heardNow())}`));
          }
        }, 5);
      });
    },
  };
}

// Waits until `holds(given)` in the page. The two drivers disagree about the arguments' place.
function until({ page }, holds, given) {
  return page.waitForFunction(holds, ...(page.context ? [given] : [{}, given]));
}

// Waits until the page's modules have run.
function untilUp(caller) {
  return until(caller, () => document.body && !document.querySelector('#loading'));
}

// Goes there. The page may come anew by itself, or be told to, before it has loaded.
async function go(page, url) {
  await page.goto(url).catch((error) => {
    if (!/interrupted|ERR_ABORTED/.test(error)) throw error;
  });
}

// Loses requests for files of the page, each as often as `lost` says.
async function lose(page, lost) {
  await page.route('**/assets/*', (route) => {
    const file = new URL(route.request().url()).pathname.split('/').at(-1);
    if (!lost[file]) return route.continue();
    lost[file] -= 1;
    return route.abort('internetdisconnected');
  });
}

// A key that is held strikes again and again: an even number of times, so that it shows.
const STROKES = 4;
const TABS_MAX = 40;
// A build machine is slow and shared.
const PATIENCE_MS = 45_000;

const commands = {
  async open({ client, url, wav, browser, lost }) {
    const caller = await openBrowser(browser, wav);
    callers.set(client, caller);
    caller.page.setDefaultTimeout(PATIENCE_MS);
    const losesSome = Object.keys(lost).length > 0;
    if (losesSome) await lose(caller.page, lost);
    await go(caller.page, url);
    if (!losesSome) await untilUp(caller);
  },
  async loseNothing({ page }) {
    await page.unrouteAll();
  },
  async submit({ page, selector }) {
    await page.evaluate((given) => document.querySelector(given).requestSubmit(), selector);
  },
  async sid({ page }) {
    return page.evaluate(() => window.adda.local.sid);
  },
  // Whether the page may keep anything in its browser.
  async keeps({ page }) {
    return page.evaluate(() => {
      try {
        localStorage.setItem('probe', '');
        return true;
      } catch {
        return false;
      }
    });
  },
  async url({ page }) {
    return page.url();
  },
  // Comes back to the page as somebody who never was there.
  async reload({ page, url }) {
    await page.goto('about:blank');
    await go(page, url);
    await untilUp({ page });
  },
  async enter({ page, name, listen }) {
    await page.evaluate(ear);
    await page.evaluate((given) => {
      document.querySelector('#name').value = given.name;
      window.ear.press(given.listen ? '#join-listen' : '#join-mic');
    }, { name, listen });
  },
  async comeIn({ page, name }) {
    await page.fill('#name', name);
    await page.press('#name', 'Enter');
  },
  async fill({ page, selector, words }) {
    await page.fill(selector, words);
  },
  async hold({ page, selector, millis, slide: [x, y] }) {
    const { x: left, y: top, width, height } = await page.locator(selector).boundingBox();
    const [from, to] = [left + width / 2, top + height / 2];
    await page.mouse.move(from, to);
    await page.mouse.down();
    await page.waitForTimeout(millis);
    await page.mouse.move(from + x, to + y, { steps: 4 });
    await page.mouse.up();
  },
  async holdKey({ page, selector, key, millis }) {
    await page.focus(selector);
    for (let strokes = 0; strokes < STROKES; strokes += 1) {
      await page.keyboard.down(key);
      await page.waitForTimeout(millis / STROKES);
    }
    await page.keyboard.up(key);
  },
  async count({ page, selector }) {
    return page.locator(selector).count();
  },
  async waitFor({ page, selector }) {
    await until({ page }, (given) =>
      document.querySelector(given)?.checkVisibility({ visibilityProperty: true }), selector);
  },
  async waitForNo({ page, selector }) {
    await until({ page }, (given) =>
      !document.querySelector(given)?.checkVisibility({ visibilityProperty: true }), selector);
  },
  async waitForText({ page, selector, words }) {
    await until({ page }, (given) =>
      document.querySelector(given.selector)?.textContent === given.words, { selector, words });
  },
  async waitForWords({ page, selector, words }) {
    await until({ page }, (given) =>
      document.querySelector(given.selector)?.textContent.includes(given.words), { selector, words });
  },
  async strike({ page, keys }) {
    await page.evaluate(ear);
    await page.evaluate(() => window.ear.begin());
    for (const key of keys)
      await (/^[A-Z]/.test(key) ? page.keyboard.press(key) : page.keyboard.type(key));
  },
  // Resolves to whether the focus can be seen where it landed.
  async tabTo({ page, selector }) {
    for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
      await page.keyboard.press('Tab');
      const landed = await page.evaluate((given) => {
        const element = document.activeElement;
        if (!element.matches(given)) return null;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
      }, selector);
      if (landed !== null) return landed;
    }
    throw new Error(`Tab never came to ${selector}`);
  },
  async told({ page, selector }) {
    return page.evaluate((given) => window.ear.told(given), selector);
  },
  async drawn({ page, selector, pseudo, property }) {
    return page.evaluate((given) => {
      const element = document.querySelector(given.selector);
      return getComputedStyle(element, given.pseudo).getPropertyValue(given.property);
    }, { selector, pseudo, property });
  },
  // On the call page a press starts the clock of what is heard.
  async press({ page, selector }) {
    if (await page.evaluate(() => Boolean(window.ear)))
      await page.evaluate((given) => window.ear.press(given), selector);
    else await page.click(selector);
  },
  async hear({ page, hz, patience }) {
    return page.evaluate((given) => window.ear.hear(...given), [hz, patience]);
  },
  async text({ page, selector }) {
    return page.evaluate((given) => document.querySelector(given)?.textContent, selector);
  },
  async close({ client, close }) {
    callers.delete(client);
    await close();
  },
};

async function perform(command) {
  const caller = callers.get(command.client) ?? {};
  return { ok: (await commands[command.do]({ ...caller, ...command })) ?? null };
}

serve(perform, () => Promise.all(Array.from(callers.values(), (one) => one.close())));
