//! Multipart uploads of the S3 stand-in: parts wait in memory until the client completes or aborts.
//!
//! A restart forgets unfinished uploads; finished ones are objects like any other (`s3_disk`).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use s3s::crypto::{Checksum, Md5};
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};

use super::s3_disk::Headers;
use super::s3_service::{OBJECT_BYTES_MAX, md5_hex};

/// As the real service: every part but the last.
const PART_BYTES_MIN: usize = 5 << 20;

struct Upload {
    bucket: String,
    key: String,
    headers: Headers,
    parts: BTreeMap<i32, (Bytes, String)>,
}

/// A finished upload: everything that an object needs.
pub(super) struct Assembled {
    pub(super) headers: Headers,
    pub(super) etag: String,
    pub(super) parts: Vec<Bytes>,
}

/// All unfinished uploads.
#[derive(Default)]
pub(super) struct Uploads {
    by_id: Mutex<HashMap<String, Upload>>,
    number: AtomicU64,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one; returns its id.
    pub(super) fn create(&self, bucket: &str, key: &str, headers: Headers) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let id = format!("upload-{}-{number}", std::process::id());
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.lock().insert(id.clone(), Upload { bucket, key, headers, parts: BTreeMap::new() });
        id
    }

    /// Keeps a part; returns its ETag.
    pub(super) fn put_part(
        &self,
        id: &str,
        (bucket, key): (&str, &str),
        number: i32,
        bytes: Bytes,
    ) -> S3Result<String> {
        let etag = md5_hex(&bytes);
        let mut uploads = self.lock();
        let upload = uploads
            .get_mut(id)
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| s3_error!(NoSuchUpload))?;
        let held: usize = upload.parts.values().map(|(part, _)| part.len()).sum();
        if held + bytes.len() > OBJECT_BYTES_MAX {
            return Err(s3_error!(EntityTooLarge));
        }
        upload.parts.insert(number, (bytes, etag.clone()));
        Ok(etag)
    }

    /// The object that the named parts make. The upload stays until [`Uploads::remove`].
    pub(super) fn assemble(
        &self,
        id: &str,
        (bucket, key): (&str, &str),
        named: &[CompletedPart],
    ) -> S3Result<Assembled> {
        let uploads = self.lock();
        let upload = uploads
            .get(id)
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| s3_error!(NoSuchUpload))?;
        let parts = chosen_parts(upload, named)?;
        // As the real service: the hash of the parts' hashes, and their number.
        let hashes: Vec<u8> = parts.iter().flat_map(|part| Md5::checksum(part)).collect();
        let etag = format!("{}-{}", md5_hex(&hashes), parts.len());
        Ok(Assembled { headers: upload.headers.clone(), etag, parts })
    }

    /// Forgets it; false when there is none.
    pub(super) fn remove(&self, id: &str) -> bool {
        self.lock().remove(id).is_some()
    }
}

/// The parts that the client names, in its order; each must be there with the ETag that was given for it.
fn chosen_parts(upload: &Upload, named: &[CompletedPart]) -> S3Result<Vec<Bytes>> {
    let mut parts = Vec::with_capacity(named.len());
    let mut last_number = 0;
    for part in named {
        let number = part.part_number.unwrap_or(0);
        if number <= last_number {
            return Err(s3_error!(InvalidPartOrder));
        }
        last_number = number;
        let (bytes, etag) = upload.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart))?;
        if part.e_tag.as_ref().is_some_and(|given| given.value() != etag) {
            return Err(s3_error!(InvalidPart));
        }
        parts.push(bytes.clone());
    }
    let all_but_last = parts.len().saturating_sub(1);
    if parts[..all_but_last].iter().any(|part| part.len() < PART_BYTES_MIN) {
        return Err(s3_error!(EntityTooSmall));
    }
    if parts.is_empty() {
        return Err(s3_error!(MalformedXML, "at least one part is needed"));
    }
    Ok(parts)
}
