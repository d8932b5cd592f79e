//! The promises of [`JobQueue`], as one list that judges every backend: `inline` in this package's tests, `sqs` with a worker
//! against the stand-in. The uploads it makes are also used by tests that kill workers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::renditions::Renderer;
use super::{Job, JobQueue};
use crate::assets::{AssetKey, Assets, rendition_widths};
use crate::clock::SystemClock;
use crate::imaging::{Limits, encode, landscape};
use crate::model::{
    Photo, PhotoId, PictureFormat, Plan, Progress, RenditionFormat, RenditionFormats, User, UserId,
    Version, VersionId,
};
use crate::store::Store;

/// How long a promise may take to come true on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the store, which tells nobody when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A world with one member, in which uploads can be made.
#[derive(Clone)]
pub struct Uploads {
    /// Where photos are kept.
    pub store: Arc<dyn Store>,
    /// Where pictures are kept.
    pub assets: Arc<dyn Assets>,
    author: UserId,
}

impl Uploads {
    /// Signs up the member.
    pub async fn new(store: Arc<dyn Store>, assets: Arc<dyn Assets>) -> Self {
        let author = UserId::new(1_750_000_000_000, 1);
        let user = User {
            id: author,
            name: "painter".to_owned(),
            display_name: "Painter".to_owned(),
            password_hash: "unused".to_owned(),
            plan: Plan::Free,
            created_at_ms: 1_750_000_000_000,
            photo_count: 0,
            follower_count: 0,
            following_count: 0,
        };
        store.create_user(&user).await.expect("an empty store takes a user");
        Self { store, assets, author }
    }

    /// The same world seen through other assets, such as ones that fail.
    pub fn with_assets(&self, assets: Arc<dyn Assets>) -> Self {
        Self { assets, ..self.clone() }
    }

    /// A renderer over this world.
    pub fn renderer(&self) -> Arc<Renderer> {
        let (store, assets) = (Arc::clone(&self.store), Arc::clone(&self.assets));
        Arc::new(Renderer::new(store, assets, Arc::new(SystemClock), Limits::default()))
    }

    /// Stores an original and its rows, as the upload page does; returns the job that is left to do.
    pub async fn upload(&self, number: u64, original: Bytes, width: u32, height: u32) -> Job {
        let photo = PhotoId::new(1_750_000_000_000, number);
        let version = VersionId::for_formats(RenditionFormats::JpegWebp, 1_750_000_000_000, number);
        let format = PictureFormat::Jpeg;
        let key = AssetKey::Original { photo, format };
        self.assets.put(&key, original).await.expect("the original can be put");
        let row = Photo {
            id: photo,
            author: self.author,
            caption: String::new(),
            alt: String::new(),
            width,
            height,
            format,
            published_version: version,
            progress: Progress::Preparing,
            created_at_ms: 1_750_000_000_000,
            ready_at_us: None,
            like_count: 0,
            comment_count: 0,
        };
        let first = Version {
            id: version,
            photo,
            filter: "sepia".to_owned(),
            strength: 80,
            watermarked: true,
            progress: Progress::Preparing,
            created_at_ms: 1_750_000_000_000,
        };
        self.store.add_photo(&row, &first).await.expect("the photo can be added");
        Job::RenderVersion { photo, version }
    }

