//! The pages as types: what each template in `app/templates` may show, and nothing else.
//!
//! Views borrow from the domain's types; text is escaped by askama. Handlers in `routes` fill these structs, and
//! [`page`] turns one into an answer.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::assets::{AssetKey, Assets, rendition_widths};
use crate::config::Config;
use crate::error::AppResult;
use crate::imaging::filters::{self, Filter};
use crate::model::{Author, Comment, Photo, PhotoCard, Plan, Progress, User, Version, VersionId};
use crate::session::Viewer;

/// Pictures that are visible without scrolling; the rest load when they come near.
const EAGER_PICTURES: usize = 2;
/// Colours of the round initials, as classes of app.css.
const TONES: u64 = 8;

/// A page with status 200.
pub fn page(template: &impl Template) -> AppResult<Response> {
    page_with(StatusCode::OK, template)
}

/// A page with another status (a form that comes back with its mistakes).
pub fn page_with(status: StatusCode, template: &impl Template) -> AppResult<Response> {
    let html = template.render()?;
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // A page shows who is logged in: nobody but this browser may keep it, and it asks again each time.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// An image element's attributes.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The size for browsers that do not choose.
    pub src: String,
    /// All sizes there are, smallest first.
    pub srcset: String,
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
        let mut srcset = String::with_capacity(256);
        let mut src = String::new();
        for width in rendition_widths(photo.width) {
            let url = assets.public_url(&AssetKey::Rendition { photo: photo.id, version, width });
            if !srcset.is_empty() {
                srcset.push_str(", ");
            }
            srcset.push_str(&url);
            srcset.push_str(match width {
                320 => " 320w",
                640 => " 640w",
                1080 => " 1080w",
                _ => " 2048w",
            });
            if src.is_empty() || width <= preferred_width {
                src = url;
            }
        }
        Self { src, srcset, width: photo.width, height: photo.height }
    }
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
        let mut words = display_name.split_whitespace().filter_map(|word| word.chars().next());
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

    /// The text for those who do not see the picture.
    pub fn alt(&self) -> std::borrow::Cow<'a, str> {
        match self.photo.alt.as_str() {
            "" => format!("Photo by {}", self.author.display_name).into(),
            alt => alt.into(),
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
}

impl FilterChoice {
    /// The picker with this choice; without a picture of one's own, the sample landscape is shown.
    pub fn new(chosen: &str, strength: u8, sample: Option<String>) -> Self {
        let url = || crate::routes::static_files::url("sample.svg").to_owned();
        Self {
            filters: filters::ALL,
            chosen: chosen.to_owned(),
            strength,
            sample: sample.unwrap_or_else(url),
        }
    }
}

/// Logged out, at `/`.
#[derive(Template)]
#[template(path = "landing.html")]
pub struct LandingPage<'a> {
    /// Nobody, but the layout asks.
    pub viewer: Option<&'a Viewer>,
    /// The newest photos.
    pub cards: Vec<CardView<'a>>,
}

/// Logged in, at `/`.
#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// Photos of the people one follows.
    pub cards: Vec<CardView<'a>>,
    /// The link to older photos.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub continued: bool,
}

/// Everybody's photos.
#[derive(Template)]
#[template(path = "explore.html")]
pub struct ExplorePage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// The newest photos.
    pub cards: Vec<CardView<'a>>,
    /// The link to older photos.
    pub older: Option<String>,
    /// Whether this is not the first page.
    pub continued: bool,
}

/// One person.
#[derive(Template)]
#[template(path = "profile.html")]
pub struct ProfilePage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// Whose page it is.
    pub person: &'a User,
    /// Their initials.
    pub avatar: Avatar,
    /// Whether the viewer follows them.
    pub following: bool,
    /// Whether it is the viewer's own page.
    pub own: bool,
    /// Their photos.
    pub cards: Vec<CardView<'a>>,
    /// The link to older photos.
    pub older: Option<String>,
}

