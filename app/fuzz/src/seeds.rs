//! The files that fuzzing begins with: small pictures of every kind that `imaging` tells apart, written by other people's encoders, and
//! some that lie or end early. Made anew each time (`examples/seeds.rs`), so that the repository holds no binaries of them.

use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use moxcms::ColorProfile;

/// A file and what to call it.
pub type Seed = (String, Vec<u8>);

/// Sides that fill no block and no MCU.
const SIZE: (u32, u32) = (61, 45);

/// The first files of this target (see `targets`).
pub fn corpus(target: &str) -> Vec<Seed> {
    let mut seeds = pictures();
    match target {
        "exif" => {
            // What pictures carry, without them.
            seeds.extend(orientations());
            seeds.extend(profiles().map(|(name, icc)| (format!("{name}.icc"), icc)));
        }
        "pipeline" => {
            // A look, its strength, both files and the mark, widths that shrink and that do not.
            let requests: [[u8; 7]; 3] =
                [[3, 100, 3, 0, 32, 4, 0], [7, 50, 1, 0, 1, 0, 9], [0, 0, 2, 0, 200, 0, 60]];
            for (index, (_, bytes)) in seeds.iter_mut().enumerate() {
                bytes.splice(..0, requests[index % requests.len()]);
            }
        }
        "jpeg_scaled" => seeds.retain(|(name, _)| name.ends_with(".jpg")),
        _ => {}
    }
    seeds
}

/// Every kind of picture.
pub fn pictures() -> Vec<Seed> {
    let mut seeds = jpegs();
    seeds.extend(pngs());
    seeds.extend(webps());
    let whole = seeds.clone();
    for (name, bytes) in whole.iter().step_by(5) {
        let (stem, kind) = name.split_once('.').expect("a name with an ending");
        seeds.push((format!("{stem}-cut.{kind}"), bytes[..bytes.len() * 2 / 3].to_vec()));
    }
    seeds.extend(liars());
    seeds
}

/// Gradients, squares and noise, `channels` bytes a pixel.
fn texture((width, height): (u32, u32), channels: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut bytes = Vec::new();
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let levels = [x * 4, y * 5, (x / 8 + y / 8) % 2 * 200, state >> 24];
        bytes.extend(levels.iter().cycle().take(channels).map(|level| *level as u8));
    }
    bytes
}

