//! What a listener hears, stream by stream.

use std::{collections::BTreeMap, time::Duration};

use proto::{
    rtcp::{ReportBlock, write_cname, write_receiver_report},
    rtp,
};
use tokio::time::Instant;

use super::{Part, Recruit, descriptions::CNAME};
use crate::{
    ledger::{ListenerId, Stream},
    limits::SECTIONS_MAX,
    random,
    worker::Crew,
};

pub(super) struct Hearing {
    /// Absent for who hears nobody.
    listener: Option<ListenerId>,
    /// We, in RTCP.
    ssrc: u32,
    started: Instant,
    /// Streams after which it is enough, for one who isn't sampled.
    enough: Option<usize>,
    /// By SSRC.
    streams: BTreeMap<u32, Stream>,
}

impl Hearing {
    pub(super) fn new(crew: &Crew, recruit: &Recruit, started: Instant) -> anyhow::Result<Self> {
        let Recruit { is_early, is_sampled, .. } = *recruit;
        let hears = recruit.part == Part::Listener;
        Ok(Self {
            listener: hears.then(|| crew.ledger.borrow_mut().add_listener(is_early, is_sampled)),
            ssrc: u32::from_be_bytes(random::bytes()?),
            started,
            enough: (!is_sampled).then(|| usize::try_from(crew.options.talkers)).transpose()?,
            streams: BTreeMap::new(),
        })
    }

    /// Takes a packet of a talker of this process, who wrote into it when it was sent.
    pub(super) fn on_packet(&mut self, crew: &Crew, packet: &rtp::Packet<'_>) {
        let (Some(listener), Some(sent)) = (self.listener, packet.payload.first_chunk()) else {
            return;
        };
        let mut ledger = crew.ledger.borrow_mut();
        if self.streams.is_empty() {
            ledger.note_first_packet(self.started.elapsed());
        }
        if self.streams.len() > usize::try_from(SECTIONS_MAX).unwrap_or_default() {
            return;
        }
        let stream =
            self.streams.entry(packet.ssrc).or_insert_with(|| ledger.open_stream(packet.sequence));
        let nanos = crew.clock.nanos().saturating_sub(u64::from_be_bytes(*sent));
        ledger.note_delivered(listener, stream, packet.sequence, Duration::from_nanos(nanos));
    }

    /// Whether everybody was heard once, and that is enough.
    pub(super) fn is_over(&self) -> bool {
        self.enough.is_some_and(|enough| self.streams.len() >= enough)
    }

    /// A compound with a receiver report; `None` while there is nothing to report on.
    pub(super) fn report(&self) -> Option<Vec<u8>> {
        if self.streams.is_empty() {
            return None;
        }
        let block = |(ssrc, stream): (&u32, &Stream)| ReportBlock {
            ssrc: *ssrc,
            highest_sequence: stream.highest().0.into(),
            ..ReportBlock::default()
        };
        let blocks: Vec<ReportBlock> = self.streams.iter().map(block).collect();
        let mut compound = Vec::new();
        write_receiver_report(&mut compound, self.ssrc, &blocks);
        write_cname(&mut compound, self.ssrc, CNAME);
        Some(compound)
    }
}
