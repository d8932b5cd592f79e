//! One primary that writes and replicas that read: reads scale with the replicas, writes do not.
//!
//! Replicas are behind by a little, always. So that nobody misses the own writes: after a write, the reads of that person and
//! of that photo go to the primary for [`PIN_FOR`]; photos younger than that are read there by every instance (their ids say
//! how old they are); and what a replica does not have is asked of the primary before it is called absent. A like made
//! through one instance may be seen late through another. Accounts are read from the primary alone, because they decide:
//! passwords, plans, and whether somebody is there at all (docs/decisions/credentials.md). None of this asks for the lag; [`ReplicatedStore::facts`](Store::facts)
//! tells it, for /metrics and /info.json.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::clock::{Clock, SystemClock};
use crate::model::{
    Author, Comment, CommentId, Feed, Page, Photo, PhotoCard, PhotoId, Profile, Progress, User,
    UserId, Version, VersionId,
};
use crate::store::mysql::MysqlStore;
use crate::store::{
    LikeOutcome, Population, Store, StoreError, StoreResult, UserChange, summed_facts,
};

/// How long a writer reads from the primary: far above the usual lag on one network (milliseconds), short enough that most
/// reads still go to the replicas.
pub const PIN_FOR: Duration = Duration::from_secs(2);
/// Pins above this number are swept of those that have ended, once per that many writes.
const PINS_SWEPT_AT: usize = 10_000;

/// A primary and its replicas.
pub struct ReplicatedStore {
    primary: MysqlStore,
    replicas: Vec<MysqlStore>,
    next: AtomicUsize,
    pins: Pins,
    lag_unknown: Once,
}

/// Who wrote lately: ids of people and photos, which never meet (both are random in their low bits).
struct Pins {
    pinned_for: Duration,
    until: Mutex<HashMap<i64, Instant>>,
}

impl Pins {
    fn until(&self) -> MutexGuard<'_, HashMap<i64, Instant>> {
        self.until.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn pin(&self, ids: &[i64], now: Instant) {
        let mut until = self.until();
        if until.len() >= PINS_SWEPT_AT {
            until.retain(|_, end| *end > now);
        }
        until.extend(ids.iter().map(|id| (*id, now + self.pinned_for)));
    }

    fn any_pinned(&self, ids: &[i64], now: Instant) -> bool {
        let until = self.until();
        ids.iter().any(|id| until.get(id).is_some_and(|end| *end > now))
    }
}

impl ReplicatedStore {
    /// Connects to the primary and to each replica, with at most `connections_max` connections each.
    pub async fn connect(
        primary_url: &str,
        replica_urls: &[impl AsRef<str>],
        connections_max: u32,
    ) -> StoreResult<Self> {
        let primary = MysqlStore::connect(primary_url, connections_max).await?;
        let mut replicas = Vec::with_capacity(replica_urls.len());
        for url in replica_urls {
            replicas.push(MysqlStore::connect(url.as_ref(), connections_max).await?);
        }
        let pins = Pins { pinned_for: PIN_FOR, until: Mutex::default() };
        let (next, lag_unknown) = (AtomicUsize::new(0), Once::new());
        Ok(Self { primary, replicas, next, pins, lag_unknown })
    }

    /// Brings the primary's tables up to date; the replicas follow by themselves.
    pub async fn migrate(&self) -> StoreResult<()> {
        self.primary.migrate().await
    }

    /// The same store with another time of reading from the primary after a write.
    pub fn pinned_for(mut self, duration: Duration) -> Self {
        self.pins.pinned_for = duration;
        self
    }

