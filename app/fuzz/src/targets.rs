//! The bodies of the fuzz targets: bytes of anybody's making go in, and what `imaging` promises about them is asserted.
//!
//! `fuzz_targets/` gives them libFuzzer's bytes, `app/tests/golden/fuzzing.rs` the seeds. No file does harm: no panic, no picture of
//! another size than the headers say, and never a pixel of what the memory held before.

use photo_app::imaging::buffers::Workbench;
use photo_app::imaging::jpeg::{self, Frame};
use photo_app::imaging::kernels::instruction_sets;
use photo_app::imaging::orient::Orientation;
use photo_app::imaging::planar::{Planar, Sampling};
use photo_app::imaging::profile::ToSrgb;
use photo_app::imaging::{
    Effort, ImagingError, Limits, Probe, RenderRequest, Rendition, RgbImage, Watermark,
    decode as decoding, filters, probe, render, resize,
};
use photo_app::model::{PictureFormat, RenditionFormats};

/// Small, so that the fuzzer tries many pictures and a limit on memory means something: a decoder may take 14 bytes for each.
pub const LIMITS: Limits =
    Limits { pixels_max: 250_000, streamed_pixels_max: 250_000, side_max: 3_000 };

/// A target: what it does with any bytes.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const ALL: [(&str, Target); 4] =
    [("decode", decode), ("exif", exif), ("pipeline", pipeline), ("jpeg_scaled", jpeg_scaled)];

/// Bytes to headers, to all pixels, and to as many as a rendition of some widths needs: a picture at every size or at none.
pub fn decode(bytes: &[u8]) {
    let Some(found) = accepted(bytes) else { return };
    let (width, height) = found.stored_size();
    let whole = decoding::decode(bytes, &found, &LIMITS);
    if let Ok(whole) = &whole {
        assert_eq!(whole.dimensions(), (width, height));
    }
    // Only a JPEG is decoded to less than its size.
    let widths = [1, width / 4, width / 2];
    let widths = if found.format == PictureFormat::Jpeg { &widths[..] } else { &widths[..1] };
    for wanted in widths {
        let [dark, light] = [0, 255].map(|before| {
            let mut bench = Workbench::default();
            bench.recycle(RgbImage::from_pixel(width, height, image::Rgb([before; 3])));
            let planes = |bytes| vec![before; bytes];
            bench.recycle_planar(Planar::new((width, height), Some(Sampling::HALVED), planes));
            decoding::decode_for(&mut bench, bytes, &found, &LIMITS, *wanted)
        });
        assert!(dark == light, "what the memory held before shows at a width of {wanted}");
        assert_eq!(dark.is_ok(), whole.is_ok(), "at a width of {wanted} it is judged otherwise");
        if let Ok(made) = dark {
            let mut sizes = (1..=8).map(|eighths| jpeg::scaled_size(width, height, eighths));
            assert!(sizes.any(|size| size == made.dimensions()));
            let (width, _) = made.dimensions();
            assert!(width >= *wanted, "{width} instead of {wanted}");
        }
    }
}

/// Metadata: as a whole file, as an EXIF block of a good one, and as its colour profile.
pub fn exif(bytes: &[u8]) {
    accepted(bytes);
    for format in [PictureFormat::Jpeg, PictureFormat::Png, PictureFormat::Webp] {
        convert(ToSrgb::embedded(bytes, format));
    }
    let block = &bytes[..bytes.len().min(SEGMENT_BYTES_MAX)];
    let orientation = Orientation::from_exif(block);
    let tagged = headers_with(0xE1, &[b"Exif\0\0", block].concat());
    let found = probe(&tagged, &LIMITS).expect("a wrong tag is no reason to refuse a picture");
    assert_eq!((found.orientation, found.stored_size()), (orientation, (3, 2)));
    let turned = orientation.apply(&mut Workbench::default(), RgbImage::new(3, 2));
    assert_eq!(turned.dimensions(), (found.width, found.height));
    let profiled = headers_with(0xE2, &[b"ICC_PROFILE\0\x01\x01", block].concat());
    convert(ToSrgb::embedded(&profiled, PictureFormat::Jpeg));
}

