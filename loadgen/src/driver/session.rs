//! Cookies of the people who take part: from the manifest, or from a login before the trial, kept for later trials.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HOST, SET_COOKIE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};

use super::exchange::{Fault, Keep, Routes, Tally, Way, exchange};
use super::pool::{Body, Pool};
use crate::form::form;
use crate::population::{Person, Population};

/// Logins at once. A login costs the server tens of milliseconds of CPU by design (argon2).
const LOGINS_AT_ONCE: usize = 4;
/// How long one login may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Cookies got by logging in, by (targets, name of the person).
#[derive(Default)]
pub(super) struct Sessions {
    known: HashMap<(String, String), HeaderValue>,
}

/// The cookies of one trial.
pub(super) struct Cookies {
    /// By index of the person; none for those who have no session.
    pub(super) by_person: Vec<Option<HeaderValue>>,
    /// How many logins failed and why the first one did.
    pub(super) failed: Option<(usize, Fault)>,
}

impl Sessions {
    /// Cookies for the first `count` people; those in `needed` who have none log in at `pool`.
    /// A login that fails is reported, not an error: the requests of that person will show it.
    pub(super) async fn cookies(
        &mut self,
        population: &Population,
        count: usize,
        needed: &BTreeSet<usize>,
        (targets, pool): (String, &Rc<Pool>),
        routes: &Routes,
    ) -> Cookies {
        let own = population.people.iter().take(count).map(|person| {
            let given = person.cookie.as_ref().and_then(|text| HeaderValue::from_str(text).ok());
            given.or_else(|| self.known.get(&(targets.clone(), person.name.clone())).cloned())
        });
        let mut cookies = Cookies { by_person: own.collect(), failed: None };
        let missing = needed.iter().copied().filter(|person| cookies.by_person[*person].is_none());
        let missing: Vec<usize> = missing.collect();
        let people = &population.people;
        let mut logins = stream::iter(&missing)
            .map(|person| async move { (*person, log_in(pool, &people[*person], routes).await) })
            .buffer_unordered(LOGINS_AT_ONCE);
        while let Some((person, login)) = logins.next().await {
            match login {
                Ok(cookie) => {
                    let key = (targets.clone(), people[person].name.clone());
                    self.known.insert(key, cookie.clone());
                    cookies.by_person[person] = Some(cookie);
                }
                Err(fault) => {
                    let (count, first) = cookies.failed.unwrap_or((0, fault));
                    cookies.failed = Some((count + 1, first));
                    if fault == Fault::Connect {
                        break;
                    }
                }
            }
        }
        cookies
    }
}

async fn log_in(pool: &Rc<Pool>, person: &Person, routes: &Routes) -> Result<HeaderValue, Fault> {
    let form = form(&[("name", &person.name), ("password", &person.password)]);
    let mut request = Request::new(Body::new(Bytes::from(form)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/login");
    request.headers_mut().insert(HOST, pool.host.clone());
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    let tally = Tally::default();
    let way = Way { pool, route: "login", routes, tally: &tally };
    let answer = tokio::time::timeout(LOGIN_TIMEOUT, exchange(&way, request, Keep::Length)).await;
    let answer = answer.unwrap_or(Err(Fault::Timeout))?;
    answer.expect(StatusCode::SEE_OTHER)?;
    let cookies = answer.headers.get_all(SET_COOKIE).iter();
    let mut pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let session = pairs.find(|pair| pair.starts_with("session=")).ok_or(Fault::NotLoggedIn)?;
    HeaderValue::from_str(session).map_err(|_| Fault::NotLoggedIn)
}
