//! Passwords: argon2id off the async runtime, and a brake on guessing.
//!
//! A hash takes 19 MiB and tens of milliseconds of CPU on purpose, so at most one per core runs at a time; the rest wait
//! in line rather than starving the pages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::clock::Clock;

/// OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Shortest password accepted.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longest password accepted: argon2 hashes any length, but a body of megabytes is no password.
pub const PASSWORD_CHARS_MAX: usize = 200;

/// Why a hash could not be made or checked; never "the password is wrong".
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The stored text is no argon2 hash, or argon2 refused its parameters.
    #[error("argon2 could not work: {0}")]
    Hash(argon2::password_hash::Error),
    /// The thread that hashed is gone.
    #[error("the hashing thread stopped")]
    Thread(#[from] tokio::task::JoinError),
    /// The line of waiting hashes was closed, at the end of the process.
    #[error("no more passwords are hashed")]
    Closed(#[from] tokio::sync::AcquireError),
}

/// Hashes and checks passwords, a few at a time.
pub struct Passwords {
    at_once: Semaphore,
    /// Checked when the name is unknown, so that the answer takes as long as for a known one.
    decoy: tokio::sync::OnceCell<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Self { at_once: Semaphore::new(cores), decoy: tokio::sync::OnceCell::new() }
    }
}

fn argon2id() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| PasswordError::Hash(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes now, on this thread; for seeds and tests. `salt_bits` must be random.
pub fn hash_now(password: &str, salt_bits: [u64; 2]) -> Result<String, PasswordError> {
    let mut salt = [0_u8; 16];
    salt[..8].copy_from_slice(&salt_bits[0].to_le_bytes());
    salt[8..].copy_from_slice(&salt_bits[1].to_le_bytes());
    let salt = SaltString::encode_b64(&salt).map_err(PasswordError::Hash)?;
    let hash = argon2id()?.hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(PasswordError::Hash)
}

fn verify_now(password: &str, hash: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(PasswordError::Hash)?;
    match argon2id()?.verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(PasswordError::Hash(error)),
    }
}

impl Passwords {
    /// A new hash in PHC form.
    pub async fn hash(&self, password: String, clock: &dyn Clock) -> Result<String, PasswordError> {
        let salt_bits = [clock.random(), clock.random()];
        let _permit = self.at_once.acquire().await?;
        tokio::task::spawn_blocking(move || hash_now(&password, salt_bits)).await?
    }

    /// Whether the password fits. Without a hash (nobody has that name) the same work is done and the answer is no.
    pub async fn verify(
        &self,
        password: String,
        hash: Option<String>,
        clock: &dyn Clock,
    ) -> Result<bool, PasswordError> {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => {
                let decoy = || self.hash("nobody has this password".to_owned(), clock);
                self.decoy.get_or_try_init(decoy).await?.clone()
            }
        };
        let _permit = self.at_once.acquire().await?;
        let fits = tokio::task::spawn_blocking(move || verify_now(&password, &hash)).await??;
        Ok(fits && known)
    }
}

/// Failed attempts on one name from one address: somebody who has forgotten the password.
const PAIR_ATTEMPTS_MAX: u32 = 10;
/// Failed attempts on one name from anywhere: many machines guess one password. Its owner is kept out as well, hence the many.
const NAME_ATTEMPTS_MAX: u32 = 100;
/// Failed attempts from one address on any name: one machine tries one password on many people. A class or an office may share
/// an address.
const ADDRESS_ATTEMPTS_MAX: u32 = 100;
/// 15 minutes.
const WINDOW_MS: i64 = 15 * 60 * 1_000;
/// Counts remembered; at about 100 bytes each this is 6 MB. When full, the oldest window is forgotten.
const COUNTS_MAX: usize = 60_000;

/// Whose failed attempts are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Attempts {
    Pair(String, IpAddr),
    Name(String),
    Address(IpAddr),
}

impl Attempts {
    fn of(name: &str, address: IpAddr) -> [Self; 3] {
        [Self::Pair(name.to_owned(), address), Self::Name(name.to_owned()), Self::Address(address)]
    }

    fn max(&self) -> u32 {
        match self {
            Self::Pair(..) => PAIR_ATTEMPTS_MAX,
            Self::Name(_) => NAME_ATTEMPTS_MAX,
            Self::Address(_) => ADDRESS_ATTEMPTS_MAX,
        }
    }
}

