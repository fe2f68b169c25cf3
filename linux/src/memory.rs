//! What the allocator keeps back.

use libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int};

/// From this size on an allocation is a mapping of its own, which goes back when it is freed:
/// glibc's first value. By itself it would grow to 32 MiB with what is allocated (mallopt(3)).
const OWN_MAPPING_BYTES: c_int = 128 << 10;
/// Heaps for all threads together, instead of eight for each processor. What a thread uses over
/// and over is in a cache of its own.
const HEAPS: c_int = 2;

/// Makes the allocator give freed memory back to the system, for a program whose threads come
/// and go and whose buffers are large now and then. Does nothing with another C library than glibc.
pub fn give_back_early() {
    for (parameter, value) in [
        (M_MMAP_THRESHOLD, OWN_MAPPING_BYTES),
        (M_TRIM_THRESHOLD, OWN_MAPPING_BYTES),
        (M_ARENA_MAX, HEAPS),
    ] {
        // SAFETY: mallopt(3) takes two integers, locks what it changes, and refuses what it
        // does not know.
        #[allow(unsafe_code)]
        let _ = unsafe { libc::mallopt(parameter, value) };
    }
}
