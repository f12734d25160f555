//! What the callers of one thread experienced, packet by packet.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use proto::rtp::SeqNo;

use crate::{
    limits::{CAUSES_MAX, LATE_AFTER},
    report::{Early, Percentiles},
};

/// Counts that only grow; any thread may look at them.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) joined: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) delivered: AtomicU64,
}

pub(crate) fn count(total: &AtomicU64) {
    total.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn read(total: &AtomicU64) -> u64 {
    total.load(Ordering::Relaxed)
}

/// One thread's book. Windows are cut by [`Self::cut`].
pub(crate) struct Ledger {
    totals: Arc<Totals>,
    connected: Histogram<u64>,
    first_packet: Histogram<u64>,
    failures: BTreeMap<String, u64>,
    one_way: Histogram<u64>,
    late: u64,
    sent: u64,
    delivered: u64,
    listeners: Vec<Listener>,
}

/// What one listener got in this window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    delivered: u64,
    skipped: u64,
}

struct Listener {
    is_early: bool,
    is_sampled: bool,
    losses: Losses,
}

/// Names a listener of one ledger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerId(usize);

/// What a ledger held when it was cut. Sums of several are made by [`Self::add`].
pub(crate) struct Cut {
    pub(crate) one_way: Histogram<u64>,
    pub(crate) late: u64,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    /// Loss by listener in 1/1,000 %.
    pub(crate) loss: Histogram<u64>,
}

/// How joining went, until now. Sums of several are made by [`Self::add`].
pub(crate) struct Arrivals {
    pub(crate) connected: Histogram<u64>,
    pub(crate) first_packet: Histogram<u64>,
    pub(crate) failures: BTreeMap<String, u64>,
    /// Holds until the first window is cut.
    pub(crate) early: Early,
}

/// Follows the sequence numbers of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    highest: SeqNo,
}

impl Stream {
    pub(crate) fn highest(&self) -> SeqNo {
        self.highest
    }
}

impl Ledger {
    pub(crate) fn new(totals: Arc<Totals>) -> Self {
        Self {
            totals,
            connected: microseconds(),
            first_packet: microseconds(),
            failures: BTreeMap::new(),
            one_way: microseconds(),
            late: 0,
            sent: 0,
            delivered: 0,
            listeners: Vec::new(),
        }
    }

    pub(crate) fn add_listener(&mut self, is_early: bool, is_sampled: bool) -> ListenerId {
        self.listeners.push(Listener { is_early, is_sampled, losses: Losses::default() });
        ListenerId(self.listeners.len() - 1)
    }

    pub(crate) fn note_joined(&mut self, after: Duration) {
        count(&self.totals.joined);
        self.connected.saturating_record(micros(after));
    }

    pub(crate) fn note_failed(&mut self, cause: String) {
        count(&self.totals.failed);
        if self.failures.len() < CAUSES_MAX || self.failures.contains_key(&cause) {
            *self.failures.entry(cause).or_default() += 1;
        }
    }

    pub(crate) fn note_first_packet(&mut self, after: Duration) {
        self.first_packet.saturating_record(micros(after));
    }

    pub(crate) fn note_sent(&mut self) {
        self.sent += 1;
        count(&self.totals.sent);
    }

    /// A stream's first packet.
    pub(crate) fn open_stream(&mut self, sequence: SeqNo) -> Stream {
        count(&self.totals.streams);
        Stream { highest: sequence.minus(1) }
    }

    /// A packet of `stream` has reached `listener`, `one_way` after it was sent.
    pub(crate) fn note_delivered(
        &mut self,
        listener: ListenerId,
        stream: &mut Stream,
        sequence: SeqNo,
        one_way: Duration,
    ) {
        self.delivered += 1;
        count(&self.totals.delivered);
        self.one_way.saturating_record(micros(one_way));
        self.late += u64::from(one_way > LATE_AFTER);
        let Some(listener) = self.listeners.get_mut(listener.0) else { return };
        let losses = &mut listener.losses;
        losses.delivered += 1;
        let step = sequence.since(stream.highest);
        if step > 0 {
            losses.skipped += u64::from(step.unsigned_abs()) - 1;
            stream.highest = sequence;
        } else {
            // It had been counted as skipped, and only came late.
            losses.skipped = losses.skipped.saturating_sub(1);
        }
    }

    /// Ends a window and starts the next.
    pub(crate) fn cut(&mut self) -> Cut {
        let mut loss = fractions();
        for listener in &mut self.listeners {
            let Losses { delivered, skipped } = std::mem::take(&mut listener.losses);
            if !listener.is_sampled {
                continue;
            }
            // One that heard nothing at all has lost everything.
            let lost = (skipped * 100_000).checked_div(delivered + skipped).unwrap_or(100_000);
            loss.saturating_record(lost);
        }
        let one_way = std::mem::replace(&mut self.one_way, microseconds());
        Cut {
            one_way,
            late: std::mem::take(&mut self.late),
            sent: std::mem::take(&mut self.sent),
            delivered: std::mem::take(&mut self.delivered),
            loss,
        }
    }

    pub(crate) fn arrivals(&self) -> Arrivals {
        Arrivals {
            connected: self.connected.clone(),
            first_packet: self.first_packet.clone(),
            failures: self.failures.clone(),
            early: self.early(),
        }
    }