/// Bytes to renditions. The first ones say what is asked for: look, strength, mark and formats, two widths.
pub fn pipeline(bytes: &[u8]) {
    let Some(([look, strength, marks, widths @ ..], bytes)) = bytes.split_first_chunk::<7>() else {
        return;
    };
    let (one, other) = ([widths[0], widths[1]], [widths[2], widths[3]]);
    let widths = [u16::from_be_bytes(one), u16::from_be_bytes(other)].map(u32::from);
    let with_webp = marks & 2 != 0;
    let mark = [Watermark::None, Watermark::Corner, Watermark::Tiled];
    let request = RenderRequest {
        bytes,
        filter: &filters::ALL[usize::from(*look) % filters::ALL.len()],
        strength: *strength,
        watermark: mark[usize::from((marks >> 2) & 3) % mark.len()],
        widths: &widths,
        formats: if with_webp { RenditionFormats::JpegWebp } else { RenditionFormats::Jpeg },
        limits: LIMITS,
        effort: Effort { cores: usize::from((marks >> 4) & 1) + 1, cancelled: None },
    };
    match render(&request) {
        Ok(made) => {
            let found = accepted(bytes).expect("what was rendered was accepted");
            assert_eq!(made.len(), widths.len());
            for (rendition, wanted) in made.iter().zip(widths) {
                let size = resize::fit(found.width, found.height, wanted);
                assert_eq!((rendition.width, rendition.height), size);
                assert_eq!(rendition.webp.is_some(), with_webp);
                check_files(rendition);
            }
        }
        Err(ImagingError::Encoding { reason }) => panic!("not written: {reason}"),
        Err(ImagingError::UnknownFilter { name }) => panic!("{name} is of the table"),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// Both ways of reading a JPEG at every size, with every set of instructions and on memory of other contents: always the same.
pub fn jpeg_scaled(bytes: &[u8]) {
    let Some(frame) = Frame::read(bytes) else { return jpeg_scans(bytes) };
    if LIMITS.check(frame.width, frame.height).is_err() {
        return;
    }
    for eighths in 1..=8 {
        let mut first = None;
        for (index, (name, level)) in instruction_sets().into_iter().enumerate() {
            let before = if index % 2 == 0 { 0 } else { 255 };
            let decoded = jpeg::decode(&frame, eighths, level, |bytes| vec![before; bytes]);
            let decoded = decoded.map(|planar| {
                let mut pixels = vec![before; planar.luma.len() * 3];
                jpeg::to_rgb(&planar, level, &mut pixels);
                (planar, pixels)
            });
            let first = first.get_or_insert_with(|| decoded.clone());
            assert!(*first == decoded, "{name} differs at {eighths}/8");
        }
    }
}

/// The scans of a JPEG that is not streamed.
fn jpeg_scans(bytes: &[u8]) {
    if accepted(bytes).is_none_or(|found| found.format != PictureFormat::Jpeg) {
        return;
    }
    for eighths in 1..=8 {
        let mut first = None;
        for (index, (name, level)) in instruction_sets().into_iter().enumerate() {
            let before = if index % 2 == 0 { 0 } else { 255 };
            let read = jpeg::decode_scans(bytes, eighths, level, |bytes| vec![before; bytes]);
            let first = first.get_or_insert_with(|| read.clone());
            assert!(*first == read, "{name} differs at {eighths}/8");
        }
    }
}

/// The longest contents of a segment, less the longest prefix that [`exif`] puts before them.
const SEGMENT_BYTES_MAX: usize = 65_533 - 14;

/// What the headers say, if the file is accepted.
fn accepted(bytes: &[u8]) -> Option<Probe> {
    let found = probe(bytes, &LIMITS).ok()?;
    assert!(found.width > 0 && found.height > 0);
    LIMITS.check(found.width, found.height).expect("no more than the limits are accepted");
    Some(found)
}

/// The headers of a JPEG of 3 x 2 grey pixels, with this segment before them.
fn headers_with(marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len() as u16 + 2;
    let mut bytes = vec![0xFF, 0xD8, 0xFF, marker];
    bytes.extend(length.to_be_bytes());
    bytes.extend(contents);
    bytes.extend([0xFF, 0xC0, 0, 11, 8, 0, 2, 0, 3, 1, 1, 0x11, 0]);
    bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
    bytes
}

/// A usable profile converts every picture: corners of the colour cube, and levels between them.
fn convert(profile: Option<ToSrgb>) {
    let Some(to_srgb) = profile else { return };
    let mut picture = RgbImage::from_fn(16, 64, |x, y| {
        image::Rgb([x * 17, y % 16 * 17, y / 16 * 85].map(|level| level as u8))
    });
    to_srgb.apply(&mut picture).expect("a transform that was accepted takes every picture");
}

/// The files of a rendition are pictures of its size, upright and without metadata.
fn check_files(rendition: &Rendition) {
    let files = [Some(&rendition.jpeg), rendition.webp.as_ref()];
    for file in files.into_iter().flatten() {
        let found = accepted(file).expect("our own files are accepted");
        assert_eq!((found.width, found.height), (rendition.width, rendition.height));
        assert_eq!(found.orientation, Orientation::Upright);
        let read = decoding::decode(file, &found, &LIMITS).expect("our own files can be read");
        assert_eq!(read.dimensions(), (rendition.width, rendition.height));
        assert!(ToSrgb::embedded(file, found.format).is_none());
    }
}
