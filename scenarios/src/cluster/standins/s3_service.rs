//! The operations of the S3 stand-in: `s3s` has parsed and authenticated the request, `s3_disk` keeps the objects.
//!
//! Conditional requests, ranges, listing with delimiter, server-side copies and multipart uploads behave as the API reference
//! says. Parts of unfinished uploads are held in memory. Versions, encryption and lifecycle rules are not there.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use s3s::crypto::{Checksum, Md5};
use s3s::dto::*;
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use super::s3_cors::Cors;
use super::s3_counters::{Counters, count};
use super::s3_disk::{Condition, Disk, Headers, Object as Stored, Put};
use super::s3_listing::{LIST_KEYS_MAX, Listing};
use super::s3_uploads::Uploads;

/// Bodies and uploads are collected in memory: no larger than this (the app's largest upload is 64 MiB).
pub(super) const OBJECT_BYTES_MAX: usize = 512 << 20;
/// A version may be replaced between look-up and reading; then the newer one is looked up.
const READ_ATTEMPTS_MAX: u32 = 5;

/// The operations over a disk.
pub(super) struct ObjectStore {
    disk: Arc<Disk>,
    counters: Arc<Counters>,
    cors: Arc<Cors>,
    uploads: Uploads,
}

impl ObjectStore {
    /// Serves what is on the disk.
    pub(super) fn new(disk: Arc<Disk>, counters: Arc<Counters>, cors: Arc<Cors>) -> Self {
        Self { disk, counters, cors, uploads: Uploads::default() }
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<Stored>> {
        match self.disk.object(bucket, key) {
            Some(object) => Ok(object),
            None if self.disk.has_bucket(bucket) => Err(s3_error!(NoSuchKey)),
            None => Err(s3_error!(NoSuchBucket)),
        }
    }

    fn check_conditions(
        &self,
        object: &Stored,
        if_match: Option<&ETagCondition>,
        if_none_match: Option<&ETagCondition>,
    ) -> S3Result<()> {
        let same = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == object.description.etag,
        };
        if if_match.is_some_and(|condition| !same(condition)) {
            return Err(s3_error!(PreconditionFailed));
        }
        if if_none_match.is_some_and(same) {
            count(&self.counters.not_modified, 1);
            let mut error = s3_error!(NotModified);
            let mut headers = HeaderMap::new();
            let quoted = format!("\"{}\"", object.description.etag);
            if let Ok(etag) = HeaderValue::try_from(quoted) {
                headers.insert(header::ETAG, etag);
            }
            error.set_headers(headers);
            return Err(error);
        }
        Ok(())
    }

    async fn store(
        &self,
        bucket: String,
        key: String,
        headers: Headers,
        etag: String,
        parts: Vec<Bytes>,
        condition: Condition,
    ) -> S3Result<Arc<Stored>> {
        let disk = Arc::clone(&self.disk);
        let work = move || disk.put(&bucket, &key, headers, etag, &parts, &condition);
        match tokio::task::spawn_blocking(work).await.map_err(S3Error::internal_error)? {
            Ok(Put::Stored(object)) => Ok(object),
            Ok(Put::Refused) => Err(s3_error!(PreconditionFailed)),
            Ok(Put::NoBucket) => Err(s3_error!(NoSuchBucket)),
            Err(error) => Err(S3Error::internal_error(error)),
        }
    }

    async fn collect(&self, body: Option<StreamingBlob>, expected: Option<i64>) -> S3Result<Bytes> {
        let Some(mut body) = body else { return Ok(Bytes::new()) };
        let expected = usize::try_from(expected.unwrap_or(0)).unwrap_or(0);
        let mut bytes = BytesMut::with_capacity(expected.min(OBJECT_BYTES_MAX));
        while let Some(chunk) = body.next().await {
            let chunk = chunk
                .map_err(|error| S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error))?;
            if bytes.len() + chunk.len() > OBJECT_BYTES_MAX {
                return Err(s3_error!(EntityTooLarge));
            }
            bytes.extend_from_slice(&chunk);
        }
        count(&self.counters.received_bytes, bytes.len() as u64);
        Ok(bytes.freeze())
    }
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::checksum(bytes))
}

