// The messages of the signal protocol that this client speaks, as one table of names, numbers and types.
//
// Facts of the wire, not a copy of anybody's schema. A line is `Message: name number type, …`; `*` is
// repeated. What a peer sends beyond it is skipped.

const MESSAGES = `
MapEntry: key 1 string, value 2 string
WrappedJoinRequest: compression 1 Compression, joinRequest 2 bytes
JoinRequest: clientInfo 1 ClientInfo, connectionSettings 2 ConnectionSettings, metadata 3 string, participantAttributes 4 map, publisherOffer 6 SessionDescription, reconnect 7 bool, reconnectReason 8 ReconnectReason, participantSid 9 string
ConnectionSettings: autoSubscribe 1 bool
ClientInfo: sdk 1 Sdk, version 2 string, protocol 3 int32, otherSdks 11 string
SignalResponse: join 1 JoinResponse, answer 2 SessionDescription, trickle 4 TrickleRequest, update 5 ParticipantUpdate, trackPublished 6 TrackPublishedResponse, leave 8 LeaveRequest, mute 9 MuteTrackRequest, speakersChanged 10 SpeakersChanged, roomUpdate 11 RoomUpdate, connectionQuality 12 ConnectionQualityUpdate, subscriptionPermissionUpdate 15 SubscriptionPermissionUpdate, refreshToken 16 string, trackUnpublished 17 TrackUnpublishedResponse, pong 18 int64, reconnect 19 ReconnectResponse, pongResp 20 Pong, requestResponse 22 RequestResponse, trackSubscribed 23 TrackSubscribed, mediaSectionsRequirement 25 MediaSectionsRequirement
JoinResponse: room 1 Room, participant 2 ParticipantInfo, otherParticipants 3* ParticipantInfo, serverVersion 4 string, iceServers 5* IceServer, serverRegion 9 string, pingTimeout 10 int32, pingInterval 11 int32, serverInfo 12 ServerInfo
ServerInfo: version 2 string, protocol 3 int32, region 4 string, nodeId 5 string
IceServer: urls 1* string, username 2 string, credential 3 string
ReconnectResponse: iceServers 1* IceServer, serverInfo 3 ServerInfo
Room: sid 1 string, name 2 string, metadata 8 string, numParticipants 9 uint32, activeRecording 10 bool
ParticipantInfo: sid 1 string, identity 2 string, state 3 ParticipantState, tracks 4* TrackInfo, metadata 5 string, name 9 string, version 10 uint32, permission 11 ParticipantPermission, isPublisher 13 bool, kind 14 ParticipantKind, attributes 15 map, disconnectReason 16 DisconnectReason
ParticipantPermission: canSubscribe 1 bool, canPublish 2 bool, canPublishData 3 bool, hidden 7 bool, canUpdateMetadata 10 bool
TrackInfo: sid 1 string, type 2 TrackType, name 3 string, muted 4 bool, source 9 TrackSource, mimeType 11 string, mid 12 string, disableRed 15 bool
SessionDescription: type 1 string, sdp 2 string, id 3 uint32, midToTrackId 4 map
TrickleRequest: candidateInit 1 string, target 2 SignalTarget, final 3 bool
TrackPublishedResponse: cid 1 string, track 2 TrackInfo
TrackUnpublishedResponse: trackSid 1 string
TrackSubscribed: trackSid 1 string
MuteTrackRequest: sid 1 string, muted 2 bool
ParticipantUpdate: participants 1* ParticipantInfo
SpeakersChanged: speakers 1* SpeakerInfo
SpeakerInfo: sid 1 string, level 2 float, active 3 bool
ConnectionQualityUpdate: updates 1* ConnectionQualityInfo
ConnectionQualityInfo: participantSid 1 string, quality 2 ConnectionQuality, score 3 float
LeaveRequest: canReconnect 1 bool, reason 2 DisconnectReason, action 3 LeaveAction
Pong: lastPingTimestamp 1 int64, timestamp 2 int64
SubscriptionPermissionUpdate: participantSid 1 string, trackSid 2 string, allowed 3 bool
RequestResponse: requestId 1 uint32, reason 2 RequestReason, message 3 string
RoomUpdate: room 1 Room
MediaSectionsRequirement: numAudios 1 uint32, numVideos 2 uint32
DataPacket: participantIdentity 4 string, destinationIdentities 5* string, user 2 UserPacket, sequence 16 uint32, participantSid 17 string
UserPacket: payload 2 bytes, topic 4 string
`;

const ENUMS = `
Compression: NONE 0, GZIP 1
Sdk: UNKNOWN 0, JS 1
ReconnectReason: RR_UNKNOWN 0, RR_SIGNAL_DISCONNECTED 1, RR_PUBLISHER_FAILED 2
ParticipantState: JOINING 0, JOINED 1, ACTIVE 2, DISCONNECTED 3
ParticipantKind: STANDARD 0, INGRESS 1, EGRESS 2, SIP 3, AGENT 4, CONNECTOR 7, BRIDGE 8
DisconnectReason: UNKNOWN_REASON 0, CLIENT_INITIATED 1, DUPLICATE_IDENTITY 2, SERVER_SHUTDOWN 3, PARTICIPANT_REMOVED 4, ROOM_DELETED 5, STATE_MISMATCH 6, JOIN_FAILURE 7, MIGRATION 8, SIGNAL_CLOSE 9, ROOM_CLOSED 10, CONNECTION_TIMEOUT 14, MEDIA_FAILURE 15
TrackSource: UNKNOWN 0, CAMERA 1, MICROPHONE 2, SCREEN_SHARE 3, SCREEN_SHARE_AUDIO 4
TrackType: AUDIO 0, VIDEO 1, DATA 2
SignalTarget: PUBLISHER 0, SUBSCRIBER 1
ConnectionQuality: POOR 0, GOOD 1, EXCELLENT 2, LOST 3
LeaveAction: DISCONNECT 0, RESUME 1, RECONNECT 2
RequestReason: OK 0, NOT_FOUND 1, NOT_ALLOWED 2, LIMIT_EXCEEDED 3, QUEUED 4, UNSUPPORTED_TYPE 5, UNCLASSIFIED_ERROR 6, INVALID_REQUEST 11
`;

const messages = table(MESSAGES, (entry) => {
  const [name, number, type] = entry.split(' ');
  const field = { name, number: parseInt(number, 10), type, repeated: number.endsWith('*') };
  return [field.number, field];
});

const enums = table(ENUMS, (entry) => {
  const [name, number] = entry.split(' ');
  return [name, Number(number)];
});

function table(lines, parse) {
  const rows = lines
    .trim()
    .split('\n')
    .map((line) => line.split(': '));
  return new Map(rows.map(([name, entries]) => [name, new Map(entries.split(', ').map(parse))]));
}

/** Fields of a message, by number. */
export const fieldsOf = (type) => messages.get(type);
export const isMessage = (type) => messages.has(type);
export const isEnum = (type) => enums.has(type);

export function enumNumber(type, value) {
  return typeof value === 'number' ? value : (enums.get(type).get(value) ?? 0);
}

/** The name of a value, or its number when this client has no name for it. */
export function enumName(type, number) {
  for (const [name, value] of enums.get(type)) if (value === number) return name;
  return number;
}