fn jpeg(
    size: (u32, u32),
    kind: ColorType,
    configure: impl Fn(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let channels = match kind {
        ColorType::Luma => 1,
        ColorType::Cmyk | ColorType::CmykAsYcck => 4,
        _ => 3,
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 60);
    configure(&mut encoder);
    let (width, height) = (size.0 as u16, size.1 as u16);
    encoder.encode(&texture(size, channels), width, height, kind).expect("a small picture");
    bytes
}

fn jpegs() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let samplings = [
        ("444", SamplingFactor::F_1_1),
        ("422", SamplingFactor::F_2_1),
        ("440", SamplingFactor::F_1_2),
        ("420", SamplingFactor::F_2_2),
        ("411", SamplingFactor::F_4_1),
        ("441", SamplingFactor::F_1_4),
        ("410", SamplingFactor::F_4_2),
    ];
    for (name, sampling) in samplings {
        // The encoder gives each component of these a scan of its own.
        let baseline = if name.ends_with('1') || name == "410" { "rare" } else { "baseline" };
        for (process, progressive, restart) in
            [(baseline, false, 0), (baseline, false, 2), ("progressive", true, 0)]
        {
            let made = jpeg(SIZE, ColorType::Rgb, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(progressive);
                encoder.set_restart_interval(restart);
            });
            seeds.push((format!("{process}-{restart}-{name}.jpg"), made));
        }
    }
    let kinds =
        [("grey", ColorType::Luma), ("cmyk", ColorType::Cmyk), ("ycck", ColorType::CmykAsYcck)];
    for (name, kind) in kinds {
        for progressive in [false, true] {
            let made = jpeg(SIZE, kind, |encoder| {
                encoder.set_sampling_factor(SamplingFactor::F_1_1);
                encoder.set_progressive(progressive);
            });
            let process = if progressive { "progressive" } else { "baseline" };
            seeds.push((format!("{process}-{name}.jpg"), made));
        }
    }
    // Colours at half size beside a whole K, which nobody else writes.
    seeds.push(("rare-cmyk.jpg".to_owned(), jpeg(SIZE, ColorType::Cmyk, |_| {})));
    seeds.push(("baseline-ycck-420.jpg".to_owned(), jpeg(SIZE, ColorType::CmykAsYcck, |_| {})));
    for size in [(1, 1), (3, 200), (200, 3), (16, 16)] {
        let name = format!("{}x{}.jpg", size.0, size.1);
        seeds.push((name, jpeg(size, ColorType::Rgb, |_| {})));
    }
    // With tables of its own the encoder gives each component a scan of its own, too.
    for (name, sampling) in
        [("optimised.jpg", SamplingFactor::F_1_1), ("rare-optimised.jpg", SamplingFactor::F_2_2)]
    {
        let made = jpeg(SIZE, ColorType::Rgb, |encoder| {
            encoder.set_optimized_huffman_tables(true);
            encoder.set_sampling_factor(sampling);
        });
        seeds.push((name.to_owned(), made));
    }
    for (name, block) in orientations() {
        let tagged = jpeg((24, 16), ColorType::Rgb, |encoder| {
            encoder.add_exif_metadata(&block).expect("a short block");
        });
        seeds.push((format!("{name}.jpg"), tagged));
    }
    for (name, icc) in profiles() {
        let profiled = jpeg((24, 16), ColorType::Rgb, |encoder| {
            encoder.add_icc_profile(&icc).expect("a short profile");
        });
        seeds.push((format!("{name}.jpg"), profiled));
    }
    let grey = jpeg((24, 16), ColorType::Luma, |encoder| {
        encoder.add_icc_profile(&profile_of_grey(&[0, 90, 255])).expect("a short profile");
    });
    seeds.push(("profile-grey-table.jpg".to_owned(), grey));
    for (name, kind) in [("cmyk", ColorType::Cmyk), ("ycck", ColorType::CmykAsYcck)] {
        let profiled = jpeg((24, 16), kind, |encoder| {
            encoder.set_sampling_factor(SamplingFactor::F_1_1);
            encoder.add_icc_profile(&profile_of_inks()).expect("a short profile");
        });
        seeds.push((format!("profile-inks-{name}.jpg"), profiled));
    }
    seeds
}