/// One photo.
#[derive(Template)]
#[template(path = "photo.html")]
pub struct PhotoPage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// The photo.
    pub card: CardView<'a>,
    /// Whether the viewer follows the author.
    pub following: bool,
    /// Whether it is the viewer's own.
    pub own: bool,
    /// Its comments.
    pub comments: Vec<CommentView<'a>>,
    /// The link to older comments.
    pub older_comments: Option<String>,
    /// Its versions, for the owner.
    pub versions: Vec<VersionView<'a>>,
    /// A comment that was refused comes back.
    pub draft: &'a str,
    /// Why it was refused.
    pub mistake: Option<&'a str>,
}

impl PhotoPage<'_> {
    fn preparing(&self) -> bool {
        self.card.photo.progress == Progress::Preparing
    }
    fn failed(&self) -> bool {
        self.card.photo.progress == Progress::Failed
    }
}

/// A new photo.
#[derive(Template)]
#[template(path = "upload.html")]
pub struct UploadPage<'a> {
    /// Who uploads.
    pub viewer: Option<&'a Viewer>,
    /// Whether versions get the watermark.
    pub free: bool,
    /// The filter picker.
    pub choice: FilterChoice,
    /// What was typed before a mistake.
    pub caption: &'a str,
    /// What was typed before a mistake.
    pub alt: &'a str,
    /// What has to be done differently.
    pub mistake: Option<&'a str>,
    /// The limits, in words.
    pub megabytes_max: u64,
    /// The limits, in words.
    pub megapixels_max: u64,
    /// The limit, for the script.
    pub bytes_max: u64,
}

/// Changes to one's own photo.
#[derive(Template)]
#[template(path = "edit.html")]
pub struct EditPage<'a> {
    /// Who edits.
    pub viewer: Option<&'a Viewer>,
    /// The photo.
    pub card: CardView<'a>,
    /// Its versions.
    pub versions: Vec<VersionView<'a>>,
    /// The filter picker for another one.
    pub choice: FilterChoice,
    /// Whether new versions get the watermark.
    pub free: bool,
    /// What has to be done differently.
    pub mistake: Option<&'a str>,
}

impl EditPage<'_> {
    fn any_preparing(&self) -> bool {
        self.versions.iter().any(|view| view.version.progress == Progress::Preparing)
    }
}

/// A new account.
#[derive(Template)]
#[template(path = "signup.html")]
pub struct SignupPage<'a> {
    /// Nobody yet.
    pub viewer: Option<&'a Viewer>,
    /// What was typed before a mistake.
    pub name: &'a str,
    /// What was typed before a mistake.
    pub display_name: &'a str,
    /// What has to be done differently.
    pub mistake: Option<&'a str>,
}

/// An account of old.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    /// Nobody yet.
    pub viewer: Option<&'a Viewer>,
    /// What was typed before a mistake.
    pub name: &'a str,
    /// Where to go afterwards.
    pub next: &'a str,
    /// What has to be done differently.
    pub mistake: Option<&'a str>,
}

/// One's own account.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// The account.
    pub person: &'a User,
    /// What has just been done.
    pub done: Option<&'a str>,
    /// What has to be done differently.
    pub mistake: Option<&'a str>,
    /// Whether a new password ends the other sessions.
    pub ends_sessions: bool,
}

impl AccountPage<'_> {
    fn pro(&self) -> bool {
        self.person.plan == Plan::Pro
    }
}

/// What the plans offer.
#[derive(Template)]
#[template(path = "plans.html")]
pub struct PlansPage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
}

/// People by name.
#[derive(Template)]
#[template(path = "search.html")]
pub struct SearchPage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// What was looked for.
    pub query: &'a str,
    /// Who was found.
    pub people: Vec<(Author, Avatar)>,
}

/// Which instance this is.
#[derive(Template)]
#[template(path = "info.html")]
pub struct InfoPage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// The instance and its settings.
    pub config: &'a Config,
    /// The settings.
    pub settings: Vec<(String, String)>,
    /// The counters that are not zero.
    pub counters: Vec<(String, u64)>,
    /// The process.
    pub pid: u32,
    /// The app's version.
    pub version: &'a str,
    /// The commit it was built from.
    pub commit: &'a str,
}

/// Any failure.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// Not known here.
    pub viewer: Option<&'a Viewer>,
    /// The HTTP status.
    pub status: u16,
    /// The headline.
    pub title: &'a str,
    /// What to do now.
    pub message: &'a str,
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
    }
}
