//! Files on this server: the "before" of the assets experiment.
//!
//! A file's path is built from typed ids alone (never from a URL's text), so no request can name a file outside the folder.
//! A put writes a temporary file beside its destination and renames it: readers see the old bytes, the new ones or none.
//! An original cannot be made again, so its contents are on the disk (`fdatasync`, some milliseconds) before its name appears.
//! Renditions can, so they are left to the file system's own commit (about 5 s on ext4): they survive a crash of
//! the process, and after a power cut the youngest ones may have to be rendered anew.
//! Folders are sharded by the last two characters of the photo's id (they are random): 1,024 folders at each root.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{AssetError, AssetKey, Assets, Listing, rendition_file};
use crate::model::PhotoId;

/// A folder that a delete of a sibling just removed is made again this often. Once is usual; more only when puts and deletes of
/// one photo chase each other.
const FOLDER_ATTEMPTS_MAX: u32 = 100;
/// Whoever serves the files may read them.
const FILE_MODE: u32 = 0o644;

/// Assets as files below one folder.
#[derive(Debug, Clone)]
pub struct LocalAssets {
    root: PathBuf,
    public_prefix: String,
}

impl LocalAssets {
    /// Opens (and makes) the folder. Pages link to `public_prefix` + `/` + the key's path.
    pub fn open(
        root: impl Into<PathBuf>,
        public_prefix: impl Into<String>,
    ) -> Result<Self, AssetError> {
        let root = root.into();
        let failed = |source: io::Error| AssetError {
            verb: "open",
            path: root.display().to_string(),
            source: source.into(),
        };
        fs::create_dir_all(&root).map_err(failed)?;
        let public_prefix = public_prefix.into().trim_end_matches('/').to_owned();
        Ok(Self { root, public_prefix })
    }

    /// Where the file lies: `renditions/xy/PHOTO/VERSION/640.jpg`, `originals/xy/PHOTO.jpg`.
    fn file(&self, key: &AssetKey) -> PathBuf {
        match key {
            AssetKey::Original { photo, format } => {
                let file = format!("{photo}.{}", format.as_str());
                self.root.join("originals").join(shard(*photo)).join(file)
            }
            AssetKey::Rendition { photo, version, width, format } => {
                let mut path = self.root.join("renditions").join(shard(*photo));
                path.push(photo.to_string());
                path.push(version.to_string());
                path.push(&*rendition_file(*width, *format));
                path
            }
            AssetKey::Upload { .. } => self.root.join(key.path()),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        verb: &'static str,
        key: &AssetKey,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, AssetError> {
        let file = self.file(key);
        off_thread(verb, key.path(), move || work(&file)).await
    }

    /// The same for work on the whole store.
    async fn blocking_at_root<T: Send + 'static>(
        &self,
        verb: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, AssetError> {
        let root = self.root.clone();
        off_thread(verb, self.root.display().to_string(), move || work(&root)).await
    }
}

/// Runs `work` on a thread for blocking work and names its error.
async fn off_thread<T: Send + 'static>(
    verb: &'static str,
    path: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, AssetError> {
    let done = spawn_blocking(work).await.map_err(io::Error::other).and_then(|result| result);
    done.map_err(|source| AssetError { verb, path, source: source.into() })
}

/// The last two characters of the id: random, hence evenly filled folders.
fn shard(photo: PhotoId) -> String {
    let text = photo.to_string();
    text[text.len() - 2..].to_owned()
}

#[async_trait]
impl Assets for LocalAssets {
    async fn put(&self, key: &AssetKey, bytes: Bytes) -> Result<(), AssetError> {
        let synced = matches!(key, AssetKey::Original { .. });
        self.blocking("put", key, move |file| write_whole(file, &bytes, synced)).await
    }

    async fn get(&self, key: &AssetKey) -> Result<Option<Bytes>, AssetError> {
        let read = |file: &Path| match fs::read(file) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        self.blocking("get", key, read).await
    }

    async fn put_copy(&self, from: &AssetKey, to: &AssetKey) -> Result<bool, AssetError> {
        let source = self.file(from);
        self.blocking("copy", to, move |file| link_or_copy(&source, file)).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, AssetError> {
        let (after, limit) = (after.map(PathBuf::from), limit.max(1));
        let list = move |root: &Path| {
            let mut files = Vec::new();
            walk(root, Path::new(""), after.as_deref(), limit, &mut files)?;
            Ok(files)
        };
        let files = self.blocking_at_root("list", list).await?;
        let full = files.len() >= limit;
        Ok(Listing {
            next: files.last().filter(|_| full).map(|file| file.display().to_string()),
            keys: files.iter().filter_map(|file| key_of(file)).collect(),
        })
    }

    async fn delete(&self, key: &AssetKey) -> Result<(), AssetError> {
        let folders = match key {
            // The version's folder and the photo's; the shard stays.
            AssetKey::Rendition { .. } => 2,
            AssetKey::Original { .. } => 0,
            // Its author's.
            AssetKey::Upload { .. } => 1,
        };
        self.blocking("delete", key, move |file| remove(file, folders)).await
    }

    fn public_url(&self, key: &AssetKey) -> String {
        debug_assert!(key.is_public(), "no URL may lead to {}", key.path());
        format!("{}/{}", self.public_prefix, key.path())
    }

    async fn ping(&self) -> Result<(), AssetError> {
        self.blocking_at_root("ping", |root| fs::read_dir(root).map(|_| ())).await
    }
}

/// The files below `folder` (a path below `root`) that come after `after` in the order of paths, until there are `limit`.
fn walk(
    root: &Path,
    folder: &Path,
    after: Option<&Path>,
    limit: usize,
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        // Emptied and removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if files.len() >= limit {
            return Ok(());
        }
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            // Before `after`, unless `after` lies in it: all of it has been listed.
            if after.is_none_or(|after| *path > *after || after.starts_with(&path)) {
                walk(root, &path, after, limit, files)?;
            }
        } else if after.is_none_or(|after| *path > *after) {
            files.push(path);
        }
    }
    Ok(())
}

