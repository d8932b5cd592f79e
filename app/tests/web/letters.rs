//! Names and words that nobody can see or that turn the page around: refused, or kept within their element.

use crate::support::{PASSWORD, Site, between, jpeg};

#[tokio::test]
async fn names_that_cannot_be_seen_or_turn_the_line_are_refused_with_the_reason() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    for (name, words) in [
        ("\u{200b}\u{200b}\u{200b}", "that can be seen"),
        ("\u{3164}", "that can be seen"),
        ("\u{2800} \u{2800}", "that can be seen"),
        ("\u{ad}", "that can be seen"),
        ("\u{a0}", "1 to 60 characters"),
        ("\u{202e}nimda", "(U+202E)"),
        ("admin\u{2067}", "(U+2067)"),
        ("a\0b", "(U+0000)"),
        ("a\u{85}b", "(U+0085)"),
        ("a\nb", "(U+000A)"),
        ("a\u{2028}b", "(U+2028)"),
    ] {
        let form = [("name", "eve"), ("display_name", name), ("password", PASSWORD)];
        site.browser().post("/signup", &form).await.assert_says(422, words);
        anna.post("/account", &[("display_name", name)]).await.assert_says(422, words);
    }
    for name in ["محمد علي", "אָלֶף", "👩\u{200d}👩\u{200d}👧", "می\u{200c}خواهم", "📷✨"]
    {
        anna.post("/account", &[("display_name", name)]).await.location();
        let page = anna.get("/u/anna").await.text();
        assert_eq!(between(&page, "<h1>", "</h1>"), format!("<bdi>{name}</bdi>"));
    }
}

#[tokio::test]
async fn words_that_turn_the_line_stay_within_their_element() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let words = "evil\u{202e} \u{2069}live";
    let kept = format!("<bdi>{words}</bdi>");
    let fields = [("caption", words), ("alt", words)];
    let photo = anna.upload("a.jpg", &jpeg(64, 48), &fields).await.location().to_owned();
    anna.post(&format!("{photo}/comments"), &[("body", words)]).await.location();
    let page = anna.get(&photo).await.text();
    assert!(page.contains(&format!("<h1 class=\"caption large\">{kept}</h1>")), "{page}");
    assert!(page.contains(&format!("<p class=\"comment-body\">{kept}</p>")), "{page}");
    // Titles and descriptions take no element.
    assert!(page.contains("<title>evil live by anna"), "{page}");
    assert!(page.contains("alt=\"evil live\""), "{page}");
    let feed = anna.get("/").await.text();
    assert!(feed.contains(&format!("<p class=\"caption\">{kept}</p>")), "{feed}");
    let search = anna.get("/search?q=%E2%80%AEevil").await.text();
    assert!(search.contains("begins with \"<bdi>\u{202e}evil</bdi>\""), "{search}");
}

#[tokio::test]
async fn words_that_cannot_be_seen_are_no_words() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let nothing = "\u{200b}\u{3164}\n\u{2800}";
    let fields = [("caption", nothing), ("alt", nothing)];
    let photo = anna.upload("a.jpg", &jpeg(64, 48), &fields).await.location().to_owned();
    let page = anna.get(&photo).await.text();
    assert!(page.contains("Untitled photo") && page.contains("alt=\"Photo by anna\""), "{page}");
    let comments = format!("{photo}/comments");
    anna.post(&comments, &[("body", nothing)]).await.assert_says(422, "at least one word");
    let edit = [("caption", nothing), ("alt", nothing)];
    anna.post(&format!("{photo}/edit"), &edit).await.location();
    anna.get(&photo).await.assert_says(200, "Untitled photo");
    anna.post(&comments, &[("body", "one\u{2028}two\u{0}\u{b}three\r\nfour")]).await.location();
    anna.get(&photo).await.assert_says(200, "<bdi>one\ntwo\nthree\nfour</bdi>");
}
