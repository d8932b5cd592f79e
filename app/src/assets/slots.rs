//! Slots: uploads that go past this server. A browser puts a picture straight into the object store, under an address that is good
//! for one object of one size and one media type, for some minutes; then this server looks at its beginning and has the store copy it.
//!
//! Only stores that sign addresses have slots (`s3`); with files on this server the bytes come through it anyway. What is put into a
//! slot is nobody's photo yet: `routes::slots` takes it over or removes it, and what nobody claims goes by the store's own lifecycle rule.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{AssetError, AssetKey};
use crate::clock::Clock;

/// How long a slot's address is good for the beginning of an upload: 64 MiB over 1 Mbit/s take nine minutes, and a store that has begun
/// to receive goes on.
pub const SLOT_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// 128 bits as hex digits.
const UPLOAD_ID_DIGITS: usize = 32;

/// What an upload is called: 128 random bits, so that nobody guesses another one's.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct UploadId(u128);

impl UploadId {
    /// A new one.
    pub fn random(clock: &dyn Clock) -> Self {
        Self(u128::from(clock.random()) << 64 | u128::from(clock.random()))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadId({self})")
    }
}

/// What was given is no id of an upload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an upload's id has {UPLOAD_ID_DIGITS} hex digits")]
pub struct UploadIdError;

impl FromStr for UploadId {
    type Err = UploadIdError;
    /// Takes exactly what [`UploadId`] writes, so that an upload has one name only.
    fn from_str(text: &str) -> Result<Self, UploadIdError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != UPLOAD_ID_DIGITS || !text.bytes().all(digit) {
            return Err(UploadIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| UploadIdError)
    }
}

/// Where a browser puts one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The signed address, for PUT.
    pub url: String,
    /// Headers that the signature asks for, beside those that a browser sets by itself (host and length).
    pub headers: Vec<(String, String)>,
}

/// What lies in a slot, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// At most as many as were asked for.
    pub bytes: Bytes,
    /// The size of all of it.
    pub bytes_total: u64,
    /// Changes when anything else is put in its place.
    pub tag: String,
}

impl Arrived {
    /// Whether `bytes` is all of it.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.bytes_total
    }
}

/// An object store that takes uploads from browsers. What lies in a slot is removed by [`super::Assets::delete`].
#[async_trait]
pub trait Slots: Send + Sync {
    /// Opens the slot `key` for an object of exactly this size and media type; the store refuses any other.
    async fn open(
        &self,
        key: &AssetKey,
        bytes_total: u64,
        content_type: &str,
    ) -> Result<Slot, AssetError>;
    /// The first `bytes_max` bytes of what lies in the slot; none while nothing does.
    async fn look(&self, key: &AssetKey, bytes_max: u64) -> Result<Option<Arrived>, AssetError>;
    /// Has the store copy what lies in the slot to `to`, with the headers of `to`; false when the slot is empty, or when what lies in it is no
    /// longer what was looked at.
    async fn keep(&self, key: &AssetKey, tag: &str, to: &AssetKey) -> Result<bool, AssetError>;
    /// The origin of all addresses, as browsers write it: scheme and host, and the port where it is not the usual one.
    fn origin(&self) -> &str;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SteppingClock;

    #[test]
    fn an_id_has_one_name_and_is_read_back() {
        let clock = SteppingClock::new(0, 7);
        let (one, other) = (UploadId::random(&clock), UploadId::random(&clock));
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!(UploadId(5).to_string().parse(), Ok(UploadId(5)));
        let upper = "0123456789ABCDEF0123456789abcdef";
        for no_id in
            ["", "5", "../../originals/xxxxxxxxxxxxxxxx", upper, "+123456789abcdef0123456789abcdef"]
        {
            assert_eq!(no_id.parse::<UploadId>(), Err(UploadIdError), "{no_id}");
        }
    }
}
