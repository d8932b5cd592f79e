//! The page at `/`: the feed when logged in, otherwise what the app is about.
//!
//! Query budget: 1 (`photo_page`). The session costs none with signed cookies. Older photos: a cursor, never an offset.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Done, MaybeViewer, Query};
use crate::error::AppResult;
use crate::model::{Feed, PhotoId};
use crate::session::Viewer;
use crate::state::AppState;
use crate::templates::{CardView, HomePage, LandingPage, page};

/// Photos on one page of the feed.
pub const FEED_PHOTOS: usize = 20;
/// Photos below the words of the landing page: two rows of four.
const LANDING_PHOTOS: usize = 8;
/// The feed's column is 640 CSS pixels wide.
const FEED_WIDTH: u32 = 640;
/// Tiles are about 300 CSS pixels wide.
pub const TILE_WIDTH: u32 = 320;

/// Where a list goes on.
#[derive(Debug, Deserialize)]
pub struct Cursor {
    /// Only photos older than this one.
    pub before: Option<PhotoId>,
}

/// The link to the next page of a list at `path`.
pub fn older_link(path: &str, next: Option<i64>) -> Option<String> {
    next.map(|id| format!("{path}?before={}", PhotoId(id)))
}

/// GET /
pub async fn show(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    Query(cursor): Query<Cursor>,
    Query(done): Query<Done>,
) -> AppResult<Response> {
    match viewer {
        Some(viewer) => feed(&state, &viewer, cursor.before).await,
        None => landing(&state, &done).await,
    }
}

async fn feed(state: &AppState, viewer: &Viewer, before: Option<PhotoId>) -> AppResult<Response> {
    let feed = Feed::Home(viewer.id);
    let photos = state.store.photo_page(feed, Some(viewer.id), before, FEED_PHOTOS).await?;
    page(&HomePage {
        viewer: Some(viewer),
        cards: CardView::all(&photos.items, FEED_WIDTH, state.assets.as_ref()),
        older: older_link("/", photos.next),
        continued: before.is_some(),
    })
}

async fn landing(state: &AppState, done: &Done) -> AppResult<Response> {
    let photos = state.store.photo_page(Feed::Explore, None, None, LANDING_PHOTOS).await?;
    let cards = CardView::all(&photos.items, TILE_WIDTH, state.assets.as_ref());
    let done = done.words(&[
        ("deleted", "Your account is gone, and all its photos with it."),
        ("logout", "You are logged out."),
    ]);
    page(&LandingPage { viewer: None, done, cards })
}
