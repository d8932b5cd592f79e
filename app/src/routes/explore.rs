//! The page at `/explore`: everybody's photos, newest first.
//!
//! Query budget: 1 (`photo_page`).

use axum::extract::State;
use axum::response::Response;

use super::home::{Cursor, TILE_WIDTH, older_link};
use super::{MaybeViewer, Query};
use crate::error::AppResult;
use crate::model::Feed;
use crate::state::AppState;
use crate::templates::{CardView, ExplorePage, page};

/// Photos on one page of a grid: divisible by 2, 3 and 4 columns.
pub const GRID_PHOTOS: usize = 24;

/// GET /explore
pub async fn show(
    State(state): State<AppState>,
    MaybeViewer(viewer): MaybeViewer,
    Query(cursor): Query<Cursor>,
) -> AppResult<Response> {
    let viewer_id = viewer.as_ref().map(|viewer| viewer.id);
    let photos =
        state.store.photo_page(Feed::Explore, viewer_id, cursor.before, GRID_PHOTOS).await?;
    page(&ExplorePage {
        viewer: viewer.as_ref(),
        cards: CardView::all(&photos.items, TILE_WIDTH, state.assets.as_ref()),
        older: older_link("/explore", photos.next),
        continued: cursor.before.is_some(),
    })
}
