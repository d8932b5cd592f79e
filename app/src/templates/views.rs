//! What several pages show: pictures with their sizes, cards, initials, dates, comments, versions, the filter picker.
//!
//! Views borrow from the domain's types and hold what a template would otherwise have to compute.

use std::fmt::Write as _;

use crate::assets::{Assets, RenditionAddresses, rendition_widths};
use crate::imaging::filters::{self, Filter};
use crate::letters::{is_visible, without_turns};
use crate::model::{
    Author, Comment, Photo, PhotoCard, Progress, RenditionFormat, RenditionFormats, Version,
    VersionId,
};

/// Pictures that are visible without scrolling; the rest load when they come near.
const EAGER_PICTURES: usize = 2;
/// Colours of the round initials, as classes of app.css.
const TONES: u64 = 8;

/// An image element's attributes.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The size for browsers that do not choose.
    pub src: String,
    /// All sizes there are as JPEG, smallest first.
    pub srcset: String,
    /// The same sizes as WebP, for browsers that prefer it; none where only JPEG is stored.
    pub webp_srcset: Option<String>,
    /// The original's width: with `height` it reserves the right place before a byte has arrived.
    pub width: u32,
    /// The original's height.
    pub height: u32,
}

impl Picture {
    /// The renditions of one version, `src` being the largest one up to `preferred_width`.
    pub fn of(
        photo: &Photo,
        version: VersionId,
        preferred_width: u32,
        assets: &dyn Assets,
    ) -> Self {
        let addresses = RenditionAddresses::of(photo.id, version, assets);
        let widths = rendition_widths(photo.width);
        let fits = widths.iter().rev().find(|width| **width <= preferred_width);
        let mut src = String::with_capacity(64);
        addresses.push(*fits.unwrap_or(&widths[0]), RenditionFormat::Jpeg, &mut src);
        let webp = version.formats() == RenditionFormats::JpegWebp;
        Self {
            src,
            srcset: srcset(&addresses, &widths, photo.width, RenditionFormat::Jpeg),
            webp_srcset: webp
                .then(|| srcset(&addresses, &widths, photo.width, RenditionFormat::Webp)),
            width: photo.width,
            height: photo.height,
        }
    }
}

/// Each rendition with its real width, which is the photo's own where that is smaller than its name.
fn srcset(
    addresses: &RenditionAddresses,
    widths: &[u32],
    photo_width: u32,
    format: RenditionFormat,
) -> String {
    let mut srcset = String::with_capacity(256);
    for width in widths {
        if !srcset.is_empty() {
            srcset.push_str(", ");
        }
        addresses.push(*width, format, &mut srcset);
        match width.min(&photo_width) {
            320 => srcset.push_str(" 320w"),
            640 => srcset.push_str(" 640w"),
            1080 => srcset.push_str(" 1080w"),
            2048 => srcset.push_str(" 2048w"),
            own => write!(srcset, " {own}w").expect("writing to a String cannot fail"),
        }
    }
    srcset
}

/// A moment in two forms.
#[derive(Debug, Clone)]
pub struct Moment {
    /// For programs.
    pub iso: String,
    /// For people, in UTC.
    pub text: String,
}

impl Moment {
    /// From Unix milliseconds; a moment outside of the calendar shows as nothing.
    pub fn of(unix_ms: i64) -> Self {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Ok(timestamp) = jiff::Timestamp::from_second(unix_ms.div_euclid(1_000)) else {
            return Self { iso: String::new(), text: String::new() };
        };
        let day = jiff::tz::Offset::UTC.to_datetime(timestamp);
        let month = MONTHS[usize::from(day.month().unsigned_abs()) - 1];
        Self { iso: format!("{timestamp}"), text: format!("{} {month} {}", day.day(), day.year()) }
    }
}

/// The round initials of a person.
#[derive(Debug, Clone)]
pub struct Avatar {
    /// One or two letters.
    pub initials: String,
    /// The number of a colour.
    pub tone: u64,
}

impl Avatar {
    /// From the person's names.
    pub fn of(name: &str, display_name: &str) -> Self {
        let first_seen = |word: &str| word.chars().find(|letter| is_visible(*letter));
        let mut words = display_name.split_whitespace().filter_map(first_seen);
        let (first, last) = (words.next().unwrap_or('?'), words.next_back());
        let mut initials = String::with_capacity(8);
        initials.extend(first.to_uppercase());
        initials.extend(last.into_iter().flat_map(char::to_uppercase));
        let sum = name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        Self { initials, tone: sum % TONES }
    }
}

