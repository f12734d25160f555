// One LiveKit client in a browser page. The driver calls `perform(command)`; what happens in the
// room goes out through `emit(event)`. The vocabulary is in ../src/client.rs.
'use strict';

const LK = window.LivekitClient;
const FFT_SIZE = 8192;
const SILENT_BELOW_DB = -65;

const audio = new AudioContext();
const listeners = new Map(); // identity → { element, analyser, track }
let room;
let tone;

const commands = {
  async join({ url, token, v0 }) {
    room = new LK.Room({ singlePeerConnection: !v0, webAudioMix: false });
    tell(room);
    await room.connect(url, token, { maxRetries: 0 });
    return { sid: room.localParticipant.sid, identity: room.localParticipant.identity };
  },

  async publish({ hz }) {
    await audio.resume();
    tone = audio.createOscillator();
    tone.frequency.value = hz;
    const out = audio.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    const options = { source: LK.Track.Source.Microphone, stopMicTrackOnMute: false };
    const [track] = out.stream.getAudioTracks();
    const publication = await room.localParticipant.publishTrack(track, options);
    return { sid: publication.trackSid };
  },

  async unpublish() {
    await room.localParticipant.unpublishTrack(mine().track);
  },

  async mute({ muted }) {
    await (muted ? mine().track.mute() : mine().track.unmute());
  },

  // The loudest frequency of the next half second, 0 for silence.
  async listen({ from }) {
    await audio.resume();
    await new Promise((done) => setTimeout(done, 500));
    const listener = listenerTo(from);
    if (!listener) return { hz: 0 };
    const bins = new Float32Array(FFT_SIZE / 2);
    listener.analyser.getFloatFrequencyData(bins);
    let loudest = 1;
    bins.forEach((level, bin) => {
      if (bin > 1 && level > bins[loudest]) loudest = bin;
    });
    const heard = bins[loudest] > SILENT_BELOW_DB;
    return { hz: heard ? (loudest * audio.sampleRate) / FFT_SIZE : 0, db: bins[loudest] };
  },

  // Packets of one speaker since the subscription began.
  async packets({ from }) {
    const stats = await listenerTo(from)?.track.getRTCStatsReport();
    for (const one of stats?.values() ?? []) {
      if (one.type !== 'inbound-rtp') continue;
      return { received: one.packetsReceived, lost: one.packetsLost };
    }
    return { received: 0, lost: 0 };
  },

  // Packets of the microphone since it was published.
  async sent() {
    const stats = await mine().track.getRTCStatsReport();
    for (const one of stats?.values() ?? [])
      if (one.type === 'outbound-rtp') return { packets: one.packetsSent };
    return { packets: 0 };
  },

  async send({ payload, reliable, to, topic }) {
    const options = { reliable, topic, destinationIdentities: to };
    await room.localParticipant.publishData(new TextEncoder().encode(payload), options);
  },

  async answerRpc({ method }) {
    room.registerRpcMethod(method, async (call) => `${call.callerIdentity}:${call.payload}`);
  },

  async rpc({ to, method, payload }) {
    return room.localParticipant.performRpc({ destinationIdentity: to, method, payload });
  },

  async set({ attributes, metadata, name }) {
    if (attributes) await room.localParticipant.setAttributes(attributes);
    if (metadata !== undefined) await room.localParticipant.setMetadata(metadata);
    if (name !== undefined) await room.localParticipant.setName(name);
  },

  async subscribe({ from, on }) {
    const [publication] = publications(room.remoteParticipants.get(from));
    publication.setSubscribed(on);
  },

  async others() {
    return Array.from(room.remoteParticipants.values(), describe);
  },

  async me() {
    const { permissions: rights } = room.localParticipant;
    const { canPublish, canSubscribe, canPublishData } = rights ?? {};
    return { ...describe(room.localParticipant), canPublish, canSubscribe, canPublishData };
  },

  async leave() {
    tone?.stop();
    await room?.disconnect();
  },
};

function publications(participant) {
  return Array.from(participant.trackPublications.values());
}

function mine() {
  return room.localParticipant.getTrackPublication(LK.Track.Source.Microphone);
}

function describe(participant) {
  const { identity, sid, name, metadata, attributes, isSpeaking, connectionQuality } = participant;
  const tracks = publications(participant).map((one) => ({
    sid: one.trackSid,
    muted: one.isMuted,
    subscribed: Boolean(one.track),
  }));
  const quality = connectionQuality;
  return { identity, sid, name, metadata, attributes, speaking: isSpeaking, quality, tracks };
}

function hear(track, identity) {
  const stream = new MediaStream([track.mediaStreamTrack]);
  // Chromium decodes a remote track only while an element plays it.
  const element = new Audio();
  element.srcObject = stream;
  element.play().catch(() => {});
  const analyser = audio.createAnalyser();
  analyser.fftSize = FFT_SIZE;
  analyser.smoothingTimeConstant = 0;
  audio.createMediaStreamSource(stream).connect(analyser);
  listeners.set(identity, { element, analyser, track });
}

// Who rejoins in mid-call may be subscribed to anew without an event: what the SDK holds counts.
function listenerTo(identity) {
  const participant = room.remoteParticipants.get(identity);
  const track = participant && publications(participant).find((one) => one.track)?.track;
  if (track && listeners.get(identity)?.track !== track) hear(track, identity);
  return listeners.get(identity);
}

function tell(from) {
  const on = (name, describeEvent) => {
    from.on(name, (...given) => window.emit({ event: name, ...describeEvent(...given) }));
  };
  const who = (participant) => ({ identity: participant.identity });
  const track = (publication, participant) => ({ sid: publication.trackSid, ...who(participant) });

  from.on('trackSubscribed', (media, _publication, participant) => {
    hear(media, participant.identity);
  });
  from.on('trackUnsubscribed', (media, _publication, participant) => {
    // Who rejoins may be heard anew before the old track is given up.
    if (listeners.get(participant.identity)?.track === media) listeners.delete(participant.identity);
  });
  on('participantConnected', who);
  on('participantDisconnected', who);
  on('trackPublished', track);
  on('trackUnpublished', track);
  on('trackSubscribed', (_media, publication, participant) => track(publication, participant));
  on('trackUnsubscribed', (_media, publication, participant) => track(publication, participant));
  on('localTrackUnpublished', track);
  on('trackMuted', track);
  on('trackUnmuted', track);
  on('dataReceived', (payload, participant, _kind, topic) => ({
    payload: new TextDecoder().decode(payload),
    identity: participant?.identity ?? '',
    topic: topic ?? '',
  }));
  on('activeSpeakersChanged', (speakers) => ({ speakers: speakers.map((one) => one.identity) }));
  on('connectionQualityChanged', (quality, participant) => ({ quality, ...who(participant) }));
  on('participantAttributesChanged', (changed, participant) => ({ changed, ...who(participant) }));
  on('participantMetadataChanged', (_old, participant) => ({
    metadata: participant.metadata,
    ...who(participant),
  }));
  on('signalReconnecting', () => ({}));
  on('reconnecting', () => ({}));
  on('reconnected', () => ({}));
  on('disconnected', (reason) => ({ reason: LK.DisconnectReason[reason] ?? 'UNKNOWN_REASON' }));
}

window.perform = async (command) => {
  try {
    return { ok: (await commands[command.do](command)) ?? null };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
};