    fn early(&self) -> Early {
        let early = self.listeners.iter().filter(|listener| listener.is_early);
        early.fold(Early::default(), |sum, listener| Early {
            listeners: sum.listeners + 1,
            packets_delivered: sum.packets_delivered + listener.losses.delivered,
            packets_lost: sum.packets_lost + listener.losses.skipped,
        })
    }
}

impl Cut {
    pub(crate) fn empty() -> Self {
        Self { one_way: microseconds(), late: 0, sent: 0, delivered: 0, loss: fractions() }
    }

    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.one_way.add(&other.one_way)?;
        self.loss.add(&other.loss)?;
        self.late += other.late;
        self.sent += other.sent;
        self.delivered += other.delivered;
        Ok(())
    }
}

impl Arrivals {
    pub(crate) fn empty() -> Self {
        Self {
            connected: microseconds(),
            first_packet: microseconds(),
            failures: BTreeMap::new(),
            early: Early::default(),
        }
    }

    pub(crate) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.connected.add(&other.connected)?;
        self.first_packet.add(&other.first_packet)?;
        for (cause, count) in other.failures {
            *self.failures.entry(cause).or_default() += count;
        }
        self.early.listeners += other.early.listeners;
        self.early.packets_delivered += other.early.packets_delivered;
        self.early.packets_lost += other.early.packets_lost;
        Ok(())
    }
}

/// Reads percentiles off a histogram whose values are thousandths of what is told.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let value = |quantile| thousandths(histogram.value_at_quantile(quantile));
    Percentiles {
        count: histogram.len(),
        p50: value(0.5),
        p90: value(0.9),
        p99: value(0.99),
        p999: value(0.999),
        max: thousandths(histogram.max()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "histograms end at 10^8, far below 2^52")]
fn thousandths(value: u64) -> f64 {
    value as f64 / 1_000.0
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Up to 100 s, in steps of a thousandth of the value.
fn microseconds() -> Histogram<u64> {
    histogram(100_000_000)
}

fn fractions() -> Histogram<u64> {
    histogram(100_000)
}

fn histogram(highest: u64) -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "constant bounds: it works always or never")]
    Histogram::new_with_bounds(1, highest, 3).expect("bounds are in order")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(ledger: &mut Ledger, listener: ListenerId, sequences: &[u16]) {
        let mut stream = ledger.open_stream(SeqNo(sequences[0]));
        for sequence in sequences {
            let one_way = Duration::from_millis(2);
            ledger.note_delivered(listener, &mut stream, SeqNo(*sequence), one_way);
        }
    }

    #[test]
    fn what_a_stream_skips_is_lost_and_what_overtakes_is_not() {
        let mut ledger = Ledger::new(Arc::default());
        let listener = ledger.add_listener(false, true);
        deliver(&mut ledger, listener, &[65_534, 65_535, 1, 0, 2, 5]);
        let cut = ledger.cut();
        assert_eq!(cut.delivered, 6);
        let loss = percentiles(&cut.loss);
        assert!((loss.max - 25.0).abs() < 0.1, "{loss:?}");
    }

    #[test]
    fn what_the_first_callers_lost_is_told_apart() {
        let mut ledger = Ledger::new(Arc::default());
        let (early, late) = (ledger.add_listener(true, true), ledger.add_listener(false, true));
        deliver(&mut ledger, early, &[1, 2, 4]);
        deliver(&mut ledger, late, &[1, 9]);
        let heard = Early { listeners: 1, packets_delivered: 3, packets_lost: 1 };
        assert_eq!(ledger.arrivals().early, heard);
    }

    #[test]
    fn one_who_hears_nothing_has_lost_everything() {
        let mut ledger = Ledger::new(Arc::default());
        let heard = ledger.add_listener(false, true);
        ledger.add_listener(false, true);
        deliver(&mut ledger, heard, &[1, 2, 3]);
        let loss = percentiles(&ledger.cut().loss);
        assert_eq!(loss.count, 2);
        assert!((loss.max - 100.0).abs() < 0.1, "{loss:?}");
        assert!(loss.p50 < 0.1, "{loss:?}");
    }

    #[test]
    fn one_who_reads_no_more_has_lost_nothing() {
        let mut ledger = Ledger::new(Arc::default());
        let heard = ledger.add_listener(false, true);
        ledger.add_listener(false, false);
        deliver(&mut ledger, heard, &[1, 2, 3]);
        let loss = percentiles(&ledger.cut().loss);
        assert_eq!(loss.count, 1);
        assert!(loss.max < 0.1, "{loss:?}");
    }

    #[test]
    fn late_packets_are_counted_and_a_cut_starts_anew() {
        let mut ledger = Ledger::new(Arc::default());
        let listener = ledger.add_listener(false, true);
        let mut stream = ledger.open_stream(SeqNo(1));
        for (sequence, millis) in [(1, 59), (2, 61), (3, 500)] {
            let one_way = Duration::from_millis(millis);
            ledger.note_delivered(listener, &mut stream, SeqNo(sequence), one_way);
        }
        let cut = ledger.cut();
        assert_eq!(cut.late, 2);
        let delay = percentiles(&cut.one_way);
        assert!((delay.p50 - 61.0).abs() < 0.1 && (delay.max - 500.0).abs() < 1.0, "{delay:?}");
        assert_eq!(ledger.cut().one_way.len(), 0);
    }
}
