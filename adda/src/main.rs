//! The executable. What it does is in the library.

use std::{env, process::ExitCode};

use tikv_jemallocator::Jemalloc;

/// Gives back what a full hour took: the C library's own allocator would keep it for ever.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    adda::run(env::args_os())
}
