//! Data channels: one SCTP association over DTLS (RFC 8831), opened by DCEP (RFC 8832).
//!
//! Knows the three channels of [`proto::data`] by their labels; others are not acknowledged.
//! What is sent follows our own table of reliability, whatever the peer asked for.

mod dcep;

use std::time::{Duration, Instant};

use dcsctp::api::{
    DcSctpSocket, Message, Options, PpId, SendError, SendOptions, SocketEvent, SocketTime, StreamId,
};
use proto::data::{Channel, ChannelSide};

use crate::{
    error::SendDataError,
    limits::{
        DATA_MESSAGE_BYTES_MAX, DATA_RECEIVE_BUFFER_BYTES_MAX, DATA_SEND_BUFFER_BYTES_MAX,
        SCTP_MTU_BYTES, SCTP_RETRY_LAST, SCTP_STREAMS_MAX,
    },
    srtp::Side,
};

/// What a message is (RFC 8831 §8).
const PPID_DCEP: PpId = PpId(50);
const PPID_STRING: PpId = PpId(51);
const PPID_BINARY: PpId = PpId(53);

pub(crate) struct Association {
    socket: Box<dyn DcSctpSocket>,
    /// The library counts time from here.
    born: Instant,
    channels: [Slot; Channel::ALL.len()],
    /// Whether we open the channels, and with which parity of stream ids.
    opening: Option<Side>,
}

/// One channel's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Unknown,
    /// We have asked to open it.
    Asked(StreamId),
    Open(StreamId),
}

/// What an association asks of its owner.
pub(crate) enum Step {
    /// To be sent as one DTLS record.
    Packet(Vec<u8>),
    Open(Channel),
    Data(Channel, Vec<u8>),
    Idle,
}

impl Association {
    pub(crate) fn new(channels: ChannelSide, side: Side, now: Instant) -> Self {
        let mut socket = dcsctp::new_socket("", &options());
        let opening = match channels {
            ChannelSide::Local => {
                socket.connect();
                Some(side)
            }
            ChannelSide::Remote => None,
        };
        Self { socket, born: now, channels: [Slot::Unknown; Channel::ALL.len()], opening }
    }

    pub(crate) fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        self.advance(now);
        self.socket.handle_input(packet);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    pub(crate) fn send(
        &mut self,
        channel: Channel,
        payload: &[u8],
        now: Instant,
    ) -> Result<(), SendDataError> {
        let Slot::Open(stream) = self.slot(channel) else { return Err(SendDataError::NotOpen) };
        self.advance(now);
        let message = Message::new(stream, PPID_BINARY, payload.to_vec());
        self.socket.send(message, &send_options(channel)).map_err(|error| match error {
            SendError::EmptyPayload | SendError::MessageTooLarge { .. } => SendDataError::Size,
            SendError::ResourceExhaustion => SendDataError::BufferFull,
            SendError::ShuttingDown => SendDataError::NotOpen,
        })
    }