/// TIFF blocks with nothing but the orientation, in both orders of bytes.
fn orientations() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for tag in 1..=8 {
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
        let ends: [(&str, &[u8], &[u8]); 2] = [
            ("big", big, &[tag, 0, 0, 0, 0, 0, 0]),
            ("little", little, &[tag, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (end, head, tail) in ends {
            seeds.push((format!("orientation-{tag}-{end}"), [head, tail].concat()));
        }
    }
    seeds
}

fn profiles() -> impl Iterator<Item = Seed> {
    let profiles = [
        ("srgb", ColorProfile::new_srgb()),
        ("p3", ColorProfile::new_display_p3()),
        ("adobe", ColorProfile::new_adobe_rgb()),
        ("grey-gamma", ColorProfile::new_gray_with_gamma(1.8)),
    ];
    profiles.into_iter().map(|(name, profile)| {
        (format!("profile-{name}"), profile.encode().expect("a built-in profile can be written"))
    })
}

/// An ICC profile (version 2) whose cyan is a middle grey, whose black is black and whose paper is white, by a table of two steps for each ink.
pub fn profile_of_inks() -> Vec<u8> {
    // The last ink changes fastest.
    let lightness = (0..16).map(|inks| match (inks & 1, inks & 8) {
        (1, _) => 0,
        (_, 8) => 128,
        _ => 255,
    });
    profile_of_table(b"CMYK", 4, 2, lightness)
}

/// An ICC profile (version 2) of grey by a table over Lab, of as many steps as there are lightnesses.
pub fn profile_of_grey(lightness: &[u8]) -> Vec<u8> {
    profile_of_table(b"GRAY", 1, lightness.len() as u8, lightness.iter().copied())
}

/// By a table over Lab of so many channels and steps, with these lightnesses and no colour.
fn profile_of_table(
    space: &[u8; 4],
    channels: u8,
    steps: u8,
    lightness: impl Iterator<Item = u8>,
) -> Vec<u8> {
    let identity: Vec<u8> = (0..=255).collect();
    let mut table = b"mft1\0\0\0\0".to_vec();
    table.extend([channels, 3, steps, 0]);
    for at in 0..9 {
        let one = if at % 4 == 0 { 0x0001_0000_u32 } else { 0 };
        table.extend(one.to_be_bytes());
    }
    table.extend(identity.repeat(channels.into()));
    // Lab as bytes.
    table.extend(lightness.flat_map(|lightness| [lightness, 128, 128]));
    table.extend(identity.repeat(3));
    let white = [0xF6D6_u32, 0x1_0000, 0xD32D].map(u32::to_be_bytes).concat();
    let white = [b"XYZ \0\0\0\0".to_vec(), white].concat();
    let mut profile = vec![0; 128];
    profile[8] = 2;
    profile[12..16].copy_from_slice(b"prtr");
    profile[16..20].copy_from_slice(space);
    profile[20..24].copy_from_slice(b"Lab ");
    profile[36..40].copy_from_slice(b"acsp");
    profile[68..80].copy_from_slice(&white[8..]);
    profile.extend(2_u32.to_be_bytes());
    let mut at = 128 + 4 + 2 * 12;
    for (name, body) in [(b"A2B0", &table), (b"wtpt", &white)] {
        profile.extend(name);
        profile.extend((at as u32).to_be_bytes());
        profile.extend((body.len() as u32).to_be_bytes());
        at += body.len();
    }
    profile.extend(table);
    profile.extend(white);
    let length = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&length);
    profile
}

fn pngs() -> Vec<Seed> {
    use ExtendedColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgba8, Rgba16};
    let kinds = [
        ("grey-8", L8, 1),
        ("grey-16", L16, 2),
        ("grey-alpha-8", La8, 2),
        ("grey-alpha-16", La16, 4),
        ("rgb-8", Rgb8, 3),
        ("rgb-16", Rgb16, 6),
        ("rgba-8", Rgba8, 4),
        ("rgba-16", Rgba16, 8),
    ];
    let mut seeds = Vec::new();
    for (name, kind, bytes) in kinds {
        let mut png = Vec::new();
        let encoder = PngEncoder::new(&mut png);
        encoder.write_image(&texture((21, 13), bytes), 21, 13, kind).expect("a small picture");
        seeds.push((format!("{name}.png"), png));
    }
    for bits in [1, 2, 4, 8] {
        seeds.push((format!("palette-{bits}.png"), palette(bits, false)));
    }
    seeds.push(("interlaced.png".to_owned(), palette(8, true)));
    seeds.extend(described_pngs());
    // The last is what a bomb looks like: a megabyte of zeros in a kilobyte.
    let bomb = ("profile-bomb".to_owned(), vec![0; 1 << 20]);
    for (name, icc) in profiles().chain([bomb]) {
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_icc_profile(icc).expect("PNG holds profiles");
        encoder.write_image(&texture((9, 7), 3), 9, 7, Rgb8).expect("a small picture");
        seeds.push((format!("{name}.png"), png));
    }
    for (name, block) in orientations().into_iter().step_by(5) {
        let mut png = Vec::new();
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(block).expect("PNG holds EXIF");
        encoder.write_image(&texture((9, 7), 3), 9, 7, Rgb8).expect("a small picture");
        seeds.push((format!("{name}.png"), png));
    }
    seeds
}

