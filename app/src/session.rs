//! How a login is remembered: three kinds behind one trait, chosen by configuration, because the difference is a lesson.
//!
//! `memory`: a table in this process; behind a balancer the next instance does not know it. `cookie`: everything is in the
//! signed cookie, no look-up at all, but nothing can be ended from here before it expires. `redis`: a table that all
//! instances share, one look-up per request. The cookie's value is all that leaves this file.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::clock::Clock;
use crate::model::{User, UserId};
use crate::redis_client;

/// The cookie's name.
pub const COOKIE_NAME: &str = "session";
/// 30 days, then one logs in again.
pub const LIFETIME_S: i64 = 30 * 24 * 3_600;
/// Sessions kept in the process, at about 300 bytes each; when full, expired ones go, then the oldest.
const MEMORY_SESSIONS_MAX: usize = 100_000;

/// Who is looking at the page: what a session carries, so that no page asks the store for it. It says who logged in then; whatever depends
/// on the account as it is now (its plan, its being there) asks the store for the [`User`] (docs/decisions/credentials.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The identity.
    pub id: UserId,
    /// The name in URLs.
    pub name: String,
    /// The name on pages.
    pub display_name: String,
}

impl From<&User> for Viewer {
    fn from(user: &User) -> Self {
        let (name, display_name) = (user.name.clone(), user.display_name.clone());
        Self { id: user.id, name, display_name }
    }
}

/// The shared session store did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the sessions could not {verb}")]
pub struct SessionError {
    /// start, find, end, ping.
    pub verb: &'static str,
    /// The client's own error.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Remembers logins.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Starts a session; the answer is the cookie's value.
    async fn start(&self, viewer: &Viewer) -> Result<String, SessionError>;
    /// Who holds this cookie value; none when it is unknown, expired or forged.
    async fn find(&self, value: &str) -> Result<Option<Viewer>, SessionError>;
    /// Ends one session. The cookie kind cannot: the browser forgets it, a copy stays valid until it expires.
    async fn end(&self, value: &str) -> Result<(), SessionError>;
    /// Ends all sessions of a person. The cookie kind cannot; false then.
    async fn end_all(&self, user: UserId) -> Result<bool, SessionError>;
    /// Whether [`Sessions::end_all`] can do what it says.
    fn can_end_all(&self) -> bool {
        true
    }
    /// Answers when the backend does.
    async fn ping(&self) -> Result<(), SessionError>;
}

/// Sessions inside the signed cookie: `base64url(payload).base64url(HMAC-SHA-256(payload))`.
pub struct CookieSessions {
    /// Keyed once: a clone per check saves hashing the key again.
    mac: Hmac<Sha256>,
    clock: Arc<dyn Clock>,
}

impl CookieSessions {
    /// Signs with `secret`.
    pub fn new(secret: &[u8], clock: Arc<dyn Clock>) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        Self { mac, clock }
    }

    /// The cookie value of a viewer, issued now.
    pub fn sign(&self, viewer: &Viewer) -> String {
        let issued_s = self.clock.now_ms() / 1_000;
        let payload = format!("{}|{issued_s}|{}|{}", viewer.id, viewer.name, viewer.display_name);
        let mut mac = self.mac.clone();
        mac.update(payload.as_bytes());
        let mut value = URL_SAFE_NO_PAD.encode(&payload);
        value.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut value);
        value
    }

    /// The viewer of a value that this key signed and that is not expired.
    pub fn check(&self, value: &str) -> Option<Viewer> {
        let (payload, signature) = value.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let mut given = [0_u8; 33];
        let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut given).ok()?;
        let mut mac = self.mac.clone();
        mac.update(&payload);
        mac.verify_slice(&given[..length]).ok()?;
        let mut parts = std::str::from_utf8(&payload).ok()?.splitn(4, '|');
        let (id, issued_s) = (parts.next()?.parse().ok()?, parts.next()?.parse::<i64>().ok()?);
        let (name, display_name) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let age_s = self.clock.now_ms() / 1_000 - issued_s;
        (age_s < LIFETIME_S).then_some(Viewer { id, name, display_name })
    }
}

