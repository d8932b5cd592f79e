//! JPEGs as strangers' cameras, scanners and messengers leave them: something more or less than the format asks for, and not a pixel missing. Each must
//! become what the orderly file becomes, whichever way it is read.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use photo_app::imaging::{ImagingError, Rendition, render};
use photo_app::model::PictureFormat;

use crate::{plain, test_card};

const SIZE: (u32, u32) = (90, 70);

fn written(kind: ColorType, configure: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let card = test_card(SIZE.0, SIZE.1);
    let pixels: Vec<u8> = match kind {
        ColorType::Luma => card.pixels().map(|pixel| pixel.0[1]).collect(),
        ColorType::Rgb => card.as_raw().clone(),
        _ => card.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 30]).collect(),
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    configure(&mut encoder);
    encoder.encode(&pixels, SIZE.0 as u16, SIZE.1 as u16, kind).expect("written");
    bytes
}

/// A file for each way of reading: streamed with and without restart markers, grey, progressive, inks, several scans.
fn orderly() -> Vec<(&'static str, Vec<u8>)> {
    let halved = |encoder: &mut Encoder<&mut Vec<u8>>| {
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
    };
    vec![
        ("baseline", written(ColorType::Rgb, halved)),
        ("restarts", written(ColorType::Rgb, |encoder| encoder.set_restart_interval(4))),
        ("grey", written(ColorType::Luma, |_| {})),
        ("progressive", written(ColorType::Rgb, |encoder| encoder.set_progressive(true))),
        ("inks", written(ColorType::Cmyk, |_| {})),
        (
            "progressive inks",
            written(ColorType::CmykAsYcck, |encoder| encoder.set_progressive(true)),
        ),
        (
            "several scans",
            written(ColorType::Rgb, |encoder| encoder.set_optimized_huffman_tables(true)),
        ),
    ]
}

