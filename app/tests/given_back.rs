//! Large blocks go back to the system when they are freed, though small ones are held beside them: what `memory` tells the allocator.
//!
//! A process of its own: the allocator's setting is one for all, and other tests would share what is measured.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use photo_app::{memory, process};

/// More than the threshold, and less than what the allocator would have learnt from the first block that is freed.
const BLOCK_BYTES: usize = 3 << 20;
const BLOCKS: usize = 40;

#[test]
fn what_pictures_took_does_not_rest_behind_small_neighbours() {
    memory::give_large_blocks_back();
    // glibc would take blocks up to this size from its heaps afterwards.
    drop(std::hint::black_box(vec![1_u8; 2 * BLOCK_BYTES]));
    let before = process::resident_bytes().expect("Linux has /proc");
    // Each thread has a heap of its own; the small blocks lie above the large ones and stay.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut small = Vec::new();
                let mut large = Vec::new();
                for _ in 0..BLOCKS {
                    large.push(std::hint::black_box(vec![1_u8; BLOCK_BYTES]));
                    small.push(vec![1_u8; 64 << 10]);
                }
                let at_work = process::resident_bytes().expect("Linux has /proc");
                (small, at_work)
            })
        })
        .collect();
    let (small, at_work): (Vec<_>, Vec<_>) =
        threads.into_iter().map(|thread| thread.join().expect("no panic")).unzip();
    let resting = process::resident_bytes().expect("Linux has /proc") - before;
    let kept = small.iter().flatten().map(Vec::len).sum::<usize>() as u64;
    let large = (BLOCKS * BLOCK_BYTES) as u64;
    assert!(at_work.iter().max().expect("four threads") - before >= large, "they were there");
    assert!(resting < kept + large / 4, "{resting} bytes rest, {kept} of them are held");
}
