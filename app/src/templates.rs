//! The pages as types: what each template in `app/templates` may show, and nothing else.
//!
//! Handlers in `routes` fill these structs, and [`page`] turns one into an answer; text is escaped by askama. What
//! pages share (pictures, cards, initials, dates) is in `views`.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::config::Config;
use crate::error::AppResult;
use crate::model::{Author, Plan, Profile, Progress, User};
use crate::routes::health::Component;
use crate::session::Viewer;

mod views;

pub use views::{Avatar, CardView, CommentView, FilterChoice, Moment, Picture, VersionView};

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

/// Logged out, at `/`.
#[derive(Template)]
#[template(path = "landing.html")]
pub struct LandingPage<'a> {
    /// Nobody, but the layout asks.
    pub viewer: Option<&'a Viewer>,
    /// What has just been done.
    pub done: Option<&'a str>,
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
    pub person: &'a Profile,
    /// Their initials.
    pub avatar: Avatar,
    /// Whether the viewer follows them.
    pub following: bool,
    /// Whether it is the viewer's own page.
    pub own: bool,
    /// What has just been done.
    pub done: Option<&'a str>,
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
    /// The same for a JPEG that can be decoded at a fraction of its size.
    pub photo_megapixels_max: u64,
    /// The limit, for the script.
    pub bytes_max: u64,
    /// Whether the script puts the picture into a slot of the object store.
    pub presigned: bool,
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
    /// The caption, as it is or as it was typed.
    pub caption: &'a str,
    /// The description, likewise.
    pub alt: &'a str,
    /// What has just been done.
    pub done: Option<&'a str>,
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
    /// Where to go afterwards.
    pub next: &'a str,
    /// What has to be done differently, field by field.
    pub mistakes: SignupMistakes,
}

/// What is wrong with the fields of a sign-up.
#[derive(Debug, Default)]
pub struct SignupMistakes {
    /// With the name in addresses.
    pub name: Option<String>,
    /// With the name on pages.
    pub display_name: Option<String>,
    /// With the password.
    pub password: Option<String>,
}

impl SignupMistakes {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.display_name.is_none() && self.password.is_none()
    }
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
    /// The name on pages, as it is or as it was typed.
    pub display_name: &'a str,
    /// What has just been done.
    pub done: Option<&'a str>,
    /// What has to be done differently, and in which of the page's forms.
    pub mistake: Option<(AccountForm, &'a str)>,
    /// Whether a new password ends the other sessions.
    pub ends_sessions: bool,
}

/// The forms of the account page that may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountForm {
    /// The name on pages.
    Rename,
    /// The password.
    Password,
    /// The end.
    Delete,
}

impl AccountPage<'_> {
    /// What is wrong with this form.
    fn mistake_in(&self, form: AccountForm) -> Option<&str> {
        self.mistake.filter(|(found, _)| *found == form).map(|(_, mistake)| mistake)
    }
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

/// What stands behind this instance.
#[derive(Template)]
#[template(path = "topology.html")]
pub struct TopologyPage<'a> {
    /// Who is looking.
    pub viewer: Option<&'a Viewer>,
    /// The instance's name.
    pub instance: &'a str,
    /// The process.
    pub pid: u32,
    /// Its backends.
    pub components: Vec<Component>,
    /// Database nodes that it was told of.
    pub store_nodes: usize,
    /// Requests that it is answering, besides this one.
    pub in_flight: u64,
    /// Jobs waiting and jobs being worked on; none when the queue does not say.
    pub queue: Option<(u64, u64)>,
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