fn made(name: &str, bytes: &[u8]) -> Vec<Rendition> {
    render(&plain(bytes, &[30, 90])).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Where each segment before the first scan's data begins and ends, with its marker.
fn segments(bytes: &[u8]) -> Vec<(u8, usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 2);
    loop {
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        found.push((bytes[at + 1], at, at + 2 + length));
        at += 2 + length;
        if found.last().is_some_and(|(marker, _, _)| *marker == 0xDA) {
            return found;
        }
    }
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

#[test]
fn what_follows_the_last_pixel_is_not_looked_at() {
    for (name, bytes) in orderly() {
        let wanted = made(name, &bytes);
        let pixels = &bytes[..bytes.len() - 2];
        assert_eq!(&bytes[bytes.len() - 2..], [0xFF, 0xD9]);
        let comment = segment(0xFE, b"a scanner's word");
        let camera = segment(0xE4, &[7; 40]);
        let again = segments(&bytes).into_iter().find(|(marker, _, _)| *marker == 0xC4);
        let table = again.map(|(_, from, to)| bytes[from..to].to_vec()).expect("a table");
        let end = [0xFF, 0xD9];
        for (what, rest) in [
            ("no end", Vec::new()),
            ("half an end", vec![0xFF]),
            ("no end, then a comment", comment.clone()),
            ("a comment", [&comment[..], &end].concat()),
            ("a camera's segment", [&camera[..], &end].concat()),
            ("a table", [&table[..], &end].concat()),
            ("a restart marker", [&[0xFF, 0xD0][..], &end].concat()),
            ("another restart marker", [&[0xFF, 0xD5][..], &end].concat()),
            ("many restart markers", [&[0xFF, 0xD3].repeat(9)[..], &end].concat()),
            ("zeros", [&[0; 300][..], &end].concat()),
            (
                "a scan of nothing",
                [&segment(0xDA, &[3, 1, 0, 2, 17, 3, 17, 0, 63, 0])[..], &end].concat(),
            ),
            ("an end and junk", [&end[..], &[0x55; 300]].concat()),
        ] {
            let strange = [pixels, &rest].concat();
            assert!(made(&format!("{name}, {what}"), &strange) == wanted, "{name}, {what}");
        }
    }
}

#[test]
fn what_stands_between_segments_is_passed_over() {
    for (name, bytes) in orderly() {
        let wanted = made(name, &bytes);
        // A file that does not begin with a segment is taken for no JPEG anywhere.
        for (marker, from, _) in segments(&bytes).into_iter().skip(1) {
            for junk in [&[0_u8, 0, 0][..], b"junk", &[0xFF, 0xFF], &[0xFF, 0x00, 0x12]] {
                let strange = [&bytes[..from], junk, &bytes[from..]].concat();
                let what = format!("{name}, {junk:?} before {marker:02X}");
                assert!(made(&what, &strange) == wanted, "{what}");
            }
            // A number of lines told in advance, and a segment that is for others.
            for (marker, body) in
                [(0xDC, &[0, 70][..]), (0xEE, b"Adobe\0\x64"), (0xED, b"Photoshop")]
            {
                let strange = [&bytes[..from], &segment(marker, body), &bytes[from..]].concat();
                let what = format!("{name}, {marker:02X}");
                assert!(made(&what, &strange) == wanted, "{what}");
            }
        }
    }
}

#[test]
fn components_of_one_number_are_those_of_their_places() {
    for (name, bytes) in orderly() {
        let wanted = made(name, &bytes);
        let mut strange = bytes.clone();
        let all = segments(&bytes);
        let (_, frame, _) =
            *all.iter().find(|(marker, _, _)| (0xC0..=0xC2).contains(marker)).expect("a frame");
        let (_, scan, _) = *all.last().expect("a scan");
        let count = usize::from(strange[frame + 9]);
        if usize::from(strange[scan + 4]) != count || name.starts_with("progressive") {
            // Scans that name one component each say which one they mean.
            continue;
        }
        for component in 0..count {
            strange[frame + 10 + 3 * component] = 1;
            strange[scan + 5 + 2 * component] = 1;
        }
        assert!(made(name, &strange) == wanted, "{name}");
    }
}

#[test]
fn rows_beyond_the_height_are_left_out() {
    for (name, bytes) in orderly() {
        let mut strange = bytes.clone();
        let all = segments(&bytes);
        let (_, frame, _) =
            *all.iter().find(|(marker, _, _)| (0xC0..=0xC2).contains(marker)).expect("a frame");
        if name.contains("progressive") || name == "several scans" {
            // Their scans begin at places that the height decides.
            continue;
        }
        strange[frame + 5..frame + 7].copy_from_slice(&[0, 48]);
        let cut = made(name, &strange);
        assert_eq!((cut[1].width, cut[1].height), (90, 48), "{name}");
    }
}

/// Short of pixels, whatever way it is read: told so, in words that help.
#[test]
fn a_photo_without_its_last_pixels_is_incomplete() {
    for (name, bytes) in orderly() {
        let incomplete = ImagingError::Incomplete { format: PictureFormat::Jpeg };
        for cut in [3, 6, bytes.len() / 3] {
            let cut_off = &bytes[..bytes.len() - cut];
            assert_eq!(render(&plain(cut_off, &[30])), Err(incomplete.clone()), "{name}, {cut}");
            let ended = [cut_off, &[0xFF, 0xD9]].concat();
            // A progressive picture that lacks whole scans but has its end is a coarse picture.
            let made = render(&plain(&ended, &[30]));
            assert!(
                made == Err(incomplete.clone()) || name.starts_with("progressive"),
                "{name}, {cut}"
            );
        }
    }
    assert!(
        ImagingError::Incomplete { format: PictureFormat::Jpeg }
            .to_string()
            .contains("copied or downloaded")
    );
}

/// Headers with an end and nothing between them: nothing was cut off.
#[test]
fn a_file_of_headers_alone_has_no_pixels() {
    for (name, bytes) in orderly() {
        let (_, scan, _) = *segments(&bytes).last().expect("a scan");
        let headers = [&bytes[..scan], &[0xFF, 0xD9]].concat();
        let error = render(&plain(&headers, &[30])).expect_err("nothing to be seen");
        let words = error.to_string();
        assert!(words.contains("it has no pixels"), "{name}: {words}");
    }
}
