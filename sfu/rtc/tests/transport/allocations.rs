//! Counts what each thread allocates, so that a test can bound it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "the only way to count allocations; passes everything on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get().wrapping_add(layout.size()));
        PEAK.set(PEAK.get().max(LIVE.get()));
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What happened on this thread while something ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Most bytes held at once, beyond what was held before.
    pub(crate) peak_bytes: usize,
    pub(crate) count: usize,
}

pub(crate) fn measure(work: impl FnOnce()) -> Usage {
    let (live, count) = (LIVE.get(), COUNT.get());
    PEAK.set(live);
    work();
    Usage { peak_bytes: PEAK.get() - live, count: COUNT.get() - count }
}
