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

  /** `{nodes, reasons}`: `reasons` is what the signaling node that answers says is wrong. */
  pool() {
    return this.#call('GET', '/admin/v1/pool');
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
