//! The objects of the S3 stand-in: one file each, and an index in memory that is rebuilt from the files at start.
//!
//! A file is `LMS3`, the length of its description (4 bytes, little endian), the description as JSON, and the object's bytes. It is written under a
//! temporary name and renamed; a new version of an object is a new file, and the old one goes once the index points to the new one, so that
//! a reader gets one version whole. Nothing is synced to the disk: a stand-in survives a crash of its process, not a
//! power cut. Its name is the hash of the key with a running number: keys may hold any character.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 4] = b"LMS3";
/// Magic and length.
const HEAD_BYTES: usize = 8;
/// A description is a key of at most 1 KiB and headers of at most 8 KiB.
const DESCRIPTION_BYTES_MAX: usize = 64 << 10;

/// What a client says about an object and gets back unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers {
    /// Content-Type.
    pub content_type: Option<String>,
    /// Cache-Control.
    pub cache_control: Option<String>,
    /// Content-Disposition.
    pub content_disposition: Option<String>,
    /// Content-Encoding.
    pub content_encoding: Option<String>,
    /// Content-Language.
    pub content_language: Option<String>,
    /// `x-amz-meta-...`
    pub metadata: HashMap<String, String>,
}

/// An object as its file describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// The key.
    pub key: String,
    /// The hex digits between the quotes.
    pub etag: String,
    /// Length of the contents.
    pub bytes: u64,
    /// When it was put, Unix microseconds.
    pub modified_us: u64,
    /// Running number: of two files with one key the higher counts.
    pub sequence: u64,
    /// What the client said.
    pub headers: Headers,
}

impl Description {
    /// When it was put.
    pub fn modified(&self) -> SystemTime {
        UNIX_EPOCH + std::time::Duration::from_micros(self.modified_us)
    }
}

/// An object in the index.
#[derive(Debug)]
pub struct Object {
    /// What its file says.
    pub description: Description,
    file: PathBuf,
    start: u64,
}

impl Object {
    /// Reads `length` bytes from `from`. `NotFound` when a newer version took its place meanwhile.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, from: u64, length: u64) -> io::Result<Bytes> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.start + from))?;
        let mut bytes = Vec::with_capacity(length as usize);
        file.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Bytes::from(bytes))
    }
}

/// Whether a put may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    None,
    /// Only when there is no such object.
    Absent,
    /// Only when its ETag is this one.
    Etag(String),
}

/// The outcome of a put.
#[derive(Debug)]
pub enum Put {
    /// It is stored.
    Stored(Arc<Object>),
    /// The condition did not hold.
    Refused,
    /// There is no such bucket.
    NoBucket,
}

#[derive(Debug, Default)]
struct Bucket {
    objects: BTreeMap<String, Arc<Object>>,
}

/// A folder of buckets.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    buckets: RwLock<BTreeMap<String, Bucket>>,
    sequence: AtomicU64,
}

