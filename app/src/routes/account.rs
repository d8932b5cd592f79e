//! Accounts: sign up, log in and out, the plan, the password, the end.
//!
//! Query budget: sign up 1 (`create_user`), log in 1 (`user_by_name`), log out none, account page 1 (`user`), each change
//! 2 (`user`, `update_user` or `delete_user`), going pro also what `renewal` says. Passwords are hashed away from the async threads (`password`).

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::forwarded::Client;
use super::origin::local_target;
use super::photo::remove_assets;
use super::renewal;
use super::versions::account;
use super::{
    Done, Form, LoggedIn, MaybeViewer, Query, no_session_cookie, see_other, session_cookie,
    session_value,
};
use crate::error::{AppError, AppResult};
use crate::letters::{clean, one_line_mistake};
use crate::model::{Plan, User, UserId};
use crate::password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use crate::session::Viewer;
use crate::state::AppState;
use crate::store::{StoreError, UserChange};
use crate::templates::{
    AccountForm, AccountPage, LoginPage, PlansPage, SignupMistakes, SignupPage, page, page_with,
};

/// Longest name on pages, in characters.
const DISPLAY_NAME_CHARS_MAX: usize = 60;

/// What a new account needs.
#[derive(Debug, Deserialize)]
pub struct SignupForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// GET /signup
pub async fn signup_page(
    MaybeViewer(viewer): MaybeViewer,
    Query(query): Query<NextQuery>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let next = &local_target(&headers, &query.next);
    if viewer.is_some() {
        return Ok(see_other(next));
    }
    let mistakes = SignupMistakes::default();
    page(&SignupPage { viewer: None, name: "", display_name: "", next, mistakes })
}

/// POST /signup
pub async fn signup(
    State(state): State<AppState>,
    headers: HeaderMap,
    Form(form): Form<SignupForm>,
) -> AppResult<Response> {
    let name = clean(&form.name).to_lowercase();
    let display_name = form.display_name.trim().to_owned();
    let next = &local_target(&headers, &form.next);
    let refuse = |status: StatusCode, mistakes: SignupMistakes| {
        let (name, display_name) = (name.as_str(), display_name.as_str());
        page_with(status, &SignupPage { viewer: None, name, display_name, next, mistakes })
    };
    let mistakes = SignupMistakes {
        name: name_mistake(&name),
        display_name: display_name_mistake(&display_name),
        password: password_mistake(&form.password),
    };
    if !mistakes.is_empty() {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, mistakes);
    }
    let now_ms = state.clock.now_ms();
    let user = User {
        id: UserId::new(now_ms.unsigned_abs(), state.clock.random()),
        name: name.clone(),
        display_name: display_name.clone(),
        password_hash: state.passwords.hash(form.password, state.clock.as_ref()).await?,
        plan: Plan::Free,
        created_at_ms: now_ms,
        photo_count: 0,
        follower_count: 0,
        following_count: 0,
    };
    match state.store.create_user(&user).await {
        Ok(()) => logged_in(&state, &headers, &Viewer::from(&user), next).await,
        Err(StoreError::Conflict { .. }) => {
            let taken = format!("The name {name} is taken. Choose another one.");
            let mistakes = SignupMistakes { name: Some(taken), ..SignupMistakes::default() };
            refuse(StatusCode::CONFLICT, mistakes)
        }
        Err(error) => Err(error.into()),
    }
}

fn name_mistake(name: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let good = (3..=30).contains(&name.len()) && name.bytes().all(fits);
    (!good).then(|| "The name needs 3 to 30 characters: a-z, 0-9 and _ only.".to_owned())
}

fn display_name_mistake(name: &str) -> Option<String> {
    let length = name.chars().count();
    if !(1..=DISPLAY_NAME_CHARS_MAX).contains(&length) {
        return Some(format!("The name on pages needs 1 to {DISPLAY_NAME_CHARS_MAX} characters."));
    }
    one_line_mistake(name).map(|mistake| format!("The name on pages {mistake}"))
}

fn password_mistake(password: &str) -> Option<String> {
    let length = password.chars().count();
    let good = (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length);
    (!good).then(|| {
        format!("The password needs {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters; this one has {length}.")
    })
}

