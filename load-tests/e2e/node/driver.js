// Lets clients in browser pages perform commands: `node driver.js chromium|firefox`.
import { serve, write } from './lines.js';
import { servePage } from './server.js';

const [, , name] = process.argv;
const { open } = await import(`./${name}.js`);

const url = await servePage();
const browser = await open();
const pages = new Map(); // client → promise of its page

async function openPage(client) {
  const page = await browser.newPage((event) => write({ client, ...event }));
  page.on('pageerror', (error) => write({ client, event: 'pageError', error: String(error) }));
  // A busy browser may say that it loaded a page whose scripts it then runs, or lost.
  for (let tries = 0; tries < 3; tries += 1) {
    await page.goto(url);
    const isReady = await page.evaluate(() => typeof window.perform === 'function');
    if (isReady) return page;
  }
  throw new Error('the client page does not load');
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

serve(perform, () => browser.close());
