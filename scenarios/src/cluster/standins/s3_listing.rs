//! Listings of the S3 stand-in: a page of objects, with keys that share a part up to the delimiter shown as one group.

use std::collections::BTreeSet;

use s3s::dto::{ETag, Object};
use s3s::{S3Result, s3_error};

use super::s3_disk::{Disk, Object as Stored};

/// As the real service.
pub(super) const LIST_KEYS_MAX: usize = 1_000;

/// The keys of a listing page: objects, common prefixes, and whether there is more.
pub(super) struct Listing {
    pub(super) contents: Vec<Object>,
    pub(super) prefixes: BTreeSet<String>,
    pub(super) last: String,
    pub(super) more: bool,
}

impl Listing {
    /// One page: up to `limit` objects and groups after the key `after`.
    pub(super) fn of(
        disk: &Disk,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        after: String,
        limit: usize,
    ) -> S3Result<Self> {
        let mut page =
            Listing { contents: Vec::new(), prefixes: BTreeSet::new(), last: after, more: false };
        loop {
            let found = disk.list(bucket, prefix, &page.last, LIST_KEYS_MAX + 1);
            let found = found.ok_or_else(|| s3_error!(NoSuchBucket))?;
            let exhausted = found.len() <= LIST_KEYS_MAX;
            for object in found {
                let key = &object.description.key;
                if !page.prefixes.is_empty()
                    && page.prefixes.last().is_some_and(|group| key.starts_with(group))
                {
                    key.clone_into(&mut page.last);
                    continue;
                }
                if page.contents.len() + page.prefixes.len() == limit {
                    page.more = true;
                    return Ok(page);
                }
                key.clone_into(&mut page.last);
                let rest = &key[prefix.len()..];
                let group = delimiter.and_then(|delimiter| {
                    rest.find(delimiter).map(|at| &key[..prefix.len() + at + delimiter.len()])
                });
                match group {
                    Some(group) => drop(page.prefixes.insert(group.to_owned())),
                    None => page.contents.push(listed(&object)),
                }
            }
            if exhausted {
                return Ok(page);
            }
        }
    }
}

fn listed(object: &Stored) -> Object {
    Object {
        key: Some(object.description.key.clone()),
        size: Some(object.description.bytes as i64),
        e_tag: Some(ETag::Strong(object.description.etag.clone())),
        last_modified: Some(object.description.modified().into()),
        ..Default::default()
    }
}
