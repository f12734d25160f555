package main

import (
	"sync"
	"sync/atomic"
	"time"

	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

const frame = 20 * time.Millisecond

// The SDK measures nothing: it is told how loud the clip is, in -dBov.
var level uint8 = 15

// speak sends the clip again and again until told to be silent, and counts.
func speak(track *lksdk.LocalTrack, clip [][]byte, silence chan struct{}, sent *atomic.Int64) {
	ticker := time.NewTicker(frame)
	defer ticker.Stop()
	for number := 0; ; number++ {
		select {
		case <-silence:
			return
		case <-ticker.C:
			sample := media.Sample{Data: clip[number%len(clip)], Duration: frame}
			if track.WriteSample(sample, &lksdk.SampleWriteOptions{AudioLevel: &level}) == nil {
				sent.Add(1)
			}
		}
	}
}

// Hearing is what arrived of one speaker.
type Hearing struct {
	lock     sync.Mutex
	payloads [][]byte
	received int
	first    uint16
	highest  int // since first, wraps counted
}

func (h *Hearing) follow(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		h.lock.Lock()
		if h.received == 0 {
			h.first = packet.SequenceNumber
		}
		h.received++
		// How far from the highest so far, as a number that may be below it.
		ahead := int(int16(packet.SequenceNumber - h.first - uint16(h.highest)))
		h.highest = max(h.highest, h.highest+ahead)
		if len(packet.Payload) > 0 {
			h.payloads = append(h.payloads, append([]byte{}, packet.Payload...))
		}
		h.lock.Unlock()
	}
}

func (h *Hearing) forget() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.payloads = nil
}

func (h *Hearing) latest() [][]byte {
	h.lock.Lock()
	defer h.lock.Unlock()
	return append([][]byte{}, h.payloads...)
}

func (h *Hearing) count() Fields {
	h.lock.Lock()
	defer h.lock.Unlock()
	lost := 0
	if h.received > 0 {
		lost = h.highest + 1 - h.received
	}
	return Fields{"received": h.received, "lost": lost}
}
