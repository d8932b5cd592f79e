//! Pixels taken apart and put together by plain arrays: for machines without instructions of their own here, and the readable twin of the
//! others.

use super::super::lanes::{Lanes, Plain, multiply_high};
use super::lanes::{Pixels, Unit};

const PLAIN: usize = Plain::COUNT;

impl Pixels for Plain {
    const WHOLE: bool = false;
    const LOOKS_UP: bool = false;
    type Table = [u8; 256];

    #[inline(always)]
    fn table(self, bytes: &[u8; 256]) -> [u8; 256] {
        *bytes
    }

    #[inline(always)]
    fn look_up(self, table: &[u8; 256], bytes: Self::Bytes) -> Self::Bytes {
        bytes.map(|byte| table[usize::from(byte)])
    }

    #[inline(always)]
    fn split<const CHANNELS: usize>(self, bytes: &[u8]) -> Unit<Self::Vector> {
        let mut unit = [[[0; PLAIN]; 2]; 3];
        let pixels = bytes.as_chunks::<CHANNELS>().0.as_chunks::<PLAIN>().0;
        for (half, pixels) in pixels.iter().enumerate().take(2) {
            for channel in 0..3 {
                for lane in 0..PLAIN {
                    unit[channel][half][lane] = super::to_wide(pixels[lane][channel]);
                }
            }
        }
        unit
    }

    #[inline(always)]
    fn channels(self, rgb: &[u8]) -> [Self::Bytes; 3] {
        let mut channels = [[0; 2 * PLAIN]; 3];
        for (at, pixel) in rgb.as_chunks::<3>().0.iter().take(2 * PLAIN).enumerate() {
            for channel in 0..3 {
                channels[channel][at] = pixel[channel];
            }
        }
        channels
    }

    #[inline(always)]
    fn interleave(self, channels: [Self::Bytes; 3], rgb: &mut [u8]) {
        for (at, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().take(2 * PLAIN).enumerate() {
            *pixel = [channels[0][at], channels[1][at], channels[2][at]];
        }
    }

    #[inline(always)]
    fn join<const CHANNELS: usize>(
        self,
        unit: Unit<Self::Vector>,
        factor: Self::Vector,
        bytes: &mut [u8],
    ) {
        let pixels = bytes.as_chunks_mut::<CHANNELS>().0.as_chunks_mut::<PLAIN>().0;
        for (half, pixels) in pixels.iter_mut().enumerate().take(2) {
            for channel in 0..3 {
                for lane in 0..PLAIN {
                    let byte = multiply_high(unit[channel][half][lane], factor[lane]);
                    pixels[lane][channel] = byte.clamp(0, 255) as u8;
                }
            }
        }
    }

    #[inline(always)]
    fn values(self, bytes: Self::Bytes) -> [Self::Vector; 2] {
        let mut values = [[0; PLAIN]; 2];
        for (value, byte) in values.as_flattened_mut().iter_mut().zip(bytes) {
            *value = super::to_wide(byte);
        }
        values
    }

    #[inline(always)]
    fn bytes(self, values: [Self::Vector; 2], factor: Self::Vector) -> Self::Bytes {
        let mut bytes = [0; 2 * PLAIN];
        for at in 0..2 * PLAIN {
            let byte = multiply_high(values[at / PLAIN][at % PLAIN], factor[at % PLAIN]);
            bytes[at] = byte.clamp(0, 255) as u8;
        }
        bytes
    }
}
