//! Places for pictures that requests hold in memory: uploads, and originals that previews are made of.
//!
//! Counted in bytes and not in requests alone: a phone's 200 megapixels are a file of tens of megabytes, most are a few. Whoever finds no place
//! waits for one within the request's time limit. What is decoded of them is bounded elsewhere (`jobs::renditions`).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::AppError;

/// What all of them together may hold; a single larger one has all of it.
const BYTES_MAX: u64 = 160 << 20;
/// The smallest share: at most eight have a place at the same time.
const SHARE_BYTES_MIN: u64 = BYTES_MAX / 8;
/// Shares are counted in these.
const UNIT_BYTES: u64 = 1 << 20;

/// Cheap to clone; all clones share the places.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _units: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new((BYTES_MAX / UNIT_BYTES) as usize)))
    }
}

impl Places {
    /// A place for so many bytes, when there is one.
    ///
    /// # Errors
    /// [`AppError::Busy`] when the server has closed its places.
    pub async fn take(&self, bytes: u64) -> Result<Place, AppError> {
        let share = bytes.clamp(SHARE_BYTES_MIN, BYTES_MAX).div_ceil(UNIT_BYTES) as u32;
        let units = Arc::clone(&self.0).acquire_many_owned(share).await;
        let units = units.map_err(|_| AppError::Busy("pictures are no longer taken"))?;
        Ok(Place { _units: units })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn large_pictures_take_the_places_of_several() {
        let places = Places::default();
        let small: Vec<_> = (0..8).map(|_| places.take(1).now_or_never()).collect();
        assert!(small.iter().all(Option::is_some));
        assert!(places.take(1).now_or_never().is_none(), "eight at most");
        drop(small);
        let large = places.take(64 << 20).now_or_never().expect("a place").expect("open");
        let more = places.take(64 << 20).now_or_never().expect("a place").expect("open");
        assert!(places.take(64 << 20).now_or_never().is_none());
        drop((large, more));
        let giant = places.take(1 << 40).now_or_never();
        assert!(giant.is_some(), "one that is larger than all places has all of them");
        assert!(places.take(1).now_or_never().is_none());
    }
}
