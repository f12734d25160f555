//! An allocator that counts what each thread asks of it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// More threads than the server and its load have; those beyond share the last place.
const THREADS_MAX: usize = 256;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Place {
    thread: AtomicI32,
    allocations: AtomicU64,
}

static PLACES: [Place; THREADS_MAX] =
    [const { Place { thread: AtomicI32::new(0), allocations: AtomicU64::new(0) } }; THREADS_MAX];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: Cell<Option<&'static Place>> = const { Cell::new(None) };
}

/// The sum over the threads of this process whose names begin like this.
pub(crate) fn of_threads(name: &str) -> u64 {
    let places = PLACES.iter().take(TAKEN.load(Relaxed));
    let named = places.filter(|place| {
        let path = format!("/proc/self/task/{}/comm", place.thread.load(Relaxed));
        fs::read_to_string(path).is_ok_and(|comm| comm.starts_with(name))
    });
    named.map(|place| place.allocations.load(Relaxed)).sum()
}

fn count() {
    // A thread that is ending has no place left to count at.
    let _ = OWN.try_with(|own| {
        let place = own.get().or_else(|| {
            let number = TAKEN.fetch_add(1, Relaxed).min(THREADS_MAX - 1);
            let place = PLACES.get(number)?;
            place.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Relaxed);
            own.set(Some(place));
            Some(place)
        });
        if let Some(place) = place {
            place.allocations.fetch_add(1, Relaxed);
        }
    });
}

#[expect(unsafe_code, reason = "the only way to count allocations; passes everything on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}
