//! What each step of a user is in requests. Forms are followed to the page they lead to, as a browser does.

use bytes::Bytes;
use goose::prelude::*;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::Step;
use super::answers::Expected;
use super::timed::{Form, Shared, Visit};
use crate::driver::{content_type, rendition_sources};
use crate::form::{encode, form};

/// What people write.
const COMMENTS: [&str; 5] =
    ["What a light", "Where is this?", "Lovely", "More, please", "Which lens?"];
/// Filters that posters choose.
const FILTERS: [&str; 2] = ["original", "sepia"];
/// The password of those who sign up here.
const PASSWORD: &str = "lightmeter-demo";

/// What a user keeps between steps.
#[derive(Debug, Clone)]
struct Session {
    /// The user's own name as addresses spell it: nobody can follow oneself.
    name: String,
    /// From the manifest; those who logged in or signed up have theirs in the client's jar.
    cookie: Option<String>,
}

/// Does one step.
pub(super) async fn act(shared: &Shared, user: &mut GooseUser, step: Step) -> TransactionResult {
    match step {
        Step::LogIn => log_in(shared, user).await,
        Step::Home => read(shared, user, step, "/").await.map(drop),
        Step::Explore => read(shared, user, step, "/explore").await.map(drop),
        Step::ExploreWithImages => explore_with_images(shared, user).await,
        Step::Profile => {
            let Some(name) =
                known(shared, user, |shared| shared.known.name(&mut rand::rng())).await?
            else {
                return Ok(());
            };
            read(shared, user, step, &format!("/u/{name}")).await.map(drop)
        }
        Step::Photo => {
            let Some(photo) = photo(shared, user).await? else { return Ok(()) };
            read(shared, user, step, &format!("/p/{photo}")).await.map(drop)
        }
        Step::Like => {
            let Some(photo) = photo(shared, user).await? else { return Ok(()) };
            let on = rand::rng().random_ratio(3, 4);
            let path = format!("/p/{photo}/like");
            post(shared, user, step, &path, &[("on", &on.to_string())]).await
        }
        Step::Comment => {
            let Some(photo) = photo(shared, user).await? else { return Ok(()) };
            let body = COMMENTS.choose(&mut rand::rng()).unwrap_or(&"Lovely");
            let path = format!("/p/{photo}/comments");
            post(shared, user, step, &path, &[("body", body)]).await
        }
        Step::Follow => {
            let Some(name) =
                known(shared, user, |shared| shared.known.name(&mut rand::rng())).await?
            else {
                return Ok(());
            };
            if user.get_session_data::<Session>().is_some_and(|session| session.name == name) {
                return Ok(());
            }
            let on = rand::rng().random_bool(0.5);
            let path = format!("/u/{name}/follow");
            post(shared, user, step, &path, &[("on", &on.to_string())]).await
        }
        Step::Upload => upload(shared, user).await,
    }
}

/// A person of the manifest logs in (or brings a session); without a manifest somebody new signs up.
async fn log_in(shared: &Shared, user: &mut GooseUser) -> TransactionResult {
    let step = Step::LogIn;
    let Some(person) = shared.known.person() else {
        let name = format!("guest_{:08x}", rand::rng().random::<u32>());
        let fields = [("name", name.as_str()), ("display_name", "A guest"), ("password", PASSWORD)];
        user.set_session_data(Session { name: name.clone(), cookie: None });
        return post(shared, user, step, "/signup", &fields).await;
    };
    let session = Session { name: encode(&person.name), cookie: person.cookie.clone() };
    user.set_session_data(session);
    if person.cookie.is_some() {
        return Ok(());
    }
    let fields = [("name", person.name.as_str()), ("password", person.password.as_str())];
    post(shared, user, step, "/login", &fields).await
}

async fn explore_with_images(shared: &Shared, user: &mut GooseUser) -> TransactionResult {
    let step = Step::ExploreWithImages;
    let Some(page) = read(shared, user, step, "/explore").await? else { return Ok(()) };
    for source in rendition_sources(&String::from_utf8_lossy(&page)) {
        let visit = Visit {
            operation: "image",
            path: &source,
            form: None,
            cookie: None,
            expected: Expected::Picture,
        };
        shared.visit(user, visit).await?;
    }
    Ok(())
}

async fn upload(shared: &Shared, user: &mut GooseUser) -> TransactionResult {
    let filter = FILTERS.choose(&mut rand::rng()).unwrap_or(&"original");
    let Some(body) = shared.upload_form(filter) else { return Ok(()) };
    let content_type = content_type();
    let visit = Visit {
        operation: Step::Upload.as_str(),
        path: "/upload",
        form: Some(Form { content_type, body }),
        cookie: cookie(user),
        expected: Expected::Photo,
    };
    shared.visit(user, visit).await.map(drop)
}

/// A photo to look at; looks around first when none is known yet.
async fn photo(
    shared: &Shared,
    user: &mut GooseUser,
) -> Result<Option<String>, Box<TransactionError>> {
    known(shared, user, |shared| shared.known.photo(&mut rand::rng())).await
}

async fn known(
    shared: &Shared,
    user: &mut GooseUser,
    choose: impl Fn(&Shared) -> Option<String>,
) -> Result<Option<String>, Box<TransactionError>> {
    if let Some(known) = choose(shared) {
        return Ok(Some(known));
    }
    read(shared, user, Step::Explore, "/explore").await?;
    Ok(choose(shared))
}

async fn read(
    shared: &Shared,
    user: &mut GooseUser,
    step: Step,
    path: &str,
) -> Result<Option<Bytes>, Box<TransactionError>> {
    let (operation, expected) = (step.as_str(), Expected::Page);
    let visit = Visit { operation, path, form: None, cookie: cookie(user), expected };
    let page = shared.visit(user, visit).await?;
    if let Some(page) = &page {
        shared.known.learn(&String::from_utf8_lossy(page));
    }
    Ok(page)
}

async fn post(
    shared: &Shared,
    user: &mut GooseUser,
    step: Step,
    path: &str,
    fields: &[(&str, &str)],
) -> TransactionResult {
    let content_type = "application/x-www-form-urlencoded".to_owned();
    let form = Some(Form { content_type, body: Bytes::from(form(fields)) });
    let expected = if step == Step::LogIn { Expected::LoggedIn } else { Expected::Page };
    let visit = Visit { operation: step.as_str(), path, form, cookie: cookie(user), expected };
    shared.visit(user, visit).await.map(drop)
}

fn cookie(user: &GooseUser) -> Option<String> {
    user.get_session_data::<Session>().and_then(|session| session.cookie.clone())
}
