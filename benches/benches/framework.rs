//! The framework layer: what one page costs, alone (its HTML) and through the whole stack (routing, session, store, HTML).
//!
//! Store: in memory with a seeded population, so that no database is measured. The whole stack runs twice, without a
//! cache and with the in-process one: on a memory store the cache can only cost, and this says how much.
//! Groups: `html/PAGE` renders from data that is there; `request/CACHE/PAGE` sends a request through the router.

use std::hint::black_box;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use criterion::{Criterion, criterion_group, criterion_main};
use photo_app::config::Config;
use photo_app::config::arguments::RawSettings;
use photo_app::model::{Feed, PhotoCard, User};
use photo_app::router::router;
use photo_app::seed::{SeedOptions, seed};
use photo_app::session::Viewer;
use photo_app::state::AppState;
use photo_app::templates::{CardView, ExplorePage, HomePage, LandingPage};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// The largest answer of any page here, well above the home feed's.
const BODY_BYTES_MAX: usize = 1024 * 1024;

struct Bench {
    runtime: Runtime,
    state: AppState,
    router: Router,
    cookie: String,
    viewer: Viewer,
    _folder: TempDir,
}

fn bench(cache: &str) -> Bench {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let folder = tempfile::tempdir().expect("a temp folder can be made");
    let raw = RawSettings {
        store: Some("memory".to_owned()),
        cache: Some(cache.to_owned()),
        assets_dir: Some(folder.path().display().to_string()),
        ..RawSettings::default()
    };
    let config = Config::check(&raw).expect("the settings are sound");
    let (state, cookie, viewer) = runtime.block_on(async {
        let state = AppState::connect(config).await.expect("nothing to reach");
        let options = SeedOptions {
            people: 200,
            photos: 2_000,
            pictures: 1,
            widths: vec![320],
            ..SeedOptions::default()
        };
        let sessions = Some(state.sessions.as_ref());
        let manifest = seed(&options, state.store.as_ref(), state.assets.as_ref(), sessions).await;
        let manifest = manifest.expect("an empty store takes a population");
        let first = &manifest.people[0];
        let user = state.store.user(first.id).await.expect("the store answers");
        let user: User = user.expect("the first person is there");
        let cookie = first.cookie.clone().expect("the first people have sessions");
        (state, cookie, Viewer::from(&user))
    });
    let router = router(&state);
    Bench { runtime, state, router, cookie, viewer, _folder: folder }
}

impl Bench {
    fn cards(&self, feed: Feed, limit: usize) -> Vec<PhotoCard> {
        let page = self.state.store.photo_page(feed, Some(self.viewer.id), None, limit);
        self.runtime.block_on(page).expect("the store answers").items
    }

    fn request(&self, path: &str) -> usize {
        let request = Request::get(path)
            .header(header::HOST, "photos.test")
            .header(header::COOKIE, &self.cookie)
            .body(Body::empty())
            .expect("the request is sound");
        self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.expect("the router answers");
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            let body = to_bytes(answer.into_body(), BODY_BYTES_MAX).await;
            body.expect("the body is whole").len()
        })
    }
}

fn html(criterion: &mut Criterion) {
    let bench = bench("none");
    let assets = bench.state.assets.as_ref();
    let home = bench.cards(Feed::Home(bench.viewer.id), 20);
    let grid = bench.cards(Feed::Explore, 24);
    let mut group = criterion.benchmark_group("html");
    group.bench_function("home", |b| {
        b.iter(|| {
            let cards = CardView::all(black_box(&home), 640, assets);
            let viewer = Some(&bench.viewer);
            let page = HomePage { viewer, cards, older: None, continued: false };
            askama::Template::render(&page).expect("the page renders")
        });
    });
    group.bench_function("explore", |b| {
        b.iter(|| {
            let cards = CardView::all(black_box(&grid), 320, assets);
            let viewer = Some(&bench.viewer);
            let page = ExplorePage { viewer, cards, older: None, continued: false };
            askama::Template::render(&page).expect("the page renders")
        });
    });
    group.bench_function("landing", |b| {
        b.iter(|| {
            let cards = CardView::all(black_box(&grid[..8.min(grid.len())]), 320, assets);
            askama::Template::render(&LandingPage { viewer: None, done: None, cards })
                .expect("it renders")
        });
    });
    group.finish();
}

fn requests(criterion: &mut Criterion) {
    for cache in ["none", "moka"] {
        let bench = bench(cache);
        let photo = bench.cards(Feed::Explore, 1)[0].clone();
        let mut group = criterion.benchmark_group(format!("request/{cache}"));
        for (name, path) in [
            ("home", "/".to_owned()),
            ("explore", "/explore".to_owned()),
            ("profile", format!("/u/{}", photo.author.name)),
            ("photo", format!("/p/{}", photo.photo.id)),
            ("status", format!("/p/{}/status", photo.photo.id)),
            ("upload_page", "/upload".to_owned()),
            ("account", "/account".to_owned()),
            ("search", "/search?q=a".to_owned()),
            ("plans", "/plans".to_owned()),
            ("healthz", "/healthz".to_owned()),
        ] {
            group.bench_function(name, |b| b.iter(|| bench.request(black_box(&path))));
        }
        group.finish();
    }
}

criterion_group!(benches, html, requests);
criterion_main!(benches);
