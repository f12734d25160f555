package main

import (
	"strings"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

func (c *Client) emit(event string, fields Fields) {
	fields["client"] = c.name
	fields["event"] = event
	write(fields)
}

func who(participant lksdk.Participant) Fields {
	return Fields{"identity": participant.Identity()}
}

func track(publication lksdk.TrackPublication, participant lksdk.Participant) Fields {
	return Fields{"identity": participant.Identity(), "sid": publication.SID()}
}

func reason(given lksdk.DisconnectionReason) string {
	switch given {
	case lksdk.LeaveRequested:
		return "CLIENT_INITIATED"
	case lksdk.ParticipantRemoved:
		return "PARTICIPANT_REMOVED"
	case lksdk.DuplicateIdentity:
		return "DUPLICATE_IDENTITY"
	case lksdk.RoomClosed:
		return "ROOM_CLOSED"
	case lksdk.Failed:
		return "STATE_MISMATCH"
	}
	// The SDK tells nothing more of the rest.
	return "OTHER"
}

func (c *Client) callbacks() *lksdk.RoomCallback {
	callback := lksdk.NewRoomCallback()
	callback.ParticipantCallback = *c.participantCallbacks()
	callback.OnParticipantConnected = func(participant *lksdk.RemoteParticipant) {
		c.emit("participantConnected", who(participant))
	}
	callback.OnParticipantDisconnected = func(participant *lksdk.RemoteParticipant) {
		c.emit("participantDisconnected", who(participant))
	}
	callback.OnActiveSpeakersChanged = func(speakers []lksdk.Participant) {
		identities := []string{}
		for _, one := range speakers {
			identities = append(identities, one.Identity())
		}
		c.emit("activeSpeakersChanged", Fields{"speakers": identities})
	}
	callback.OnReconnecting = func() { c.emit("reconnecting", Fields{}) }
	callback.OnReconnected = func() { c.emit("reconnected", Fields{}) }
	callback.OnDisconnectedWithReason = func(given lksdk.DisconnectionReason) {
		c.emit("disconnected", Fields{"reason": reason(given)})
	}
	return callback
}

func (c *Client) participantCallbacks() *lksdk.ParticipantCallback {
	callback := lksdk.NewParticipantCallback()
	callback.OnTrackPublished = func(
		publication *lksdk.RemoteTrackPublication, participant *lksdk.RemoteParticipant,
	) {
		c.emit("trackPublished", track(publication, participant))
	}
	callback.OnTrackUnpublished = func(
		publication *lksdk.RemoteTrackPublication, participant *lksdk.RemoteParticipant,
	) {
		c.emit("trackUnpublished", track(publication, participant))
	}
	callback.OnTrackSubscribed = func(
		media *webrtc.TrackRemote,
		publication *lksdk.RemoteTrackPublication,
		participant *lksdk.RemoteParticipant,
	) {
		c.startHearing(participant.Identity(), media)
		c.emit("trackSubscribed", track(publication, participant))
	}
	callback.OnTrackUnsubscribed = func(
		_ *webrtc.TrackRemote,
		publication *lksdk.RemoteTrackPublication,
		participant *lksdk.RemoteParticipant,
	) {
		c.stopHearing(participant.Identity())
		c.emit("trackUnsubscribed", track(publication, participant))
	}
	callback.OnLocalTrackUnpublished = func(
		publication *lksdk.LocalTrackPublication, me *lksdk.LocalParticipant,
	) {
		c.emit("localTrackUnpublished", track(publication, me))
	}
	callback.OnTrackMuted = func(
		publication lksdk.TrackPublication, participant lksdk.Participant,
	) {
		c.emit("trackMuted", track(publication, participant))
	}
	callback.OnTrackUnmuted = func(
		publication lksdk.TrackPublication, participant lksdk.Participant,
	) {
		c.emit("trackUnmuted", track(publication, participant))
	}
	callback.OnAttributesChanged = func(
		changed map[string]string, participant lksdk.Participant,
	) {
		fields := who(participant)
		fields["changed"] = changed
		c.emit("participantAttributesChanged", fields)
	}
	callback.OnMetadataChanged = func(_ string, participant lksdk.Participant) {
		fields := who(participant)
		fields["metadata"] = participant.Metadata()
		c.emit("participantMetadataChanged", fields)
	}
	callback.OnConnectionQualityChanged = func(
		update *livekit.ConnectionQualityInfo, participant lksdk.Participant,
	) {
		fields := who(participant)
		fields["quality"] = strings.ToLower(update.GetQuality().String())
		c.emit("connectionQualityChanged", fields)
	}
	callback.OnDataPacket = func(data lksdk.DataPacket, from lksdk.DataReceiveParams) {
		if packet, is := data.(*lksdk.UserDataPacket); is {
			c.emit("dataReceived", Fields{
				"payload":  string(packet.Payload),
				"identity": from.SenderIdentity,
				"topic":    packet.Topic,
			})
		}
	}
	return callback
}
