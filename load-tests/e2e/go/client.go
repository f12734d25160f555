package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"
)

// Client is one participant.
type Client struct {
	name       string
	room       *lksdk.Room
	microphone *lksdk.LocalTrackPublication
	silence    chan struct{}
	sent       atomic.Int64 // packets of the microphone

	lock  sync.Mutex
	heard map[string]*Hearing // by identity
}

// NewClient makes a client that is in no room yet.
func NewClient(name string) *Client {
	return &Client{name: name, heard: map[string]*Hearing{}}
}

// Do performs one command and returns what it came to.
func (c *Client) Do(command *Command) (any, error) {
	switch command.Do {
	case "join":
		return c.join(command.URL, command.Token)
	case "publish":
		return c.publish(command.Opus)
	case "unpublish":
		return nil, c.unpublish()
	case "mute":
		c.microphone.SetMuted(command.Muted)
		return nil, nil
	case "listen":
		return c.listen(command.From), nil
	case "packets":
		return c.hearing(command.From).count(), nil
	case "sent":
		return Fields{"packets": c.sent.Load()}, nil
	case "send":
		return nil, c.send(command)
	case "answerRpc":
		return nil, c.room.RegisterRpcMethod(command.Method, answerRPC)
	case "rpc":
		return c.rpc(command)
	case "set":
		c.set(command)
		return nil, nil
	case "subscribe":
		return nil, c.subscribe(command.From, command.On)
	case "others":
		return c.others(), nil
	case "me":
		return c.me(), nil
	case "leave", "close":
		c.leave()
		return nil, nil
	}
	return nil, fmt.Errorf("no such command: %s", command.Do)
}

func (c *Client) join(url, token string) (any, error) {
	c.room = lksdk.NewRoom(c.callbacks())
	if err := c.room.JoinWithToken(url, token, lksdk.WithDisableRegionDiscovery()); err != nil {
		return nil, err
	}
	me := c.room.LocalParticipant
	return Fields{"sid": me.SID(), "identity": me.Identity()}, nil
}

func (c *Client) publish(clip [][]byte) (any, error) {
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	track, err := lksdk.NewLocalTrack(codec)
	if err != nil {
		return nil, err
	}
	options := &lksdk.TrackPublicationOptions{
		Name:   "microphone",
		Source: livekit.TrackSource_MICROPHONE,
	}
	c.microphone, err = c.room.LocalParticipant.PublishTrack(track, options)
	if err != nil {
		return nil, err
	}
	c.silence = make(chan struct{})
	c.sent.Store(0)
	go speak(track, clip, c.silence, &c.sent)
	return Fields{"sid": c.microphone.SID()}, nil
}

// unpublish overlooks that SDK 2.16 removes the sender twice and reports the second time.
func (c *Client) unpublish() error {
	err := c.room.LocalParticipant.UnpublishTrack(c.microphone.SID())
	var twice *rtcerr.InvalidAccessError
	if errors.As(err, &twice) {
		return nil
	}
	return err
}

func (c *Client) listen(identity string) any {
	c.hearing(identity).forget()
	time.Sleep(500 * time.Millisecond)
	return Fields{"opus": c.hearing(identity).latest()}
}

func (c *Client) hearing(identity string) *Hearing {
	c.lock.Lock()
	defer c.lock.Unlock()
	if _, known := c.heard[identity]; !known {
		c.heard[identity] = &Hearing{}
	}
	return c.heard[identity]
}

func (c *Client) startHearing(identity string, track *webrtc.TrackRemote) {
	hearing := &Hearing{}
	c.lock.Lock()
	c.heard[identity] = hearing
	c.lock.Unlock()
	go hearing.follow(track)
}

func (c *Client) stopHearing(identity string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	delete(c.heard, identity)
}

func (c *Client) send(command *Command) error {
	var to []string
	if err := json.Unmarshal(command.To, &to); err != nil {
		return err
	}
	packet := &lksdk.UserDataPacket{Payload: []byte(command.Payload), Topic: command.Topic}
	return c.room.LocalParticipant.PublishDataPacket(packet,
		lksdk.WithDataPublishReliable(command.Reliable),
		lksdk.WithDataPublishDestination(to))
}

func answerRPC(call lksdk.RpcInvocationData) (string, error) {
	return call.CallerIdentity + ":" + call.Payload, nil
}

func (c *Client) rpc(command *Command) (any, error) {
	var to string
	if err := json.Unmarshal(command.To, &to); err != nil {
		return nil, err
	}
	call := lksdk.PerformRpcParams{
		DestinationIdentity: to, Method: command.Method, Payload: command.Payload,
	}
	answer, err := c.room.LocalParticipant.PerformRpc(call)
	if err != nil {
		return nil, err
	}
	return *answer, nil
}

func (c *Client) set(command *Command) {
	me := c.room.LocalParticipant
	if command.Attributes != nil {
		me.SetAttributes(command.Attributes)
	}
	if command.Metadata != nil {
		me.SetMetadata(*command.Metadata)
	}
	if command.Name != nil {
		me.SetName(*command.Name)
	}
}

func (c *Client) subscribe(from string, on bool) error {
	participant := c.room.GetParticipantByIdentity(from)
	if participant == nil {
		return errors.New("nobody of that name")
	}
	for _, publication := range participant.TrackPublications() {
		if remote, is := publication.(*lksdk.RemoteTrackPublication); is {
			if err := remote.SetSubscribed(on); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) others() any {
	all := []Fields{}
	for _, participant := range c.room.GetRemoteParticipants() {
		all = append(all, describe(participant))
	}
	return all
}

func (c *Client) me() any {
	me := describe(c.room.LocalParticipant)
	rights := c.room.LocalParticipant.Permissions()
	me["canPublish"] = rights.GetCanPublish()
	me["canSubscribe"] = rights.GetCanSubscribe()
	me["canPublishData"] = rights.GetCanPublishData()
	return me
}

func (c *Client) leave() {
	if c.silence != nil {
		close(c.silence)
		c.silence = nil
	}
	if c.room != nil {
		c.room.Disconnect()
		c.room = nil
	}
}

func describe(participant lksdk.Participant) Fields {
	tracks := []Fields{}
	for _, one := range participant.TrackPublications() {
		tracks = append(tracks, Fields{
			"sid": one.SID(), "muted": one.IsMuted(), "subscribed": one.Track() != nil,
		})
	}
	return Fields{
		"identity":   participant.Identity(),
		"sid":        participant.SID(),
		"name":       participant.Name(),
		"metadata":   participant.Metadata(),
		"attributes": participant.Attributes(),
		"tracks":     tracks,
	}
}
