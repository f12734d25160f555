// Debian's Firefox through puppeteer-core. It starts no AudioContext without a sound card, so it
// gets one that nobody hears: a PulseAudio of its own with a null sink.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import puppeteer from 'puppeteer-core';

async function soundCard() {
  const home = await mkdtemp(join(tmpdir(), 'adda-e2e-sound-'));
  const socket = join(home, 'socket');
  const server = spawn('pulseaudio', [
    '-n', '--daemonize=no', '--exit-idle-time=-1', '--disable-shm=yes', '--log-level=notice',
    '-L', 'module-null-sink',
    '-L', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`,
  ], { env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }, stdio: 'ignore' });
  return { socket, async remove() {
    server.kill();
    await once(server, 'exit');
    await rm(home, { recursive: true, force: true });
  } };
}

// A busy Firefox now and then gives up a tab that it is just making, before it holds anything.
async function openTab(browser, tries = 3) {
  try {
    return await browser.newPage();
  } catch (error) {
    if (tries === 1 || !error.message.includes('no such frame')) throw error;
    return openTab(browser, tries - 1);
  }
}

export async function open() {
  const card = await soundCard();
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    env: { ...process.env, PULSE_SERVER: `unix:${card.socket}` },
    extraPrefsFirefox: {
      'media.autoplay.blocking_policy': 0,
      'media.autoplay.default': 0,
      'media.cubeb.sandbox': false,
      'media.navigator.permission.disabled': true,
      'media.navigator.streams.fake': true,
    },
  });
  return {
    async newPage(emit) {
      const page = await openTab(browser);
      await page.exposeFunction('emit', emit);
      return page;
    },
    closePage: (page) => page.close(),
    async close() {
      await browser.close();
      await card.remove();
    },
  };
}