/// A photo in a feed or a grid.
#[derive(Debug)]
pub struct CardView<'a> {
    /// The photo.
    pub photo: &'a Photo,
    /// Who took it.
    pub author: &'a Author,
    /// Whether the viewer likes it.
    pub liked: bool,
    /// The published version.
    pub picture: Picture,
    /// The author's initials.
    pub avatar: Avatar,
    /// The upload.
    pub moment: Moment,
    /// Whether it loads at once.
    pub eager: bool,
}

impl<'a> CardView<'a> {
    /// The view of a card at a position in its list.
    pub fn of(card: &'a PhotoCard, position: usize, width: u32, assets: &dyn Assets) -> Self {
        let photo = &card.photo;
        Self {
            photo,
            author: &card.author,
            liked: card.liked_by_viewer,
            picture: Picture::of(photo, photo.published_version, width, assets),
            avatar: Avatar::of(&card.author.name, &card.author.display_name),
            moment: Moment::of(photo.created_at_ms),
            eager: position < EAGER_PICTURES,
        }
    }

    /// The views of a whole page of cards.
    pub fn all(cards: &'a [PhotoCard], width: u32, assets: &dyn Assets) -> Vec<CardView<'a>> {
        let view = |(position, card)| CardView::of(card, position, width, assets);
        cards.iter().enumerate().map(view).collect()
    }

    /// Whether a tile of 4 to 3 cuts so little off its foot that half of a watermark would be left: it then shows the foot.
    pub fn nearly_tile(&self) -> bool {
        let (width, height) = (u64::from(self.photo.width), u64::from(self.photo.height));
        height * 4 > width * 3 && height * 10 <= width * 13
    }

    /// The text for those who do not see the picture.
    pub fn alt(&self) -> std::borrow::Cow<'a, str> {
        match self.photo.alt.as_str() {
            "" => format!("Photo by {}", without_turns(&self.author.display_name)).into(),
            alt => without_turns(alt),
        }
    }
}

/// A comment under a photo.
#[derive(Debug)]
pub struct CommentView<'a> {
    /// The comment.
    pub comment: &'a Comment,
    /// Its author's initials.
    pub avatar: Avatar,
    /// When it was written.
    pub moment: Moment,
    /// Whether the viewer wrote it.
    pub own: bool,
}

/// One version of the viewer's own photo.
#[derive(Debug)]
pub struct VersionView<'a> {
    /// The version.
    pub version: &'a Version,
    /// The filter's name on pages.
    pub label: &'static str,
    /// Its renditions.
    pub picture: Picture,
    /// Whether this is the one shown.
    pub published: bool,
    /// When it was saved.
    pub moment: Moment,
}

impl VersionView<'_> {
    /// Whether it can be shown.
    pub fn ready(&self) -> bool {
        self.version.progress == Progress::Ready
    }
    /// Whether it could not be made.
    pub fn failed(&self) -> bool {
        self.version.progress == Progress::Failed
    }
}

/// The filter picker's contents.
#[derive(Debug)]
pub struct FilterChoice {
    /// All filters, in order.
    pub filters: &'static [Filter],
    /// The one that is chosen.
    pub chosen: String,
    /// 0 to 100.
    pub strength: u8,
    /// The picture in the swatches.
    pub sample: String,
    /// The person's own picture without a filter, where there is one: it is previewed large.
    pub own: Option<String>,
}

impl FilterChoice {
    /// The picker with this choice; without a picture of one's own, the sample landscape is shown.
    pub fn new(chosen: &str, strength: u8, sample: Option<String>) -> Self {
        let url = || crate::routes::static_files::url("sample.svg").to_owned();
        Self {
            filters: filters::ALL,
            chosen: chosen.to_owned(),
            strength,
            own: sample.clone(),
            sample: sample.unwrap_or_else(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_in_utc() {
        let moment = Moment::of(1_795_392_000_000);
        assert_eq!(moment.text, "23 Nov 2026");
        assert_eq!(moment.iso, "2026-11-23T00:00:00Z");
    }

    #[test]
    fn initials_come_from_the_first_and_the_last_word() {
        assert_eq!(Avatar::of("a", "Ada Byron Lovelace").initials, "AL");
        assert_eq!(Avatar::of("a", "östen").initials, "Ö");
        assert_eq!(Avatar::of("a", "").initials, "?");
        assert_eq!(Avatar::of("a", "\u{200b}ada \u{ad} \u{202e}eve").initials, "AE");
    }
}
