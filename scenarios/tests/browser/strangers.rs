//! Pictures of which a browser shows something else than is saved: animations, and pictures that are turned by metadata that it does not ask.
//!
//! Put together from what the image crate writes; what each becomes is decided in docs/decisions/what-a-picture-shows.md.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::site::hues;

/// Name, whether the page says that only the first picture is kept, and the file.
pub fn all() -> Vec<(&'static str, bool, Vec<u8>)> {
    vec![
        ("turned.webp", false, turned_webp()),
        ("animated.webp", true, animated_webp()),
        ("one-frame.webp", false, one_frame_webp()),
        ("only-says-so.webp", false, webp(0x02, (640, 480), &[bits(&hues(640, 480))])),
        ("animated.png", true, animated_png()),
        ("default-image-apart.png", false, apart_png()),
        ("turned-behind.png", false, turned_png()),
    ]
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgb8(picture.clone());
    picture.write_to(&mut bytes, format).expect("a picture can be written");
    bytes.into_inner()
}

/// A quarter turn.
fn exif() -> Vec<u8> {
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec()
}

/// What nobody should see.
fn red(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([230, 20, 20]))
}

type Chunk = (&'static [u8; 4], Vec<u8>);

/// The bit stream of a picture without loss.
fn bits(picture: &RgbImage) -> Chunk {
    (b"VP8L", encoded(picture, ImageFormat::WebP)[20..].to_vec())
}

fn riff(chunks: &[Chunk]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, contents) in chunks {
        bytes.extend(*name);
        bytes.extend((contents.len() as u32).to_le_bytes());
        bytes.extend(contents);
        bytes.extend(&[0][..contents.len() % 2]);
    }
    bytes
}

fn three(number: u32) -> Vec<u8> {
    number.to_le_bytes()[..3].to_vec()
}

fn webp(flags: u8, (width, height): (u32, u32), chunks: &[Chunk]) -> Vec<u8> {
    let header = [vec![flags, 0, 0, 0], three(width - 1), three(height - 1)].concat();
    let contents = [b"WEBP".to_vec(), riff(&[(b"VP8X", header)]), riff(chunks)].concat();
    [b"RIFF".to_vec(), (contents.len() as u32).to_le_bytes().to_vec(), contents].concat()
}

/// A frame of an animation: the picture, and where it lies.
fn frame(picture: &RgbImage, x: u32, y: u32) -> Chunk {
    let numbers = [x / 2, y / 2, picture.width() - 1, picture.height() - 1, 40];
    let head = numbers.map(three).concat();
    (b"ANMF", [head, vec![0], riff(&[bits(picture)])].concat())
}

fn turned_webp() -> Vec<u8> {
    webp(0x08, (480, 640), &[bits(&hues(480, 640)), (b"EXIF", exif())])
}

/// The first frame fills a part of the canvas.
fn animated_webp() -> Vec<u8> {
    let control = (b"ANIM", vec![0; 6]);
    let frames = [frame(&hues(320, 240), 160, 120), frame(&red(640, 480), 0, 0)];
    webp(0x02, (640, 480), &[&[control], &frames[..]].concat())
}

fn one_frame_webp() -> Vec<u8> {
    let control = (b"ANIM", vec![0; 6]);
    webp(0x02, (640, 480), &[control, frame(&hues(640, 480), 0, 0)])
}

fn png_chunk((name, contents): &Chunk) -> Vec<u8> {
    let length = (contents.len() as u32).to_be_bytes();
    let named = [&name[..], contents].concat();
    [&length[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
}

/// The pixels of a PNG, from all of its chunks of them.
fn pixels(picture: &RgbImage) -> Vec<u8> {
    let png = encoded(picture, ImageFormat::Png);
    let (mut rest, mut pixels) = (&png[8..], Vec::new());
    while let Some((length, named)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if named.starts_with(b"IDAT") {
            pixels.extend(&named[4..4 + length]);
        }
        rest = &named[4 + length + 4..];
    }
    pixels
}

fn png(chunks: &[Chunk]) -> Vec<u8> {
    let sides = [640_u32, 480].map(u32::to_be_bytes).concat();
    let header = (b"IHDR", [&sides[..], &[8, 2, 0, 0, 0]].concat());
    let chunks = std::iter::once(&header).chain(chunks).map(png_chunk);
    let end = png_chunk(&(b"IEND", Vec::new()));
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.collect::<Vec<_>>().concat(), end].concat()
}

/// How many frames, and that they are played without end.
fn control(frames: u32) -> Chunk {
    (b"acTL", [frames.to_be_bytes(), [0; 4]].concat())
}

/// A frame of the whole size for a twenty-fifth of a second; they are counted together with their pixels.
fn frame_control(number: u32) -> Chunk {
    let numbers = [number, 640, 480, 0, 0].map(u32::to_be_bytes).concat();
    (b"fcTL", [&numbers[..], &[0, 1, 0, 25, 0, 0]].concat())
}

fn frame_pixels(number: u32, picture: &RgbImage) -> Chunk {
    (b"fdAT", [&number.to_be_bytes()[..], &pixels(picture)].concat())
}

fn animated_png() -> Vec<u8> {
    let still = (b"IDAT", pixels(&hues(640, 480)));
    let red = red(640, 480);
    png(&[control(2), frame_control(0), still, frame_control(1), frame_pixels(2, &red)])
}

/// The still picture is none of the frames: browsers never show it.
fn apart_png() -> Vec<u8> {
    let still = (b"IDAT", pixels(&hues(640, 480)));
    png(&[control(1), still, frame_control(0), frame_pixels(1, &red(640, 480))])
}

fn turned_png() -> Vec<u8> {
    png(&[(b"IDAT", pixels(&hues(640, 480))), (b"eXIf", exif())])
}
