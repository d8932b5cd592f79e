//! Going pro: every version with the watermark gets a twin without it, which takes its place as soon as it is rendered
//! (`jobs::renditions`). The twins are rows before anything is answered, so that a crash leaves nothing but work for the
//! sweep. Asking again makes only what is still missing, so that somebody whose request broke off can press once more.
//!
//! Query budget: 1 per page of photos, 1 per photo, 1 per version that carries the mark.

use crate::error::{AppResult, chain};
use crate::model::{Feed, PhotoId, Plan, Progress, UserId, Version};
use crate::routes::versions::{new_version, submit};
use crate::state::AppState;

/// Photos looked through at once.
const PAGE: usize = 50;

/// Makes the rows of all twins that a person's photos lack; [`hand_over`] has them rendered.
pub async fn twins(state: &AppState, person: UserId) -> AppResult<Vec<Version>> {
    let mut twins = Vec::new();
    let mut before = None;
    loop {
        let feed = Feed::Profile(person);
        let page = state.store.photo_page(feed, Some(person), before, PAGE).await?;
        for card in &page.items {
            let versions = state.store.versions(card.photo.id).await?;
            for marked in versions.iter().filter(|version| version.watermarked) {
                let is_twin = |other: &Version| {
                    !other.watermarked
                        && other.progress != Progress::Failed
                        && other.looks_like(marked)
                };
                let made_now = |twin: &&Version| twin.photo == card.photo.id;
                if marked.progress == Progress::Failed
                    || versions.iter().chain(twins.iter().filter(made_now)).any(is_twin)
                {
                    continue;
                }
                let look = (marked.filter.as_str(), marked.strength);
                let twin = new_version(state, &card.photo, look, Plan::Pro);
                state.store.add_version(&twin).await?;
                twins.push(twin);
            }
        }
        before = page.next.map(PhotoId);
        if before.is_none() {
            return Ok(twins);
        }
    }
}

/// Has the twins rendered, away from the request that asked for them. What cannot be handed over waits for the sweep.
pub fn hand_over(state: &AppState, twins: Vec<Version>) {
    let state = state.clone();
    tokio::spawn(async move {
        for twin in twins {
            if let Err(error) = submit(&state, &twin).await {
                let cause = chain(&error);
                tracing::warn!(version.id = %twin.id, cause, "a version without the mark is late");
            }
        }
    });
}
