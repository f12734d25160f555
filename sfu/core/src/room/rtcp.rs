//! Reports, both ways (RFC 3550 §6). What clients say of streams they have no part in is
//! counted and dropped; nothing they send is passed on.

use proto::{
    ids::ParticipantSid,
    rtcp::{
        Compound, Packet, ReportBlock, SenderReport, write_cname, write_receiver_report,
        write_sender_report,
    },
};

use crate::{
    Output, TransportId,
    context::Context,
    limits::{REPORT_INTERVAL, REPORTS_PER_PACKET_MAX},
    room::{Room, listener::Listener, track::Track, tracks::TrackKey},
    timers::Timer,
};

/// Our name where we only receive.
const RECEIVER_CNAME: &str = "adda";

/// One sender report that is due, and the name that goes with it.
struct DueReport {
    report: SenderReport<'static>,
    cname: String,
}

impl Room {
    /// A decrypted compound packet from one of our clients.
    pub(crate) fn on_rtcp(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        compound: &[u8],
        cx: &mut Context,
    ) {
        self.heard_from(sid, id, cx);
        for packet in Compound::new(compound) {
            match packet {
                Ok(packet) => self.on_rtcp_packet(sid, id, packet, cx),
                Err(_) => cx.stats.packets_malformed += 1,
            }
        }
    }

    fn on_rtcp_packet(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        packet: Packet<'_>,
        cx: &mut Context,
    ) {
        match packet {
            Packet::SenderReport(report) => {
                self.on_sender_report(id, &report, cx);
                report.blocks().for_each(|block| self.on_block(sid, id, &block, cx));
            }
            Packet::ReceiverReport(report) => {
                report.blocks().for_each(|block| self.on_block(sid, id, &block, cx));
            }
            Packet::Bye(bye) => {
                let strangers = bye.ssrcs().filter(|ssrc| track_signalled(id, *ssrc, cx).is_none());
                let strangers = u64::try_from(strangers.count()).unwrap_or_default();
                cx.stats.rtcp_refused += strangers;
            }
            // Opus conceals a loss sooner than a retransmission could come.
            Packet::Nack(nack) => {
                let is_ours = self.listeners_of(sid).any(|(_, it)| it.ssrc == nack.media_ssrc);
                cx.stats.rtcp_refused += u64::from(!is_ours);
            }
            Packet::SourceDescription(_) | Packet::Other { .. } => {}
        }
    }

    fn on_sender_report(&mut self, id: TransportId, report: &SenderReport<'_>, cx: &mut Context) {
        let track = track_signalled(id, report.ssrc, cx);
        match track.and_then(|key| self.tracks.at_mut(key)) {
            Some(track) => track.clock.on_report(report, cx.clock.ntp(cx.now), cx.now),
            // One that sends nothing reports under a number of its own.
            None => cx.stats.rtcp_refused += u64::from(report.packets > 0),
        }
    }

    fn on_block(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        block: &ReportBlock,
        cx: &mut Context,
    ) {
        let of_stream = |(_, listener): &(&Track, &Listener)| listener.ssrc == block.ssrc;
        let track = self.listeners_of(sid).find(of_stream).map(|(track, _)| track.sid);
        let listener = track.and_then(|track| self.tracks.get_mut(track)?.listener_mut(id));
        let Some(listener) = listener else {
            cx.stats.rtcp_refused += 1;
            return;
        };
        listener.heard.fraction_lost = block.fraction_lost;
        listener.heard.jitter = block.jitter;
        if let Some((middle, sent_at)) = listener.sent.last_report
            && middle == block.last_sr
        {
            let held = std::time::Duration::from_secs(1)
                .mul_f64(f64::from(block.delay_since_last_sr) / 65_536.0);
            let since = cx.now.saturating_duration_since(sent_at);
            listener.heard.round_trip = Some(since.saturating_sub(held));
        }
    }

    /// Each track a participant hears, with its place there.
    pub(super) fn listeners_of(
        &self,
        sid: ParticipantSid,
    ) -> impl Iterator<Item = (&Track, &Listener)> {
        let participant = self.participants.get(&sid);
        let connection = participant.and_then(|it| it.connections.downstream());
        let id = connection.map(|connection| connection.id);
        let carried = participant.into_iter().flat_map(|it| it.hearing.slots.carried());
        carried.filter_map(move |(_, track)| {
            let track = self.tracks.get(track)?;
            Some((track, track.listener(id?)?))
        })
    }

