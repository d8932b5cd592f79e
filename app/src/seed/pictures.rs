//! Paints the pictures once, with and without watermark, and gives every photo row its own assets: the first row that shows a
//! picture stores the bytes, the others get copies that share them (`Assets::put_copy`: a hard link, or a copy inside the
//! object store), so that ten thousand photos take the room of a few dozen.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::population::{Drawn, picture_size};
use super::{SeedError, SeedOptions};
use crate::assets::{AssetError, AssetKey, Assets, rendition_widths};
use crate::imaging::{
    self, Effort, ImagingError, Limits, RenderRequest, Watermark, filters, landscape,
};
use crate::model::{Photo, PictureFormat, RenditionFormat, RenditionFormats, Version};

/// Assets that are stored at the same time: enough to hide an object store's latency, few enough for its connections.
const STORING_MAX: usize = 32;

/// A picture in all its stored forms.
pub(super) struct Picture {
    original: Bytes,
    /// Without and with watermark.
    plain: Vec<File>,
    marked: Vec<File>,
}

/// A rendition's width, format and bytes.
type File = (u32, RenditionFormat, Bytes);

/// Paints as many pictures at a time as there are cores.
pub(super) async fn paint_all(options: &SeedOptions) -> Result<Vec<Picture>, SeedError> {
    let count = if options.photos == 0 { 0 } else { options.pictures as usize };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let paintings = (0..count).map(|picture| {
        let (seed, widths, formats) = (options.seed, options.widths.clone(), options.formats);
        async move {
            let painting =
                tokio::task::spawn_blocking(move || paint(seed, picture, &widths, formats)).await;
            painting.expect("painting does not panic and is not cancelled")
        }
    });
    Ok(stream::iter(paintings).buffered(cores).try_collect().await?)
}

fn paint(
    seed: u64,
    picture: usize,
    widths: &[u32],
    formats: RenditionFormats,
) -> Result<Picture, ImagingError> {
    let (width, height) = picture_size(picture);
    let original =
        imaging::encode::jpeg(&landscape::paint(landscape_seed(seed, picture), width, height))?;
    let widths: Vec<u32> =
        rendition_widths(width).into_iter().filter(|width| widths.contains(width)).collect();
    let render = |watermark| -> Result<Vec<File>, ImagingError> {
        let made = imaging::render(&RenderRequest {
            bytes: &original,
            filter: filters::ORIGINAL,
            strength: 100,
            watermark: Watermark::corner_if(watermark),
            widths: &widths,
            formats,
            limits: Limits::default(),
            effort: Effort::default(),
        })?;
        let files = widths.iter().copied().zip(made).flat_map(|(width, made)| {
            made.into_files().map(move |(format, bytes)| (width, format, Bytes::from(bytes)))
        });
        Ok(files.collect())
    };
    let (plain, marked) = (render(false)?, render(true)?);
    Ok(Picture { original: Bytes::from(original), plain, marked })
}

/// Another seed gives another series; neighbours in a series differ.
fn landscape_seed(seed: u64, picture: usize) -> u64 {
    seed.wrapping_mul(1_000_003).wrapping_add(picture as u64)
}

/// Gives every photo its original and its renditions.
pub(super) async fn store_all(
    album: &[Picture],
    drawn: &Drawn,
    assets: &dyn Assets,
) -> Result<(), SeedError> {
    // The first photo of each picture, and of each picture with and without watermark, stores bytes; the others copy from it.
    let mut originals: HashMap<usize, AssetKey> = HashMap::new();
    let mut renditions: HashMap<(usize, bool, u32, RenditionFormat), AssetKey> = HashMap::new();
    let (mut firsts, mut copies) = (Vec::new(), Vec::new());
    for ((photo, versions), picture) in drawn.population.photos.iter().zip(&drawn.pictures) {
        let painted = &album[*picture];
        let to = AssetKey::Original { photo: photo.id, format: PictureFormat::Jpeg };
        match originals.get(picture) {
            Some(from) => copies.push((*from, to)),
            None => {
                originals.insert(*picture, to);
                firsts.push((to, painted.original.clone()));
            }
        }
        for version in versions {
            let forms = if version.watermarked { &painted.marked } else { &painted.plain };
            for (width, format, bytes) in forms {
                let to = rendition_key(photo, version, *width, *format);
                let form = (*picture, version.watermarked, *width, *format);
                match renditions.get(&form) {
                    Some(from) => copies.push((*from, to)),
                    None => {
                        renditions.insert(form, to);
                        firsts.push((to, bytes.clone()));
                    }
                }
            }
        }
    }
    each(firsts, async |(key, bytes)| assets.put(&key, bytes).await).await?;
    each(copies, async |(from, to)| {
        if assets.put_copy(&from, &to).await? {
            return Ok(());
        }
        let source = "its source vanished while it was being copied".into();
        Err(AssetError { verb: "copy", path: to.path(), source })
    })
    .await
}

fn rendition_key(
    photo: &Photo,
    version: &Version,
    width: u32,
    format: RenditionFormat,
) -> AssetKey {
    AssetKey::Rendition { photo: photo.id, version: version.id, width, format }
}

/// Does the work for each item, a bounded number at a time; stops at the first error.
async fn each<T>(
    items: Vec<T>,
    work: impl AsyncFn(T) -> Result<(), AssetError>,
) -> Result<(), SeedError> {
    let work = &work;
    let works = items.into_iter().map(|item| async move { work(item).await });
    stream::iter(works).buffer_unordered(STORING_MAX).try_collect::<()>().await?;
    Ok(())
}
