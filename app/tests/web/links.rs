//! Every link leads somewhere: from the first page on, whatever a page names (links, pictures with all their sizes, scripts,
//! styles, icons) is asked for, until nothing new turns up; as somebody without an account and as somebody with one.

use std::collections::{BTreeSet, VecDeque};

use crate::support::{Browser, STORES, Site, jpeg};

/// More pages than the little site of this test has.
const ADDRESSES_MAX: usize = 500;

/// What the page names: the values of `href`, `src` and `srcset`, without fragments.
fn named(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in [" href=\"", " src=\"", " srcset=\""] {
        for rest in page.split(attribute).skip(1) {
            let value = rest.split('"').next().unwrap_or_default();
            // A srcset is a list of addresses with widths; the others are lists of one.
            for candidate in value.split(", ") {
                let address = candidate.split(' ').next().unwrap_or_default();
                let address = address.split('#').next().unwrap_or_default();
                found.push(address.replace("&#38;", "&").replace("&amp;", "&"));
            }
        }
    }
    found.retain(|address| !address.is_empty());
    found
}

/// Follows everything; returns all addresses that were asked for.
async fn follow_all(browser: &mut Browser) -> BTreeSet<String> {
    let mut seen: BTreeSet<String> = BTreeSet::from(["/".to_owned()]);
    let mut waiting: VecDeque<(String, String)> = [("/".to_owned(), "the start".to_owned())].into();
    while let Some((address, from)) = waiting.pop_front() {
        assert!(address.starts_with('/'), "{from} leads away from the site: {address}");
        let answer = browser.get(&address).await;
        let status = answer.status;
        // A page that needs a login leads there, and is whole there.
        if status.is_redirection() {
            let to = answer.location().to_owned();
            if seen.insert(to.clone()) {
                waiting.push_back((to, address));
            }
            continue;
        }
        assert!(status.is_success(), "{from} leads to {address}: {status}");
        assert!(!answer.body.is_empty(), "{from} leads to {address}, which is empty");
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        for next in named(&answer.text()) {
            if seen.insert(next.clone()) {
                waiting.push_back((next, address.clone()));
            }
        }
        assert!(seen.len() < ADDRESSES_MAX, "the pages have no end: {seen:?}");
    }
    seen
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    for store in STORES {
        let site = Site::start(store).await;
        let (mut anna, mut ben) = (site.person("anna").await, site.person("ben").await);
        let photo = anna.upload("a.jpg", &jpeg(660, 440), &[]).await.location().to_owned();
        for _ in 0..25 {
            let photo = ben.upload("b.jpg", &jpeg(64, 48), &[]).await.location().to_owned();
            anna.post(&format!("{photo}/comments"), &[("body", "Fine")]).await.location();
        }
        anna.post("/u/ben/follow", &[("on", "true")]).await.location();
        let form = [("filter", "sepia"), ("strength", "80")];
        anna.post(&format!("{photo}/versions"), &form).await.location();

        let seen = follow_all(&mut site.browser()).await;
        for expected in ["/explore", "/plans", "/signup", "/topology", "/u/ben", photo.as_str()] {
            assert!(seen.contains(expected), "{expected} is not linked for strangers on {store}");
        }
        let seen = follow_all(&mut anna).await;
        let edit = format!("{photo}/edit");
        for expected in ["/upload", "/account", "/u/anna", "/info", edit.as_str()] {
            assert!(seen.contains(expected), "{expected} is not linked for members on {store}");
        }
        assert!(seen.iter().any(|address| address.starts_with("/?before=")), "{seen:?}");
        assert!(seen.iter().any(|address| address.ends_with("640.webp")), "{seen:?}");
        assert!(site.stop().await);
    }
}
