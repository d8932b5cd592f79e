//! Where pictures live: originals (private) and renditions (public, immutable).
//!
//! [`AssetKey`] decides path, content type and cache lifetime in one place, so that local files, S3, the CDN and the tests
//! cannot disagree. Backends: `local` (files on this server), `s3` (an object store, with a CDN address in front if one is
//! configured). Uploads continue in `jobs::renditions`.

pub mod conformance;
pub mod local;
pub mod s3;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{PhotoId, PictureFormat, VersionId};

/// The ladder of rendition widths in pixels; a photo gets each one up to its own width, and always the smallest.
pub const RENDITION_WIDTHS: [u32; 4] = [320, 640, 1080, 2048];

/// The widths of the ladder that a photo of this width gets, ascending. A photo narrower than the smallest one keeps its
/// own width under that name.
pub fn rendition_widths(photo_width: u32) -> Vec<u32> {
    let reached = |width: &u32| *width <= photo_width.max(RENDITION_WIDTHS[0]);
    RENDITION_WIDTHS.into_iter().filter(reached).collect()
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
    /// One size of one version, always JPEG.
    Rendition {
        /// The photo.
        photo: PhotoId,
        /// The version; new bytes mean a new version, hence a new URL.
        version: VersionId,
        /// A width of the ladder.
        width: u32,
    },
}

impl AssetKey {
    /// The path under the asset root, the bucket or the CDN, without a leading slash.
    pub fn path(&self) -> String {
        match self {
            AssetKey::Original { photo, format } => {
                format!("originals/{photo}.{}", format.as_str())
            }
            AssetKey::Rendition { photo, version, width } => {
                format!("renditions/{photo}/{version}/{width}.jpg")
            }
        }
    }

    /// Reads back what [`AssetKey::path`] wrote; none for anything else.
    pub fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
            ("originals", file, None, None) => {
                let (photo, format) = file.split_once('.')?;
                AssetKey::Original { photo: photo.parse().ok()?, format: format.parse().ok()? }
            }
            ("renditions", photo, Some(version), Some(file)) => AssetKey::Rendition {
                photo: photo.parse().ok()?,
                version: version.parse().ok()?,
                width: file.strip_suffix(".jpg")?.parse().ok()?,
            },
            _ => return None,
        };
        (parts.next().is_none() && key.path() == path).then_some(key)
    }

    /// The media type of HTTP.
    pub fn content_type(&self) -> &'static str {
        match self {
            AssetKey::Original { format, .. } => format.content_type(),
            AssetKey::Rendition { .. } => PictureFormat::Jpeg.content_type(),
        }
    }

    /// The Cache-Control header: a rendition's bytes never change under its URL, an original is nobody's to keep.
    pub fn cache_control(&self) -> &'static str {
        match self {
            AssetKey::Original { .. } => "private, no-store",
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
    /// Removes it; removing what is not there is fine.
    async fn delete(&self, key: &AssetKey) -> Result<(), AssetError>;
    /// The address a page links to. Only for public keys.
    fn public_url(&self, key: &AssetKey) -> String;
    /// Answers when the backend does.
    async fn ping(&self) -> Result<(), AssetError>;
}