    /// Sends what is due on one connection.
    pub(crate) fn on_reports(&mut self, sid: ParticipantSid, id: TransportId, cx: &mut Context) {
        cx.set_timer(cx.now + REPORT_INTERVAL, Timer::Reports(id));
        let Some(receiver_ssrc) = self.reporting_ssrc(sid, id) else { return };
        let blocks = self.report_blocks(sid, id, cx);
        let due = self.sender_reports(sid, id, cx);
        let mut packets = due.chunks(REPORTS_PER_PACKET_MAX);
        match packets.next() {
            Some(first) => send(id, first, &blocks, cx),
            None if blocks.is_empty() => {}
            None => send_receiver_report(id, receiver_ssrc, &blocks, cx),
        }
        packets.for_each(|packet| send(id, packet, &[], cx));
    }

    /// Our own number on a connection, if it can carry reports.
    fn reporting_ssrc(&self, sid: ParticipantSid, id: TransportId) -> Option<u32> {
        let mut connections = self.participants.get(&sid)?.connections.iter();
        let connection = connections.find(|it| it.id == id && it.is_connected())?;
        Some(connection.receiver_ssrc)
    }

    /// How the streams arrive that come in on this connection.
    fn report_blocks(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        cx: &Context,
    ) -> Vec<ReportBlock> {
        let Some(participant) = self.participants.get(&sid) else { return Vec::new() };
        if participant.connections.publisher.as_ref().is_none_or(|it| it.id != id) {
            return Vec::new();
        }
        let sources = cx.transports.get(id).map(|route| route.sources.as_slice());
        let signalled = sources.unwrap_or_default().iter();
        let blocks = signalled.filter_map(|source| {
            let track = self.tracks.at_mut(source.track)?;
            let received = track.intake.stream.counted();
            let reception = track.intake.stream.reception_since(&track.reported)?;
            track.reported = received;
            let (last_sr, delay_since_last_sr) = track.clock.last_report(cx.now);
            Some(ReportBlock {
                ssrc: source.ssrc?,
                fraction_lost: reception.fraction_lost,
                cumulative_lost: reception.cumulative_lost,
                highest_sequence: reception.highest_sequence,
                jitter: track.intake.stream.jitter(),
                last_sr,
                delay_since_last_sr,
            })
        });
        blocks.collect()
    }

    /// The streams that go out on this connection, each with its time and count.
    fn sender_reports(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        cx: &Context,
    ) -> Vec<DueReport> {
        let Some(participant) = self.participants.get(&sid) else { return Vec::new() };
        if participant.connections.downstream().is_none_or(|it| it.id != id) {
            return Vec::new();
        }
        let ntp = cx.clock.ntp(cx.now);
        let carried = participant.hearing.slots.carried();
        let reports = carried.filter_map(|(_, track)| {
            let track = self.tracks.get_mut(track)?;
            let cname = format!("{}|{}", track.owner, track.sid);
            let time = track.clock.at(ntp)?;
            let listener = track.listener_mut(id).filter(|it| it.sent.packets > 0)?;
            listener.sent.last_report = Some((ntp.middle(), cx.now));
            let report = SenderReport::new(
                listener.ssrc,
                ntp.0,
                listener.timestamp(time),
                listener.sent.packets,
                listener.sent.octets,
            );
            Some(DueReport { report, cname })
        });
        reports.collect()
    }
}

/// The track that an SSRC means on the connection it was signalled on.
fn track_signalled(id: TransportId, ssrc: u32, cx: &Context) -> Option<TrackKey> {
    let mut sources = cx.transports.get(id)?.sources.iter();
    sources.find(|source| source.ssrc == Some(ssrc)).map(|source| source.track)
}

fn send(to: TransportId, due: &[DueReport], blocks: &[ReportBlock], cx: &mut Context) {
    let mut packet = Vec::new();
    for (place, DueReport { report, .. }) in due.iter().enumerate() {
        let blocks = if place == 0 { blocks } else { &[] };
        write_sender_report(&mut packet, report, blocks);
    }
    for DueReport { report, cname } in due {
        write_cname(&mut packet, report.ssrc, cname);
    }
    cx.outbox.push_back(Output::Rtcp { to, packet });
}

fn send_receiver_report(to: TransportId, ssrc: u32, blocks: &[ReportBlock], cx: &mut Context) {
    let mut packet = Vec::new();
    write_receiver_report(&mut packet, ssrc, blocks);
    write_cname(&mut packet, ssrc, RECEIVER_CNAME);
    cx.outbox.push_back(Output::Rtcp { to, packet });
}