    /// Waits until the photo of the job is no longer being prepared.
    pub async fn settled(&self, job: &Job) -> Progress {
        let Job::RenderVersion { photo, .. } = job;
        let look = async {
            loop {
                let card = self.store.photo(*photo, None).await.expect("the store answers");
                let progress = card.expect("the photo is there").photo.progress;
                if progress != Progress::Preparing {
                    return progress;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("the photo is finished in time")
    }

    /// Which renditions of the job are stored.
    pub async fn stored_widths(&self, job: &Job) -> Vec<u32> {
        let Job::RenderVersion { photo, version } = *job;
        let mut stored = Vec::new();
        for width in rendition_widths(u32::MAX) {
            let key = AssetKey::Rendition { photo, version, width, format: RenditionFormat::Jpeg };
            if self.assets.get(&key).await.expect("the asset store answers").is_some() {
                stored.push(width);
            }
        }
        stored
    }
}

/// A small painted JPEG.
pub fn picture(seed: u64, width: u32, height: u32) -> Bytes {
    let painted = landscape::paint(seed, width, height);
    Bytes::from(encode::jpeg(&painted).expect("a small picture can be encoded"))
}

/// Checks every promise; panics with the one that was broken. `make` gives a queue whose jobs are done by this renderer:
/// by the queue itself, or by a worker that `make` has started.
pub async fn check_all<F>(uploads: Uploads, make: impl FnOnce(Arc<Renderer>) -> F)
where
    F: Future<Output = Arc<dyn JobQueue>>,
{
    let queue = make(uploads.renderer()).await;
    queue.ping().await.expect("ping: an open queue answers");
    a_submitted_job_is_done(&uploads, &*queue).await;
    a_job_can_be_done_twice(&uploads, &*queue).await;
    an_unreadable_picture_fails_for_good(&uploads, &*queue).await;
    a_deleted_photo_leaves_nothing_behind(&uploads, &*queue).await;
    many_jobs_are_all_done(&uploads, &*queue).await;
    let empty = async {
        while queue.depth().await.expect("depth") != (0, 0) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("a queue whose jobs are done is empty");
}

async fn a_submitted_job_is_done(uploads: &Uploads, queue: &dyn JobQueue) {
    let job = uploads.upload(1, picture(1, 700, 450), 700, 450).await;
    queue.submit(&job).await.expect("submit");
    assert_eq!(uploads.settled(&job).await, Progress::Ready);
    assert_eq!(uploads.stored_widths(&job).await, [320, 640], "the ladder up to the photo");
    let Job::RenderVersion { photo, version } = job;
    let key = |format| AssetKey::Rendition { photo, version, width: 640, format };
    for format in [RenditionFormat::Jpeg, RenditionFormat::Webp] {
        let bytes = uploads.assets.get(&key(format)).await.expect("get").expect("it is stored");
        let probe = crate::imaging::probe(&bytes, &Limits::default()).expect("it is a picture");
        assert_eq!(probe.format, format.picture_format());
        assert_eq!((probe.width, probe.height), (640, 411), "in the photo's proportions");
    }
}

async fn a_job_can_be_done_twice(uploads: &Uploads, queue: &dyn JobQueue) {
    let job = uploads.upload(2, picture(2, 330, 220), 330, 220).await;
    queue.submit(&job).await.expect("submit");
    queue.submit(&job).await.expect("submit again");
    assert_eq!(uploads.settled(&job).await, Progress::Ready);
    queue.submit(&job).await.expect("submit a finished job");
    let author = uploads.store.user(uploads.author).await.expect("user").expect("the member");
    assert_eq!(author.photo_count, 2, "a photo is counted once, however often its job runs");
}

async fn an_unreadable_picture_fails_for_good(uploads: &Uploads, queue: &dyn JobQueue) {
    let whole = picture(3, 330, 220);
    let job = uploads.upload(3, whole.slice(..whole.len() / 2), 330, 220).await;
    // A queue that works at once tells its submitter; one that works later has nobody left to tell.
    if let Err(error) = queue.submit(&job).await {
        assert_eq!(error.verb, "run", "an unreadable picture is no fault of the queue: {error}");
    }
    assert_eq!(uploads.settled(&job).await, Progress::Failed);
    assert!(uploads.stored_widths(&job).await.is_empty(), "nothing is stored of it");
}

async fn a_deleted_photo_leaves_nothing_behind(uploads: &Uploads, queue: &dyn JobQueue) {
    let job = uploads.upload(4, picture(4, 330, 220), 330, 220).await;
    let Job::RenderVersion { photo, version } = job;
    uploads.store.delete_photo(photo).await.expect("delete").expect("it was there");
    // What an earlier, cut-off run of the job may have written.
    let format = RenditionFormat::Jpeg;
    let key = AssetKey::Rendition { photo, version, width: 320, format };
    uploads.assets.put(&key, Bytes::from_static(b"left over")).await.expect("put");
    queue.submit(&job).await.expect("a job without its photo is done");
    let gone = async {
        while !uploads.stored_widths(&job).await.is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("renditions of a deleted photo are removed");
}

async fn many_jobs_are_all_done(uploads: &Uploads, queue: &dyn JobQueue) {
    let original = picture(5, 330, 220);
    let mut jobs = Vec::new();
    for number in 0..12 {
        let job = uploads.upload(100 + number, original.clone(), 330, 220).await;
        queue.submit(&job).await.expect("submit");
        jobs.push(job);
    }
    for job in &jobs {
        assert_eq!(uploads.settled(job).await, Progress::Ready);
    }
}