async fn logged_in(
    state: &AppState,
    headers: &HeaderMap,
    viewer: &Viewer,
    next: &str,
) -> AppResult<Response> {
    let value = state.sessions.start(viewer).await?;
    let mut response = see_other(next);
    response.headers_mut().insert(header::SET_COOKIE, session_cookie(headers, &value));
    Ok(response)
}

/// Where to go after the login.
#[derive(Debug, Deserialize)]
pub struct NextQuery {
    #[serde(default)]
    next: String,
}

/// GET /login
pub async fn login_page(
    MaybeViewer(viewer): MaybeViewer,
    Query(query): Query<NextQuery>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let next = &local_target(&headers, &query.next);
    if viewer.is_some() {
        return Ok(see_other(next));
    }
    page(&LoginPage { viewer: None, name: "", next, mistake: None })
}

/// Name and password.
#[derive(Debug, Deserialize)]
pub struct LoginForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// POST /login
pub async fn login(
    State(state): State<AppState>,
    Client(address): Client,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> AppResult<Response> {
    let name = clean(&form.name).to_lowercase();
    let next = &local_target(&headers, &form.next);
    let refuse = |status: StatusCode, mistake: &str| {
        let mistake = Some(mistake);
        page_with(status, &LoginPage { viewer: None, name: &name, next, mistake })
    };
    // Neither can be right, and neither is worth the work of a hash or a place in the table of attempts.
    let impossible = name_mistake(&name).is_some() || form.password.len() > 4 * PASSWORD_CHARS_MAX;
    let wrong = "This name and this password do not belong together. Check both.";
    if impossible {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, wrong);
    }
    if let Some(minutes) = state.login_attempts.wait_minutes(&name, address, state.clock.now_ms()) {
        let mistake = format!("Too many attempts. Try again in {minutes} minutes.");
        return refuse(StatusCode::TOO_MANY_REQUESTS, &mistake);
    }
    let user = state.store.user_by_name(&name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let fits = state.passwords.verify(form.password, hash, state.clock.as_ref()).await?;
    match user {
        Some(user) if fits => {
            state.login_attempts.succeeded(&name, address);
            logged_in(&state, &headers, &Viewer::from(&user), next).await
        }
        _ => {
            state.login_attempts.failed(&name, address, state.clock.now_ms());
            refuse(StatusCode::UNPROCESSABLE_ENTITY, wrong)
        }
    }
}

/// POST /logout
pub async fn logout(State(state): State<AppState>, headers: HeaderMap) -> AppResult<Response> {
    if let Some(value) = session_value(&headers) {
        state.sessions.end(value).await?;
    }
    let mut response = see_other("/?done=logout");
    response.headers_mut().insert(header::SET_COOKIE, no_session_cookie());
    Ok(response)
}

/// GET /plans
pub async fn plans(MaybeViewer(viewer): MaybeViewer) -> AppResult<Response> {
    page(&PlansPage { viewer: viewer.as_ref() })
}

/// GET /account
pub async fn page_of(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Query(done): Query<Done>,
) -> AppResult<Response> {
    let person = account(&state, &viewer).await?;
    let done = done.words(&[
        ("plan", "Your plan has changed."),
        ("pro", "You are on Pro. Your photos are being made again without the watermark."),
        ("name", "Your name has changed."),
        ("password", "Your password has changed."),
    ]);
    show(&state, &person, StatusCode::OK, &person.display_name, done, None)
}

fn show(
    state: &AppState,
    person: &User,
    status: StatusCode,
    display_name: &str,
    done: Option<&str>,
    mistake: Option<(AccountForm, &str)>,
) -> AppResult<Response> {
    let viewer = Viewer::from(person);
    let viewer = Some(&viewer);
    let ends_sessions = state.sessions.can_end_all();
    page_with(status, &AccountPage { viewer, person, display_name, done, mistake, ends_sessions })
}

/// The page again; of what was typed, passwords are not given back.
fn refuse(
    state: &AppState,
    person: &User,
    form: AccountForm,
    mistake: &str,
) -> AppResult<Response> {
    let (status, name) = (StatusCode::UNPROCESSABLE_ENTITY, &person.display_name);
    show(state, person, status, name, None, Some((form, mistake)))
}

/// A plan.
#[derive(Debug, Deserialize)]
pub struct PlanForm {
    plan: Plan,
}

/// POST /account/plan: going pro also has all photos made again without the watermark, and so does asking for it again (a request
/// may have broken off); going back affects new ones only.
pub async fn change_plan(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Form(form): Form<PlanForm>,
) -> AppResult<Response> {
    let person = account(&state, &viewer).await?;
    let change = UserChange { plan: Some(form.plan), ..UserChange::default() };
    state.store.update_user(person.id, &change).await?;
    if form.plan == Plan::Pro {
        let twins = renewal::twins(&state, person.id).await?;
        renewal::hand_over(&state, twins);
        return Ok(see_other("/account?done=pro"));
    }
    Ok(see_other("/account?done=plan"))
}

/// A name on pages.
#[derive(Debug, Deserialize)]
pub struct RenameForm {
    #[serde(default)]
    display_name: String,
}

/// POST /account
pub async fn rename(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    headers: HeaderMap,
    Form(form): Form<RenameForm>,
) -> AppResult<Response> {
    let mut person = account(&state, &viewer).await?;
    let display_name = form.display_name.trim().to_owned();
    if let Some(mistake) = display_name_mistake(&display_name) {
        let (status, mistake) = (StatusCode::UNPROCESSABLE_ENTITY, mistake.as_str());
        let mistake = Some((AccountForm::Rename, mistake));
        return show(&state, &person, status, &form.display_name, None, mistake);
    }
    let change = UserChange { display_name: Some(display_name.clone()), ..UserChange::default() };
    state.store.update_user(person.id, &change).await?;
    // The session carries the name, so it is started anew.
    if let Some(value) = session_value(&headers) {
        state.sessions.end(value).await?;
    }
    person.display_name = display_name;
    logged_in(&state, &headers, &Viewer::from(&person), "/account?done=name").await
}

/// The old password and the new one.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
}