#[async_trait]
impl Sessions for CookieSessions {
    async fn start(&self, viewer: &Viewer) -> Result<String, SessionError> {
        Ok(self.sign(viewer))
    }
    async fn find(&self, value: &str) -> Result<Option<Viewer>, SessionError> {
        Ok(self.check(value))
    }
    async fn end(&self, _value: &str) -> Result<(), SessionError> {
        Ok(())
    }
    async fn end_all(&self, _user: UserId) -> Result<bool, SessionError> {
        Ok(false)
    }
    fn can_end_all(&self) -> bool {
        false
    }
    async fn ping(&self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// 128 random bits as 32 hex digits.
fn token(clock: &dyn Clock) -> String {
    format!("{:016x}{:016x}", clock.random(), clock.random())
}

/// Sessions in this process.
pub struct MemorySessions {
    by_token: RwLock<HashMap<String, (Viewer, i64)>>,
    clock: Arc<dyn Clock>,
}

impl MemorySessions {
    /// No sessions yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { by_token: RwLock::default(), clock }
    }
}

#[async_trait]
impl Sessions for MemorySessions {
    async fn start(&self, viewer: &Viewer) -> Result<String, SessionError> {
        let (token, now_ms) = (token(self.clock.as_ref()), self.clock.now_ms());
        let mut sessions = self.by_token.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= MEMORY_SESSIONS_MAX {
            sessions.retain(|_, (_, issued_ms)| now_ms - *issued_ms < LIFETIME_S * 1_000);
        }
        if sessions.len() >= MEMORY_SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, (_, issued_ms))| *issued_ms);
            if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(token.clone(), (viewer.clone(), now_ms));
        Ok(token)
    }
    async fn find(&self, value: &str) -> Result<Option<Viewer>, SessionError> {
        let sessions = self.by_token.read().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        let fresh = |issued_ms: i64| now_ms - issued_ms < LIFETIME_S * 1_000;
        let found = sessions.get(value).filter(|(_, issued_ms)| fresh(*issued_ms));
        Ok(found.map(|(viewer, _)| viewer.clone()))
    }
    async fn end(&self, value: &str) -> Result<(), SessionError> {
        self.by_token.write().unwrap_or_else(PoisonError::into_inner).remove(value);
        Ok(())
    }
    async fn end_all(&self, user: UserId) -> Result<bool, SessionError> {
        let mut sessions = self.by_token.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, (viewer, _)| viewer.id != user);
        Ok(true)
    }
    async fn ping(&self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// Sessions in a Redis: `session:TOKEN` holds the viewer as JSON, `sessions-of:USER` the person's tokens.
pub struct RedisSessions {
    connection: redis::aio::ConnectionManager,
    clock: Arc<dyn Clock>,
}

impl RedisSessions {
    /// Connects; later losses of the connection are mended by its manager.
    pub async fn connect(url: &str, clock: Arc<dyn Clock>) -> Result<Self, SessionError> {
        let client = redis_client::open(url)
            .map_err(|error| SessionError { verb: "connect", source: error.into() })?;
        let connection = client.get_connection_manager().await.map_err(failed("connect"))?;
        Ok(Self { connection, clock })
    }
}

fn failed(verb: &'static str) -> impl FnOnce(redis::RedisError) -> SessionError {
    move |error| SessionError { verb, source: error.into() }
}

#[async_trait]
impl Sessions for RedisSessions {
    async fn start(&self, viewer: &Viewer) -> Result<String, SessionError> {
        let token = token(self.clock.as_ref());
        let json = serde_json::to_string(viewer)
            .map_err(|error| SessionError { verb: "start", source: error.into() })?;
        let of_user = format!("sessions-of:{}", viewer.id);
        let mut connection = self.connection.clone();
        let () = redis::pipe()
            .atomic()
            .set_ex(format!("session:{token}"), json, LIFETIME_S as u64)
            .ignore()
            .sadd(&of_user, &token)
            .ignore()
            .expire(&of_user, LIFETIME_S)
            .ignore()
            .query_async(&mut connection)
            .await
            .map_err(failed("start"))?;
        Ok(token)
    }
    async fn find(&self, value: &str) -> Result<Option<Viewer>, SessionError> {
        if value.len() != 32 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let mut connection = self.connection.clone();
        let json: Option<String> =
            connection.get(format!("session:{value}")).await.map_err(failed("find"))?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }
    async fn end(&self, value: &str) -> Result<(), SessionError> {
        let Some(viewer) = self.find(value).await? else { return Ok(()) };
        let mut connection = self.connection.clone();
        let () = redis::pipe()
            .atomic()
            .del(format!("session:{value}"))
            .ignore()
            .srem(format!("sessions-of:{}", viewer.id), value)
            .ignore()
            .query_async(&mut connection)
            .await
            .map_err(failed("end"))?;
        Ok(())
    }
    async fn end_all(&self, user: UserId) -> Result<bool, SessionError> {
        let of_user = format!("sessions-of:{user}");
        let mut connection = self.connection.clone();
        let tokens: Vec<String> = connection.smembers(&of_user).await.map_err(failed("end"))?;
        let mut keys: Vec<String> = tokens.iter().map(|token| format!("session:{token}")).collect();
        keys.push(of_user);
        let () = connection.del(keys).await.map_err(failed("end"))?;
        Ok(true)
    }
    async fn ping(&self) -> Result<(), SessionError> {
        let mut connection = self.connection.clone();
        let () = redis::cmd("PING").query_async(&mut connection).await.map_err(failed("ping"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SteppingClock;

    fn anna() -> Viewer {
        Viewer { id: UserId(7), name: "anna".into(), display_name: "Anna | Ångström".into() }
    }

    fn clock(unix_ms: i64) -> Arc<dyn Clock> {
        Arc::new(SteppingClock::new(unix_ms, 1))
    }

    #[test]
    fn a_signed_cookie_comes_back_and_a_forged_one_does_not() {
        let sessions = CookieSessions::new(&[1; 32], clock(1_700_000_000_000));
        let value = sessions.sign(&anna());
        assert_eq!(sessions.check(&value), Some(anna()));
        let other_key = CookieSessions::new(&[2; 32], clock(1_700_000_000_000));
        assert_eq!(other_key.check(&value), None);
        let (payload, signature) = value.split_once('.').unwrap_or_default();
        let forged = URL_SAFE_NO_PAD.encode("0000000000001|1700000000|eve|Eve");
        assert_eq!(sessions.check(&format!("{forged}.{signature}")), None);
        for bad in ["", ".", "x", payload, &format!("{payload}."), &format!("{payload}.AAAA")] {
            assert_eq!(sessions.check(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_signed_cookie_expires() {
        let signer = CookieSessions::new(&[1; 32], clock(1_700_000_000_000));
        let value = signer.sign(&anna());
        let later = CookieSessions::new(&[1; 32], clock(1_700_000_000_000 + LIFETIME_S * 1_000));
        assert_eq!(later.check(&value), None);
    }

    #[tokio::test]
    async fn a_session_in_memory_ends_where_the_cookie_kind_goes_on() -> Result<(), SessionError> {
        let memory = MemorySessions::new(clock(1_700_000_000_000));
        let (one, two) = (memory.start(&anna()).await?, memory.start(&anna()).await?);
        assert_ne!(one, two);
        memory.end(&one).await?;
        assert_eq!(memory.find(&one).await?, None);
        assert_eq!(memory.find(&two).await?, Some(anna()));
        assert!(memory.end_all(anna().id).await?);
        assert_eq!(memory.find(&two).await?, None);
        let cookie = CookieSessions::new(&[1; 32], clock(1_700_000_000_000));
        assert!(!cookie.end_all(anna().id).await?);
        Ok(())
    }
}
