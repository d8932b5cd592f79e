//! Large blocks of memory go back to the system when they are freed.
//!
//! A picture takes tens of megabytes for a moment. glibc maps blocks of 128 KB and more by themselves at first, and unmaps them when they are freed; but it learns:
//! after the first large block that is freed, blocks up to its size come from heaps of its own, one for every few threads, which keep
//! what small neighbours hold down. A server that rendered one upload at a time stood at 630 MB for that reason (docs/decisions/memory.md). With the
//! threshold set by hand it learns nothing. Buffers that are worth keeping are kept by name, in `imaging::buffers`.

/// Blocks of this size and more are mapped by themselves. Well above what requests use beside pictures, since mapping costs page faults.
pub const MAPPED_BYTES_MIN: i32 = 1 << 20;

/// Tells the allocator; once, before there are other threads. Does nothing where the C library is not glibc: others give back by themselves.
pub fn give_large_blocks_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(
            unsafe_code,
            reason = "no crate offers mallopt; it takes two numbers, and no thread is started yet"
        )]
        // SAFETY: mallopt has no demands on its arguments; it locks the main arena while it writes its own settings.
        let taken = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN) };
        debug_assert_eq!(taken, 1, "glibc takes thresholds up to 32 MB");
    }
}
