"""Clients on aiortc (OpenSSL, libsrtp and a stack of its own in Python), driven by JSON lines.

They speak LiveKit's protocol by hand, as JSON on `/rtc`, and offer SRTP_AES128_CM_SHA1_80 alone, as
clients without AES-GCM do. The vocabulary is in ../src/client.rs, of which this knows what a call
needs. Ends when its input ends.
"""

import asyncio
import fractions
import json
import time
from urllib.parse import urlencode

import aiortc
import av
import numpy
from aiortc import rtcdtlstransport
from aiortc.mediastreams import MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from websockets.asyncio.client import connect

import sound
from lines import serve

PROFILE = rtcdtlstransport.SRTP_AES128_CM_SHA1_80
PROTOCOL = 16

# What every connection offers from here on.
rtcdtlstransport.SRTP_PROFILES[:] = [PROFILE]


class Tone(MediaStreamTrack):
    """A microphone that hears one tone."""

    kind = "audio"

    def __init__(self, hz):
        super().__init__()
        self.hz = hz
        self.at = 0
        self.started = time.monotonic()

    async def recv(self):
        due = self.started + self.at / sound.RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        samples = sound.tone(self.hz, self.at)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = sound.RATE
        frame.time_base = fractions.Fraction(1, sound.RATE)
        frame.pts = self.at
        self.at += sound.FRAME
        return frame


class Client:
    """One participant, with one connection to speak by and one to listen by."""

    def __init__(self, name):
        self.name = name
        self.socket = None
        self.speaking = aiortc.RTCPeerConnection()
        self.listening = aiortc.RTCPeerConnection()
        self.listening.on("track", self.on_track)
        self.joined = asyncio.get_running_loop().create_future()
        self.published = {}  # cid -> future of its SID
        self.answered = None
        self.owners = {}  # track SID -> identity
        self.heard = {}  # track SID -> the latest two seconds of sound
        self.tasks = set()

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # -- signaling

    async def say(self, kind, value):
        await self.socket.send(json.dumps({kind: value}))

    async def follow(self):
        async for frame in self.socket:
            for kind, value in json.loads(frame).items():
                handle = getattr(self, f"on_{kind}", None)
                if handle:
                    await handle(value)

    async def on_join(self, join):
        self.learn(join.get("otherParticipants", []))
        self.joined.set_result(join["participant"])

    async def on_update(self, update):
        self.learn(update["participants"])

    def learn(self, participants):
        for one in participants:
            for track in one.get("tracks", []):
                self.owners[track["sid"]] = one["identity"]

    async def on_trackPublished(self, published):
        self.published[published["cid"]].set_result(published["track"]["sid"])

    async def on_offer(self, offer):
        await self.listening.setRemoteDescription(description(offer))
        await self.listening.setLocalDescription(await self.listening.createAnswer())
        answer = self.listening.localDescription
        await self.say("answer", {"type": answer.type, "sdp": answer.sdp, "id": offer.get("id", 0)})

    async def on_answer(self, answer):
        await self.speaking.setRemoteDescription(description(answer))
        self.answered.set_result(None)

    async def on_trickle(self, trickle):
        line = json.loads(trickle["candidateInit"])
        if not line["candidate"]:
            return
        candidate = candidate_from_sdp(line["candidate"].removeprefix("candidate:"))
        candidate.sdpMid = line.get("sdpMid")
        candidate.sdpMLineIndex = line.get("sdpMLineIndex")
        listens = trickle.get("target") == "SUBSCRIBER"
        connection = self.listening if listens else self.speaking
        await connection.addIceCandidate(candidate)

    # -- sound

    def on_track(self, track):
        self.heard[track.id] = []
        self.spawn(self.hear(track))

    async def hear(self, track):
        frames = self.heard[track.id]
        while True:
            frame = await track.recv()
            channels = len(frame.layout.channels)
            frames.append(frame.to_ndarray().reshape(-1)[::channels])
            del frames[:-100]

    # -- commands

    async def join(self, url, token, **_):
        query = {"access_token": token, "auto_subscribe": 1, "protocol": PROTOCOL, "json": 1}
        self.socket = await connect(f"{url}/rtc?{urlencode(query)}")
        self.spawn(self.follow())
        me = await self.joined
        return {"sid": me["sid"], "identity": me["identity"]}

    async def publish(self, hz, **_):
        track = Tone(hz)
        loop = asyncio.get_running_loop()
        self.published[track.id] = loop.create_future()
        self.answered = loop.create_future()
        await self.say("addTrack", {
            "cid": track.id, "type": "AUDIO", "source": "MICROPHONE", "disableRed": True})
        sid = await self.published[track.id]
        self.speaking.addTrack(track)
        await self.speaking.setLocalDescription(await self.speaking.createOffer())
        offer = self.speaking.localDescription
        await self.say("offer", {"type": offer.type, "sdp": offer.sdp, "id": 1})
        await self.answered
        return {"sid": sid}

    async def listen(self, **given):
        tracks = [sid for sid in self.heard if self.owners.get(sid) == given["from"]]
        for sid in tracks:
            self.heard[sid].clear()
        await asyncio.sleep(0.5)
        frames = self.heard[tracks[-1]] if tracks else []
        return {"hz": sound.loudest(frames)}

    async def profiles(self, **_):
        """What the handshakes agreed on, for speaking and for listening."""
        speaking = self.speaking.getSenders()[0].transport
        listening = self.listening.getReceivers()[0].transport
        # There is no public way to it.
        chosen = [one._ssl.get_selected_srtp_profile() for one in (speaking, listening)]
        return [profile.decode() for profile in chosen]

    async def close(self, **_):
        for task in list(self.tasks):
            task.cancel()
        if self.socket:
            await self.socket.close()
        await self.speaking.close()
        await self.listening.close()


def description(message):
    return aiortc.RTCSessionDescription(sdp=message["sdp"], type=message["type"])


serve(Client)