/// POST /account/password
pub async fn change_password(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Client(address): Client,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> AppResult<Response> {
    let person = account(&state, &viewer).await?;
    let refuse = |mistake: &str| refuse(&state, &person, AccountForm::Password, mistake);
    if let Some(mistake) = password_mistake(&form.password) {
        return refuse(&mistake);
    }
    if let Some(mistake) = wrong_password(&state, &person, form.current, address).await? {
        return refuse(&mistake);
    }
    let hash = state.passwords.hash(form.password, state.clock.as_ref()).await?;
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    state.store.update_user(person.id, &change).await?;
    state.sessions.end_all(person.id).await?;
    logged_in(&state, &headers, &Viewer::from(&person), "/account?done=password").await
}

/// Checks the password of somebody who is logged in; attempts are limited as at the login.
async fn wrong_password(
    state: &AppState,
    person: &User,
    password: String,
    address: std::net::IpAddr,
) -> AppResult<Option<String>> {
    let now_ms = state.clock.now_ms();
    if let Some(minutes) = state.login_attempts.wait_minutes(&person.name, address, now_ms) {
        return Ok(Some(format!("Too many attempts. Try again in {minutes} minutes.")));
    }
    let hash = Some(person.password_hash.clone());
    if state.passwords.verify(password, hash, state.clock.as_ref()).await? {
        state.login_attempts.succeeded(&person.name, address);
        return Ok(None);
    }
    state.login_attempts.failed(&person.name, address, now_ms);
    Ok(Some("That is not your current password. Nothing has been changed.".to_owned()))
}

/// The password again, before everything goes.
#[derive(Debug, Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    password: String,
}

/// POST /account/delete
pub async fn delete(
    State(state): State<AppState>,
    LoggedIn(viewer): LoggedIn,
    Client(address): Client,
    Form(form): Form<DeleteForm>,
) -> AppResult<Response> {
    let person = account(&state, &viewer).await?;
    if let Some(mistake) = wrong_password(&state, &person, form.password, address).await? {
        return refuse(&state, &person, AccountForm::Delete, &mistake);
    }
    // In a task of its own: a browser that goes away does not leave pictures without their rows.
    let work = tokio::spawn(async move {
        let photos = state.store.delete_user(person.id).await?;
        for (photo, versions) in &photos {
            remove_assets(&state, photo, versions).await;
        }
        state.sessions.end_all(person.id).await?;
        Ok::<(), AppError>(())
    });
    work.await??;
    let mut response = see_other("/?done=deleted");
    response.headers_mut().insert(header::SET_COOKIE, no_session_cookie());
    Ok(response)
}
