//! How full the spool is: one count for all recordings of the process.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::limits::SPOOL_ROOM_DIVISOR;

/// Bytes of all spool files, and how many there may be. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    used: Arc<AtomicU64>,
    /// Something could not be written.
    is_full: Arc<AtomicBool>,
    bytes_max: u64,
}

impl Usage {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { used: Arc::default(), is_full: Arc::default(), bytes_max }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How full it is, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    pub(crate) fn fill(&self) -> f64 {
        (self.used() as f64 / self.bytes_max.max(1) as f64).min(1.0)
    }

    /// Counts bytes that are on the disk already, whatever the bound.
    pub(crate) fn count(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes room for bytes that are about to be written.
    pub(crate) fn take(&self, bytes: u64) -> io::Result<()> {
        if self.used().saturating_add(bytes) > self.bytes_max {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.count(bytes);
        Ok(())
    }

    /// Something could not be written.
    pub(crate) fn refused(&self) {
        self.is_full.store(true, Ordering::Relaxed);
    }

    /// Whether something could not be written, and nothing was since.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Something was written to the disk: it has room, if the bound leaves some.
    pub(crate) fn has_room(&self) {
        let room = self.bytes_max / SPOOL_ROOM_DIVISOR;
        if self.is_full() && self.used().saturating_add(room) <= self.bytes_max {
            self.is_full.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn release(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _previous = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
