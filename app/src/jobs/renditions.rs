//! The job itself: from a stored original to stored renditions and a version that is marked ready.
//!
//! Safe to run twice, and to be cut off anywhere: renditions are whole objects under names of their version, and `finish_version`
//! counts once. A version without the watermark replaces older ones with it (somebody went pro). A picture that cannot be read
//! marks the version failed - that is a finished job, not a broken one. When the photo was deleted meanwhile, what was written
//! is removed again. The pixels are computed on threads for blocking work, at most as many pictures at once as there are
//! permits: that bounds memory (`imaging::decode` states the bytes per megapixel).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Job;
use crate::assets::{AssetError, AssetKey, Assets, rendition_keys, rendition_widths};
use crate::clock::Clock;
use crate::imaging::{
    self, Effort, ImagingError, Limits, RenderRequest, Rendition, Watermark, filters,
};
use crate::model::{Photo, PhotoId, Progress, RenditionFormats, Version, VersionId};
use crate::store::{Store, StoreError};

/// Why a job could not be finished now; trying again may help.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The store did not answer.
    #[error("version {version} of photo {photo} could not be looked up or marked")]
    Store {
        /// The photo.
        photo: PhotoId,
        /// The version.
        version: VersionId,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The asset store did not answer.
    #[error("the assets of version {version} of photo {photo} could not be moved")]
    Assets {
        /// The photo.
        photo: PhotoId,
        /// The version.
        version: VersionId,
        /// The cause.
        #[source]
        source: AssetError,
    },
    /// The photo is listed, but its original is not there.
    #[error("the original of photo {photo} is missing")]
    OriginalMissing {
        /// The photo.
        photo: PhotoId,
    },
    /// The process is going down.
    #[error(
        "the work on version {version} of photo {photo} was given up because the process stops"
    )]
    Stopped {
        /// The photo.
        photo: PhotoId,
        /// The version.
        version: VersionId,
    },
}

/// The formats for a photo of this size: a strip whose renditions would be longer than WebP can hold stays JPEG alone.
pub fn rendition_formats(setting: RenditionFormats, width: u32, height: u32) -> RenditionFormats {
    let widest = rendition_widths(width).last().copied().unwrap_or(width);
    let (_, longest) = imaging::resize::fit(width, height, widest);
    if longest > imaging::encode::WEBP_SIDE_MAX { RenditionFormats::Jpeg } else { setting }
}

/// How a finished job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RenderOutcome {
    /// Every rendition is stored and the version is ready (now, or already before).
    Ready,
    /// The picture cannot be rendered; the version is marked failed. The reason is known to whoever found it.
    Failed(Option<ImagingError>),
    /// Photo or version were deleted; nothing is left of the work.
    Gone,
}

/// Calls rendering off when nobody waits for it any more: the request timed out, the worker gave up the job.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes renditions. Cheap to share behind an `Arc`.
pub struct Renderer {
    store: Arc<dyn Store>,
    assets: Arc<dyn Assets>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    permits: Arc<Semaphore>,
}

impl Renderer {
    /// As many pictures at once as the machine has cores.
    pub fn new(
        store: Arc<dyn Store>,
        assets: Arc<dyn Assets>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self { store, assets, clock, limits, permits: Arc::new(Semaphore::new(cores)) }
    }

    /// At most `pictures` at once (at least one).
    pub fn with_concurrency_max(mut self, pictures: usize) -> Self {
        self.permits = Arc::new(Semaphore::new(pictures.max(1)));
        self
    }

    /// The time by the clock that the work is dated with, as Unix time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Does the job.
    pub async fn run(&self, job: &Job) -> Result<RenderOutcome, RenderError> {
        match job {
            Job::RenderVersion { photo, version } => self.render_version(*photo, *version).await,
        }
    }

    /// Makes and stores the renditions of a version, then marks it.
    pub async fn render_version(
        &self,
        photo: PhotoId,
        version: VersionId,
    ) -> Result<RenderOutcome, RenderError> {
        let store_failed = |source| RenderError::Store { photo, version, source };
        let found = self.look_up(photo, version).await.map_err(store_failed)?;
        let Some((row, wanted, others)) = found else {
            self.remove_renditions(photo, version).await?;
            return Ok(RenderOutcome::Gone);
        };
        match wanted.progress {
            Progress::Ready => {
                // Delivered again: the work may have been cut off between being ready and taking the other's place.
                self.replace_marked(&row, &wanted, &others).await?;
                return Ok(RenderOutcome::Ready);
            }
            Progress::Failed => return Ok(RenderOutcome::Failed(None)),
            Progress::Preparing => {}
        }
        let key = AssetKey::Original { photo, format: row.format };
        let original = self.assets.get(&key).await;
        let assets_failed = |source| RenderError::Assets { photo, version, source };
        let Some(original) = original.map_err(assets_failed)? else {
            // A delete takes the row first: perhaps it is just happening.
            return match self.look_up(photo, version).await.map_err(store_failed)? {
                Some(_) => Err(RenderError::OriginalMissing { photo }),
                None => Ok(RenderOutcome::Gone),
            };
        };
        match self.pixels(original, &row, &wanted).await? {
            Ok(renditions) => {
                self.put(photo, version, renditions).await.map_err(assets_failed)?;
                let outcome = self.finish(photo, version, Progress::Ready).await?;
                if outcome == RenderOutcome::Ready {
                    self.replace_marked(&row, &wanted, &others).await?;
                }
                Ok(outcome)
            }
            Err(reason) => {
                tracing::warn!(photo.id = %photo, version.id = %version, %reason, "a picture cannot be rendered");
                let outcome = self.finish(photo, version, Progress::Failed).await?;
                let found = outcome == RenderOutcome::Failed(None);
                Ok(if found { RenderOutcome::Failed(Some(reason)) } else { outcome })
            }
        }
    }

