// Voice notes over the public HTTP API: what a page needs of `/v1/voice-notes`.

const PAGE_SIZE = 50;

/** The server's answer was no. `reason` is its sentence; `again` says whether trying again may help. */
export class ApiError extends Error {
  constructor(reason, status) {
    super(reason);
    this.status = status;
    this.again = status === 0 || status === 408 || status === 429 || status >= 500;
  }
}

export class NotesApi {
  #origin;
  #token;

  constructor(origin, token) {
    this.#origin = origin.replace(/^ws/, 'http').replace(/\/$/, '');
    this.#token = token;
  }

  /** Notes of a room, oldest first: `{items, next}`. */
  list(room, after) {
    const query = new URLSearchParams({ room, limit: PAGE_SIZE, ...(after && { after }) });
    return this.#call('GET', `/v1/voice-notes?${query}`);
  }

  /** Announces a note; the same `key` gets the same answer. */
  create(key, { room, contentType, bytes, sha256 }) {
    const body = { room, contentType, bytes, sha256 };
    return this.#call('POST', '/v1/voice-notes', body, { 'idempotency-key': key });
  }

  complete(id, sha256) {
    return this.#call('POST', `/v1/voice-notes/${id}/complete`, { sha256 });
  }

  remove(id) {
    return this.#call('DELETE', `/v1/voice-notes/${id}`);
  }

  /** The sound itself, wherever the server keeps it. */
  async content(id) {
    const response = await this.#fetch('GET', `/v1/voice-notes/${id}/content`);
    return response.blob();
  }

  /** Puts the sound where the server said; `onProgress` hears shares of one. */
  upload({ method, url, headers }, blob, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, new URL(url, this.#origin));
      for (const [name, value] of Object.entries(headers ?? {}))
        if (!/^(content-length|host)$/i.test(name)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
      request.onload = () =>
        request.status >= 200 && request.status < 300
          ? resolve()
          : reject(new ApiError(sentenceOf(request.responseText), request.status));
      request.onerror = () => reject(new ApiError('', 0));
      request.send(blob);
    });
  }

  async #call(method, path, body, headers = {}) {
    const response = await this.#fetch(method, path, body, headers);
    return response.status === 204 ? null : response.json();
  }

  async #fetch(method, path, body, headers = {}) {
    let response;
    try {
      response = await fetch(this.#origin + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body && JSON.stringify(body),
      });
    } catch {
      throw new ApiError('', 0);
    }
    if (!response.ok) throw new ApiError(sentenceOf(await response.text()), response.status);
    return response;
  }
}

/** Lower-case hexadecimal SHA-256. */
export async function sha256(blob) {
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function sentenceOf(text) {
  try {
    const { detail, title } = JSON.parse(text);
    return detail ?? title ?? '';
  } catch {
    return '';
  }
}
