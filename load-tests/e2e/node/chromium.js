// Debian's Chromium through playwright-core. Each client has a context, so a profile, of its own.
import { chromium } from 'playwright-core';

export async function open() {
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
  return {
    async newPage(emit) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.exposeFunction('emit', emit);
      return page;
    },
    closePage: (page) => page.context().close(),
    close: () => browser.close(),
  };
}
