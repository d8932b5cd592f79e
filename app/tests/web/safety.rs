//! What must not be possible: posts from other sites, forged sessions, guessing without end, scripts in pages.

use http::{StatusCode, header};

use crate::support::{PASSWORD, Site, jpeg};

#[tokio::test]
async fn a_post_from_another_site_is_refused() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    let photo = anna.upload("a.jpg", &jpeg(64, 48), &[]).await.location().to_owned();
    let like = format!("{photo}/like");
    let host = site.address.to_string();
    for headers in [
        vec![("origin", "http://evil.test")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
    ] {
        let answer = anna.post_with(&like, &[("on", "true")], &headers).await;
        answer.assert_says(403, "sent from another site");
    }
    let origin = format!("http://{host}");
    for headers in [vec![("sec-fetch-site", "same-origin")], vec![("origin", origin.as_str())]] {
        let answer = anna.post_with(&like, &[("on", "true")], &headers).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn a_forged_session_is_nobody() {
    let site = Site::start("memory").await;
    let anna = site.person("anna").await;
    let mut forger = site.browser();
    let cookie = anna.cookie.clone().expect("a login sets a cookie");
    let (payload, _) = cookie.split_once('.').expect("payload and signature");
    for forged in [format!("{payload}.AAAA"), payload.to_owned(), "session=x".to_owned()] {
        forger.cookie = Some(forged);
        assert_eq!(forger.get("/account").await.location(), "/login?next=/account");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_per_name() {
    let site = Site::start("memory").await;
    site.person("anna").await;
    let mut guesser = site.browser();
    for _ in 0..10 {
        let form = [("name", "anna"), ("password", "not this one")];
        guesser.post("/login", &form).await.assert_says(422, "do not belong together");
    }
    let form = [("name", "anna"), ("password", PASSWORD)];
    guesser.post("/login", &form).await.assert_says(429, "Too many attempts");
    site.person("ben").await;
    let form = [("name", "ben"), ("password", PASSWORD)];
    assert_eq!(guesser.post("/login", &form).await.location(), "/");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = Site::start("memory").await;
    let mut browser = site.browser();
    for path in ["/", "/nowhere", "/healthz", "/upload"] {
        let answer = browser.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::X_FRAME_OPTIONS), "DENY");
        assert_eq!(answer.header("x-request-id").len(), 16);
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("geolocation=()"));
        // A promise about HTTPS, made only to those who came by it.
        assert_eq!(answer.header(header::STRICT_TRANSPORT_SECURITY), "");
    }
    let answer = browser.get_with("/", &[("x-forwarded-proto", "https")]).await;
    assert_eq!(answer.header(header::STRICT_TRANSPORT_SECURITY), "max-age=31536000");
    let answer = browser.get_with("/", &[("x-request-id", "from-outside-7")]).await;
    assert_eq!(answer.header("x-request-id"), "from-outside-7");
    let page = browser.get("/").await.text();
    for word in ["style=\"", "<style", "onclick", "javascript:"] {
        assert!(!page.contains(word), "the policy forbids `{word}`");
    }
}

#[tokio::test]
async fn the_cookie_is_closed_to_scripts_and_secure_behind_tls() {
    let site = Site::start("memory").await;
    let mut anna = site.person("anna").await;
    anna.post("/logout", &[]).await.location();
    let form = [("name", "anna"), ("password", PASSWORD)];
    let plain = anna.post("/login", &form).await;
    let cookie = plain.header(header::SET_COOKIE).to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Secure"), "{cookie}");
    let tls = anna.post_with("/login", &form, &[("x-forwarded-proto", "https")]).await;
    assert!(tls.header(header::SET_COOKIE).contains("; Secure"));
}

#[tokio::test]
async fn sessions_in_memory_end_at_once_and_everywhere() {
    let memory = |raw: &mut photo_app::config::arguments::RawSettings| {
        raw.sessions = Some("memory".to_owned());
    };
    let site = Site::start_with("memory", memory).await;
    let mut anna = site.person("anna").await;
    let mut elsewhere = site.browser();
    let form = [("name", "anna"), ("password", PASSWORD)];
    elsewhere.post("/login", &form).await.location();
    elsewhere.get("/account").await.assert_says(200, "logs you out everywhere else");
    let change = [("current", PASSWORD), ("password", "another afternoon")];
    anna.post("/account/password", &change).await.location();
    anna.get("/account").await.assert_says(200, "Account");
    assert_eq!(elsewhere.get("/account").await.location(), "/login?next=/account");
    let kept = anna.cookie.clone();
    anna.post("/logout", &[]).await.location();
    anna.cookie = kept;
    assert_eq!(anna.get("/account").await.location(), "/login?next=/account");
}
