//! Draws the rows: who exists, who follows whom, whose photo is when, who likes and comments what. No I/O.
//!
//! Everything is skewed by Zipf's law (the k-th of N weighs k to the power of -s), as measured on photo sites: a few people post
//! and like most, a few photos get most of the attention. Totals grow linearly with the options, so that seeding stays
//! a matter of seconds: about 6 likes and 1.5 comments per photo.

use std::collections::HashSet;

use rand::seq::SliceRandom;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::{SeedOptions, words};
use crate::model::{
    Author, Comment, CommentId, Photo, PhotoId, PictureFormat, Plan, Progress, User, UserId,
    Version, VersionId,
};
use crate::store::Population;

/// 2026-06-01T00:00:00Z: the seeded past ends here, so that the same seed gives the same ids on any day.
const END_MS: u64 = 1_780_272_000_000;
/// The photos are spread over the 90 days before; the accounts over the 30 days before that.
const PHOTOS_SPAN_MS: u64 = 90 * 86_400_000;
const ACCOUNTS_SPAN_MS: u64 = 30 * 86_400_000;
/// Skew of attention: between 0.8 and 1.0 on real sites.
const POPULARITY_ZIPF: f64 = 0.9;
/// Skew of activity: who posts, likes and comments.
const ACTIVITY_ZIPF: f64 = 0.6;
const LIKES_PER_PHOTO: f64 = 6.0;
const COMMENTS_PER_PHOTO: f64 = 1.5;
/// More comments under one photo would be a page of their own.
const COMMENTS_MAX: u64 = 60;
/// Out of ten people, how many pay.
const PRO_OF_TEN: usize = 3;

/// The rows, and which picture each photo shows.
pub(super) struct Drawn {
    pub(super) population: Population,
    /// In the order of `population.photos`.
    pub(super) pictures: Vec<usize>,
}

/// The size of a picture in pixels: half of them 1,080 wide, half smaller, in the shapes of the usual cameras.
pub(super) fn picture_size(picture: usize) -> (u32, u32) {
    const SIZES: [(u32, u32); 8] = [
        (1080, 720),
        (800, 600),
        (1080, 810),
        (720, 900),
        (1080, 1080),
        (900, 600),
        (1080, 1350),
        (640, 640),
    ];
    SIZES[picture % SIZES.len()]
}

/// Draws the k-th of N with a weight of (k+1) to the power of -s, by binary search in the running sums.
struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| (rank as f64).powf(-exponent));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self { sums: sums.collect() }
    }

    fn total(&self) -> f64 {
        self.sums.last().copied().unwrap_or(0.0)
    }

    fn draw(&self, random: &mut impl Rng) -> usize {
        let point = random.random::<f64>() * self.total();
        self.sums.partition_point(|sum| *sum <= point).min(self.sums.len() - 1)
    }

    /// `count` different ones. Most are drawn; when that gets slow, because nearly all are wanted, the rest are the heaviest.
    fn draw_different(&self, count: usize, random: &mut impl Rng) -> Vec<usize> {
        let count = count.min(self.sums.len());
        let mut seen = HashSet::with_capacity(count);
        let mut drawn = Vec::with_capacity(count);
        let mut tries = 0;
        while drawn.len() < count && tries < count * 20 {
            tries += 1;
            let one = self.draw(random);
            if seen.insert(one) {
                drawn.push(one);
            }
        }
        let missing = count - drawn.len();
        let rest = (0..self.sums.len()).filter(|one| !seen.contains(one)).take(missing);
        drawn.extend(rest.collect::<Vec<_>>());
        drawn
    }
}

/// A stream of randomness for one purpose: more photos do not change the people.
fn stream(options: &SeedOptions, purpose: u64) -> ChaCha12Rng {
    let mut random = ChaCha12Rng::seed_from_u64(options.seed);
    random.set_stream(purpose);
    random
}

