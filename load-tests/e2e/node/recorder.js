// A page of another origin: records a note as browsers do, sends it over the public API, and plays it.
// node recorder.js URL TOKEN ROOM → one line of JSON.
import { createServer } from 'node:http';

import { chromium } from 'playwright-core';

const [url, token, room] = process.argv.slice(2);

// Runs in the page.
async function play({ url, token, room }) {
  const audio = new AudioContext();
  await audio.resume();
  const [tone, sink] = [audio.createOscillator(), audio.createMediaStreamDestination()];
  tone.connect(sink);
  tone.start();
  const recorder = new MediaRecorder(sink.stream);
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(250);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  recorder.stop();
  await stopped;
  const sound = new Blob(pieces, { type: recorder.mimeType });

  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await sound.arrayBuffer()));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const authorization = `Bearer ${token}`;
  async function ask(method, path, body, more = {}) {
    const headers = { authorization, 'content-type': 'application/json', ...more };
    const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response.json();
  }
  const announcement = { room, contentType: sound.type, bytes: sound.size, sha256 };
  const key = { 'idempotency-key': 'recorder' };
  const { id, upload } = await ask('POST', '/v1/voice-notes', announcement, key);
  const { method, headers } = upload;
  const sent = await fetch(upload.url, { method, headers, body: sound });
  if (!sent.ok) throw new Error(`upload: ${await sent.text()}`);
  const note = await ask('POST', `/v1/voice-notes/${id}/complete`, { sha256 });

  const content = await fetch(`${url}/v1/voice-notes/${id}/content`, { headers: { authorization } });
  if (!content.ok) throw new Error(`content: ${await content.text()}`);
  const player = new Audio(URL.createObjectURL(await content.blob()));
  await player.play();
  await new Promise((resolve, reject) => {
    player.onended = resolve;
    player.onerror = () => reject(new Error(player.error.message));
  });
  return { recorded: sound.type, note, playedSeconds: player.currentTime };
}

const server = createServer((_request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end('<!doctype html><title>Elsewhere</title>');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--autoplay-policy=no-user-gesture-required',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-quic',
    '--no-sandbox',
  ],
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  console.log(JSON.stringify(await page.evaluate(play, { url, token, room })));
} finally {
  await browser.close();
  server.close();
}