fn put_condition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Etag(etag.value().to_owned())),
        _ => Err(s3_error!(NotImplemented, "a put takes If-None-Match: * or If-Match: an ETag")),
    }
}

#[async_trait::async_trait]
impl S3 for ObjectStore {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        if !self.disk.create_bucket(&bucket).map_err(S3Error::internal_error)? {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        let location = Some(format!("/{bucket}"));
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let removed = self.disk.delete_bucket(&request.input.bucket);
        match removed.map_err(S3Error::internal_error)? {
            Some(true) => Ok(S3Response::new(DeleteBucketOutput::default())),
            Some(false) => Err(s3_error!(BucketNotEmpty)),
            None => Err(s3_error!(NoSuchBucket)),
        }
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        if self.disk.has_bucket(&request.input.bucket) {
            Ok(S3Response::new(HeadBucketOutput::default()))
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let named = |name| Bucket { name: Some(name), ..Default::default() };
        let buckets = self.disk.bucket_names().into_iter().map(named).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..Default::default() }))
    }

    async fn put_bucket_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let PutBucketCorsInput { bucket, cors_configuration, .. } = request.input;
        if !self.disk.has_bucket(&bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        self.cors.set(&bucket, Some(cors_configuration.cors_rules));
        Ok(S3Response::new(PutBucketCorsOutput::default()))
    }

    async fn get_bucket_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let cors_rules = self.cors.get(&request.input.bucket);
        if cors_rules.is_none() {
            return Err(s3_error!(NoSuchCORSConfiguration));
        }
        Ok(S3Response::new(GetBucketCorsOutput { cors_rules }))
    }

    async fn delete_bucket_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.cors.set(&request.input.bucket, None);
        Ok(S3Response::new(DeleteBucketCorsOutput::default()))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let mut attempt = 1;
        let (object, bytes, range) = loop {
            let object = self.object(&input.bucket, &input.key)?;
            let conditions = (input.if_match.as_ref(), input.if_none_match.as_ref());
            self.check_conditions(&object, conditions.0, conditions.1)?;
            let total = object.description.bytes;
            let range = match &input.range {
                Some(range) => Some(range.check(total).map_err(|_| s3_error!(InvalidRange))?),
                None => None,
            };
            let wanted = range.clone().unwrap_or(0..total);
            // Renditions come from the page cache in microseconds: less than handing the read to another thread would cost.
            match object.read(wanted.start, wanted.end - wanted.start) {
                Ok(bytes) => break (object, bytes, range),
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && attempt < READ_ATTEMPTS_MAX =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(S3Error::internal_error(error)),
            }
        };
        count(&self.counters.get, 1);
        count(&self.counters.sent_bytes, bytes.len() as u64);
        let described = &object.description;
        let headers = described.headers.clone();
        let content_range = range.map(|range| {
            format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), described.bytes)
        });
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(bytes.len() as i64),
            body: Some(StreamingBlob::from(Body::from(bytes))),
            content_range,
            e_tag: Some(ETag::Strong(described.etag.clone())),
            last_modified: Some(described.modified().into()),
            content_type: headers.content_type,
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            metadata: Some(headers.metadata),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        self.check_conditions(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        count(&self.counters.head, 1);
        let described = &object.description;
        let headers = described.headers.clone();
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(described.bytes as i64),
            e_tag: Some(ETag::Strong(described.etag.clone())),
            last_modified: Some(described.modified().into()),
            content_type: headers.content_type,
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            metadata: Some(headers.metadata),
            ..Default::default()
        }))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let condition = put_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let headers = Headers {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            metadata: input.metadata.unwrap_or_default(),
        };
        let bytes = self.collect(input.body, input.content_length).await?;
        let etag = md5_hex(&bytes);
        let (bucket, key) = (input.bucket, input.key);
        let object = self.store(bucket, key, headers, etag, vec![bytes], condition).await?;
        count(&self.counters.put, 1);
        let e_tag = Some(ETag::Strong(object.description.etag.clone()));
        Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "only copies from a bucket are supported"));
        };
        let source = self.object(bucket, key)?;
        self.check_conditions(&source, input.copy_source_if_match.as_ref(), None)?;
        let bytes = source.read(0, source.description.bytes).map_err(S3Error::internal_error)?;
        let replace = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let headers = if replace {
            Headers {
                content_type: input.content_type,
                cache_control: input.cache_control,
                content_disposition: input.content_disposition,
                content_encoding: input.content_encoding,
                content_language: input.content_language,
                metadata: input.metadata.unwrap_or_default(),
            }
        } else {
            source.description.headers.clone()
        };
        let etag = source.description.etag.clone();
        let (bucket, key) = (input.bucket, input.key);
        let made = self.store(bucket, key, headers, etag, vec![bytes], Condition::None).await?;
        count(&self.counters.copy, 1);
        let copied = CopyObjectResult {
            e_tag: Some(ETag::Strong(made.description.etag.clone())),
            last_modified: Some(made.description.modified().into()),
            ..Default::default()
        };
        let copy_object_result = Some(copied);
        Ok(S3Response::new(CopyObjectOutput { copy_object_result, ..Default::default() }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        if !self.disk.has_bucket(&bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        self.disk.delete(&bucket, &key).map_err(S3Error::internal_error)?;
        count(&self.counters.delete, 1);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if !self.disk.has_bucket(&bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let mut deleted = Vec::new();
        for object in delete.objects {
            self.disk.delete(&bucket, &object.key).map_err(S3Error::internal_error)?;
            count(&self.counters.delete, 1);
            deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
        }
        let deleted = Some(deleted).filter(|_| !delete.quiet.unwrap_or(false));
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..Default::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let limit = input.max_keys.map_or(LIST_KEYS_MAX, |keys| keys.clamp(0, 1_000) as usize);
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref().filter(|text| !text.is_empty());
        // The token is the last key in hex: opaque to clients, and fit for a URL.
        let after = match &input.continuation_token {
            Some(token) => hex::decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not ours"))?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let page = Listing::of(&self.disk, &input.bucket, &prefix, delimiter, after, limit)?;
        count(&self.counters.list, 1);
        let groups = page.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) });
        let common_prefixes: Vec<_> = groups.collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: Some(limit as i32),
            key_count: Some((page.contents.len() + common_prefixes.len()) as i32),
            contents: Some(page.contents),
            common_prefixes: Some(common_prefixes),
            is_truncated: Some(page.more),
            next_continuation_token: page.more.then(|| hex::encode(&page.last)),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        if !self.disk.has_bucket(&input.bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let headers = Headers {
            content_type: input.content_type,
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            metadata: input.metadata.unwrap_or_default(),
        };
        let (bucket, key) = (input.bucket, input.key);
        let id = self.uploads.create(&bucket, &key, headers);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = self.collect(input.body, input.content_length).await?;
        let target = (input.bucket.as_str(), input.key.as_str());
        let etag = self.uploads.put_part(&input.upload_id, target, input.part_number, bytes)?;
        let e_tag = Some(ETag::Strong(etag));
        Ok(S3Response::new(UploadPartOutput { e_tag, ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let target = (input.bucket.as_str(), input.key.as_str());
        let made = self.uploads.assemble(&input.upload_id, target, &named)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let stored = self.store(bucket, key, made.headers, made.etag, made.parts, Condition::None);
        let object = stored.await?;
        self.uploads.remove(&input.upload_id);
        count(&self.counters.put, 1);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(object.description.etag.clone())),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        if self.uploads.remove(&request.input.upload_id) {
            Ok(S3Response::new(AbortMultipartUploadOutput::default()))
        } else {
            Err(s3_error!(NoSuchUpload))
        }
    }
}