/// The key of a file, from its path below the root; none for files of others and for puts that are under way.
fn key_of(file: &Path) -> Option<AssetKey> {
    let mut parts: Vec<&str> = file.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    // The shard is no part of the key.
    if parts.len() < 3 {
        return None;
    }
    let shard_name = parts.remove(1);
    let key = AssetKey::from_path(&parts.join("/"))?;
    let (AssetKey::Original { photo, .. } | AssetKey::Rendition { photo, .. }) = key else {
        return None;
    };
    (shard(photo) == shard_name).then_some(key)
}

/// Runs `work` with the file's folder in place; a concurrent delete may remove an empty folder at any moment, hence
/// the attempts.
fn in_folder<T>(file: &Path, work: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut attempts_left = FOLDER_ATTEMPTS_MAX;
    loop {
        let done = match work(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder).and(Err(error))
            }
            done => done,
        };
        attempts_left -= 1;
        // "Exists" is what `create_dir_all` says of a folder that was there and is gone when it looks again.
        let passing = [io::ErrorKind::NotFound, io::ErrorKind::AlreadyExists];
        match done {
            Err(error) if passing.contains(&error.kind()) && attempts_left > 0 => {}
            done => return done,
        }
    }
}

fn write_whole(file: &Path, bytes: &[u8], synced: bool) -> io::Result<()> {
    in_folder(file, |folder| {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".put-").permissions(fs::Permissions::from_mode(FILE_MODE));
        let mut temporary = builder.tempfile_in(folder)?;
        temporary.write_all(bytes)?;
        if synced {
            temporary.as_file().sync_data()?;
        }
        temporary.persist(file).map(|_| ()).map_err(|failed| failed.error)
    })
}

/// Gives the file a second name; where that cannot be (other file system, too many names), copies it. Safe because
/// no file is ever changed in place: puts replace names.
fn link_or_copy(source: &Path, file: &Path) -> io::Result<bool> {
    if !source.try_exists()? {
        return Ok(false);
    }
    let linked = in_folder(file, |_| match fs::hard_link(source, file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(file)?;
            fs::hard_link(source, file)
        }
        done => done,
    });
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(_) => write_whole(file, &fs::read(source)?, false).map(|()| true),
    }
}

/// Removes the file and then up to `folders` folders above it, as far as they are empty.
fn remove(file: &Path, folders: usize) -> io::Result<()> {
    match fs::remove_file(file) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for folder in file.ancestors().skip(1).take(folders) {
        // Refused while something is in it, which is the usual case and fine.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::conformance;
    use crate::model::{RenditionFormat, VersionId};

    fn open(folder: &Path) -> LocalAssets {
        LocalAssets::open(folder, "/assets/").expect("a temporary folder can be opened")
    }

    #[tokio::test]
    async fn keeps_every_promise() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        conformance::check_all(|| async { open(folder.path()) }).await;
    }

    #[tokio::test]
    async fn leaves_no_temporary_file_and_no_empty_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let assets = open(folder.path());
        let (photo, version) = (PhotoId(123_456_789), VersionId(987_654_321));
        let format = RenditionFormat::Jpeg;
        let keys = [320, 640].map(|width| AssetKey::Rendition { photo, version, width, format });
        for key in &keys {
            assets.put(key, Bytes::from_static(b"jpeg")).await.expect("put");
        }
        let version_folder = assets.file(&keys[0]).parent().expect("a folder").to_owned();
        let mut names: Vec<_> = fs::read_dir(&version_folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII"))
            .collect();
        names.sort();
        assert_eq!(names, ["320.jpg", "640.jpg"]);
        for key in &keys {
            assets.delete(key).await.expect("delete");
        }
        assert!(!version_folder.parent().expect("the photo's folder").exists());
        assert_eq!(
            assets.public_url(&keys[0]),
            format!("/assets/renditions/{photo}/{version}/320.jpg")
        );
    }

    #[tokio::test]
    async fn puts_and_deletes_of_one_photo_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let assets = open(folder.path());
        let (photo, version) = (PhotoId(5), VersionId(6));
        let tasks: Vec<_> = (0..4)
            .map(|width| {
                let assets = assets.clone();
                tokio::spawn(async move {
                    let format = RenditionFormat::Webp;
                    let key = AssetKey::Rendition { photo, version, width, format };
                    for _ in 0..25 {
                        assets.put(&key, Bytes::from_static(b"x")).await.expect("put");
                        assets.delete(&key).await.expect("delete");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no put failed");
        }
    }
}