/// A PNG with a palette and a transparent colour, which the image crate does not write: 8 x 6 pixels, stored without compression.
/// Interlaced it is a single pixel, the one of the first pass.
fn palette(bits: u8, interlaced: bool) -> Vec<u8> {
    let (width, height) = if interlaced { (1_u32, 1_u32) } else { (8, 6) };
    let row_bytes = (width as usize * usize::from(bits)).div_ceil(8);
    // Each row begins with its filter: none.
    let row =
        |y: u32| std::iter::once(0).chain((0..row_bytes).map(move |x| ((x as u32 * 37) ^ y) as u8));
    let raw: Vec<u8> = (0..height).flat_map(row).collect();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([bits, 3, 0, 0, u8::from(interlaced)]);
    png_of(&[
        (b"IHDR", &header),
        (b"PLTE", &texture((1 << bits, 1), 3)),
        (b"tRNS", &[0]),
        (b"IDAT", &stored(&raw)),
        (b"IEND", &[]),
    ])
}

/// zlib: stored blocks, then Adler-32.
pub fn stored(raw: &[u8]) -> Vec<u8> {
    let mut data = vec![0x78, 0x01];
    let mut blocks = raw.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        data.push(u8::from(blocks.peek().is_none()));
        data.extend(length.to_le_bytes().into_iter().chain((!length).to_le_bytes()));
        data.extend(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in raw {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    data.extend((high << 16 | low).to_be_bytes());
    data
}

/// A PNG of these chunks.
pub fn png_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, contents) in chunks {
        chunk(&mut png, name, contents);
    }
    png
}

/// The still picture of 8 x 6 pixels with these chunks between its header and its pixels.
fn with_chunks(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let rows = texture((8, 6), 3).chunks(24).map(|row| [&[0], row].concat()).collect::<Vec<_>>();
    let data = stored(&rows.concat());
    let header = [&8_u32.to_be_bytes()[..], &6_u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut all: Vec<(&[u8; 4], &[u8])> = vec![(b"IHDR", &header)];
    all.extend(chunks);
    all.extend([(b"IDAT", &data[..]), (b"IEND", &[])]);
    png_of(&all)
}

/// Colours that are described without a profile, and an animation.
fn described_pngs() -> Vec<Seed> {
    let power = 100_000_u32.to_be_bytes();
    let primaries = [31_270_u32, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000];
    let primaries = primaries.map(u32::to_be_bytes).concat();
    let frames = [3_u32.to_be_bytes(), [0; 4]].concat();
    [
        ("power.png", with_chunks(&[(b"gAMA", &power)])),
        ("primaries.png", with_chunks(&[(b"gAMA", &power), (b"cHRM", &primaries)])),
        ("points-p3.png", with_chunks(&[(b"cICP", &[12, 13, 0, 1])])),
        ("points-pq.png", with_chunks(&[(b"cICP", &[9, 16, 0, 1])])),
        ("points-hlg.png", with_chunks(&[(b"cICP", &[9, 18, 0, 1])])),
        ("animated.png", with_chunks(&[(b"acTL", &frames)])),
    ]
    .map(|(name, png)| (name.to_owned(), png))
    .to_vec()
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], contents: &[u8]) {
    png.extend((contents.len() as u32).to_be_bytes());
    let begun = png.len();
    png.extend(kind.iter().chain(contents));
    let sum = crc32fast::hash(&png[begun..]);
    png.extend(sum.to_be_bytes());
}

fn webps() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, channels) in [("opaque", 3), ("alpha", 4)] {
        let pixels = texture(SIZE, channels);
        let layout = match channels {
            3 => webp::PixelLayout::Rgb,
            _ => webp::PixelLayout::Rgba,
        };
        let encoder = webp::Encoder::new(&pixels, layout, SIZE.0, SIZE.1);
        seeds.push((format!("lossy-{name}.webp"), encoder.encode(50.0).to_vec()));
        seeds.push((format!("lossless-{name}.webp"), encoder.encode_lossless().to_vec()));
    }
    let one = webp::Encoder::new(&[9, 99, 199], webp::PixelLayout::Rgb, 1, 1);
    seeds.push(("1x1.webp".to_owned(), one.encode(50.0).to_vec()));
    seeds.push(("animated.webp".to_owned(), animation()));
    for (index, (name, icc)) in profiles().enumerate() {
        let mut bytes = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut bytes);
        encoder.set_icc_profile(icc).expect("WebP holds profiles");
        let (_, block) = orientations().swap_remove(index * 3);
        encoder.set_exif_metadata(block).expect("WebP holds EXIF");
        let written = encoder.write_image(&texture((9, 7), 3), 9, 7, ExtendedColorType::Rgb8);
        written.expect("a small picture");
        seeds.push((format!("{name}.webp"), bytes));
    }
    seeds
}