    async fn look_up(
        &self,
        photo: PhotoId,
        version: VersionId,
    ) -> Result<Option<(Photo, Version, Vec<Version>)>, StoreError> {
        let Some(card) = self.store.photo(photo, None).await? else { return Ok(None) };
        let mut versions = self.store.versions(photo).await?;
        let wanted = versions.iter().position(|candidate| candidate.id == version);
        Ok(wanted.map(|at| (card.photo, versions.remove(at), versions)))
    }

    /// A version without the watermark takes the place of older ones that show the same with it: shown where they were
    /// shown, and they are removed. Nothing to do for a version that is marked itself.
    async fn replace_marked(
        &self,
        photo: &Photo,
        clean: &Version,
        others: &[Version],
    ) -> Result<(), RenderError> {
        if clean.watermarked {
            return Ok(());
        }
        let failed = |source| RenderError::Store { photo: photo.id, version: clean.id, source };
        let older = |other: &&Version| other.id < clean.id && other.looks_like(clean);
        for marked in others.iter().filter(|other| other.watermarked).filter(older) {
            if photo.published_version == marked.id {
                match self.store.publish_version(photo.id, clean.id).await {
                    // Deleted meanwhile, by the person or by the same job delivered twice.
                    Ok(()) | Err(StoreError::Missing { .. }) => {}
                    Err(source) => return Err(failed(source)),
                }
            }
            match self.store.delete_version(photo.id, marked.id).await {
                Ok(_) => self.remove_renditions(photo.id, marked.id).await?,
                // Shown again by the person in this moment, or gone already.
                Err(StoreError::Conflict { .. } | StoreError::Missing { .. }) => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Ok(())
    }

    /// Computes the renditions away from the async threads. The inner error is the picture's fault and final.
    async fn pixels(
        &self,
        original: Bytes,
        photo: &Photo,
        version: &Version,
    ) -> Result<Result<Vec<(u32, Rendition)>, ImagingError>, RenderError> {
        let Some(filter) = filters::by_name(&version.filter) else {
            let name = version.filter.clone();
            return Ok(Err(ImagingError::UnknownFilter { name }));
        };
        let stopped = RenderError::Stopped { photo: photo.id, version: version.id };
        let permits = Arc::clone(&self.permits);
        let Ok(permit) = permits.acquire_owned().await else { return Err(stopped) };
        let (strength, watermark, limits) = (version.strength, version.watermarked, self.limits);
        let (widths, formats) = (rendition_widths(photo.width), version.id.formats());
        let waited_for = CancelOnDrop::default();
        let cancelled = Arc::clone(&waited_for.0);
        let work = spawn_blocking(move || {
            let _permit = permit;
            let request = RenderRequest {
                bytes: &original,
                filter,
                strength,
                watermark: Watermark::corner_if(watermark),
                widths: &widths,
                formats,
                limits,
                effort: Effort { cores: 1, cancelled: Some(&cancelled) },
            };
            imaging::render(&request).map(|made| widths.iter().copied().zip(made).collect())
        });
        match work.await {
            Ok(Err(ImagingError::Cancelled)) => Err(stopped),
            Ok(result) => Ok(result),
            Err(failed) if failed.is_panic() => {
                let reason = "the renderer gave up".to_owned();
                Ok(Err(ImagingError::Damaged { format: photo.format, reason }))
            }
            Err(_) => Err(stopped),
        }
    }

    async fn put(
        &self,
        photo: PhotoId,
        version: VersionId,
        renditions: Vec<(u32, Rendition)>,
    ) -> Result<(), AssetError> {
        let files = renditions
            .into_iter()
            .flat_map(|(width, made)| made.into_files().map(move |file| (width, file)));
        let puts = files.map(|(width, (format, bytes))| async move {
            let key = AssetKey::Rendition { photo, version, width, format };
            self.assets.put(&key, Bytes::from(bytes)).await
        });
        try_join_all(puts).await.map(|_| ())
    }

    async fn finish(
        &self,
        photo: PhotoId,
        version: VersionId,
        progress: Progress,
    ) -> Result<RenderOutcome, RenderError> {
        match self.store.finish_version(photo, version, progress, self.clock.now_us()).await {
            Ok(()) if progress == Progress::Ready => Ok(RenderOutcome::Ready),
            Ok(()) => Ok(RenderOutcome::Failed(None)),
            Err(StoreError::Missing { .. }) => {
                self.remove_renditions(photo, version).await?;
                Ok(RenderOutcome::Gone)
            }
            Err(source) => Err(RenderError::Store { photo, version, source }),
        }
    }

    /// Removes every size that may have been written for the version.
    async fn remove_renditions(
        &self,
        photo: PhotoId,
        version: VersionId,
    ) -> Result<(), RenderError> {
        for key in rendition_keys(photo, u32::MAX, version) {
            let removed = self.assets.delete(&key).await;
            removed.map_err(|source| RenderError::Assets { photo, version, source })?;
        }
        Ok(())
    }
}
