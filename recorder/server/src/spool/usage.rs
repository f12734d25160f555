//! How full the spool is: one count for all recordings of the process.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes of all spool files, and how many there may be. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    used: Arc<AtomicU64>,
    bytes_max: u64,
}

impl Usage {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { used: Arc::default(), bytes_max }
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

    pub(crate) fn release(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _previous = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