/// A share of `span_ms` for the `index`-th of `count`, with jitter inside its slot: ascending and never equal.
fn spread(index: usize, count: usize, span_ms: u64, random: &mut impl Rng) -> u64 {
    let slot = span_ms / count.max(1) as u64;
    slot * index as u64 + random.random_range(0..slot.max(1))
}

/// All rows.
pub(super) fn draw(options: &SeedOptions, password_hash: &str) -> Drawn {
    let mut users = draw_people(options, password_hash);
    let follows = draw_follows(options, &mut users);
    let (mut photos, pictures) = draw_photos(options, &mut users);
    let (likes, comments) = draw_attention(options, &users, &mut photos);
    Drawn { population: Population { users, follows, photos, likes, comments }, pictures }
}

fn draw_people(options: &SeedOptions, password_hash: &str) -> Vec<User> {
    let mut random = stream(options, 1);
    let count = options.people as usize;
    let start_ms = END_MS - PHOTOS_SPAN_MS - ACCOUNTS_SPAN_MS;
    // The order of sign-up has nothing to do with activity, which is the order of the list.
    let mut slots: Vec<usize> = (0..count).collect();
    slots.shuffle(&mut random);
    let person = |(number, slot): (usize, usize)| {
        let created_at_ms = start_ms + spread(slot, count, ACCOUNTS_SPAN_MS, &mut random);
        let (name, display_name) = words::name(number);
        User {
            id: UserId::new(created_at_ms, random.next_u64()),
            name,
            display_name,
            password_hash: password_hash.to_owned(),
            plan: if number % 10 < PRO_OF_TEN { Plan::Pro } else { Plan::Free },
            created_at_ms: created_at_ms as i64,
            photo_count: 0,
            follower_count: 0,
            following_count: 0,
        }
    };
    slots.into_iter().enumerate().map(person).collect()
}

fn draw_follows(options: &SeedOptions, users: &mut [User]) -> Vec<(UserId, UserId, i64)> {
    let mut random = stream(options, 2);
    // Who is followed most is not who does most.
    let mut by_fame: Vec<usize> = (0..users.len()).collect();
    by_fame.shuffle(&mut random);
    let fame = Zipf::new(users.len(), POPULARITY_ZIPF);
    let mut follows = Vec::new();
    for follower in 0..users.len() {
        // Exponential around the mean: most follow a few, some follow many.
        let share = -(1.0 - random.random::<f64>()).ln();
        let wanted = (share * options.follows_mean).round() as usize;
        let wanted = wanted.min(users.len() / 2);
        for place in fame.draw_different(wanted + 1, &mut random) {
            let followee = by_fame[place];
            if followee == follower || users[follower].following_count as usize == wanted {
                continue;
            }
            let since = users[follower].created_at_ms.max(users[followee].created_at_ms);
            follows.push((users[follower].id, users[followee].id, since + 60_000));
            users[follower].following_count += 1;
            users[followee].follower_count += 1;
        }
    }
    follows
}

type PhotoRows = Vec<(Photo, Vec<Version>)>;

fn draw_photos(options: &SeedOptions, users: &mut [User]) -> (PhotoRows, Vec<usize>) {
    let mut random = stream(options, 3);
    let count = options.photos as usize;
    let activity = Zipf::new(users.len(), ACTIVITY_ZIPF);
    let mut rows = Vec::with_capacity(count);
    let mut pictures = Vec::with_capacity(count);
    for index in 0..count {
        let at_ms = END_MS - PHOTOS_SPAN_MS + spread(index, count, PHOTOS_SPAN_MS, &mut random);
        let author = &mut users[activity.draw(&mut random)];
        let picture = random.random_range(0..options.pictures as usize);
        let (width, height) = picture_size(picture);
        let id = PhotoId::for_author(author.id, at_ms, random.next_u64());
        let version = Version {
            id: VersionId::for_formats(options.formats, at_ms, random.next_u64()),
            photo: id,
            filter: "original".to_owned(),
            strength: 100,
            watermarked: author.plan == Plan::Free,
            progress: Progress::Ready,
            created_at_ms: at_ms as i64,
        };
        let photo = Photo {
            id,
            author: author.id,
            caption: words::caption(random.next_u64()),
            alt: words::alt(picture),
            width,
            height,
            format: PictureFormat::Jpeg,
            published_version: version.id,
            progress: Progress::Ready,
            created_at_ms: at_ms as i64,
            ready_at_us: Some(at_ms as i64 * 1_000),
            like_count: 0,
            comment_count: 0,
        };
        author.photo_count += 1;
        rows.push((photo, vec![version]));
        pictures.push(picture);
    }
    (rows, pictures)
}

