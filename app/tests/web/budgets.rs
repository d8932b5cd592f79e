//! The query budget of each page, as its file in `routes` states it: no page may ask the store more often.

use std::collections::BTreeMap;

use crate::support::{STORES, Site, jpeg};

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<String> {
    let mut calls = Vec::new();
    for (name, count) in after {
        let more = count - before.get(name).unwrap_or(&0);
        calls.extend(std::iter::repeat_n(name.clone(), more as usize));
    }
    calls
}

#[tokio::test]
async fn no_page_asks_the_store_more_often_than_it_says() {
    for store in STORES {
        let site = Site::start(store).await;
        let mut anna = site.person("anna").await;
        let mut ben = site.person("ben").await;
        let mut photo = String::new();
        for _ in 0..3 {
            photo = anna.upload("a.jpg", &jpeg(330, 220), &[]).await.location().to_owned();
            ben.post(&format!("{photo}/comments"), &[("body", "Good")]).await.location();
        }
        let edit = format!("{photo}/edit");
        let status = format!("{photo}/status");
        let preview = format!("{photo}/preview");
        for (path, budget) in [
            ("/", vec!["store.photo_page"]),
            ("/explore", vec!["store.photo_page"]),
            ("/u/anna", vec!["store.photo_page", "store.profile"]),
            ("/u/ben", vec!["store.is_following", "store.photo_page", "store.profile"]),
            (photo.as_str(), vec!["store.comments", "store.photo", "store.versions"]),
            (status.as_str(), vec!["store.photo"]),
            (edit.as_str(), vec!["store.photo", "store.user", "store.versions"]),
            (preview.as_str(), vec!["store.photo", "store.user"]),
            ("/upload", vec!["store.user"]),
            ("/account", vec!["store.user"]),
            ("/search?q=b", vec!["store.search_users"]),
            ("/search", vec![]),
            ("/plans", vec![]),
            ("/info", vec![]),
            ("/topology", vec!["store.ping"]),
        ] {
            let before = site.store_calls();
            let answer = anna.get(path).await;
            assert_eq!(answer.status, http::StatusCode::OK, "{path}: {}", answer.text());
            assert_eq!(difference(&before, &site.store_calls()), budget, "{path} on {store}");
        }
        let like = format!("{photo}/like");
        let comment = format!("{photo}/comments");
        for (path, form, budget) in [
            (like.as_str(), ("on", "true"), vec!["store.set_like"]),
            (comment.as_str(), ("body", "Yes"), vec!["store.add_comment", "store.user"]),
            ("/u/ben/follow", ("on", "true"), vec!["store.profile", "store.set_follow"]),
        ] {
            let before = site.store_calls();
            anna.post(path, &[form]).await.location();
            assert_eq!(difference(&before, &site.store_calls()), budget, "{path} on {store}");
        }
        let before = site.store_calls();
        ben.get(&photo).await.assert_says(200, "Yes");
        let budget = ["store.comments", "store.is_following", "store.photo"];
        assert_eq!(difference(&before, &site.store_calls()), budget, "{photo} for somebody else");
        assert!(site.stop().await);
    }
}
