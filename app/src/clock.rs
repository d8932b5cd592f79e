//! Where time and randomness come from. Handlers and jobs ask here, so that a run can be replayed and a test
//! can stand still; the system clock is named nowhere else in the app.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Time in Unix microseconds, and random bits.
pub trait Clock: Send + Sync {
    /// Now, in microseconds since 1970.
    fn now_us(&self) -> i64;
    /// 64 random bits, fit for ids and session keys.
    fn random(&self) -> u64;
    /// Now, in milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        self.now_us() / 1_000
    }
}

/// The real clock and the operating system's randomness.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        since_epoch.map_or(0, |time| time.as_micros() as i64)
    }
    fn random(&self) -> u64 {
        rand::rng().next_u64()
    }
}

/// A clock that advances one millisecond per reading, with randomness from a seed.
#[derive(Debug)]
pub struct SteppingClock {
    now_us: AtomicI64,
    random: Mutex<ChaCha12Rng>,
}

impl SteppingClock {
    /// Starts at `unix_ms`; the same seed gives the same random bits in the same order.
    pub fn new(unix_ms: i64, seed: u64) -> Self {
        Self {
            now_us: AtomicI64::new(unix_ms * 1_000),
            random: Mutex::new(ChaCha12Rng::seed_from_u64(seed)),
        }
    }
}

impl Clock for SteppingClock {
    fn now_us(&self) -> i64 {
        self.now_us.fetch_add(1_000, Ordering::Relaxed)
    }
    fn random(&self) -> u64 {
        let mut random = self.random.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        random.next_u64()
    }
}
