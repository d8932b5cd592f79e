//! People: the profile with its counts and photos, and the search by name.
//!
//! Query budget: profile 3 (`profile`, `photo_page`, and `is_following` for somebody else's), search 1
//! (`search_users`), none for an empty search.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::explore::GRID_PHOTOS;
use super::home::{Cursor, TILE_WIDTH, older_link};
use super::{Done, MaybeViewer, Path, Query, see_other};
use crate::error::{AppError, AppResult};
use crate::model::Feed;
use crate::state::AppState;
use crate::templates::{Avatar, CardView, ProfilePage, SearchPage, page};

/// People on the page of a search.
const FOUND_MAX: usize = 50;
/// Names are no longer than this, so nothing longer can begin one.
const QUERY_CHARS_MAX: usize = 30;

/// GET /u/{name}
pub async fn profile(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    Path(name): Path<String>,
    Query(cursor): Query<Cursor>,
    Query(done): Query<Done>,
) -> AppResult<Response> {
    let lower = name.to_lowercase();
    if lower != name {
        return Ok(see_other(&format!("/u/{}", super::query_escape(&lower))));
    }
    let person = state.store.profile(&name).await?;
    let person = person.ok_or(AppError::NotFound("this person"))?;
    let viewer_id = viewer.as_ref().map(|viewer| viewer.id);
    let own = viewer_id == Some(person.id);
    let following = match viewer_id {
        Some(viewer_id) if !own => state.store.is_following(viewer_id, person.id).await?,
        _ => false,
    };
    let feed = Feed::Profile(person.id);
    let photos = state.store.photo_page(feed, viewer_id, cursor.before, GRID_PHOTOS).await?;
    page(&ProfilePage {
        viewer: viewer.as_ref(),
        avatar: Avatar::of(&person.name, &person.display_name),
        following,
        own,
        cards: CardView::all(&photos.items, TILE_WIDTH, state.assets.as_ref()),
        older: older_link(&format!("/u/{}", person.name), photos.next),
        done: done.words(&[("deleted", "The photo has been deleted.")]).filter(|_| own),
        person: &person,
    })
}

/// What is looked for.
#[derive(Debug, Deserialize)]
pub struct SearchQuery {
    #[serde(default)]
    q: String,
}

/// GET /search
pub async fn search(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    Query(query): Query<SearchQuery>,
) -> AppResult<Response> {
    let text = query.q.trim().trim_start_matches('@');
    // Names in addresses have an underscore where the names on pages have a space.
    let prefix = text.split_whitespace().collect::<Vec<_>>().join("_").to_lowercase();
    let prefix: String = prefix.chars().take(QUERY_CHARS_MAX).collect();
    let people = match prefix.as_str() {
        "" => Vec::new(),
        prefix => state.store.search_users(prefix, FOUND_MAX).await?,
    };
    let avatar = |person: &crate::model::Author| Avatar::of(&person.name, &person.display_name);
    page(&SearchPage {
        viewer: viewer.as_ref(),
        query: text,
        people: people.into_iter().map(|person| (person.clone(), avatar(&person))).collect(),
    })
}
