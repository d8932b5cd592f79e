//! Where pictures live: originals (private), renditions (public, immutable), and uploads that nobody has claimed yet.
//!
//! [`AssetKey`] decides path, content type and cache lifetime in one place, so that local files, S3, the CDN and the tests
//! cannot disagree. Backends: `local` (files on this server), `s3` (an object store, with a CDN address in front if one is
//! configured). `slots` is what only an object store can: uploads that go past this server. Uploads continue in `jobs::renditions`.

pub mod conformance;
pub mod local;
pub mod s3;
pub mod slots;

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;

use crate::imaging::RENDITION_WIDTH_MAX;
use crate::model::{PhotoId, PictureFormat, RenditionFormat, UserId, VersionId};
use slots::UploadId;

/// The ladder of rendition widths in pixels; a photo gets each one up to its own width, and its own width under the name of the
/// next one.
pub const RENDITION_WIDTHS: [u32; 4] = [320, 640, 1080, RENDITION_WIDTH_MAX];

/// The widths of the ladder that a photo of this width gets, ascending. Where the photo is wider than the last one that it
/// reaches, the next one holds it at its own width, so that no pixel is lost; a gain of less than a tenth is not worth a file.
pub fn rendition_widths(photo_width: u32) -> Vec<u32> {
    let mut widths = Vec::with_capacity(RENDITION_WIDTHS.len());
    for width in RENDITION_WIDTHS {
        let so_far = widths.last().copied().unwrap_or(0);
        if width > photo_width && u64::from(photo_width) * 10 <= u64::from(so_far) * 11 {
            break;
        }
        widths.push(width);
        if width >= photo_width {
            break;
        }
    }
    widths
}

/// The keys of every rendition that a version of a photo of this width has, smallest first.
pub fn rendition_keys(photo: PhotoId, photo_width: u32, version: VersionId) -> Vec<AssetKey> {
    let mut keys = Vec::with_capacity(2 * RENDITION_WIDTHS.len());
    for width in rendition_widths(photo_width) {
        for format in version.formats().list() {
            keys.push(AssetKey::Rendition { photo, version, width, format: *format });
        }
    }
    keys
}

/// Where the renditions of one version are: their common address, to which each file's name is appended. A page shows dozens of
/// them, and this asks the asset store once for each photo.
#[derive(Debug, Clone)]
pub struct RenditionAddresses {
    base: String,
}

impl RenditionAddresses {
    /// The addresses of a version's renditions.
    pub fn of(photo: PhotoId, version: VersionId, assets: &dyn Assets) -> Self {
        let width = RENDITION_WIDTHS[0];
        let any = AssetKey::Rendition { photo, version, width, format: RenditionFormat::Jpeg };
        let mut base = assets.public_url(&any);
        base.truncate(base.len() - rendition_file(width, RenditionFormat::Jpeg).len());
        Self { base }
    }

    /// Appends the address of one rendition.
    pub fn push(&self, width: u32, format: RenditionFormat, text: &mut String) {
        text.push_str(&self.base);
        text.push_str(&rendition_file(width, format));
    }
}

/// The name of a rendition's file, the last part of its path.
fn rendition_file(width: u32, format: RenditionFormat) -> Cow<'static, str> {
    match (width, format) {
        (320, RenditionFormat::Jpeg) => "320.jpg".into(),
        (640, RenditionFormat::Jpeg) => "640.jpg".into(),
        (1_080, RenditionFormat::Jpeg) => "1080.jpg".into(),
        (2_048, RenditionFormat::Jpeg) => "2048.jpg".into(),
        _ => format!("{width}.{}", format.picture_format().as_str()).into(),
    }
}

/// What an asset is; everything else about it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetKey {
    /// The uploaded bytes. Never public: no URL leads to it.
    Original {
        /// The photo.
        photo: PhotoId,
        /// Its format, found from its bytes.
        format: PictureFormat,
    },
    /// One size of one version in one format.
    Rendition {
        /// The photo.
        photo: PhotoId,
        /// The version; new bytes mean a new version, hence a new URL.
        version: VersionId,
        /// A width of the ladder.
        width: u32,
        /// One of the version's formats.
        format: RenditionFormat,
    },
    /// What somebody has put into a slot and no photo has claimed. Never public, and never listed: it goes by itself.
    Upload {
        /// Who may claim it.
        author: UserId,
        /// Which one.
        id: UploadId,
    },
}

impl AssetKey {
    /// The path under the asset root, the bucket or the CDN, without a leading slash.
    pub fn path(&self) -> String {
        match self {
            AssetKey::Original { photo, format } => {
                format!("originals/{photo}.{}", format.as_str())
            }
            AssetKey::Rendition { photo, version, width, format } => {
                format!("renditions/{photo}/{version}/{}", rendition_file(*width, *format))
            }
            AssetKey::Upload { author, id } => format!("uploads/{author}/{id}"),
        }
    }