type Likes = Vec<(PhotoId, UserId, i64)>;

fn draw_attention(
    options: &SeedOptions,
    users: &[User],
    photos: &mut [(Photo, Vec<Version>)],
) -> (Likes, Vec<Comment>) {
    let mut random = stream(options, 4);
    let activity = Zipf::new(users.len(), ACTIVITY_ZIPF);
    let (mut likes, mut comments) = (Vec::new(), Vec::new());
    let mut by_popularity: Vec<usize> = (0..photos.len()).collect();
    by_popularity.shuffle(&mut random);
    let weight = |rank: usize| ((rank + 1) as f64).powf(-POPULARITY_ZIPF);
    let share = photos.len() as f64 / Zipf::new(photos.len(), POPULARITY_ZIPF).total().max(1.0);
    for (rank, index) in by_popularity.into_iter().enumerate() {
        let photo = &mut photos[index].0;
        let attention = weight(rank) * share;
        let left_ms = (END_MS - photo.created_at_ms as u64).max(1);
        let mut moment = || photo.created_at_ms + random.random_range(0..left_ms) as i64;
        let like_count = round_up_or_down(attention * LIKES_PER_PHOTO, moment());
        let like_count = (like_count as usize).min(users.len() * 6 / 10);
        let comment_count = round_up_or_down(attention * COMMENTS_PER_PHOTO, moment());
        for person in activity.draw_different(like_count, &mut random) {
            let at_ms = photo.created_at_ms + random.random_range(0..left_ms) as i64;
            likes.push((photo.id, users[person].id, at_ms));
            photo.like_count += 1;
        }
        for _ in 0..comment_count.min(COMMENTS_MAX) {
            let by = &users[activity.draw(&mut random)];
            let at_ms = photo.created_at_ms as u64 + random.random_range(0..left_ms);
            comments.push(Comment {
                id: CommentId::new(at_ms, random.next_u64()),
                photo: photo.id,
                author: Author {
                    id: by.id,
                    name: by.name.clone(),
                    display_name: by.display_name.clone(),
                },
                body: words::remark(random.next_u64()).to_owned(),
                created_at_ms: at_ms as i64,
            });
            photo.comment_count += 1;
        }
    }
    (likes, comments)
}

/// 2.3 becomes 2 seven times out of ten and 3 otherwise, by the last digits of a moment: the tail keeps its mean.
fn round_up_or_down(value: f64, moment: i64) -> u64 {
    let part = (moment.rem_euclid(1_000)) as f64 / 1_000.0;
    value.floor() as u64 + u64::from(part < value.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_prefers_the_first_and_reaches_the_last() {
        let mut random = ChaCha12Rng::seed_from_u64(1);
        let zipf = Zipf::new(100, 0.9);
        let mut counts = vec![0; 100];
        for _ in 0..100_000 {
            counts[zipf.draw(&mut random)] += 1;
        }
        assert!(counts[0] > counts[9] && counts[9] > counts[90]);
        assert!(counts.iter().all(|count| *count > 0));
        let different: HashSet<usize> = zipf.draw_different(100, &mut random).into_iter().collect();
        assert_eq!(different.len(), 100, "all of them, when all are wanted");
    }
}
