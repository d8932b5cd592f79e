//! The words of the domain as plain types: people, photos, versions, comments, ids and cursors.
//!
//! Leaves out every I/O: stores persist these types (`store`), pages show them (`templates`). Accounts and what is shown of them: `people`.
//! Ids are time-ordered, so that "newest first" is "largest id first" in every store and a cursor is an id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod people;

pub use people::{Author, Plan, Profile, User};

/// Milliseconds since 2020-01-01T00:00:00Z start the id clock: 42 bits of them last until the year 2159.
const ID_EPOCH_UNIX_MS: u64 = 1_577_836_800_000;
/// Random bits below the milliseconds: 4 million ids per millisecond before two are likely to meet.
const ID_RANDOM_BITS: u32 = 21;
/// Crockford's base 32, lower case: no i, l, o, u, so that an id read aloud is not mistaken.
const ID_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 63 bits in groups of five.
const ID_TEXT_LENGTH: usize = 13;

/// A text that is not an id: wrong length or a letter outside Crockford's base 32.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id: 13 characters of 0-9 and a-z without i, l, o, u are expected")]
pub struct IdError(pub String);

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub i64);

        impl $name {
            /// Builds an id from the Unix time in milliseconds and random bits (only the low 21 are used).
            /// Always positive, so that it fits a signed 64-bit column.
            pub fn new(unix_ms: u64, random: u64) -> Self {
                let ms = unix_ms.saturating_sub(ID_EPOCH_UNIX_MS) & ((1 << 42) - 1);
                Self(((ms << ID_RANDOM_BITS) | (random & ((1 << ID_RANDOM_BITS) - 1))) as i64)
            }

            /// When the id was made, as Unix time in milliseconds.
            pub fn unix_ms(self) -> u64 {
                ((self.0 as u64) >> ID_RANDOM_BITS) + ID_EPOCH_UNIX_MS
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0_u8; ID_TEXT_LENGTH];
                for (position, letter) in text.iter_mut().enumerate() {
                    let shift = 5 * (ID_TEXT_LENGTH - 1 - position);
                    *letter = ID_ALPHABET[((self.0 as u64) >> shift) as usize & 31];
                }
                f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError(text.to_owned());
                if text.len() != ID_TEXT_LENGTH {
                    return Err(error());
                }
                let mut value = 0_u64;
                for letter in text.bytes() {
                    let digit = ID_ALPHABET.iter().position(|known| *known == letter);
                    value = value << 5 | digit.ok_or_else(error)? as u64;
                }
                i64::try_from(value).map(Self).map_err(|_| error())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
    };
}

/// Places that people are spread over in a sharded store: 10 bits, so that up to 1,024 shards each own a range of places.
pub const SHARD_PLACES: u64 = 1 << SHARD_PLACE_BITS;
const SHARD_PLACE_BITS: u32 = 10;

id_type!(/** Who a person is; never changes, unlike the name. */ UserId);
id_type!(/** A photo with all its versions. Larger is newer. */ PhotoId);
id_type!(/** One rendering of a photo: a filter, a strength, with or without watermark. */ VersionId);
id_type!(/** A comment under a photo. Larger is newer. */ CommentId);

impl UserId {
    /// Where a sharded store keeps this person: 0 to [`SHARD_PLACES`] - 1, evenly spread (SplitMix64's finalizer).
    pub fn place(self) -> u64 {
        let mut mixed = self.0 as u64;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % SHARD_PLACES
    }
}

impl VersionId {
    /// Builds the id of a version whose renditions will come in these formats: its lowest bit says whether WebP is among
    /// them, so that a page knows from the id alone which addresses it may offer. Versions that are stored get their id
    /// here.
    pub fn for_formats(formats: RenditionFormats, unix_ms: u64, random: u64) -> Self {
        Self::new(unix_ms, random << 1 | u64::from(formats == RenditionFormats::JpegWebp))
    }

    /// The formats of the renditions, as [`VersionId::for_formats`] put them in.
    pub fn formats(self) -> RenditionFormats {
        if self.0 & 1 == 1 { RenditionFormats::JpegWebp } else { RenditionFormats::Jpeg }
    }
}

impl PhotoId {
    /// Builds the id of a photo by `author`. Its lowest 10 bits are the author's place, so that a sharded store finds a
    /// photo beside its author from the id alone; 11 random bits remain. Photos that are stored get their id here.
    pub fn for_author(author: UserId, unix_ms: u64, random: u64) -> Self {
        Self::new(unix_ms, random << SHARD_PLACE_BITS | author.place())
    }

    /// The author's place, as [`PhotoId::for_author`] put it in.
    pub fn place(self) -> u64 {
        self.0 as u64 % SHARD_PLACES
    }
}

/// How far a photo or a version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// The original is stored, the renditions are not all there yet.
    Preparing,
    /// Every rendition is stored: it can be shown.
    Ready,
    /// The renditions cannot be made (the reason is in the log and on the photo's page).
    Failed,
}

impl Progress {
    /// The word used in columns and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Progress::Preparing => "preparing",
            Progress::Ready => "ready",
            Progress::Failed => "failed",
        }
    }
}

impl FromStr for Progress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "preparing" => Ok(Progress::Preparing),
            "ready" => Ok(Progress::Ready),
            "failed" => Ok(Progress::Failed),
            other => Err(format!("`{other}` is not a progress: use preparing, ready or failed")),
        }
    }
}

/// The original's format, found from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PictureFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

impl PictureFormat {
    /// The word used in columns and as a file extension.
    pub fn as_str(self) -> &'static str {
        match self {
            PictureFormat::Jpeg => "jpg",
            PictureFormat::Png => "png",
            PictureFormat::Webp => "webp",
        }
    }

    /// The media type of HTTP.
    pub fn content_type(self) -> &'static str {
        match self {
            PictureFormat::Jpeg => "image/jpeg",
            PictureFormat::Png => "image/png",
            PictureFormat::Webp => "image/webp",
        }
    }
}

