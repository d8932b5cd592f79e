//! What crashes leave behind, put right while the process runs: versions that nobody finishes, and pictures that no row leads to.
//!
//! An upload stores the original first and adds the row after it; a removal takes the row first and the pictures after it. A crash
//! in between, or an object store that does not answer, therefore leaves a picture too many, never a row without its picture. Every
//! instance sweeps; each step is safe to do twice.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::assets::{AssetError, AssetKey, Listing};
use crate::error::chain;
use crate::jobs::{Job, JobError};
use crate::model::{PhotoId, Version};
use crate::state::AppState;
use crate::store::StoreError;

/// A version that is still preparing after this long was left behind by a crash or a failed hand-over.
const UNFINISHED_AFTER_MS: i64 = 60_000;
/// How often unfinished versions are looked for.
const UNFINISHED_EVERY: Duration = Duration::from_secs(30);
/// Versions taken up by one sweep.
const UNFINISHED_MAX: usize = 100;

/// A picture without a row is left alone for this long: the request or the job that makes it may still be at work (a job is tried
/// again for minutes).
const LEFTOVER_AFTER_MS: i64 = 60 * 60 * 1_000;
/// How often a part of the pictures is looked through. The first time after as long, so that no short run of a stack sees it.
const LEFTOVERS_EVERY: Duration = Duration::from_secs(60 * 60);
/// Pictures looked through at a time: a store of 100,000 is gone through in four days, with a query a second at most.
const LEFTOVERS_LISTED: usize = 1_000;
/// With more photos than this without a row, and more than half of those on the page, the database is not the one that these
/// pictures belong to: an empty one, or an older copy. Nothing is removed then.
const LEFTOVER_PHOTOS_TRUSTED: usize = 10;

/// Why a sweep broke off; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The asset store did not answer.
    #[error(transparent)]
    Assets(#[from] AssetError),
    /// The queue did not answer.
    #[error(transparent)]
    Jobs(#[from] JobError),
    /// Hardly any of the stored pictures belongs to this database.
    #[error(
        "{unknown} of {seen} photos whose pictures are stored are not in the database: is it the right one, and whole? Nothing was removed"
    )]
    WrongDatabase {
        /// Photos of the listing that the database does not know.
        unknown: usize,
        /// Photos of the listing.
        seen: usize,
    },
}

/// Sweeps until `stop`.
pub async fn run(state: AppState, stop: CancellationToken) {
    let mut unfinished_due = tokio::time::interval(UNFINISHED_EVERY);
    let mut leftovers_due = tokio::time::interval(LEFTOVERS_EVERY);
    // An interval's first tick comes at once.
    unfinished_due.tick().await;
    leftovers_due.tick().await;
    let mut cursor = None;
    loop {
        let swept = tokio::select! {
            () = stop.cancelled() => return,
            _ = unfinished_due.tick() => unfinished(&state).await,
            _ = leftovers_due.tick() => leftovers(&state, &mut cursor).await,
        };
        if let Err(error) = swept {
            tracing::warn!(cause = chain(&error), "a sweep broke off; the next one goes on");
        }
    }
}

/// Hands over again what a crash or an unreachable queue left unfinished; returns how many versions. While the queue still holds
/// work, its own redelivery is at it, and adding to the line would only lengthen it.
pub async fn unfinished(state: &AppState) -> Result<usize, SweepError> {
    let before_ms = state.clock.now_ms() - UNFINISHED_AFTER_MS;
    let unfinished = state.store.unfinished_versions(before_ms, UNFINISHED_MAX).await?;
    if unfinished.is_empty() || state.jobs.depth().await? != (0, 0) {
        return Ok(0);
    }
    for version in &unfinished {
        let job = Job::RenderVersion { photo: version.photo, version: version.id };
        if let Err(error) = state.jobs.submit(&job).await {
            let cause = chain(&error);
            tracing::warn!(photo.id = %version.photo, version.id = %version.id, cause, "not finished");
        }
    }
    tracing::info!(count = unfinished.len(), "took up unfinished versions");
    Ok(unfinished.len())
}

/// Looks through the next part of the stored pictures, from `cursor` on, and removes those that are old enough and that no row
/// leads to; returns how many. At the end the cursor starts over.
pub async fn leftovers(state: &AppState, cursor: &mut Option<String>) -> Result<usize, SweepError> {
    let Listing { keys, next } = state.assets.list(cursor.as_deref(), LEFTOVERS_LISTED).await?;
    let old_ms = state.clock.now_ms() - LEFTOVER_AFTER_MS;
    let mut versions: BTreeMap<PhotoId, Vec<Version>> = BTreeMap::new();
    let mut found = Vec::new();
    for key in keys {
        let (photo, made_ms) = match key {
            AssetKey::Original { photo, .. } => (photo, photo.unix_ms()),
            AssetKey::Rendition { photo, version, .. } => (photo, version.unix_ms()),
            // Not listed; the store's own rule removes it.
            AssetKey::Upload { .. } => continue,
        };
        if i64::try_from(made_ms).is_ok_and(|made_ms| made_ms > old_ms) {
            continue;
        }
        let known = match versions.entry(photo) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            // Never answered late, whatever the store: see `Store::versions`.
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(state.store.versions(photo).await?)
            }
        };
        let needed = match key {
            AssetKey::Original { .. } => !known.is_empty(),
            AssetKey::Rendition { version, .. } => known.iter().any(|one| one.id == version),
            AssetKey::Upload { .. } => true,
        };
        if !needed {
            found.push(key);
        }
    }
    let unknown = versions.values().filter(|known| known.is_empty()).count();
    if unknown > LEFTOVER_PHOTOS_TRUSTED && unknown * 2 > versions.len() {
        return Err(SweepError::WrongDatabase { unknown, seen: versions.len() });
    }
    for key in &found {
        state.assets.delete(key).await?;
    }
    if !found.is_empty() {
        tracing::info!(count = found.len(), "removed pictures that no row leads to");
    }
    *cursor = next;
    Ok(found.len())
}
