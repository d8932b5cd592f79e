//! Accounts, names, search and follows. What a follow puts into the home feed is in `feed`.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::calls::{Reading, Table};
use super::items::{
    AccountItem, CommentedItem, Item, MarkItem, NameItem, PersonItem, decode, encode,
    id_in_sort_key, sort_key,
};
use super::keys::{Key, Span, people_partition, prefix, text, user_partition};
use super::writes::{ABSENT, Action, EXISTS, Write};
use super::{CASCADE_CONCURRENCY, feed, photos, social};
use crate::model::{Author, CommentId, Photo, PhotoId, Profile, User, UserId, Version};
use crate::store::{StoreError, StoreResult, UserChange};

/// An account that may still be followed and posted to: not about to be removed.
const OPEN: &str = "attribute_exists(pk) AND attribute_not_exists(closing)";
/// Names are made of a-z, 0-9 and _, so that there are 37 x 37 pairs of first letters.
const LETTER_PAIRS_MAX: usize = 37 * 37;

/// Two calls: the letter pair (which costs nothing when it is there already), then account, name and search entry at once.
pub(super) async fn create(table: &Table, user: &User) -> StoreResult<()> {
    const VERB: &str = "create a user";
    let letters = Key::letters(&user.name);
    table.put(VERB, letters.attributes()).await?;
    let key = Key::account(user.id);
    let outcome = table
        .transact(
            VERB,
            vec![
                Action::put(encode(&key, &AccountItem::from(user))?).when(ABSENT),
                Action::put(name_item(user)?).when(ABSENT),
                Action::put(person_item(user)?),
            ],
        )
        .await?;
    if outcome.refused(1) {
        return Err(StoreError::Conflict { what: format!("name {}", user.name) });
    }
    if outcome.refused(0) {
        return Err(StoreError::Conflict { what: format!("user {}", user.id) });
    }
    Ok(())
}

pub(super) fn name_item(user: &User) -> StoreResult<Item> {
    encode(&Key::name(&user.name), &NameItem { user: user.id })
}

pub(super) fn person_item(user: &User) -> StoreResult<Item> {
    let person = PersonItem { user: user.id, display_name: user.display_name.clone() };
    encode(&Key::person(&user.name), &person)
}

/// One call.
pub(super) async fn by_id(table: &Table, id: UserId) -> StoreResult<Option<User>> {
    let found: Option<AccountItem> = table.get("read a user", Key::account(id)).await?;
    Ok(found.map(User::from))
}

/// Two calls: the name leads to the id, the id to the account.
pub(super) async fn by_name(table: &Table, name: &str) -> StoreResult<Option<User>> {
    match id_of_name(table, name).await? {
        Some(id) => by_id(table, id).await,
        None => Ok(None),
    }
}

/// Two calls, as for the account, of which it leaves out what decides.
pub(super) async fn profile(table: &Table, name: &str) -> StoreResult<Option<Profile>> {
    match id_of_name(table, name).await? {
        Some(id) => table.get("read a profile", Key::account(id)).await,
        None => Ok(None),
    }
}

/// One call.
async fn id_of_name(table: &Table, name: &str) -> StoreResult<Option<UserId>> {
    let found: Option<NameItem> = table.get("read a user's name", Key::name(name)).await?;
    Ok(found.map(|found| found.user))
}

/// One call; a new display name costs a read, a transaction, and one call per own photo and comment for the copies.
pub(super) async fn update(table: &Table, id: UserId, change: &UserChange) -> StoreResult<()> {
    const VERB: &str = "update a user";
    let mut fields = Vec::new();
    let mut action_values = Vec::new();
    if let Some(plan) = change.plan {
        fields.push("#plan = :plan");
        action_values.push((":plan", text(plan.as_str())));
    }
    if let Some(hash) = &change.password_hash {
        fields.push("password_hash = :password_hash");
        action_values.push((":password_hash", text(hash)));
    }
    if let Some(name) = &change.display_name {
        fields.push("display_name = :display_name");
        action_values.push((":display_name", text(name)));
    }
    if fields.is_empty() {
        return by_id(table, id).await?.map(|_| ()).ok_or_else(|| StoreError::missing_user(id));
    }
    let expression = format!("SET {}", fields.join(", "));
    let mut account = Action::update(Key::account(id), expression).when(EXISTS);
    for (placeholder, value) in action_values {
        account = account.value(placeholder, value);
    }
    if change.plan.is_some() {
        account = account.attribute("#plan", "plan");
    }
    let mut actions = vec![account];
    if let Some(display_name) = &change.display_name {
        let user = by_id(table, id).await?.ok_or_else(|| StoreError::missing_user(id))?;
        let person = User { display_name: display_name.clone(), ..user };
        actions.push(Action::put(person_item(&person)?));
    }
    if !table.transact(VERB, actions).await?.done() {
        return Err(StoreError::missing_user(id));
    }
    match &change.display_name {
        Some(display_name) => rename(table, id, display_name).await,
        None => Ok(()),
    }
}

