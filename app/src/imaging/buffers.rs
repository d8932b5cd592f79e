//! Memory that is used again: a fresh buffer of 36 MB costs more time in page faults than a filter takes to fill it.
//!
//! A [`Workbench`] holds what one picture needs while it is rendered; the pipeline takes one from a small shared stock and puts
//! it back. The stock is bounded: at most [`WORKBENCHES_MAX`] of them rest, with at most [`KEPT_BYTES_MAX`] of buffers each.

use std::sync::{Mutex, PoisonError};

use image::RgbImage;

use super::planar::Planar;
use super::resize::Scratch;

/// As many pictures at once as a small server renders; what is beyond is made and dropped.
const WORKBENCHES_MAX: usize = 4;
/// A 16-megapixel photo at full size in RGB (in planes it is half of that) and the widest rendition twice; what rarer giants take goes back to the system.
const KEPT_BYTES_MAX: usize = 72 << 20;
/// A resize takes some tens of KB, but for strips that are shrunk to almost nothing; what those take goes back as well.
const SCRATCH_BYTES_MAX: usize = 256 << 10;
/// Three planes of the decoded picture and of each of a ladder of five, and these once more as RGB. When there are more, the smallest goes: it is
/// made anew in no time.
const BUFFERS_MAX: usize = 23;

static STOCK: Mutex<Vec<Workbench>> = Mutex::new(Vec::new());

/// Buffers and scratch space for one picture at a time.
#[derive(Default)]
pub struct Workbench {
    /// Keeps its own scratch space from one resize to the next.
    pub resizer: Scratch,
    free: Vec<Vec<u8>>,
}

impl Workbench {
    /// One from the stock, or a new one.
    pub fn take() -> Self {
        let mut stock = STOCK.lock().unwrap_or_else(PoisonError::into_inner);
        stock.pop().unwrap_or_default()
    }

    /// Back into the stock.
    pub fn put_back(mut self) {
        self.trim();
        let mut stock = STOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.len() < WORKBENCHES_MAX {
            stock.push(self);
        }
    }

    /// Drops what is more than may rest.
    fn trim(&mut self) {
        if self.resizer.bytes() > SCRATCH_BYTES_MAX {
            self.resizer = Scratch::default();
        }
        self.free.sort_unstable_by_key(Vec::capacity);
        while self.free.iter().map(Vec::capacity).sum::<usize>() > KEPT_BYTES_MAX {
            self.free.pop();
        }
    }

    /// A picture of this size with arbitrary contents, for those who write every pixel.
    pub fn picture(&mut self, width: u32, height: u32) -> RgbImage {
        let bytes = width as usize * height as usize * 3;
        let buffer = self.bytes(bytes);
        RgbImage::from_raw(width, height, buffer).expect("the buffer has the picture's size")
    }

    /// So many bytes with arbitrary contents, for those who write every one.
    pub fn bytes(&mut self, bytes: usize) -> Vec<u8> {
        // The smallest that fits well: one of twice the size, shortened now, would be filled with zeros for its next picture. A new one is
        // zeroed by the system, which costs less than growing one and copying.
        let fits = |buffer: &Vec<u8>| (bytes..=bytes + bytes / 2).contains(&buffer.capacity());
        let fitting = self.free.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        let best = fitting.min_by_key(|(_, buffer)| buffer.capacity()).map(|(index, _)| index);
        let found = best.map(|index| self.free.swap_remove(index));
        let mut buffer = found.unwrap_or_else(|| vec![0; bytes]);
        buffer.resize(bytes, 0);
        buffer
    }

    /// The picture is no longer needed.
    pub fn recycle(&mut self, picture: RgbImage) {
        self.keep(picture.into_raw());
    }

    /// Its planes are no longer needed.
    pub fn recycle_planar(&mut self, planar: Planar) {
        planar.into_planes().for_each(|plane| self.keep(plane));
    }

    /// A buffer that is no longer needed.
    pub fn keep(&mut self, buffer: Vec<u8>) {
        self.free.push(buffer);
        if self.free.len() > BUFFERS_MAX {
            let sizes = self.free.iter().enumerate();
            let smallest = sizes.min_by_key(|(_, buffer)| buffer.capacity());
            if let Some((index, _)) = smallest {
                self.free.swap_remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resize;
    use super::*;

    #[test]
    fn what_giants_take_does_not_rest() {
        let mut bench = Workbench::default();
        let small = resize::resize(&mut bench, &RgbImage::new(640, 480), 320, 240);
        bench.recycle(small);
        bench.trim();
        assert!(bench.resizer.bytes() > 0 && bench.free.len() == 1, "the usual is kept");
        let strip = resize::resize(&mut bench, &RgbImage::new(20_000, 2), 2, 1);
        bench.recycle(strip);
        assert!(bench.resizer.bytes() > SCRATCH_BYTES_MAX);
        for _ in 0..2 {
            bench.recycle(RgbImage::new(5_000, 4_000));
        }
        bench.trim();
        assert_eq!(bench.resizer.bytes(), 0);
        assert!(bench.free.iter().map(Vec::capacity).sum::<usize>() <= KEPT_BYTES_MAX);
    }
}