/// The file format of one rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenditionFormat {
    /// Every browser shows it.
    Jpeg,
    /// About a quarter smaller at the same looks, for several times the work; 97 of 100 browsers show it.
    Webp,
}

impl RenditionFormat {
    /// The same as the format of a picture.
    pub fn picture_format(self) -> PictureFormat {
        match self {
            RenditionFormat::Jpeg => PictureFormat::Jpeg,
            RenditionFormat::Webp => PictureFormat::Webp,
        }
    }
}

/// The formats that every rendition of a version comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenditionFormats {
    /// JPEG alone: the least work.
    Jpeg,
    /// WebP beside JPEG: pages offer both, and the browser chooses.
    JpegWebp,
}

impl RenditionFormats {
    /// The formats, JPEG first.
    pub fn list(self) -> &'static [RenditionFormat] {
        match self {
            RenditionFormats::Jpeg => &[RenditionFormat::Jpeg],
            RenditionFormats::JpegWebp => &[RenditionFormat::Jpeg, RenditionFormat::Webp],
        }
    }

    /// The word of the setting.
    pub fn as_str(self) -> &'static str {
        match self {
            RenditionFormats::Jpeg => "jpeg",
            RenditionFormats::JpegWebp => "jpeg-webp",
        }
    }
}

impl FromStr for PictureFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "jpg" => Ok(PictureFormat::Jpeg),
            "png" => Ok(PictureFormat::Png),
            "webp" => Ok(PictureFormat::Webp),
            other => Err(format!("`{other}` is not a picture format: use jpg, png or webp")),
        }
    }
}

/// One photo as its page and the feeds show it: the row plus its published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// The identity; also the position in every feed.
    pub id: PhotoId,
    /// Whose photo it is.
    pub author: UserId,
    /// The text under the photo, at most 2,000 characters.
    pub caption: String,
    /// The description for those who cannot see it, at most 500 characters.
    pub alt: String,
    /// The original's width in pixels, after orientation.
    pub width: u32,
    /// The original's height in pixels, after orientation.
    pub height: u32,
    /// The original's format.
    pub format: PictureFormat,
    /// Which version is shown; the first one until another is published.
    pub published_version: VersionId,
    /// Preparing until the first version is ready; only ready photos are listed in feeds.
    pub progress: Progress,
    /// Unix time in milliseconds of the upload.
    pub created_at_ms: i64,
    /// Unix time in microseconds when the first version was ready; none while preparing.
    pub ready_at_us: Option<i64>,
    /// People who like it.
    pub like_count: i64,
    /// Comments under it.
    pub comment_count: i64,
}

/// One rendering of a photo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The identity; part of the rendition's URL, so that a URL's bytes never change.
    pub id: VersionId,
    /// The photo it belongs to.
    pub photo: PhotoId,
    /// The filter's name as in `imaging::filters`, `original` for none.
    pub filter: String,
    /// 0 to 100 percent.
    pub strength: u8,
    /// Whether the watermark is on it (decided by the plan when it was saved).
    pub watermarked: bool,
    /// Preparing, ready or failed.
    pub progress: Progress,
    /// Unix time in milliseconds.
    pub created_at_ms: i64,
}

impl Version {
    /// True when both show the same filter at the same strength.
    pub fn looks_like(&self, other: &Version) -> bool {
        self.filter == other.filter && self.strength == other.strength
    }
}

/// A photo with what a page shows around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhotoCard {
    /// The photo itself.
    pub photo: Photo,
    /// Who took it.
    pub author: Author,
    /// Whether the viewer likes it; false without a viewer.
    pub liked_by_viewer: bool,
}

/// A comment as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// The identity and the order.
    pub id: CommentId,
    /// The photo it stands under.
    pub photo: PhotoId,
    /// Who wrote it.
    pub author: Author,
    /// At most 1,000 characters.
    pub body: String,
    /// Unix time in milliseconds.
    pub created_at_ms: i64,
}

/// Which list of photos is asked for. All are newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Feed {
    /// Photos of the people this person follows, and their own.
    Home(UserId),
    /// Everybody's photos.
    Explore,
    /// One person's photos.
    Profile(UserId),
}

/// A page of a list and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// At most the limit asked for.
    pub items: Vec<T>,
    /// `before` for the next page; none at the end.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// Makes a page of what a store read when it asked for one item more than `limit`.
    pub fn cut(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> i64) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(id) } else { None };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_order_by_time_and_survive_text() {
        let earlier = PhotoId::new(1_700_000_000_000, 7);
        let later = PhotoId::new(1_700_000_000_001, 3);
        assert!(earlier < later);
        assert!(earlier.to_string() < later.to_string());
        assert_eq!(earlier.to_string().parse::<PhotoId>().unwrap_or(later), earlier);
        assert_eq!(earlier.unix_ms(), 1_700_000_000_000);
    }

    #[test]
    fn a_photo_id_carries_its_authors_place() {
        for number in 0..500 {
            let author = UserId::new(1_700_000_000_000 + number, number * 77);
            let photo = PhotoId::for_author(author, 1_700_000_100_000, number * 1_234_567);
            assert_eq!(photo.place(), author.place());
            assert_eq!(photo.unix_ms(), 1_700_000_100_000);
        }
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        assert!("short".parse::<PhotoId>().is_err());
        assert!("ilou000000000".parse::<PhotoId>().is_err());
        assert!("zzzzzzzzzzzzz".parse::<PhotoId>().is_err());
    }
}
