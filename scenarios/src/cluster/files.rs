//! Folders copied for instances: a seeded template becomes the data of the next cluster.
//!
//! Databases change their files in place and need real copies. Pictures never change once written, so hard
//! links serve: a second folder with the same names costs no bytes.

use std::io;
use std::path::{Path, PathBuf};

/// Copies a folder with everything in it. Sockets and pid files are left out.
///
/// # Errors
/// Something could not be read or written.
pub async fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    spread(from, to, |from, to| std::fs::copy(from, to).map(|_bytes| ())).await
}

/// The same with hard links, for files that are never changed in place. Where links are not possible
/// (another file system) it copies.
///
/// # Errors
/// Something could not be read or written.
pub async fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    spread(from, to, |from, to| {
        std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(|_bytes| ()))
    })
    .await
}

async fn spread(
    from: &Path,
    to: &Path,
    one: impl Fn(&Path, &Path) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let (from, to) = (from.to_path_buf(), to.to_path_buf());
    tokio::task::spawn_blocking(move || {
        let mut folders: Vec<(PathBuf, PathBuf)> = vec![(from, to)];
        while let Some((from, to)) = folders.pop() {
            std::fs::create_dir_all(&to)?;
            for entry in std::fs::read_dir(&from)? {
                let entry = entry?;
                let target = to.join(entry.file_name());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push((entry.path(), target));
                } else if kind.is_file() && entry.file_name() != "pid" {
                    one(&entry.path(), &target)?;
                }
            }
        }
        Ok(())
    })
    .await
    .map_err(io::Error::other)?
}
