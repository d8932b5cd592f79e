//! Properties of routing and merging: everybody lives on exactly one shard, growth moves only what it must, and a merged feed
//! equals the feed that one server would have given.

use proptest::prelude::*;

use super::*;
use crate::model::{PictureFormat, VersionId};

fn card(id: i64) -> PhotoCard {
    let author = Author { id: UserId(1), name: "a".to_owned(), display_name: "A".to_owned() };
    let photo = Photo {
        id: PhotoId(id),
        author: author.id,
        caption: String::new(),
        alt: String::new(),
        width: 1,
        height: 1,
        format: PictureFormat::Jpeg,
        published_version: VersionId(1),
        progress: Progress::Ready,
        created_at_ms: 0,
        ready_at_us: None,
        like_count: 0,
        comment_count: 0,
    };
    PhotoCard { photo, author, liked_by_viewer: false }
}

/// What one server answers: its ids below `before`, newest first, cut at `limit`.
fn page_of(ids: &[i64], before: i64, limit: usize) -> Page<PhotoCard> {
    let mut ids: Vec<i64> = ids.iter().copied().filter(|id| *id < before).collect();
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    let cards = ids.into_iter().take(limit + 1).map(card).collect();
    Page::cut(cards, limit, |card: &PhotoCard| card.photo.id.0)
}

proptest! {
    #[test]
    fn every_place_has_one_shard_and_every_shard_a_fair_range(count in 1_usize..=64) {
        let mut sizes = vec![0_u64; count];
        let mut last = 0;
        for place in 0..SHARD_PLACES {
            let shard = shard_of_place(place, count);
            prop_assert!(shard >= last, "ranges, in order");
            last = shard;
            sizes[shard] += 1;
        }
        let (least, most) = (sizes.iter().min(), sizes.iter().max());
        prop_assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1));
    }

    #[test]
    fn doubling_splits_each_shard_and_mixes_none(count in 1_usize..=64, place in 0..SHARD_PLACES) {
        prop_assert_eq!(shard_of_place(place, count * 2) / 2, shard_of_place(place, count));
    }

    #[test]
    fn a_photo_lives_with_its_author(
        author in 0_i64..i64::MAX,
        unix_ms in 1_600_000_000_000_u64..4_000_000_000_000,
        random: u64,
        count in 1_usize..=64,
    ) {
        let author = UserId(author);
        let photo = PhotoId::for_author(author, unix_ms, random);
        let (theirs, its) = (author.place(), photo.place());
        prop_assert_eq!(shard_of_place(theirs, count), shard_of_place(its, count));
        prop_assert_eq!(photo.unix_ms(), unix_ms);
    }

    #[test]
    fn a_merged_feed_is_the_feed_of_one_server(
        ids in proptest::collection::btree_set(0_i64..500, 0..80),
        count in 1_usize..6,
        limit in 1_usize..30,
    ) {
        let all: Vec<i64> = ids.into_iter().collect();
        let mut shards = vec![Vec::new(); count];
        for id in &all {
            shards[(id * 7 % 11) as usize % count].push(*id);
        }
        let mut before = i64::MAX;
        loop {
            let pages = shards.iter().map(|ids| page_of(ids, before, limit)).collect();
            let merged = merge_pages(pages, limit);
            prop_assert_eq!(&merged, &page_of(&all, before, limit));
            let Some(next) = merged.next else { break };
            before = next;
        }
    }
}

#[test]
fn people_and_names_spread_evenly() {
    let mut people = [0; 8];
    let mut names = [0; 8];
    for number in 0..8_000_u64 {
        let id = UserId::new(1_750_000_000_000 + number, number);
        people[shard_of_place(id.place(), 8)] += 1;
        names[shard_of_place(place_of_name(&format!("person_{number}")), 8)] += 1;
    }
    // 1,000 each expected; a standard deviation is about 30.
    for count in people.into_iter().chain(names) {
        assert!((850..1_150).contains(&count), "{people:?} {names:?}");
    }
}
