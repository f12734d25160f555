// Serves the client page and LiveKit's bundle from this machine: nothing is fetched from elsewhere.
import { readFile } from 'node:fs/promises';
import http from 'node:http';

const here = new URL('./', import.meta.url);
const files = {
  '/': ['text/html', '<!doctype html><title>client</title><script src="/sdk.js"></script>'
    + '<script src="/page.js"></script>'],
  '/sdk.js': ['text/javascript', await readFile(
    new URL('node_modules/livekit-client/dist/livekit-client.umd.js', here))],
  '/page.js': ['text/javascript', await readFile(new URL('page.js', here))],
};

// Listens on a free port of loopback, which browsers trust with microphones. Resolves to the URL.
export function servePage() {
  const server = http.createServer((request, response) => {
    const [type, body] = files[request.url] ?? ['text/plain', ''];
    response.writeHead(files[request.url] ? 200 : 404, { 'content-type': type });
    response.end(body);
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}/`));
  });
}
