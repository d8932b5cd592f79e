//! The pictures that uploads send: painted from a seed and encoded once, before the trial. Sky, ridges and grain, so
//! that size and cost of decoding are like a photograph's and not like a flat surface's.

use std::collections::BTreeMap;

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::types::PictureSize;

/// Different pictures of each size; uploads take one by their index.
const PICTURES_PER_SIZE: u64 = 4;
/// JPEG quality as cameras use it.
const QUALITY: u8 = 88;
/// Separates the parts of the form; random enough not to occur in a JPEG.
const BOUNDARY: &str = "lightmeter-5f1c0a9be27d4836";

/// Bodies of upload forms, ready to send, by (size, filter).
#[derive(Default)]
pub(crate) struct UploadForms {
    forms: BTreeMap<(PictureSize, String), Vec<Bytes>>,
}

impl UploadForms {
    /// Prepares the forms for a size and a filter, once.
    pub(crate) fn prepare(&mut self, size: PictureSize, filter: &str) {
        self.forms.entry((size, filter.to_owned())).or_insert_with(|| {
            (0..PICTURES_PER_SIZE).map(|seed| form(&paint_jpeg(seed, size), filter)).collect()
        });
    }

    /// The form for an upload; `bits` choose the picture. Cloning shares the bytes.
    pub(crate) fn get(&self, size: PictureSize, filter: &str, bits: u64) -> Option<Bytes> {
        let forms = self.forms.get(&(size, filter.to_owned()))?;
        forms.get((bits % PICTURES_PER_SIZE) as usize).cloned()
    }
}

/// A JPEG of the given size; the same seed gives the same bytes.
pub fn paint_jpeg(seed: u64, size: PictureSize) -> Vec<u8> {
    let (width, height) = size.pixels();
    let pixels = paint(seed, usize::from(width), usize::from(height));
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY)
        .encode(&pixels, width, height, ColorType::Rgb)
        .expect("the dimensions fit the pixels and memory takes any length");
    jpeg
}

/// RGB rows: a sky that fades, three ridges of summed sines, darker towards the viewer, and grain.
fn paint(seed: u64, width: usize, height: usize) -> Vec<u8> {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let sky: [f64; 3] = std::array::from_fn(|_| random.random_range(120.0..220.0));
    let land: [f64; 3] = std::array::from_fn(|_| random.random_range(40.0..150.0));
    let ridges: [[(f64, f64); 5]; 3] = std::array::from_fn(|_| {
        std::array::from_fn(|octave| {
            let frequency = f64::from(1_u32 << octave) * random.random_range(2.0..4.0);
            (frequency, random.random_range(0.0..std::f64::consts::TAU))
        })
    });
    let heights = ridge_heights(&ridges, width);
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let down = y as f64 / height as f64;
        for x in 0..width {
            let ridge = heights.iter().rposition(|begins| down > begins[x]);
            // Eight bits of grain per channel, of an amplitude like a good sensor's.
            let grain = random.next_u32().to_le_bytes();
            for channel in 0..3 {
                let colour = match ridge {
                    None => sky[channel] * (0.75 + 0.4 * down),
                    Some(ridge) => land[channel] * (1.0 - 0.25 * ridge as f64) * (1.3 - 0.6 * down),
                };
                pixels.push((colour + f64::from(grain[channel]) / 24.0).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}

/// For each ridge the share of the height at which it begins, by column.
fn ridge_heights(ridges: &[[(f64, f64); 5]; 3], width: usize) -> [Vec<f64>; 3] {
    std::array::from_fn(|ridge| {
        let line = (0..width).map(|x| {
            let across = x as f64 / width as f64;
            let waves = ridges[ridge].iter().enumerate().map(|(octave, (frequency, phase))| {
                (across * frequency + phase).sin() / f64::from(1_u32 << octave)
            });
            0.45 + 0.17 * ridge as f64 + 0.06 * waves.sum::<f64>()
        });
        line.collect()
    })
}

/// The content type of the forms.
pub(crate) fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// A `multipart/form-data` body with the fields of the app's upload page.
fn form(jpeg: &[u8], filter: &str) -> Bytes {
    let mut body = Vec::with_capacity(jpeg.len() + 1_024);
    let fields = [
        ("caption", "Ridges in the evening"),
        ("alt", "Three ridges under a wide sky"),
        ("filter", filter),
        ("strength", "80"),
    ];
    for (name, value) in fields {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"ridges.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(jpeg);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Bytes::from(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_repeat_from_their_seed_and_are_not_flat() {
        let (one, again, other) = (
            paint_jpeg(1, PictureSize::Small),
            paint_jpeg(1, PictureSize::Small),
            paint_jpeg(2, PictureSize::Small),
        );
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert!(one.starts_with(&[0xff, 0xd8]) && one.ends_with(&[0xff, 0xd9]));
        // Photographs at this quality take one to three bits per pixel; a flat surface less than a tenth.
        let bits_per_pixel = one.len() as f64 * 8.0 / (640.0 * 480.0);
        assert!((0.8..4.0).contains(&bits_per_pixel), "{bits_per_pixel} bits per pixel");
    }

    #[test]
    fn a_form_carries_every_field() {
        let mut forms = UploadForms::default();
        forms.prepare(PictureSize::Tiny, "sepia");
        let form = forms.get(PictureSize::Tiny, "sepia", 5).expect("it was prepared");
        let text = String::from_utf8_lossy(&form);
        for part in
            ["name=\"picture\"", "name=\"filter\"\r\n\r\nsepia", "name=\"strength\"", "--\r\n"]
        {
            assert!(text.contains(part), "{part}");
        }
        assert_eq!(forms.get(PictureSize::Medium, "sepia", 0), None);
    }
}
