//! Reads the app's pages: which images a page shows, and whether a body is what was asked for. Pure functions on
//! text; they look for the few attributes that pages promise (`data-photo`, `data-likes`, class `rendition`).

use super::exchange::Fault;

/// The addresses of the rendition images of a page, in order, each once.
pub(crate) fn rendition_sources(html: &str) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for tag in tags(html, "img") {
        let classes = attribute(tag, "class").unwrap_or_default();
        if !classes.split_ascii_whitespace().any(|class| class == "rendition") {
            continue;
        }
        if let Some(source) = attribute(tag, "src") {
            // Askama and browsers agree on this one escape in addresses.
            let source = source.replace("&amp;", "&").replace("&#38;", "&");
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    sources
}

/// The ids of the cards of a feed, in order.
pub(crate) fn card_ids(html: &str) -> Vec<&str> {
    tags(html, "article").filter_map(|tag| attribute(tag, "data-photo")).collect()
}

/// A feed is whole, and newest first: ids are time-ordered, so they must strictly descend.
pub(super) fn check_feed(html: &str) -> Result<(), Fault> {
    check_whole(html)?;
    if !card_ids(html).windows(2).all(|pair| pair[0] > pair[1]) {
        return Err(Fault::WrongBody("the cards are not newest first"));
    }
    Ok(())
}

/// A page is one for somebody who is logged in: it links to their account. Without a session the same address shows
/// the page for strangers, with status 200.
pub(super) fn check_logged_in(html: &str) -> Result<(), Fault> {
    if html.contains("href=\"/account\"") { Ok(()) } else { Err(Fault::NotLoggedIn) }
}

/// A photo's page is whole and shows the photo that was asked for, with its likes.
pub(super) fn check_photo(html: &str, photo: &str) -> Result<(), Fault> {
    check_whole(html)?;
    let main = tags(html, "main").next().unwrap_or_default();
    if attribute(main, "data-photo") != Some(photo) {
        return Err(Fault::WrongBody("the page shows another photo"));
    }
    let likes = attribute(main, "data-likes").map(str::parse::<u64>);
    if !matches!(likes, Some(Ok(_))) {
        return Err(Fault::WrongBody("the page has no count of likes"));
    }
    Ok(())
}

/// A page that is cut off is not what was asked for.
pub(super) fn check_whole(html: &str) -> Result<(), Fault> {
    if is_whole(html) { Ok(()) } else { Err(Fault::WrongBody("the page is cut off")) }
}

/// A page ends where HTML ends.
pub(crate) fn is_whole(html: &str) -> bool {
    html.trim_end().ends_with("</html>")
}

/// The opening tags of one element, without their brackets.
fn tags<'a>(html: &'a str, element: &'a str) -> impl Iterator<Item = &'a str> {
    let opening = html.match_indices('<').map(|(at, _)| &html[at + 1..]);
    opening.filter_map(move |rest| {
        let after = rest.strip_prefix(element)?;
        if !after.starts_with(|c: char| c.is_ascii_whitespace() || c == '>') {
            return None;
        }
        Some(&after[..after.find('>')?])
    })
}

/// The value of a quoted attribute in a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        let at = rest.find(name)?;
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        rest = after;
        if before.is_some_and(|c| !c.is_ascii_whitespace()) {
            continue;
        }
        let Some(value) = after.strip_prefix('=') else { continue };
        let quote = value.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        return value[1..].split(quote).next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = r#"<!doctype html><html><body>
        <article class="card" data-photo="0c"><img class="rendition wide" srcset="x 1w" src="/assets/r/c?a=1&amp;b=2" alt="a > b"></article>
        <article class="card" data-photo="0b"><img src="http://cdn:1/b" class="rendition" alt=""></article>
        <img src="/static/logo.svg" class="logo"><img alt="class=rendition" data-src="no" src='/x' class='rendition'>
        </body></html>
    "#;

    #[test]
    fn images_of_a_page_are_found_by_their_class() {
        assert_eq!(rendition_sources(FEED), ["/assets/r/c?a=1&b=2", "http://cdn:1/b", "/x"]);
    }

    #[test]
    fn a_feed_must_be_whole_and_descend() {
        assert_eq!(card_ids(FEED), ["0c", "0b"]);
        assert_eq!(check_feed(FEED), Ok(()));
        assert!(check_feed(&FEED.replace("0b", "0d")).is_err());
        assert!(check_feed(&FEED.replace("0b", "0c")).is_err());
        assert!(check_feed(&FEED[..FEED.len() - 20]).is_err());
    }

    #[test]
    fn a_page_for_strangers_is_not_a_home_feed() {
        assert_eq!(check_logged_in(r#"<a href="/account">Account</a>"#), Ok(()));
        assert_eq!(check_logged_in(r#"<a href="/login">Log in</a>"#), Err(Fault::NotLoggedIn));
    }

    #[test]
    fn a_photo_page_must_show_the_photo_asked_for() {
        let page = r#"<html><main class="p" data-photo="0a" data-likes="12">x</main></html>"#;
        assert_eq!(check_photo(page, "0a"), Ok(()));
        assert!(check_photo(page, "0b").is_err());
        assert!(check_photo(&page.replace("12", ""), "0a").is_err());
    }
}