impl Disk {
    /// Opens the folder and reads the descriptions of all objects in it.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        let disk = Self { root, buckets: RwLock::default(), sequence: AtomicU64::new(1) };
        let mut buckets = BTreeMap::new();
        for entry in fs::read_dir(&disk.root)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                let name = entry.file_name().to_string_lossy().into_owned();
                buckets.insert(name, disk.load_bucket(&entry.path())?);
            }
        }
        *disk.write() = buckets;
        Ok(disk)
    }

    fn load_bucket(&self, folder: &Path) -> io::Result<Bucket> {
        let mut bucket = Bucket::default();
        for shard in fs::read_dir(folder)? {
            for file in fs::read_dir(shard?.path())? {
                let file = file?.path();
                let Some(object) = describe(&file)? else {
                    // A put that a crash cut off.
                    fs::remove_file(&file)?;
                    continue;
                };
                let sequence = object.description.sequence;
                self.sequence.fetch_max(sequence + 1, Ordering::Relaxed);
                let key = object.description.key.clone();
                let known = bucket.objects.get(&key);
                if known.is_some_and(|known| known.description.sequence > sequence) {
                    fs::remove_file(&file)?;
                } else if let Some(older) = bucket.objects.insert(key, Arc::new(object)) {
                    fs::remove_file(&older.file)?;
                }
            }
        }
        Ok(bucket)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a bucket; false when it is there already.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn create_bucket(&self, name: &str) -> io::Result<bool> {
        let mut buckets = self.write();
        if buckets.contains_key(name) {
            return Ok(false);
        }
        fs::create_dir_all(self.root.join(name))?;
        buckets.insert(name.to_owned(), Bucket::default());
        Ok(true)
    }

    /// Removes an empty bucket. `None`: there is none; `Some(false)`: it is not empty.
    ///
    /// # Errors
    /// Its folder cannot be removed.
    pub fn delete_bucket(&self, name: &str) -> io::Result<Option<bool>> {
        let mut buckets = self.write();
        match buckets.get(name) {
            None => return Ok(None),
            Some(bucket) if !bucket.objects.is_empty() => return Ok(Some(false)),
            Some(_) => {}
        }
        fs::remove_dir_all(self.root.join(name))?;
        buckets.remove(name);
        Ok(Some(true))
    }

    /// The names of all buckets.
    pub fn bucket_names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// Whether the bucket is there.
    pub fn has_bucket(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    /// The object, if both it and its bucket are there.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        self.read().get(bucket)?.objects.get(key).cloned()
    }

    /// Stores an object.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        headers: Headers,
        etag: String,
        parts: &[Bytes],
        condition: &Condition,
    ) -> io::Result<Put> {
        if !self.has_bucket(bucket) {
            return Ok(Put::NoBucket);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let description = Description {
            key: key.to_owned(),
            etag,
            bytes: parts.iter().map(|part| part.len() as u64).sum(),
            modified_us: now.as_micros() as u64,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            headers,
        };
        let object = Arc::new(self.write_file(bucket, description, parts)?);
        let mut buckets = self.write();
        let found = buckets.get_mut(bucket);
        let present = found.as_ref().and_then(|bucket| bucket.objects.get(key));
        let allowed = match condition {
            Condition::None => true,
            Condition::Absent => present.is_none(),
            Condition::Etag(etag) => present.is_some_and(|now| now.description.etag == *etag),
        };
        // A put that began later and finished earlier stays: the last writer wins by number, as the rebuild sees it.
        let outdated =
            present.is_some_and(|now| now.description.sequence > object.description.sequence);
        let (outcome, unused) = match found {
            None => (Put::NoBucket, Some(Arc::clone(&object))),
            Some(_) if !allowed => (Put::Refused, Some(Arc::clone(&object))),
            Some(_) if outdated => (Put::Stored(Arc::clone(&object)), Some(Arc::clone(&object))),
            Some(bucket) => {
                let older = bucket.objects.insert(key.to_owned(), Arc::clone(&object));
                (Put::Stored(object), older)
            }
        };
        drop(buckets);
        if let Some(unused) = unused {
            fs::remove_file(&unused.file)?;
        }
        Ok(outcome)
    }

    fn write_file(
        &self,
        bucket: &str,
        description: Description,
        parts: &[Bytes],
    ) -> io::Result<Object> {
        let hash = hex::encode(&Sha256::digest(description.key.as_bytes())[..16]);
        let folder = self.root.join(bucket).join(&hash[..2]);
        let file = folder.join(format!("{hash}-{}", description.sequence));
        let json = serde_json::to_vec(&description)?;
        let write = || -> io::Result<()> {
            let mut temporary = tempfile::Builder::new().prefix(".put-").tempfile_in(&folder)?;
            temporary.write_all(MAGIC)?;
            temporary.write_all(&(json.len() as u32).to_le_bytes())?;
            temporary.write_all(&json)?;
            for part in parts {
                temporary.write_all(part)?;
            }
            temporary.persist(&file).map(|_| ()).map_err(|failed| failed.error)
        };
        match write() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The first object of this shard.
                fs::create_dir_all(&folder)?;
                write()?;
            }
            done => done?,
        }
        Ok(Object { description, file, start: (HEAD_BYTES + json.len()) as u64 })
    }

    /// Removes an object; false when it was not there.
    ///
    /// # Errors
    /// Its file cannot be removed.
    pub fn delete(&self, bucket: &str, key: &str) -> io::Result<bool> {
        let removed = self.write().get_mut(bucket).and_then(|bucket| bucket.objects.remove(key));
        match removed {
            Some(object) => fs::remove_file(&object.file).map(|()| true),
            None => Ok(false),
        }
    }

    /// Objects whose key starts with `prefix` and comes after `after`, in order of their keys; at most `limit`.
    /// `None` when there is no such bucket.
    pub fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Option<Vec<Arc<Object>>> {
        let buckets = self.read();
        let objects = &buckets.get(bucket)?.objects;
        let from = if after >= prefix { Bound::Excluded(after) } else { Bound::Included(prefix) };
        let found = objects
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit);
        Some(found.map(|(_, object)| Arc::clone(object)).collect())
    }

    /// (objects, their bytes), over all buckets.
    pub fn totals(&self) -> (u64, u64) {
        let buckets = self.read();
        let all = buckets.values().flat_map(|bucket| bucket.objects.values());
        all.fold((0, 0), |(count, bytes), object| (count + 1, bytes + object.description.bytes))
    }
}

/// Reads a file's description; none when it is not a finished object.
fn describe(path: &Path) -> io::Result<Option<Object>> {
    let mut file = File::open(path)?;
    let mut head = [0; HEAD_BYTES];
    if file.read_exact(&mut head).is_err() || &head[..4] != MAGIC {
        return Ok(None);
    }
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    if length > DESCRIPTION_BYTES_MAX {
        return Ok(None);
    }
    let mut json = vec![0; length];
    if file.read_exact(&mut json).is_err() {
        return Ok(None);
    }
    let Ok(description) = serde_json::from_slice::<Description>(&json) else { return Ok(None) };
    let start = (HEAD_BYTES + length) as u64;
    if file.metadata()?.len() != start + description.bytes {
        return Ok(None);
    }
    Ok(Some(Object { description, file: path.to_owned(), start }))
}
