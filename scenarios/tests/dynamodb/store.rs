//! The store on the stand-in: the conformance list on one node and on four, home feeds deeper than what is kept, repairs
//! after a crash, and what happens when DynamoDB is slow, throttled or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Partitions, string, throttling_server};
use photo_app::model::{Feed, Page, PhotoCard, PhotoId, Progress, User, UserId};
use photo_app::store::conformance::{comment, person, photo};
use photo_app::store::dynamodb::DynamodbStore;
use photo_app::store::memory::MemoryStore;
use photo_app::store::{Store, StoreError, UserChange};

/// Far beyond every limit of the client: reached only by a verb that hangs.
const HANGS: Duration = Duration::from_secs(60);

async fn conformance(nodes: usize) -> Partitions {
    let partitions = Partitions::start(nodes).await;
    let tables = AtomicU32::new(0);
    let make = async || {
        let table = format!("table-{}", tables.fetch_add(1, Ordering::Relaxed));
        Arc::new(partitions.store(&table).await) as Arc<dyn Store>
    };
    photo_app::store::conformance::check_all(make).await;
    partitions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_its_promises_on_one_node() {
    let partitions = conformance(1).await;
    let info = partitions.info().await;
    assert_eq!(info["transactions"]["across_nodes"], 0, "one node needs no router's transaction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_its_promises_on_four_nodes() {
    let partitions = conformance(4).await;
    let info = partitions.info().await;
    assert!(info["transactions"]["across_nodes"].as_u64() > Some(100), "{info}");
    for node in info["nodes"].as_array().expect("four nodes") {
        for operation in ["Query", "BatchGetItem", "BatchWriteItem", "TransactWriteItems"] {
            assert!(
                node["calls"][operation].as_u64() > Some(10),
                "{operation} on each node: {info}"
            );
        }
    }
    assert_eq!(info["operations"].get("Scan"), None, "no verb scans");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_takes_a_fixed_number_of_calls() {
    let partitions = Partitions::start(2).await;
    let store = partitions.store("counted").await;
    let calls = async || {
        let info = partitions.info().await;
        let operations = info["operations"].as_object().expect("operations").values();
        operations.map(|count| count.as_u64().expect("a number")).sum()
    };
    let costs = photo_app::store::conformance::reading_costs(&store, calls).await;
    for (verb, cost) in &costs {
        let most = match *verb {
            // A list of ids, then photos and the reader's likes, a hundred at once: two calls for 55 rows.
            "photo_page home" | "photo_page profile" => 3,
            // The newest ids lie in four partitions, each asked for its share and perhaps once more.
            "photo_page explore" => 8,
            "user_by_name" | "profile" => 2,
            _ => 1,
        };
        assert!((1..=most).contains(cost), "{verb} takes {cost}: {costs:?}");
    }
}

async fn add_photo(stores: &[&dyn Store], by: &User, number: u64) -> PhotoId {
    let (photo, version) = photo(by, number);
    for store in stores {
        store.add_photo(&photo, &version).await.expect("add a photo");
        let finished = store.finish_version(photo.id, version.id, Progress::Ready, 1_000).await;
        finished.expect("finish a version");
    }
    photo.id
}

async fn all_pages(store: &dyn Store, reader: UserId, limit: usize) -> Vec<Page<PhotoCard>> {
    let mut pages: Vec<Page<PhotoCard>> = Vec::new();
    loop {
        let before = pages.last().and_then(|page| page.next).map(PhotoId);
        let page = store.photo_page(Feed::Home(reader), Some(reader), before, limit).await;
        pages.push(page.expect("read a page"));
        if pages.last().is_some_and(|page| page.next.is_none()) {
            return pages;
        }
    }
}

/// 240 photos of people followed: the store keeps 100 entries, and pulls the rest from their authors' lists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_feed_ends_only_where_the_photos_end() {
    let partitions = Partitions::start(2).await;
    let (store, model) = (partitions.store("deep").await, MemoryStore::new());
    let both: [&dyn Store; 2] = [&store, &model];
    let people: Vec<User> = (0..4).map(person).collect();
    for user in &people {
        for store in both {
            store.create_user(user).await.expect("create a user");
        }
    }
    let follow = async |followee: usize, on: bool| {
        for store in both {
            let follow = store.set_follow(people[0].id, people[followee].id, on, 1).await;
            follow.expect("follow");
        }
    };
    let same_pages = async |when: &str| {
        for limit in [20, 33, 100] {
            let expected = all_pages(&model, people[0].id, limit).await;
            let found = all_pages(&store, people[0].id, limit).await;
            assert_eq!(found, expected, "{when}, pages of {limit}");
        }
    };
    follow(1, true).await;
    let mut ids = Vec::new();
    for number in 0..240 {
        ids.push(add_photo(&both, &people[1 + number as usize % 3], number).await);
    }
    same_pages("one followed from the start").await;
    follow(2, true).await;
    same_pages("a second one backfilled").await;
    follow(3, true).await;
    same_pages("more than the feed keeps").await;
    for id in ids[60..235].iter().step_by(2) {
        for store in both {
            store.delete_photo(*id).await.expect("delete a photo");
        }
    }
    same_pages("every second photo deleted").await;
    follow(1, false).await;
    same_pages("one no longer followed").await;
    for number in 240..250 {
        add_photo(&both, &people[2], number).await;
    }
    same_pages("new photos").await;
}

/// What a crash between "the photo is ready" and "everybody has it" leaves behind is completed by the repetition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_broke_off_is_completed() {
    let partitions = Partitions::start(2).await;
    let store = partitions.store("crash").await;
    let (author, reader) = (person(0), person(1));
    for user in [&author, &reader] {
        store.create_user(user).await.expect("create a user");
    }
    store.set_follow(reader.id, author.id, true, 1).await.expect("follow");
    let (photo, version) = photo(&author, 1);
    store.add_photo(&photo, &version).await.expect("add a photo");
    let unfinished = store.unfinished_versions(i64::MAX, 10).await.expect("list unfinished");
    assert_eq!(unfinished, std::slice::from_ref(&version));
    let entry = partitions.find("crash", "unfinished#", &version.id.to_string()).await;
    store.finish_version(photo.id, version.id, Progress::Ready, 5).await.expect("finish");
    assert!(store.unfinished_versions(i64::MAX, 10).await.expect("list unfinished").is_empty());

    // As a process leaves it that stops right after the transaction.
    let client = partitions.client().await;
    let put = client.put_item().table_name("crash").set_item(Some(entry));
    put.send().await.expect("put the entry back");
    for person in [author.id, reader.id] {
        let delete = client.delete_item().table_name("crash");
        let delete = delete.key("pk", string(format!("home#{person}")));
        delete.key("sk", string(photo.id)).send().await.expect("take the feed entry away");
    }
    let home = async || {
        let page = store.photo_page(Feed::Home(reader.id), None, None, 10).await;
        page.expect("read the feed").items.len()
    };
    assert_eq!(home().await, 0, "the follower does not have it yet");
    let left = store.unfinished_versions(i64::MAX, 10).await.expect("list unfinished");
    assert_eq!(left, std::slice::from_ref(&version), "what a crash left is found");
    store.finish_version(photo.id, version.id, Progress::Ready, 9).await.expect("finish again");
    assert_eq!(home().await, 1, "the follower has it");
    assert!(store.unfinished_versions(i64::MAX, 10).await.expect("list unfinished").is_empty());
    let account = store.user(author.id).await.expect("read the author").expect("is there");
    assert_eq!(account.photo_count, 1, "counted once");
    let card = store.photo(photo.id, None).await.expect("read the photo").expect("is there");
    assert_eq!(card.photo.ready_at_us, Some(5), "the first time of readiness stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_display_name_reaches_every_copy() {
    let partitions = Partitions::start(2).await;
    let store = partitions.store("names").await;
    let (author, other) = (person(0), person(1));
    for user in [&author, &other] {
        store.create_user(user).await.expect("create a user");
    }
    let own = add_photo(&[&store], &author, 1).await;
    let foreign = add_photo(&[&store], &other, 2).await;
    store.add_comment(&comment(&author, foreign, 1)).await.expect("comment");
    let display_name = Some("Anna Ångström".to_owned());
    let change = UserChange { display_name, ..UserChange::default() };
    store.update_user(author.id, &change).await.expect("rename");
    let card = store.photo(own, None).await.expect("read the photo").expect("is there");
    let comments = store.comments(foreign, None, 5).await.expect("read the comments");
    let found = store.search_users(&author.name, 5).await.expect("search");
    for name in [card.author, comments.items[0].author.clone(), found[0].clone()] {
        assert_eq!(name.display_name, "Anna Ångström");
    }
}

fn unavailable<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(StoreError::Unavailable { .. }) => true,
        Err(other) => panic!("neither an answer nor unavailable: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_makes_its_partitions_unavailable_and_no_others() {
    let mut partitions = Partitions::start(4).await;
    let store = partitions.store("dead").await;
    let people: Vec<User> = (0..24).map(person).collect();
    for user in &people {
        store.create_user(user).await.expect("create a user");
    }
    partitions.stop_node(2).await;
    let mut outcomes = Vec::new();
    for user in &people {
        let read = tokio::time::timeout(HANGS, store.user(user.id)).await;
        outcomes.push(unavailable(read.expect("no verb hangs")));
    }
    assert!(outcomes.iter().any(|dead| *dead), "a quarter of the people is on the dead node");
    assert!(outcomes.iter().any(|dead| !*dead), "the other nodes go on answering");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_never_answers_is_unavailable_not_a_hang() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let endpoint = format!("http://{}", silent.local_addr().expect("bound"));
    let store = DynamodbStore::connect(Some(&endpoint), "silent").await.expect("connect");
    let ping = tokio::time::timeout(HANGS, store.ping()).await.expect("no verb hangs");
    assert!(unavailable(ping));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_is_ridden_out_or_unavailable() {
    let partitions = Partitions::start(1).await;
    let table = "throttled";
    partitions.store(table).await;
    let (short, refused) = throttling_server(partitions.router, 2).await;
    let endpoint = format!("http://{short}");
    let store = DynamodbStore::connect(Some(&endpoint), table).await.expect("connect");
    store.create_user(&person(0)).await.expect("two refusals are ridden out");
    assert!(refused.load(Ordering::Relaxed) >= 2, "there were refusals");

    let (long, _) = throttling_server(partitions.router, u32::MAX).await;
    let endpoint = format!("http://{long}");
    let store = DynamodbStore::connect(Some(&endpoint), table).await.expect("connect");
    let ping = tokio::time::timeout(HANGS, store.ping()).await.expect("no verb hangs");
    assert!(unavailable(ping));
    let user = person(1);
    let write = tokio::time::timeout(HANGS, store.create_user(&user)).await;
    assert!(unavailable(write.expect("no verb hangs")));
}