    /// The next replica in turn; none when these ids are pinned or there is no replica.
    fn replica(&self, ids: &[i64]) -> Option<&MysqlStore> {
        if self.replicas.is_empty() || self.pins.any_pinned(ids, Instant::now()) {
            return None;
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.replicas.get(turn % self.replicas.len())
    }

    /// Once, not at every scrape of /metrics: it is a setting of the servers, and changes with their restart.
    fn warn_of_unknown_lag(&self) {
        self.lag_unknown.call_once(|| {
            tracing::warn!(
                "the lag of the replicas is unknown: MySQL counts transactions with gtid_mode=ON only \
                 (on RDS the parameters gtid-mode and enforce_gtid_consistency)"
            );
        });
    }

    fn is_young(&self, photo: PhotoId) -> bool {
        let now_ms = u64::try_from(SystemClock.now_ms()).unwrap_or(0);
        let age_ms = now_ms.saturating_sub(photo.unix_ms());
        u128::from(age_ms) < self.pins.pinned_for.as_millis()
    }
}

/// Reads from a replica, else from the primary: when the ids are pinned, when the replica cannot answer (it costs capacity,
/// not pages), and when `$absent` says that the answer may only be late.
macro_rules! replica_first {
    ($self:ident, $ids:expr, $store:ident => $read:expr, $absent:expr) => {{
        if let Some($store) = $self.replica(&$ids) {
            match $read.await {
                Ok(answer) if !$absent(&answer) => return Ok(answer),
                Ok(_) => {}
                Err(StoreError::Unavailable { verb, source }) => {
                    tracing::warn!(verb, %source, "a replica did not answer; the primary does");
                }
                Err(error) => return Err(error),
            }
        }
        let $store = &$self.primary;
        $read.await
    }};
}

#[async_trait]
impl Store for ReplicatedStore {
    async fn create_user(&self, user: &User) -> StoreResult<()> {
        let outcome = self.primary.create_user(user).await;
        self.pins.pin(&[user.id.0], Instant::now());
        outcome
    }
    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        // A password that was changed, a plan that ended, an account that is gone: no lag may keep them.
        self.primary.user(id).await
    }
    async fn user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
        self.primary.user_by_name(name).await
    }
    async fn profile(&self, name: &str) -> StoreResult<Option<Profile>> {
        // Who it is only the answer says: whoever wrote lately is read again where they wrote.
        let late = |found: &Option<Profile>| {
            let pinned = |person: &Profile| self.pins.any_pinned(&[person.id.0], Instant::now());
            found.as_ref().is_none_or(pinned)
        };
        replica_first!(self, [], store => store.profile(name), late)
    }
    async fn update_user(&self, id: UserId, change: &UserChange) -> StoreResult<()> {
        let outcome = self.primary.update_user(id, change).await;
        self.pins.pin(&[id.0], Instant::now());
        outcome
    }
    async fn delete_user(&self, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
        let outcome = self.primary.delete_user(id).await;
        self.pins.pin(&[id.0], Instant::now());
        outcome
    }
    async fn search_users(&self, prefix: &str, limit: usize) -> StoreResult<Vec<Author>> {
        replica_first!(self, [], store => store.search_users(prefix, limit), |_: &Vec<Author>| false)
    }
    async fn set_follow(
        &self,
        follower: UserId,
        followee: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<bool> {
        let outcome = self.primary.set_follow(follower, followee, on, at_ms).await;
        self.pins.pin(&[follower.0, followee.0], Instant::now());
        outcome
    }
    async fn is_following(&self, follower: UserId, followee: UserId) -> StoreResult<bool> {
        replica_first!(self, [follower.0], store => store.is_following(follower, followee), |_: &bool| false)
    }
    async fn add_photo(&self, photo: &Photo, first: &Version) -> StoreResult<()> {
        let outcome = self.primary.add_photo(photo, first).await;
        self.pins.pin(&[photo.id.0, photo.author.0], Instant::now());
        outcome
    }
    async fn photo(&self, id: PhotoId, viewer: Option<UserId>) -> StoreResult<Option<PhotoCard>> {
        let viewer_id = viewer.map_or(0, |viewer| viewer.0);
        if self.is_young(id) {
            return self.primary.photo(id, viewer).await;
        }
        replica_first!(self, [id.0, viewer_id], store => store.photo(id, viewer), Option::is_none)
    }
    async fn versions(&self, photo: PhotoId) -> StoreResult<Vec<Version>> {
        // Asked by the edit page and by workers, right after somebody else's write: rare and never late.
        self.primary.versions(photo).await
    }
    async fn add_version(&self, version: &Version) -> StoreResult<()> {
        let outcome = self.primary.add_version(version).await;
        self.pins.pin(&[version.photo.0], Instant::now());
        outcome
    }
    async fn finish_version(
        &self,
        photo: PhotoId,
        version: VersionId,
        outcome: Progress,
        at_us: i64,
    ) -> StoreResult<()> {
        let outcome = self.primary.finish_version(photo, version, outcome, at_us).await;
        self.pins.pin(&[photo.0], Instant::now());
        outcome
    }
    async fn publish_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<()> {
        let outcome = self.primary.publish_version(photo, version).await;
        self.pins.pin(&[photo.0], Instant::now());
        outcome
    }
    async fn delete_version(&self, photo: PhotoId, version: VersionId) -> StoreResult<Version> {
        let outcome = self.primary.delete_version(photo, version).await;
        self.pins.pin(&[photo.0], Instant::now());
        outcome
    }
    async fn edit_photo(&self, id: PhotoId, caption: &str, alt: &str) -> StoreResult<()> {
        let outcome = self.primary.edit_photo(id, caption, alt).await;
        self.pins.pin(&[id.0], Instant::now());
        outcome
    }
    async fn delete_photo(&self, id: PhotoId) -> StoreResult<Option<(Photo, Vec<Version>)>> {
        let outcome = self.primary.delete_photo(id).await;
        self.pins.pin(&[id.0], Instant::now());
        outcome
    }
    async fn photo_page(
        &self,
        feed: Feed,
        viewer: Option<UserId>,
        before: Option<PhotoId>,
        limit: usize,
    ) -> StoreResult<Page<PhotoCard>> {
        let person = match feed {
            Feed::Home(person) | Feed::Profile(person) => person.0,
            Feed::Explore => 0,
        };
        let viewer_id = viewer.map_or(0, |viewer| viewer.0);
        let all = |_: &Page<PhotoCard>| false;
        replica_first!(self, [person, viewer_id], store => store.photo_page(feed, viewer, before, limit), all)
    }
    async fn set_like(
        &self,
        photo: PhotoId,
        user: UserId,
        on: bool,
        at_ms: i64,
    ) -> StoreResult<LikeOutcome> {
        let outcome = self.primary.set_like(photo, user, on, at_ms).await;
        self.pins.pin(&[photo.0, user.0], Instant::now());
        outcome
    }
    async fn add_comment(&self, comment: &Comment) -> StoreResult<()> {
        let outcome = self.primary.add_comment(comment).await;
        self.pins.pin(&[comment.photo.0, comment.author.id.0], Instant::now());
        outcome
    }
    async fn comments(
        &self,
        photo: PhotoId,
        before: Option<CommentId>,
        limit: usize,
    ) -> StoreResult<Page<Comment>> {
        if self.is_young(photo) {
            return self.primary.comments(photo, before, limit).await;
        }
        let all = |_: &Page<Comment>| false;
        replica_first!(self, [photo.0], store => store.comments(photo, before, limit), all)
    }
    async fn delete_comment(
        &self,
        photo: PhotoId,
        comment: CommentId,
        author: UserId,
    ) -> StoreResult<bool> {
        let outcome = self.primary.delete_comment(photo, comment, author).await;
        self.pins.pin(&[photo.0, author.0], Instant::now());
        outcome
    }
    async fn unfinished_versions(
        &self,
        created_before_ms: i64,
        limit: usize,
    ) -> StoreResult<Vec<Version>> {
        self.primary.unfinished_versions(created_before_ms, limit).await
    }
    async fn load(&self, population: &Population) -> StoreResult<()> {
        self.primary.load(population).await
    }
    async fn ping(&self) -> StoreResult<()> {
        self.primary.ping().await
    }
    async fn facts(&self) -> StoreResult<BTreeMap<String, u64>> {
        let nodes = std::iter::once(&self.primary).chain(&self.replicas);
        let mut facts = summed_facts(nodes.map(|node| node as &dyn Store).collect()).await?;
        let primary = self.primary.position(false).await?;
        for (number, replica) in self.replicas.iter().enumerate() {
            let position = replica.position(true).await?;
            let (Some(primary), Some(position)) = (&primary, &position) else {
                self.warn_of_unknown_lag();
                continue;
            };
            let verb = "compare the replication positions";
            let behind = primary.ahead_of(position);
            let behind = behind.map_err(|error| StoreError::unavailable(verb, error))?;
            facts.insert(format!("store.replica_{}_transactions_behind", number + 1), behind);
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_ends_by_itself() {
        let pins = Pins { pinned_for: PIN_FOR, until: Mutex::default() };
        let start = Instant::now();
        pins.pin(&[1, 2], start);
        assert!(pins.any_pinned(&[2, 9], start));
        assert!(!pins.any_pinned(&[9], start));
        pins.pin(&[2], start + PIN_FOR / 2);
        assert!(!pins.any_pinned(&[1], start + PIN_FOR));
        assert!(pins.any_pinned(&[2], start + PIN_FOR), "a later write pins longer");
    }

    #[test]
    fn ended_pins_are_swept() {
        let pins = Pins { pinned_for: PIN_FOR, until: Mutex::default() };
        let start = Instant::now();
        for id in 0..PINS_SWEPT_AT as i64 {
            pins.pin(&[id], start);
        }
        pins.pin(&[-1], start + PIN_FOR * 2);
        assert_eq!(pins.until().len(), 1);
    }
}