    /// Reads back what [`AssetKey::path`] wrote of an original or a rendition; none for anything else, uploads included.
    pub fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
            ("originals", file, None, None) => {
                let (photo, format) = file.split_once('.')?;
                AssetKey::Original { photo: photo.parse().ok()?, format: format.parse().ok()? }
            }
            ("renditions", photo, Some(version), Some(file)) => {
                let (width, extension) = file.split_once('.')?;
                AssetKey::Rendition {
                    photo: photo.parse().ok()?,
                    version: version.parse().ok()?,
                    width: width.parse().ok()?,
                    format: match extension {
                        "jpg" => RenditionFormat::Jpeg,
                        "webp" => RenditionFormat::Webp,
                        _ => return None,
                    },
                }
            }
            _ => return None,
        };
        (parts.next().is_none() && key.path() == path).then_some(key)
    }

    /// The media type of HTTP.
    pub fn content_type(&self) -> &'static str {
        match self {
            AssetKey::Original { format, .. } => format.content_type(),
            AssetKey::Rendition { format, .. } => format.picture_format().content_type(),
            // Whatever its sender said, it has not been looked at.
            AssetKey::Upload { .. } => "application/octet-stream",
        }
    }

    /// The Cache-Control header: a rendition's bytes never change under its URL, an original or an upload is nobody's to keep.
    pub fn cache_control(&self) -> &'static str {
        match self {
            AssetKey::Original { .. } | AssetKey::Upload { .. } => "private, no-store",
            AssetKey::Rendition { .. } => "public, max-age=31536000, immutable",
        }
    }

    /// Whether a URL may lead to it.
    pub fn is_public(&self) -> bool {
        matches!(self, AssetKey::Rendition { .. })
    }
}

/// What went wrong with an asset.
#[derive(Debug, thiserror::Error)]
#[error("the asset store could not {verb} {path}")]
pub struct AssetError {
    /// put, get, delete, ping.
    pub verb: &'static str,
    /// The key's path.
    pub path: String,
    /// The backend's own error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A part of what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// What is there; whatever is no asset of ours is passed over.
    pub keys: Vec<AssetKey>,
    /// Where the next part starts; none at the end.
    pub next: Option<String>,
}

/// Storage of whole objects. A `put` is all or nothing: a reader sees the old bytes, the new bytes or none.
#[async_trait]
pub trait Assets: Send + Sync {
    /// Stores the bytes, durably once it returns; repeating it is harmless.
    async fn put(&self, key: &AssetKey, bytes: Bytes) -> Result<(), AssetError>;
    /// The bytes, or none.
    async fn get(&self, key: &AssetKey) -> Result<Option<Bytes>, AssetError>;
    /// Stores under `to` what is under `from` (false when nothing is); the two may share bytes on disk, since neither
    /// changes. Backends that can copy without moving the bytes through this process do so.
    async fn put_copy(&self, from: &AssetKey, to: &AssetKey) -> Result<bool, AssetError> {
        match self.get(from).await? {
            Some(bytes) => self.put(to, bytes).await.map(|()| true),
            None => Ok(false),
        }
    }
    /// A part of what is stored, at most `limit` keys, in an order of the backend's own that stays the same; `after` is where the
    /// part before ended, none for the beginning. What is put or deleted meanwhile may or may not be in it.
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, AssetError>;
    /// Removes it; removing what is not there is fine.
    async fn delete(&self, key: &AssetKey) -> Result<(), AssetError>;
    /// The address a page links to. Only for public keys.
    fn public_url(&self, key: &AssetKey) -> String;
    /// Answers when the backend does.
    async fn ping(&self) -> Result<(), AssetError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_keeps_its_own_width_where_that_is_worth_a_file() {
        for (photo, widths) in [
            (1, &[320][..]),
            (320, &[320]),
            (352, &[320]),
            (353, &[320, 640]),
            (512, &[320, 640]),
            (640, &[320, 640]),
            (704, &[320, 640]),
            (1_000, &[320, 640, 1_080]),
            (1_080, &[320, 640, 1_080]),
            (1_188, &[320, 640, 1_080]),
            (1_500, &[320, 640, 1_080, 2_048]),
            (2_048, &[320, 640, 1_080, 2_048]),
            (u32::MAX, &[320, 640, 1_080, 2_048]),
        ] {
            assert_eq!(rendition_widths(photo), widths, "a photo of {photo} pixels");
        }
    }
}
