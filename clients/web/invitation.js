// How we get into a room: with the token in the address, or with one that a development server gives away.

/** The server gave no token. `missing` when it gives none to anybody. */
class TokenError extends Error {
  constructor(message, missing) {
    super(message);
    this.reason = missing ? 'token' : 'unreachable';
  }
}

/** Reads `/call/{room}` or `/notes/{room}`, and `#token=…&url=…`. A token names room and person itself. */
export function readInvitation() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token') ?? '';
  const claims = token ? claimsOf(token) : {};
  const room = claims.video?.room ?? roomFromPath() ?? 'demo';
  return {
    room,
    token,
    url: fragment.get('url') ?? location.origin,
    name: claims.name || claims.sub || '',
  };
}

/** What to connect with: `{url, token}`. */
export async function admission(invitation, name) {
  if (invitation.token) return invitation;
  let response;
  try {
    response = await fetch('/dev/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ room: invitation.room, name }),
    });
  } catch {
    throw new TokenError('', false);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new TokenError(
      answer.detail ?? answer.title ?? '',
      response.status >= 400 && response.status < 500,
    );
  return { url: answer.url, token: answer.token };
}

/** The address of a page to share: never with a token in it. */
export function shareLink(room, page = 'call') {
  return `${location.origin}/${page}/${encodeURIComponent(room)}`;
}

function roomFromPath() {
  const name = /^\/(?:call|notes)\/([^/]+)/.exec(location.pathname)?.[1];
  try {
    return name && decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** What a token says, unverified. */
export function claimsOf(token) {
  try {
    const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(
      new TextDecoder().decode(Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0))),
    );
  } catch {
    return {};
  }
}
