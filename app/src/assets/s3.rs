//! An object store: the "after" of the assets experiment, through the client that production uses.
//!
//! Content type and cache lifetime are set when an object is put, so that whoever serves it - the bucket itself or a CDN in front - sends the right
//! headers without asking the app. Pages link straight to `public_url`; the app's servers never see those requests.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::{AssetError, AssetKey, Assets, Listing};
use crate::aws::{CallLimits, sdk_config};

/// What the service lists in one call.
const LIST_KEYS_MAX: usize = 1_000;

/// Assets as objects of one bucket.
#[derive(Debug, Clone)]
pub struct S3Assets {
    client: Client,
    bucket: String,
    public_url: String,
}

impl S3Assets {
    /// Connects to an endpoint of ours, or to AWS (`None`). Pages link to `public_url` + `/` + the key's path: the address of the
    /// bucket, or of the CDN in front of it.
    pub async fn connect(
        endpoint: Option<&str>,
        bucket: &str,
        public_url: &str,
    ) -> Result<Self, AssetError> {
        let config = sdk_config(endpoint, CallLimits::LARGE).await;
        let config = config.map_err(|error| AssetError {
            verb: "connect to",
            path: bucket.to_owned(),
            source: error.into(),
        })?;
        // Bodies are signed, which covers their integrity; a second checksum would read every byte once more.
        let config = Builder::from(&config)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Loopback has no wildcard names for buckets.
            .force_path_style(endpoint.is_some())
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            bucket: bucket.to_owned(),
            public_url: public_url.trim_end_matches('/').to_owned(),
        })
    }

    fn failed<E>(verb: &'static str, path: String) -> impl FnOnce(E) -> AssetError
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |error| AssetError { verb, path, source: Box::new(error) }
    }
}

#[async_trait]
impl Assets for S3Assets {
    async fn put(&self, key: &AssetKey, bytes: Bytes) -> Result<(), AssetError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key.path());
        let request = request
            .content_type(key.content_type())
            .cache_control(key.cache_control())
            .body(ByteStream::from(bytes));
        request.send().await.map(|_| ()).map_err(Self::failed("put", key.path()))
    }

    async fn get(&self, key: &AssetKey) -> Result<Option<Bytes>, AssetError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key.path());
        match request.send().await {
            Ok(answer) => {
                let body = answer.body.collect().await;
                let body = body.map_err(Self::failed("get", key.path()))?;
                Ok(Some(body.into_bytes()))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                Ok(None)
            }
            Err(error) => Err(Self::failed("get", key.path())(error)),
        }
    }

    async fn put_copy(&self, from: &AssetKey, to: &AssetKey) -> Result<bool, AssetError> {
        // Ids and slashes need no escaping. The object's headers come along; they depend on the kind of key only.
        let source = format!("{}/{}", self.bucket, from.path());
        let request = self.client.copy_object().bucket(&self.bucket).key(to.path());
        match request.copy_source(source).send().await {
            Ok(_) => Ok(true),
            // CopyObject's model does not list the error, hence the code.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.meta().code() == Some("NoSuchKey")) =>
            {
                Ok(false)
            }
            Err(error) => Err(Self::failed("copy", from.path())(error)),
        }
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, AssetError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let request = request
            .set_start_after(after.map(str::to_owned))
            .max_keys(limit.clamp(1, LIST_KEYS_MAX) as i32);
        let answer = request.send().await.map_err(Self::failed("list", self.bucket.clone()))?;
        let more = answer.is_truncated.unwrap_or(false);
        let names: Vec<String> = answer
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| object.key)
            .collect();
        Ok(Listing {
            next: names.last().filter(|_| more).cloned(),
            keys: names.iter().filter_map(|name| AssetKey::from_path(name)).collect(),
        })
    }

    async fn delete(&self, key: &AssetKey) -> Result<(), AssetError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key.path());
        request.send().await.map(|_| ()).map_err(Self::failed("delete", key.path()))
    }

    fn public_url(&self, key: &AssetKey) -> String {
        debug_assert!(key.is_public(), "no URL may lead to an original");
        format!("{}/{}", self.public_url, key.path())
    }

    async fn ping(&self) -> Result<(), AssetError> {
        let request = self.client.head_bucket().bucket(&self.bucket);
        request.send().await.map(|_| ()).map_err(Self::failed("ping", self.bucket.clone()))
    }
}