    pub(crate) fn poll(&mut self) -> Step {
        loop {
            let step = if let Some(event) = self.socket.poll_event() {
                self.on_event(event)
            } else if let Some(message) = self.socket.get_next_message() {
                self.on_message(message)
            } else {
                return Step::Idle;
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let wake = self.socket.poll_timeout();
        let runs = wake != SocketTime::infinite_future();
        runs.then(|| wake - SocketTime::zero()).and_then(|after| self.born.checked_add(after))
    }

    fn advance(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.born);
        self.socket.advance_time(SocketTime::zero() + age);
    }

    fn on_event(&mut self, event: SocketEvent) -> Option<Step> {
        match event {
            SocketEvent::SendPacket(packet) => return Some(Step::Packet(packet)),
            SocketEvent::OnConnected() => self.ask_to_open(),
            SocketEvent::OnClosed() | SocketEvent::OnAborted(..) => {
                self.channels = [Slot::Unknown; Channel::ALL.len()];
            }
            SocketEvent::OnIncomingStreamReset(streams) => self.on_peer_closed(&streams),
            SocketEvent::OnConnectionRestarted()
            | SocketEvent::OnError(..)
            | SocketEvent::OnBufferedAmountLow(_)
            | SocketEvent::OnTotalBufferedAmountLow()
            | SocketEvent::OnStreamsResetFailed(_)
            | SocketEvent::OnStreamsResetPerformed(_)
            | SocketEvent::OnLifecycleMessageFullySent(_)
            | SocketEvent::OnLifecycleMessageMaybeExpired(_)
            | SocketEvent::OnLifecycleMessageExpired(_)
            | SocketEvent::OnLifecycleMessageDelivered(_)
            | SocketEvent::OnLifecycleEnd(_) => {}
        }
        None
    }

    /// The DTLS client takes even stream ids, the server odd ones (RFC 8832 §6).
    fn ask_to_open(&mut self) {
        let Some(side) = self.opening.take() else { return };
        let first = match side {
            Side::Client => 0,
            Side::Server => 1,
        };
        for (channel, id) in Channel::ALL.into_iter().zip((first..).step_by(2)) {
            self.set_slot(channel, Slot::Asked(StreamId(id)));
            self.send_dcep(StreamId(id), dcep::open(channel));
        }
    }

    fn on_message(&mut self, message: Message) -> Option<Step> {
        let Message { stream_id, ppid, payload } = message;
        match ppid {
            PPID_DCEP => self.on_dcep(stream_id, &payload),
            PPID_STRING | PPID_BINARY if payload.len() <= DATA_MESSAGE_BYTES_MAX => {
                Some(Step::Data(self.channel_of(stream_id)?, payload))
            }
            _ => None,
        }
    }

    fn on_dcep(&mut self, stream: StreamId, payload: &[u8]) -> Option<Step> {
        let channel = match dcep::parse(payload)? {
            dcep::Control::Open { label } => {
                let channel = Channel::from_label(label)?;
                self.send_dcep(stream, dcep::acknowledgement());
                channel
            }
            dcep::Control::Acknowledged => {
                let asked = |channel: &Channel| self.slot(*channel) == Slot::Asked(stream);
                Channel::ALL.into_iter().find(asked)?
            }
        };
        self.set_slot(channel, Slot::Open(stream));
        Some(Step::Open(channel))
    }

    /// A peer that has closed its half gets ours closed too (RFC 8831 §6.7).
    fn on_peer_closed(&mut self, streams: &[StreamId]) {
        for channel in Channel::ALL {
            if let Slot::Open(stream) = self.slot(channel)
                && (streams.contains(&stream) || streams.is_empty())
            {
                self.set_slot(channel, Slot::Unknown);
                let _ = self.socket.reset_streams(&[stream]);
            }
        }
    }

    fn send_dcep(&mut self, stream: StreamId, payload: Vec<u8>) {
        let _ = self.socket.send(Message::new(stream, PPID_DCEP, payload), &SendOptions::default());
    }

    fn channel_of(&self, stream: StreamId) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| match self.slot(*channel) {
            Slot::Open(known) | Slot::Asked(known) => known == stream,
            Slot::Unknown => false,
        })
    }

    fn slot(&self, channel: Channel) -> Slot {
        self.channels.get(channel as usize).copied().unwrap_or(Slot::Unknown)
    }

    fn set_slot(&mut self, channel: Channel, slot: Slot) {
        if let Some(place) = self.channels.get_mut(channel as usize) {
            *place = slot;
        }
    }
}

fn send_options(channel: Channel) -> SendOptions {
    match channel {
        Channel::Reliable => SendOptions::default(),
        Channel::Lossy | Channel::DataTrack => {
            SendOptions { unordered: true, max_retransmissions: Some(0), ..SendOptions::default() }
        }
    }
}

/// Liveness is ICE's concern, so SCTP has neither heartbeats nor a number of tries.
fn options() -> Options {
    Options {
        mtu: SCTP_MTU_BYTES,
        max_message_size: DATA_MESSAGE_BYTES_MAX,
        max_receiver_window_buffer_size: DATA_RECEIVE_BUFFER_BYTES_MAX,
        max_send_buffer_size: DATA_SEND_BUFFER_BYTES_MAX,
        per_stream_send_queue_limit: DATA_SEND_BUFFER_BYTES_MAX,
        announced_maximum_incoming_streams: SCTP_STREAMS_MAX,
        announced_maximum_outgoing_streams: SCTP_STREAMS_MAX,
        heartbeat_interval: Duration::ZERO,
        max_timer_backoff_duration: Some(SCTP_RETRY_LAST),
        max_retransmissions: None,
        max_init_retransmits: None,
        ..Options::default()
    }
}
