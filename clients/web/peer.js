// The one peer connection: sends our microphone, receives everybody, carries the data channels.
//
// The client makes every offer; the server answers with the offer's id. Offers are serial: what
// changes while one is out waits for the next. Knows nothing of rooms or of who is who.

const ANSWER_TIMEOUT_MS = 10_000;
const RECEIVE_SECTIONS_AT_START = 3;
const RECEIVE_SECTIONS_MAX = 64;
const SPEECH_BITS_PER_SECOND = 24_000;

const CHANNELS = {
  _lossy: { ordered: false, maxRetransmits: 0 },
  _reliable: { ordered: true },
  _data_track: { ordered: false, maxRetransmits: 0 },
};

// Firefox can't change its ICE servers after an offer, so it offers once the server named them.
const OFFERS_EARLY = !navigator.userAgent.includes('Firefox/');

export class Peer {
  #connection;
  #listener;
  #channels = new Map();
  #earlyOffer = null;
  #nextId = 1;
  #wanted = false;
  #restart = false;
  #running = false;
  #awaited = null;
  #candidates = [];
  #freshFragment = null;

  /**
   * `listener`: `sendOffer(description)`, `sendCandidate(candidate)`, `onTracks(received)`,
   * `onState(state)`, `onData(label, bytes)`, `onFailed(why)`.
   */
  constructor(listener) {
    this.#listener = listener;
    this.#connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#connection.onconnectionstatechange = () =>
      listener.onState(this.#connection.connectionState);
    this.#connection.onicecandidate = ({ candidate }) =>
      candidate && listener.sendCandidate(candidate);
    for (const [label, options] of Object.entries(CHANNELS)) this.#openChannel(label, options);
    this.addReceiveSections(RECEIVE_SECTIONS_AT_START);
  }

  get state() {
    return this.#connection.connectionState;
  }

  /** The offer that rides in the join request, if this browser can make one that early. */
  async earlyOffer() {
    if (!OFFERS_EARLY) return undefined;
    const { type, sdp } = await this.#connection.createOffer();
    this.#earlyOffer = { type, sdp, id: this.#takeId() };
    return this.#earlyOffer;
  }

  /** Starts once the server has named its ICE servers. */
  async start(iceServers) {
    this.configure(iceServers);
    if (!this.#earlyOffer) {
      this.negotiate();
      return;
    }
    this.#running = true;
    const { id, type, sdp } = this.#earlyOffer;
    const answered = this.#awaitAnswer(id);
    await this.#connection.setLocalDescription({ type, sdp });
    this.#finish(answered);
  }

  configure(iceServers) {
    const servers = iceServers.map(({ urls, username, credential }) => ({
      urls,
      username,
      credential,
    }));
    this.#connection.setConfiguration({ bundlePolicy: 'max-bundle', iceServers: servers });
  }

  addReceiveSections(count) {
    const room = RECEIVE_SECTIONS_MAX - this.#connection.getTransceivers().length;
    for (let i = 0; i < Math.min(count, room); i += 1)
      this.#connection.addTransceiver('audio', { direction: 'recvonly' });
  }

  /** Asks for another offer. With `restart`, on new ICE credentials. */
  negotiate({ restart = false } = {}) {
    this.#wanted = true;
    this.#restart ||= restart;
    if (this.#running) return;
    this.#running = true;
    this.#finish(this.#offer());
  }

  /** Whatever offer was out is lost with the old socket; the next one goes out on the new. */
  restart() {
    this.#freshFragment = null;
    this.#awaited?.abandon();
    this.negotiate({ restart: true });
  }

  async answer({ type, sdp, id, midToTrackId }) {
    if (this.#awaited?.id !== id) return;
    this.#awaited.resolve({ description: { type, sdp }, midToTrackId: midToTrackId ?? {} });
  }

  async addCandidate(candidate) {
    if (this.#connection.remoteDescription)
      await this.#connection.addIceCandidate(candidate).catch(() => {});
    else this.#candidates.push(candidate);
  }

  /** Sends `track`; the caller negotiates. */
  addMicrophone(track) {
    const encoding = {
      maxBitrate: SPEECH_BITS_PER_SECOND,
      priority: 'high',
      networkPriority: 'high',
    };
    const options = {
      direction: 'sendonly',
      streams: [new MediaStream([track])],
      sendEncodings: [encoding],
    };
    return this.#connection.addTransceiver(track, options).sender;
  }

  /** Sends on a channel. Says whether it went out. */
  send(label, bytes) {
    const channel = this.#channels.get(label);
    if (channel?.readyState !== 'open') return false;
    channel.send(bytes);
    return true;
  }

  /** Whether our packets repeat the ones before them; `null` while nothing is sent. Browsers' statistics don't say. */
  get sendsRed() {
    const sending = this.#connection
      .getTransceivers()
      .find(({ currentDirection, sender }) => currentDirection === 'sendonly' && sender.track);
    return sending
      ? sending.sender.getParameters().codecs?.[0]?.mimeType.toLowerCase() === 'audio/red'
      : null;
  }

  /** What a resume tells the server about this side. */
  get syncState() {
    const { localDescription, remoteDescription } = this.#connection;
    const open = [...this.#channels.values()].filter((channel) => channel.id !== null);
    return {
      ...(remoteDescription && { answer: { type: 'answer', sdp: remoteDescription.sdp } }),
      ...(localDescription && { offer: { type: 'offer', sdp: localDescription.sdp } }),
      dataChannels: open.map(({ label, id }) => ({ label, id, target: 'PUBLISHER' })),
    };
  }

  /** Whether media flows on the credentials of the latest restart; `null` if this browser can't tell. */
  get usesFreshPath() {
    const transport = this.#connection.sctp?.transport?.iceTransport;
    if (!transport?.getSelectedCandidatePair) return null;
    const used = transport.getSelectedCandidatePair()?.local?.usernameFragment;
    return this.#freshFragment !== null && used === this.#freshFragment;
  }

  getStats() {
    return this.#connection.getStats();
  }

  close() {
    this.#awaited?.abandon();
    this.#listener = null;
    this.#connection.onconnectionstatechange = null;
    this.#connection.onicecandidate = null;
    this.#connection.close();
  }

  #openChannel(label, options) {
    const channel = this.#connection.createDataChannel(label, options);
    channel.binaryType = 'arraybuffer';
    channel.onmessage = ({ data }) => this.#listener?.onData(label, new Uint8Array(data));
    this.#channels.set(label, channel);
  }

  #takeId() {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }

  async #offer() {
    this.#wanted = false;
    const iceRestart = this.#restart;
    this.#restart = false;
    const { type, sdp } = await this.#connection.createOffer({ iceRestart });
    await this.#connection.setLocalDescription({ type, sdp });
    if (iceRestart) this.#freshFragment = /^a=ice-ufrag:(\S+)/m.exec(sdp)[1];
    const id = this.#takeId();
    const answered = this.#awaitAnswer(id);
    this.#listener?.sendOffer({ type, sdp, id });
    return answered;
  }

  #awaitAnswer(id) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('the server did not answer an offer')),
        ANSWER_TIMEOUT_MS,
      );
      const settle = (value) => {
        clearTimeout(timer);
        this.#awaited = null;
        resolve(value);
      };
      this.#awaited = { id, resolve: settle, abandon: () => settle(null) };
    });
  }

  async #finish(answered) {
    try {
      const answer = await answered;
      if (answer && this.#listener) await this.#apply(answer);
    } catch (error) {
      this.#listener?.onFailed(error.message);
    }
    this.#running = false;
    if (this.#wanted && this.#listener) this.negotiate();
  }

  async #apply({ description, midToTrackId }) {
    await this.#connection.setRemoteDescription(description);
    for (const candidate of this.#candidates.splice(0)) await this.addCandidate(candidate);
    this.#listener?.onTracks(this.#received(description.sdp, midToTrackId));
  }

  /** What the answer says we receive, as `{trackSid, participantSid, receiver}`. */
  #received(sdp, midToTrackId) {
    const named = streamsByMid(sdp);
    const receiving = this.#connection
      .getTransceivers()
      .filter(({ mid, currentDirection }) => named.has(mid) && currentDirection === 'recvonly');
    return receiving.map(({ mid, receiver }) => {
      const [participantSid, trackSid] = named.get(mid).split('|');
      return { participantSid, trackSid: midToTrackId[mid] ?? trackSid, receiver };
    });
  }
}

/** The stream that each section of an answer carries: `mid → "PA_…|TR_…"`. */
function streamsByMid(sdp) {
  const streams = new Map();
  for (const section of sdp.split(/\r?\nm=/).slice(1)) {
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const stream =
      /^a=msid:(PA_[^\s|]+\|TR_\S+)/m.exec(section)?.[1] ??
      /^a=ssrc:\d+ msid:(PA_[^\s|]+\|TR_\S+)/m.exec(section)?.[1];
    if (mid && stream) streams.set(mid, stream);
  }
  return streams;
}
