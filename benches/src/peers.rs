//! The imaging room's work as other Rust crates do it, by name, one thread each: for `benches/peers.rs` (criterion) and for
//! `bin/rounds`, which `make bench-peers` asks in turn with ours.
//!
//! Only what a crate offers is there, in its fastest form that one can call as it is, on buffers made before where it lets one. What
//! differs from our work is said beside it. Rust peers are few because most crates leave pixels to `image`.

use std::hint::black_box;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType as Curve, ResizeAlg, ResizeOptions, Resizer};
use image::imageops::{self, FilterType, colorops};
use image::{Rgb, RgbImage};
use imageproc::filter as convolve;
use imageproc::kernel::Kernel;
use imageproc::map::{map_pixels_mut, map_subpixels_mut};
use libblur::{
    AnisotropicRadius, BlurImage, BlurImageMut, BoxBlurParameters, ConvolutionMode, EdgeMode,
    EdgeMode2D, FastBlurChannels, GaussianBlurParams, KernelShape, Scalar, ThreadingPolicy,
};
use photon_rs::{PhotonImage, channels, colour_spaces, conv, effects, monochrome, transform};

/// A piece of work, ready to be done again and again.
pub type Work = Box<dyn FnMut()>;

/// The crates.
pub const PEERS: [&str; 5] = ["image", "imageproc", "photon", "libblur", "fast_image_resize"];

/// All works that any of them does. `gaussian-S` is the true curve of that sigma, `rough-gaussian-S` what stands in for it (boxes,
/// stacks): two classes of accuracy, to be compared each with its own.
pub const WORKS: [&str; 16] = [
    "grayscale",
    "sepia",
    "saturate",
    "hue-rotate",
    "brightness+contrast",
    "invert",
    "sharpen",
    "box-blur-10",
    "gaussian-2",
    "gaussian-5",
    "gaussian-20",
    "rough-gaussian-2",
    "rough-gaussian-5",
    "rough-gaussian-20",
    "resize-1080",
    "encode-jpeg",
];

/// The width of `resize-1080`.
pub const RESIZED_WIDTH: u32 = 1_080;
const JPEG_QUALITY: u8 = 85;
const SHARPEN: [i16; 9] = [0, -1, 0, -1, 5, -1, 0, -1, 0];
const SEPIA: [[f32; 3]; 3] = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]];

/// The work `what` by the crate `peer` on this picture; none where the crate does not offer it.
pub fn work(peer: &str, what: &str, picture: &RgbImage) -> Option<Work> {
    match peer {
        "image" => by_image(what, picture.clone()),
        "imageproc" => by_imageproc(what, picture.clone()),
        "photon" => by_photon(what, picture),
        "libblur" => by_libblur(what, picture.clone()),
        "fast_image_resize" => by_fast_image_resize(what, picture.clone()),
        _ => None,
    }
}

/// Resizing is all that it does: the same filter as ours.
fn by_fast_image_resize(what: &str, picture: RgbImage) -> Option<Work> {
    if what != "resize-1080" {
        return None;
    }
    let (width, height) = (RESIZED_WIDTH, resized_height(&picture));
    let mut made = RgbImage::new(width, height);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(Curve::Hamming));
    let mut resizer = Resizer::new();
    Some(Box::new(move || {
        let (from_width, from_height) = picture.dimensions();
        let from = TypedImageRef::<U8x3>::from_buffer(from_width, from_height, &picture);
        let to = TypedImage::<U8x3>::from_buffer(width, height, &mut made);
        let (from, mut to) = (from.expect("its size"), to.expect("its size"));
        resizer.resize_typed(&from, &mut to, &options).expect("no cropping is asked for");
        black_box(&made);
    }))
}

/// The sigma in `gaussian-5` or `rough-gaussian-5`, after this prefix.
fn sigma(what: &str, prefix: &str) -> Option<f32> {
    what.strip_prefix(prefix)?.parse().ok()
}

/// Height of a picture of [`RESIZED_WIDTH`].
fn resized_height(picture: &RgbImage) -> u32 {
    picture.height() * RESIZED_WIDTH / picture.width()
}

fn by_image(what: &str, mut picture: RgbImage) -> Option<Work> {
    if let Some(sigma) = sigma(what, "gaussian-") {
        return Some(Box::new(move || drop(black_box(imageops::blur(&picture, sigma)))));
    }
    if let Some(sigma) = sigma(what, "rough-gaussian-") {
        return Some(Box::new(move || drop(black_box(imageops::fast_blur(&picture, sigma)))));
    }
    Some(match what {
        // One channel comes out.
        "grayscale" => Box::new(move || drop(black_box(imageops::grayscale(&picture)))),
        "hue-rotate" => Box::new(move || colorops::huerotate_in_place(black_box(&mut picture), 30)),
        // Two passes, as it has them.
        "brightness+contrast" => Box::new(move || {
            colorops::brighten_in_place(black_box(&mut picture), 25);
            colorops::contrast_in_place(black_box(&mut picture), 20.0);
        }),
        "invert" => Box::new(move || imageops::invert(black_box(&mut picture))),
        "sharpen" => {
            let kernel = SHARPEN.map(f32::from);
            Box::new(move || drop(black_box(imageops::filter3x3(&picture, &kernel))))
        }
        "resize-1080" => {
            let height = resized_height(&picture);
            Box::new(move || {
                let filter = FilterType::Triangle;
                drop(black_box(imageops::resize(&picture, RESIZED_WIDTH, height, filter)));
            })
        }
        "encode-jpeg" => Box::new(move || {
            let mut out = Vec::new();
            let encoder =
                image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY);
            picture.write_with_encoder(encoder).expect("a picture can be encoded");
            black_box(out);
        }),
        _ => return None,
    })
}

