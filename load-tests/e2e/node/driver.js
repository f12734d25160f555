// Reads commands as JSON lines from standard input and lets clients in browser pages perform them.
// `node driver.js chromium|firefox`. Ends when its input ends.
import readline from 'node:readline';

import { servePage } from './server.js';

const [, , name] = process.argv;
const { open } = await import(`./${name}.js`);

const url = await servePage();
const browser = await open();
const pages = new Map(); // client → promise of its page

function write(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function openPage(client) {
  const page = await browser.newPage((event) => write({ client, ...event }));
  page.on('pageerror', (error) => write({ client, event: 'pageError', error: String(error) }));
  await page.goto(url);
  return page;
}

async function perform(command) {
  const { client } = command;
  if (!pages.has(client)) pages.set(client, openPage(client));
  const page = await pages.get(client);
  if (command.do === 'close') {
    pages.delete(client);
    await browser.closePage(page);
    return { ok: null };
  }
  return page.evaluate((given) => window.perform(given), command);
}

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command = JSON.parse(line);
  perform(command)
    .catch((error) => ({ error: String(error) }))
    .then((answer) => write({ id: command.id, ...answer }));
});
lines.on('close', async () => {
  await browser.close();
  process.exit(0);
});
write({ ready: true });