/// Counts failed logins per name, per address and per pair of both, in this process: behind a balancer each instance counts for
/// itself, so that the limits hold times the number of instances.
#[derive(Debug, Default)]
pub struct LoginAttempts {
    failed: Mutex<HashMap<Attempts, (u32, i64)>>,
}

impl LoginAttempts {
    /// Whole minutes to wait before another attempt is heard; none when it may be made now.
    pub fn wait_minutes(&self, name: &str, address: IpAddr, now_ms: i64) -> Option<i64> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let left_ms = |attempts: &Attempts| {
            let (count, since_ms) = *failed.get(attempts)?;
            let left_ms = since_ms + WINDOW_MS - now_ms;
            (count >= attempts.max() && left_ms > 0).then_some(left_ms)
        };
        let longest = Attempts::of(name, address).iter().filter_map(left_ms).max()?;
        Some((longest + 59_999) / 60_000)
    }

    /// Remembers a failed attempt.
    pub fn failed(&self, name: &str, address: IpAddr, now_ms: i64) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() + 3 > COUNTS_MAX {
            failed.retain(|_, (_, since_ms)| now_ms < *since_ms + WINDOW_MS);
        }
        while failed.len() + 3 > COUNTS_MAX {
            let oldest = failed.iter().min_by_key(|(_, (_, since_ms))| *since_ms);
            let Some(oldest) = oldest.map(|(attempts, _)| attempts.clone()) else { break };
            failed.remove(&oldest);
        }
        for attempts in Attempts::of(name, address) {
            let entry = failed.entry(attempts).or_insert((0, now_ms));
            if now_ms >= entry.1 + WINDOW_MS {
                *entry = (0, now_ms);
            }
            entry.0 += 1;
        }
    }

    /// Forgets the failures of this name from this address after a success. What others tried on the name, and what the address
    /// tried on others, still counts.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.remove(&Attempts::Pair(name.to_owned(), address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("a long password".into(), &SystemClock).await.ok();
        assert!(
            hash.as_deref().is_some_and(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"))
        );
        let verify = |password: &str, hash: Option<String>| {
            let (passwords, password) = (&passwords, password.to_owned());
            async move { passwords.verify(password, hash, &SystemClock).await.ok() }
        };
        assert_eq!(verify("a long password", hash.clone()).await, Some(true));
        assert_eq!(verify("another password", hash).await, Some(false));
        assert_eq!(verify("nobody has this password", None).await, Some(false));
        assert_eq!(verify("x", Some("no hash".into())).await, None);
    }

    #[test]
    fn ten_failures_close_the_door_for_a_while() {
        let attempts = LoginAttempts::default();
        let address: IpAddr = [127, 0, 0, 1].into();
        for _ in 0..PAIR_ATTEMPTS_MAX {
            assert_eq!(attempts.wait_minutes("anna", address, 1_000), None);
            attempts.failed("anna", address, 1_000);
        }
        assert_eq!(attempts.wait_minutes("anna", address, 1_000), Some(15));
        assert_eq!(attempts.wait_minutes("anna", [127, 0, 0, 2].into(), 1_000), None);
        assert_eq!(attempts.wait_minutes("anna", address, 1_000 + WINDOW_MS), None);
        attempts.failed("anna", address, 1_000 + WINDOW_MS);
        assert_eq!(attempts.wait_minutes("anna", address, 1_001 + WINDOW_MS), None);
    }

    #[test]
    fn neither_many_addresses_nor_many_names_help() {
        let attempts = LoginAttempts::default();
        let address =
            |number: u32| -> IpAddr { [10, 0, (number / 256) as u8, number as u8].into() };
        for number in 0..NAME_ATTEMPTS_MAX {
            assert_eq!(attempts.wait_minutes("anna", address(number), 0), None);
            attempts.failed("anna", address(number), 0);
        }
        assert_eq!(attempts.wait_minutes("anna", address(9_999), 0), Some(15));
        let one = address(5_000);
        for number in 0..ADDRESS_ATTEMPTS_MAX {
            assert_eq!(attempts.wait_minutes(&format!("name{number}"), one, 0), None);
            attempts.failed(&format!("name{number}"), one, 0);
        }
        assert_eq!(attempts.wait_minutes("somebody", one, 0), Some(15));
        assert_eq!(attempts.wait_minutes("somebody", address(6_000), 0), None);
    }
}