/// Point filters are closures of ours in its loops over pixels and channels; its box blur is for grey pictures.
fn by_imageproc(what: &str, mut picture: RgbImage) -> Option<Work> {
    if let Some(sigma) = sigma(what, "gaussian-") {
        return Some(Box::new(move || {
            drop(black_box(convolve::gaussian_blur_f32(&picture, sigma)));
        }));
    }
    Some(match what {
        "sepia" => Box::new(move || {
            map_pixels_mut(black_box(&mut picture), |Rgb(pixel)| {
                let [r, g, b] = pixel.map(f32::from);
                Rgb(SEPIA.map(|row| (row[0] * r + row[1] * g + row[2] * b) as u8))
            });
        }),
        "brightness+contrast" => {
            let level = |value: usize| (value as f32 * 1.1 - 127.5) * 1.2 + 127.5;
            let table: [u8; 256] = std::array::from_fn(|value| level(value) as u8);
            Box::new(move || {
                let level = |value: u8| table[usize::from(value)];
                map_subpixels_mut(black_box(&mut picture), level);
            })
        }
        "invert" => Box::new(move || map_subpixels_mut(black_box(&mut picture), |v| 255 - v)),
        "sharpen" => Box::new(move || {
            let kernel = Kernel::new(&SHARPEN, 3, 3);
            let sharp: RgbImage = convolve::filter_clamped::<_, _, u8>(&picture, kernel);
            drop(black_box(sharp));
        }),
        _ => return None,
    })
}

/// On RGBA, the only kind it has. Its sepia is a tint of its own, its gaussian three boxes, its box blur 3 x 3 alone.
fn by_photon(what: &str, picture: &RgbImage) -> Option<Work> {
    let rgba = picture.pixels().flat_map(|Rgb([r, g, b])| [*r, *g, *b, 255]).collect();
    let mut image = PhotonImage::new(rgba, picture.width(), picture.height());
    if let Some(sigma) = sigma(what, "rough-gaussian-") {
        return Some(Box::new(move || conv::gaussian_blur(black_box(&mut image), sigma as i32)));
    }
    Some(match what {
        "grayscale" => {
            Box::new(move || monochrome::grayscale_human_corrected(black_box(&mut image)))
        }
        "sepia" => Box::new(move || monochrome::sepia(black_box(&mut image))),
        "saturate" => Box::new(move || colour_spaces::saturate_hsl(black_box(&mut image), 0.4)),
        "hue-rotate" => {
            Box::new(move || colour_spaces::hue_rotate_hsl(black_box(&mut image), 30.0))
        }
        "brightness+contrast" => Box::new(move || {
            effects::adjust_brightness(black_box(&mut image), 25);
            effects::adjust_contrast(black_box(&mut image), 30.0);
        }),
        "invert" => Box::new(move || channels::invert(black_box(&mut image))),
        "sharpen" => Box::new(move || conv::sharpen(black_box(&mut image))),
        "resize-1080" => {
            let height = resized_height(picture);
            Box::new(move || {
                let filter = transform::SamplingFilter::Triangle;
                drop(black_box(transform::resize(&image, RESIZED_WIDTH, height, filter)));
            })
        }
        _ => return None,
    })
}

/// Edges as ours: the outermost pixel again. The true gaussian is its default, in fixed point.
fn by_libblur(what: &str, picture: RgbImage) -> Option<Work> {
    const ONE: ThreadingPolicy = ThreadingPolicy::Single;
    const EDGES: EdgeMode2D = EdgeMode2D::new(EdgeMode::Clamp);
    let (width, height) = picture.dimensions();
    let mut out = picture.as_raw().clone();
    // From a picture into a buffer that is there already.
    let mut run = move |blur: &dyn Fn(&BlurImage<'_, u8>, &mut BlurImageMut<'_, u8>)| {
        let channels = FastBlurChannels::Channels3;
        let from = BlurImage::borrow(picture.as_raw(), width, height, channels);
        let mut to = BlurImageMut::borrow(&mut out, width, height, channels);
        blur(&from, &mut to);
    };
    if let Some(sigma) = sigma(what, "gaussian-") {
        return Some(Box::new(move || {
            run(&|from, to| {
                let parameters = GaussianBlurParams::new_from_sigma(f64::from(sigma));
                let mode = ConvolutionMode::FixedPoint;
                libblur::gaussian_blur(from, to, parameters, EDGES, ONE, mode).expect("blurred");
            });
        }));
    }
    if let Some(sigma) = sigma(what, "rough-gaussian-") {
        // The variance of a stack of radius r is r (r + 2) / 6. It blurs in place, and so again and again.
        let radius =
            AnisotropicRadius::new(((6.0 * sigma * sigma + 1.0).sqrt() - 1.0).round() as u32);
        return Some(Box::new(move || {
            run(&|_, to| libblur::stack_blur(to, radius, ONE).expect("blurred"));
        }));
    }
    Some(match what {
        "box-blur-10" => Box::new(move || {
            run(&|from, to| {
                libblur::box_blur(from, to, BoxBlurParameters::new(21), ONE).expect("blurred");
            });
        }),
        "sharpen" => Box::new(move || {
            run(&|from, to| {
                let (kernel, shape) = (SHARPEN.map(f32::from), KernelShape::new(3, 3));
                let beyond = Scalar::default();
                libblur::filter_2d_rgb(from, to, &kernel, shape, EDGES, beyond, ONE)
                    .expect("sharpened");
            });
        }),
        _ => return None,
    })
}