/// A WebP of these chunks.
pub fn webp_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    for (name, contents) in chunks {
        file.extend(*name);
        file.extend((contents.len() as u32).to_le_bytes());
        file.extend(*contents);
        file.extend(&[0][..contents.len() % 2]);
    }
    let length = (file.len() as u32 - 8).to_le_bytes();
    file[4..8].copy_from_slice(&length);
    file
}

/// The contents of an extended header: flags and canvas.
pub fn webp_header(flags: u8, (width, height): (u32, u32)) -> Vec<u8> {
    let sides = [width - 1, height - 1].map(|side| side.to_le_bytes()[..3].to_vec()).concat();
    [vec![flags, 0, 0, 0], sides].concat()
}

/// The contents of a frame of an animation: where it lies, its sides, and the chunks of a whole WebP.
pub fn webp_frame(at: (u32, u32), size: (u32, u32), file: &[u8]) -> Vec<u8> {
    let numbers = [at.0 / 2, at.1 / 2, size.0 - 1, size.1 - 1, 100];
    let head = numbers.map(|number| number.to_le_bytes()[..3].to_vec()).concat();
    let extended = if &file[12..16] == b"VP8X" { 18 } else { 0 };
    [&head[..], &[0], &file[12 + extended..]].concat()
}

/// Two frames, of which the first fills a part of the canvas.
fn animation() -> Vec<u8> {
    let pixels = texture((8, 6), 4);
    let file = webp::Encoder::new(&pixels, webp::PixelLayout::Rgba, 8, 6).encode(50.0).to_vec();
    let [first, second] = [(2, 4), (0, 0)].map(|at| webp_frame(at, (8, 6), &file));
    let header = webp_header(0x12, (16, 12));
    webp_of(&[(b"VP8X", &header), (b"ANIM", &[0; 6]), (b"ANMF", &first), (b"ANMF", &second)])
}

/// Files whose headers claim more than there is, and one with more scans than anybody needs.
fn liars() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let jpeg = jpeg((16, 16), ColorType::Rgb, |_| {});
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame header");
    for (name, size) in [("huge", [0xFF; 4]), ("allowed", [1, 244, 1, 244]), ("none", [0; 4])] {
        let mut lying = jpeg.clone();
        lying[frame + 5..frame + 9].copy_from_slice(&size);
        seeds.push((format!("claims-{name}.jpg"), lying));
    }
    for (name, size) in [("huge", [0x7F, 0xFF, 0xFF, 0xFF]), ("allowed", [0, 0, 1, 244])] {
        let mut header = [size, size].concat();
        header.extend([16, 6, 0, 0, 0]);
        let data = [0x78, 0x01, 0x03, 0, 0, 0, 0, 1];
        let png = png_of(&[(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &[])]);
        seeds.push((format!("claims-{name}.png"), png));
    }
    let mut webp = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
    webp.extend([0xFF; 6]);
    seeds.push(("claims-huge.webp".to_owned(), webp));
    seeds.push(("scans.jpg".to_owned(), many_scans()));
    seeds
}

/// A progressive JPEG whose last scan stands there a hundred times.
fn many_scans() -> Vec<u8> {
    let whole = jpeg((16, 16), ColorType::Rgb, |encoder| encoder.set_progressive(true));
    let starts: Vec<usize> =
        (0..whole.len() - 1).filter(|at| whole[*at..*at + 2] == [0xFF, 0xDA]).collect();
    // The first one over and over: behind the last one nothing would be looked at.
    let [first, second, ..] = starts[..] else { panic!("it has scans") };
    let mut bytes = whole[..first].to_vec();
    for _ in 0..100 {
        bytes.extend(&whole[first..second]);
    }
    bytes.extend(&whole[second..whole.len() - 2]);
    bytes.extend([0xFF, 0xD9]);
    bytes
}
