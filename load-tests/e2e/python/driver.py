"""Clients of LiveKit's Python SDK (the Rust SDK with libwebrtc inside), driven by JSON lines.

Reads commands from standard input and performs them; what happens in the rooms goes out the same
way. The vocabulary is in ../src/client.rs. Ends when its input ends.
"""

import asyncio

import numpy
from livekit import rtc
from livekit.rtc._proto import participant_pb2, room_pb2

import sound
from lines import serve, write


class Client:
    """One participant."""

    def __init__(self, name):
        self.name = name
        self.room = rtc.Room()
        self.microphone = None
        self.speaking = None
        self.heard = {}  # identity -> (track, the latest second of sound)
        self.tasks = set()
        self.listen_to_room()

    def emit(self, event, **fields):
        write({"client": self.name, "event": event, **fields})

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def listen_to_room(self):
        room = self.room

        def on(name, event, describe):
            room.on(name, lambda *given: self.emit(event, **describe(*given)))

        def who(participant):
            return {"identity": participant.identity}

        def track(publication, participant):
            return {"sid": publication.sid, "identity": participant.identity}

        on("participant_connected", "participantConnected", who)
        on("participant_disconnected", "participantDisconnected", who)
        on("track_published", "trackPublished", track)
        on("track_unpublished", "trackUnpublished", track)
        on("track_muted", "trackMuted", lambda who, publication: track(publication, who))
        on("track_unmuted", "trackUnmuted", lambda who, publication: track(publication, who))
        on("local_track_unpublished", "localTrackUnpublished", lambda one: {"sid": one.sid})
        on("active_speakers_changed", "activeSpeakersChanged",
           lambda speakers: {"speakers": [one.identity for one in speakers]})
        on("connection_quality_changed", "connectionQualityChanged",
           lambda participant, quality: {**who(participant), "quality": quality_name(quality)})
        on("participant_attributes_changed", "participantAttributesChanged",
           lambda changed, participant: {**who(participant), "changed": dict(changed)})
        on("participant_metadata_changed", "participantMetadataChanged",
           lambda participant, _old, new: {**who(participant), "metadata": new})
        on("data_received", "dataReceived", lambda packet: {
            "payload": packet.data.decode(),
            "identity": packet.participant.identity if packet.participant else "",
            "topic": packet.topic or "",
        })
        on("reconnecting", "reconnecting", dict)
        on("reconnected", "reconnected", dict)
        on("disconnected", "disconnected",
           lambda reason: {"reason": participant_pb2.DisconnectReason.Name(reason)})

        @room.on("track_subscribed")
        def _(media, publication, participant):
            self.heard[participant.identity] = (media, [])
            self.spawn(self.hear(media, participant.identity))
            self.emit("trackSubscribed", **track(publication, participant))

        @room.on("track_unsubscribed")
        def _(_media, publication, participant):
            self.heard.pop(participant.identity, None)
            self.emit("trackUnsubscribed", **track(publication, participant))

    async def hear(self, media, identity):
        async for event in rtc.AudioStream(media, sample_rate=sound.RATE, num_channels=1):
            current, frames = self.heard.get(identity, (None, None))
            if current is not media:
                return
            frames.append(numpy.frombuffer(event.frame.data, dtype=numpy.int16))
            del frames[:-100]

    # -- commands

    async def join(self, url, token, v0, **_):
        options = rtc.RoomOptions(single_peer_connection=not v0)
        await self.room.connect(url, token, options)
        me = self.room.local_participant
        return {"sid": me.sid, "identity": me.identity}

    async def publish(self, hz, **_):
        source = rtc.AudioSource(sound.RATE, 1)
        self.microphone = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        self.speaking = asyncio.ensure_future(speak(source, hz))
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await self.room.local_participant.publish_track(self.microphone, options)
        return {"sid": publication.sid}

    async def unpublish(self, **_):
        await self.room.local_participant.unpublish_track(self.microphone.sid)

    async def mute(self, muted, **_):
        if muted:
            self.microphone.mute()
        else:
            self.microphone.unmute()

    async def listen(self, **given):
        identity = given["from"]
        if identity in self.heard:
            self.heard[identity][1].clear()
        await asyncio.sleep(0.5)
        _, frames = self.heard.get(identity, (None, []))
        return {"hz": sound.loudest(frames)}

    async def packets(self, **given):
        media, _ = self.heard.get(given["from"], (None, None))
        for one in await media.get_stats() if media else []:
            if one.HasField("inbound_rtp"):
                received = one.inbound_rtp.received
                return {"received": received.packets_received, "lost": received.packets_lost}
        return {"received": 0, "lost": 0}

    async def sent(self, **_):
        for one in await self.microphone.get_stats():
            if one.HasField("outbound_rtp"):
                return {"packets": one.outbound_rtp.sent.packets_sent}
        return {"packets": 0}

    async def send(self, payload, reliable, to, topic, **_):
        await self.room.local_participant.publish_data(
            payload, reliable=reliable, destination_identities=to, topic=topic)

    async def answerRpc(self, method, **_):
        async def answer(call):
            return f"{call.caller_identity}:{call.payload}"

        self.room.local_participant.register_rpc_method(method, answer)

    async def rpc(self, to, method, payload, **_):
        return await self.room.local_participant.perform_rpc(
            destination_identity=to, method=method, payload=payload)

    async def set(self, attributes=None, metadata=None, name=None, **_):
        me = self.room.local_participant
        if attributes is not None:
            await me.set_attributes(attributes)
        if metadata is not None:
            await me.set_metadata(metadata)
        if name is not None:
            await me.set_name(name)

    async def subscribe(self, on, **given):
        participant = self.room.remote_participants[given["from"]]
        for publication in participant.track_publications.values():
            publication.set_subscribed(on)

    async def others(self, **_):
        return [describe(one) for one in self.room.remote_participants.values()]

    async def me(self, **_):
        me = self.room.local_participant
        rights = me.permissions
        return {
            **describe(me),
            "canPublish": rights.can_publish,
            "canSubscribe": rights.can_subscribe,
            "canPublishData": rights.can_publish_data,
        }

    async def leave(self, **_):
        if self.speaking:
            self.speaking.cancel()
        await self.room.disconnect()

    async def close(self, **_):
        if self.room.isconnected():
            await self.leave()


def quality_name(quality):
    return room_pb2.ConnectionQuality.Name(quality).removeprefix("QUALITY_").lower()


def describe(participant):
    return {
        "identity": participant.identity,
        "sid": participant.sid,
        "name": participant.name,
        "metadata": participant.metadata,
        "attributes": dict(participant.attributes),
        "tracks": [
            {"sid": one.sid, "muted": one.muted, "subscribed": one.track is not None}
            for one in participant.track_publications.values()
        ],
    }


async def speak(source, hz):
    at = 0
    while True:
        samples = sound.tone(hz, at)
        frame = rtc.AudioFrame(samples.tobytes(), sound.RATE, 1, sound.FRAME)
        await source.capture_frame(frame)
        at += sound.FRAME


serve(Client)
