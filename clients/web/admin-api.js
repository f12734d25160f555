// What the operator page asks of the public API.

/** `status` is 0 when nobody answered. */
class AdminError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class AdminApi {
  #token;

  constructor(token) {
    this.#token = token;
  }

  async pool() {
    return (await this.#call('GET', '/admin/v1/pool')).nodes;
  }

  async rooms() {
    return (await this.#call('POST', '/twirp/livekit.RoomService/ListRooms', {})).rooms ?? [];
  }

  async recordings(room) {
    const path = `/v1/rooms/${encodeURIComponent(room)}/recordings`;
    return (await this.#call('GET', path)).items ?? [];
  }

  record(room) {
    return this.#call('POST', `/v1/rooms/${encodeURIComponent(room)}/recordings`, {});
  }

  stop(id) {
    return this.#call('POST', `/v1/recordings/${encodeURIComponent(id)}/stop`, {});
  }

  /** Why this signaling node takes no new work; empty when it does. */
  async reasons() {
    const response = await this.#fetch('GET', '/readyz');
    return (await response.json()).reasons ?? [];
  }

  async #call(method, path, body) {
    const response = await this.#fetch(method, path, body);
    const answer = await response.json().catch(() => ({}));
    if (!response.ok)
      throw new AdminError(answer.detail ?? answer.msg ?? response.statusText, response.status);
    return answer;
  }

  async #fetch(method, path, body) {
    try {
      return await fetch(path, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        body: body && JSON.stringify(body),
      });
    } catch {
      throw new AdminError('', 0);
    }
  }
}