/// Brings the copies of a display name in photos and comments up to date. Safe to repeat, which repairs an interrupted one.
async fn rename(table: &Table, id: UserId, display_name: &str) -> StoreResult<()> {
    const VERB: &str = "rename an author";
    let renamed = |key, attribute: &str| {
        Action::update(key, format!("SET {attribute} = :display_name"))
            .value(":display_name", text(display_name))
            .when(EXISTS)
    };
    let mut copies = Vec::new();
    for item in table.query_all(VERB, Span::prefixed(user_partition(id), prefix::OWN_PHOTO)).await?
    {
        let photo: PhotoId = id_in_sort_key(&item)?;
        copies.push(renamed(Key::photo(photo), "author_display_name"));
    }
    for item in table.query_all(VERB, Span::prefixed(user_partition(id), prefix::COMMENTED)).await?
    {
        let comment: CommentId = id_in_sort_key(&item)?;
        let CommentedItem { photo } = decode(item)?;
        copies.push(renamed(Key::comment(photo, comment), "author.display_name"));
    }
    // Refused means that the photo or comment is gone, and the copy with it.
    stream::iter(copies.into_iter().map(|copy| table.transact(VERB, vec![copy])))
        .buffer_unordered(CASCADE_CONCURRENCY)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
}

/// One call for two letters and more; for fewer, one for the letter pairs and one per pair until the limit is reached.
pub(super) async fn search(table: &Table, wanted: &str, limit: usize) -> StoreResult<Vec<Author>> {
    const VERB: &str = "search people";
    const READING: Reading = Reading { newest_first: false, consistent: false };
    let pairs = match wanted.chars().nth(1) {
        Some(_) => vec![super::keys::first_two(wanted).to_owned()],
        None => {
            let span = Span::prefixed(people_partition(""), wanted);
            let pairs = table.query(VERB, span, READING, LETTER_PAIRS_MAX).await?;
            pairs.iter().map(|item| sort_key(item).to_owned()).collect()
        }
    };
    let mut found = Vec::new();
    for pair in pairs {
        let span = Span::prefixed(people_partition(&pair), wanted);
        for item in table.query(VERB, span, READING, limit - found.len()).await? {
            let name = sort_key(&item).to_owned();
            let PersonItem { user, display_name } = decode(item)?;
            found.push(Author { id: user, name, display_name });
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// One call when nothing changes; else the transaction and what the home feed needs (`feed::backfill`, `feed::take_out`).
pub(super) async fn set_follow(
    table: &Table,
    follower: UserId,
    followee: UserId,
    on: bool,
    at_ms: i64,
) -> StoreResult<bool> {
    const VERB: &str = "follow or unfollow";
    let follows = Key::follows(follower, followee);
    let followed = Key::follower(followee, follower);
    let mark = MarkItem { at_ms };
    let (first, second, by, condition) = if on {
        let first = Action::put(encode(&follows, &mark)?).when(ABSENT);
        (first, Action::put(encode(&followed, &mark)?), 1, OPEN)
    } else {
        (Action::delete(follows).when(EXISTS), Action::delete(followed), -1, EXISTS)
    };
    let counts = [
        Action::count(Key::account(follower), "following_count", by).when(condition),
        Action::count(Key::account(followee), "follower_count", by).when(condition),
    ];
    let mut actions = vec![first, second];
    actions.extend(counts);
    let outcome = table.transact(VERB, actions).await?;
    for (action, user) in [(2, follower), (3, followee)] {
        // Whoever is gone follows nobody, so that there is nothing to end.
        if on && outcome.refused(action) {
            return Err(StoreError::missing_user(user));
        }
    }
    if !outcome.done() {
        return Ok(false);
    }
    if on {
        feed::backfill(table, follower, followee).await?;
    } else {
        feed::take_out(table, follower, followee).await?;
    }
    Ok(true)
}

/// One call.
pub(super) async fn is_following(
    table: &Table,
    follower: UserId,
    followee: UserId,
) -> StoreResult<bool> {
    let key = Key::follows(follower, followee);
    Ok(table.get::<MarkItem>("read a follow", key).await?.is_some())
}

/// Calls grow with what the person did: a few per photo, like, comment and follow. First the account is marked as closing, so
/// that nobody follows it and it posts nothing any more; the account goes last, so that an interrupted removal can be repeated.
pub(super) async fn delete(table: &Table, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
    const VERB: &str = "delete a user";
    let Some(user) = by_id(table, id).await? else { return Ok(Vec::new()) };
    let closing = Action::update(Key::account(id), "SET closing = :true")
        .value(":true", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
        .when(EXISTS);
    if !table.transact(VERB, vec![closing]).await?.done() {
        return Ok(Vec::new());
    }
    let removed = delete_photos(table, id).await?;
    delete_follows(table, id).await?;
    withdraw(table, id).await?;
    let last = vec![
        Action::delete(Key::account(id)),
        Action::delete(Key::name(&user.name)),
        Action::delete(Key::person(&user.name)),
    ];
    table.transact(VERB, last).await?;
    // A like or comment that was on its way while the account closed left its mark here.
    withdraw(table, id).await?;
    let mut rest = table.query_all(VERB, Span::whole(user_partition(id))).await?;
    rest.extend(table.query_all(VERB, Span::whole(super::keys::home_partition(id))).await?);
    let rest = rest.iter().map(|item| Write::Delete(super::items::key_of(item))).collect();
    table.write_many(VERB, rest).await?;
    Ok(removed)
}

async fn delete_photos(table: &Table, id: UserId) -> StoreResult<Vec<(Photo, Vec<Version>)>> {
    let span = Span::prefixed(user_partition(id), prefix::OWN_PHOTO);
    let items = table.query_all("delete a user's photos", span).await?;
    let ids: Vec<PhotoId> = items.iter().map(id_in_sort_key).collect::<StoreResult<_>>()?;
    let removed: Vec<Option<(Photo, Vec<Version>)>> =
        stream::iter(ids.into_iter().map(|photo| photos::delete(table, photo)))
            .buffer_unordered(CASCADE_CONCURRENCY)
            .try_collect()
            .await?;
    Ok(removed.into_iter().flatten().collect())
}

async fn delete_follows(table: &Table, id: UserId) -> StoreResult<()> {
    const VERB: &str = "delete a user's follows";
    let mut pairs = Vec::new();
    for item in table.query_all(VERB, Span::prefixed(user_partition(id), prefix::FOLLOWS)).await? {
        pairs.push((id, id_in_sort_key::<UserId>(&item)?));
    }
    for item in table.query_all(VERB, Span::prefixed(user_partition(id), prefix::FOLLOWER)).await? {
        pairs.push((id_in_sort_key::<UserId>(&item)?, id));
    }
    stream::iter(pairs.into_iter().map(|(follower, followee)| async move {
        set_follow(table, follower, followee, false, 0).await.map(|_| ())
    }))
    .buffer_unordered(CASCADE_CONCURRENCY)
    .try_collect()
    .await
}

/// Takes back every like and comment of a person.
async fn withdraw(table: &Table, id: UserId) -> StoreResult<()> {
    const VERB: &str = "withdraw a user's likes and comments";
    let likes = table.query_all(VERB, Span::prefixed(user_partition(id), prefix::LIKED)).await?;
    stream::iter(likes.into_iter().map(|item| async move {
        match social::set_like(table, id_in_sort_key(&item)?, id, false, 0).await {
            Ok(_) | Err(StoreError::Missing { .. }) => {
                table.delete(VERB, super::items::key_of(&item)).await
            }
            Err(error) => Err(error),
        }
    }))
    .buffer_unordered(CASCADE_CONCURRENCY)
    .try_collect::<()>()
    .await?;
    let comments =
        table.query_all(VERB, Span::prefixed(user_partition(id), prefix::COMMENTED)).await?;
    stream::iter(comments.into_iter().map(|item| async move {
        let comment: CommentId = id_in_sort_key(&item)?;
        let CommentedItem { photo } = decode(item)?;
        social::delete_comment(table, photo, comment, id).await?;
        table.delete(VERB, Key::commented(id, comment)).await
    }))
    .buffer_unordered(CASCADE_CONCURRENCY)
    .try_collect()
    .await
}
