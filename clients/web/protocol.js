// The signal connection: one WebSocket to `/rtc/v1`, and what a refusal means.
//
// Requests are JSON text frames; `json=1` asks for answers in kind. A server that doesn't know it
// answers in protobuf until our first text frame arrives, so both are read. Knows nothing of media.

import { decode, encode } from './protobuf.js';

const OPEN_TIMEOUT_MS = 15_000;
const FIRST_MESSAGE_TIMEOUT_MS = 5_000;
const VALIDATE_TIMEOUT_MS = 3_000;
const PROTOCOL_VERSION = 17;
const CLIENT_VERSION = '0.1.0';

/** Why the server can't be talked to. `reason`: notAllowed, notSupported, unreachable, timeout. */
export class SignalError extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

export class SignalConnection {
  #socket = null;
  #listener;
  #pingTimer = 0;
  #silenceTimer = 0;
  #pingTimeoutMs = 0;
  #settleFirst = null;
  #closed = false;

  /** Round trip to the server and back in ms, once measured. */
  rttMs = null;

  /** `listener.onMessage(kind, value)` for every message but the first, `listener.onClose(why)` once. */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Resolves with the first message, `{kind, value}`. */
  async open(url, token, joinRequest) {
    const query = new URLSearchParams({
      access_token: token,
      join_request: await packJoinRequest(joinRequest),
      json: '1',
    });
    try {
      return await this.#firstMessage(`${webSocketUrl(url)}/rtc/v1?${query}`);
    } catch (error) {
      this.close();
      if (error.reason !== 'refused') throw error;
      throw await explainRefusal(`${httpUrl(url)}/rtc/v1/validate?${query}`);
    }
  }

  send(kind, value) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ [kind]: value }));
    return true;
  }

  keepAlive(intervalSeconds, timeoutSeconds) {
    clearInterval(this.#pingTimer);
    this.#pingTimeoutMs = timeoutSeconds * 1000;
    this.#watchForSilence();
    if (intervalSeconds > 0)
      this.#pingTimer = setInterval(() => this.#ping(), intervalSeconds * 1000);
  }

  /** Closes without telling the listener. */
  close() {
    this.#end('closed here', 1000, () => {});
  }

  #firstMessage(address) {
    return new Promise((resolve, reject) => {
      const fail = (reason, text) => reject(new SignalError(reason, text));
      const timer = setTimeout(
        () => fail('timeout', 'the server did not accept the connection in time'),
        OPEN_TIMEOUT_MS,
      );
      let firstTimer = 0;
      const settle =
        (act) =>
        (...args) => {
          clearTimeout(timer);
          clearTimeout(firstTimer);
          this.#settleFirst = null;
          act(...args);
        };
      this.#settleFirst = { resolve: settle(resolve), reject: settle(reject) };
      this.#socket = new WebSocket(address);
      this.#socket.binaryType = 'arraybuffer';
      this.#socket.onopen = () => {
        clearTimeout(timer);
        firstTimer = setTimeout(
          () => fail('timeout', 'the server did not answer in time'),
          FIRST_MESSAGE_TIMEOUT_MS,
        );
      };
      this.#socket.onmessage = (event) => this.#onFrame(event.data);
      this.#socket.onclose = (event) => this.#end(event.reason || `code ${event.code}`);
    });
  }

  #onFrame(data) {
    this.#watchForSilence();
    let message;
    try {
      message =
        typeof data === 'string'
          ? JSON.parse(data)
          : decode('SignalResponse', new Uint8Array(data));
    } catch (error) {
      this.#end(`unreadable frame: ${error.message}`, 4000);
      return;
    }
    for (const [kind, value] of Object.entries(message)) this.#onMessage(kind, value);
  }

  #onMessage(kind, value) {
    if (kind === 'pongResp') this.rttMs = Date.now() - Number(value.lastPingTimestamp);
    if (this.#settleFirst) this.#settleFirst.resolve({ kind, value });
    else if (!this.#closed) this.#listener.onMessage(kind, value);
  }

  #ping() {
    const now = String(Date.now());
    this.send('ping', now);
    this.send(
      'pingReq',
      this.rttMs === null ? { timestamp: now } : { timestamp: now, rtt: String(this.rttMs) },
    );
  }

  #watchForSilence() {
    clearTimeout(this.#silenceTimer);
    if (this.#pingTimeoutMs === 0) return;
    this.#silenceTimer = setTimeout(
      () => this.#end('server fell silent', 4000),
      this.#pingTimeoutMs,
    );
  }

  #end(why, code = 1000, tell = this.#listener.onClose) {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#pingTimer);
    clearTimeout(this.#silenceTimer);
    if (this.#socket) {
      this.#socket.onclose = null;
      this.#socket.close(code);
    }
    if (this.#settleFirst) this.#settleFirst.reject(new SignalError('refused', why));
    else tell(why);
  }
}

/** The join request of `/rtc/v1`: protobuf, gzipped where the browser can, base64url with padding. */
async function packJoinRequest({ reconnect, participantSid, reason, offer }) {
  const request = {
    clientInfo: {
      sdk: 'JS',
      version: CLIENT_VERSION,
      protocol: PROTOCOL_VERSION,
      otherSdks: 'adda-web',
    },
    connectionSettings: { autoSubscribe: true },
    publisherOffer: offer,
    ...(reconnect && { reconnect: true, reconnectReason: reason, participantSid }),
  };
  const plain = encode('JoinRequest', request);
  const zipped = await gzip(plain);
  const wrapped = zipped ? { compression: 'GZIP', joinRequest: zipped } : { joinRequest: plain };
  return base64Url(encode('WrappedJoinRequest', wrapped));
}

async function gzip(bytes) {
  if (typeof CompressionStream === 'undefined') return null;
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function base64Url(bytes) {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_');
}

/** A browser hides why an upgrade was refused; the same query over HTTP tells. */
async function explainRefusal(address) {
  let response;
  try {
    response = await fetch(address, { signal: AbortSignal.timeout(VALIDATE_TIMEOUT_MS) });
  } catch {
    return new SignalError('unreachable', 'the server could not be reached');
  }
  // Some servers quote the token they refuse; it is not for the screen.
  const text = (await response.text().catch(() => '')).replace(/eyJ[\w.-]+/g, '…').slice(0, 200);
  if (response.ok) return new SignalError('unreachable', 'the server refused the WebSocket');
  if (response.status === 401 || response.status === 403)
    return new SignalError('notAllowed', text);
  if (response.status === 404) return refusalNotFound(text);
  return new SignalError('unreachable', text || `the server answered ${response.status}`);
}

function refusalNotFound(text) {
  const roomIsMissing = text.includes('requested room does not exist');
  return new SignalError(roomIsMissing ? 'notAllowed' : 'notSupported', text);
}

/** `url` as the SDKs take it, http or ws, without a trailing slash. */
export function httpUrl(url) {
  return url.replace(/^ws/, 'http').replace(/\/+$/, '');
}

function webSocketUrl(url) {
  return url.replace(/^http/, 'ws').replace(/\/+$/, '');
}
