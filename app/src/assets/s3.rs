//! An object store: the "after" of the assets experiment, through the client that production uses.
//!
//! Content type and cache lifetime are set when an object is put, so that whoever serves it - the bucket itself or a CDN in front - sends the right
//! headers without asking the app. Pages link straight to `public_url`; the app's servers never see those requests. [`S3Slots`] is the way in
//! for browsers: addresses signed here, without asking the store.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::MetadataDirective;
use aws_types::SdkConfig;
use bytes::Bytes;

use super::slots::{Arrived, SLOT_LIFETIME, Slot, Slots, UploadId};
use super::{AssetError, AssetKey, Assets, Listing};
use crate::aws::{CallLimits, sdk_config};
use crate::model::UserId;

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
        Ok(Self::with(&config, endpoint.is_some(), bucket, public_url))
    }

    /// The same from a client's settings. `path_style`: the bucket stands in the path, because loopback has no wildcard names.
    fn with(config: &SdkConfig, path_style: bool, bucket: &str, public_url: &str) -> Self {
        // Bodies are signed, which covers their integrity; a second checksum would read every byte once more.
        let config = Builder::from(config)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .force_path_style(path_style)
            .build();
        Self {
            client: Client::from_conf(config),
            bucket: bucket.to_owned(),
            public_url: public_url.trim_end_matches('/').to_owned(),
        }
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
            Err(error) if is_one_of(&error, &["NoSuchKey"]) => Ok(false),
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
        debug_assert!(key.is_public(), "no URL may lead to {}", key.path());
        format!("{}/{}", self.public_url, key.path())
    }

    async fn ping(&self) -> Result<(), AssetError> {
        let request = self.client.head_bucket().bucket(&self.bucket);
        request.send().await.map(|_| ()).map_err(Self::failed("ping", self.bucket.clone()))
    }
}

/// Whether the store answered with one of these codes. For errors that an operation's model does not list.
fn is_one_of<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| codes.contains(&code))
}

/// The bucket as a place that browsers put uploads into.
#[derive(Debug, Clone)]
pub struct S3Slots {
    assets: S3Assets,
    origin: String,
}

impl S3Slots {
    /// Slots of this bucket. Asks for credentials, so that a server which cannot sign says so at its start.
    pub async fn of(assets: S3Assets) -> Result<Self, AssetError> {
        // The origin is taken from an address like those to come: only the client knows how it names bucket and region.
        let any = AssetKey::Upload { author: UserId(0), id: UploadId::default() };
        let signed = assets.sign_put(&any, 1, any.content_type()).await?;
        let uri: Result<http::Uri, _> = signed.uri().parse();
        let uri = uri.map_err(S3Assets::failed("read the address of", assets.bucket.clone()))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        // Browsers write hosts in small letters.
        let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
        Ok(Self { assets, origin })
    }
}

impl S3Assets {
    /// Size and type are signed with the address: the store refuses a request that has others.
    async fn sign_put(
        &self,
        key: &AssetKey,
        bytes_total: u64,
        content_type: &str,
    ) -> Result<PresignedRequest, AssetError> {
        let verb = "sign an address for";
        let lifetime = PresigningConfig::expires_in(SLOT_LIFETIME);
        let lifetime = lifetime.map_err(Self::failed(verb, key.path()))?;
        let length = i64::try_from(bytes_total).map_err(Self::failed(verb, key.path()))?;
        let put = self.client.put_object().bucket(&self.bucket).key(key.path());
        let put = put.content_length(length).content_type(content_type);
        put.presigned(lifetime).await.map_err(Self::failed(verb, key.path()))
    }
}

#[async_trait]
impl Slots for S3Slots {
    async fn open(
        &self,
        key: &AssetKey,
        bytes_total: u64,
        content_type: &str,
    ) -> Result<Slot, AssetError> {
        let signed = self.assets.sign_put(key, bytes_total, content_type).await?;
        let by_script = |name: &str| !["host", "content-length"].contains(&name);
        let headers = signed.headers().filter(|(name, _)| by_script(name));
        Ok(Slot {
            url: signed.uri().to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }

    async fn look(&self, key: &AssetKey, bytes_max: u64) -> Result<Option<Arrived>, AssetError> {
        let verb = "look at";
        let S3Assets { client, bucket, .. } = &self.assets;
        let request = client.get_object().bucket(bucket).key(key.path());
        let range = format!("bytes=0-{}", bytes_max.max(1) - 1);
        let answer = match request.range(range).send().await {
            Ok(answer) => answer,
            // An empty object has no first byte, and is as good as none.
            Err(error) if is_one_of(&error, &["NoSuchKey", "InvalidRange"]) => return Ok(None),
            Err(error) => return Err(S3Assets::failed(verb, key.path())(error)),
        };
        // "bytes 0-99/1234"
        let total = answer.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let (Some(bytes_total), Some(tag)) = (total, answer.e_tag().map(str::to_owned)) else {
            let odd = std::io::Error::other("the answer tells no size or no ETag");
            return Err(S3Assets::failed(verb, key.path())(odd));
        };
        let body = answer.body.collect().await.map_err(S3Assets::failed(verb, key.path()))?;
        Ok(Some(Arrived { bytes: body.into_bytes(), bytes_total, tag }))
    }

    async fn keep(&self, key: &AssetKey, tag: &str, to: &AssetKey) -> Result<bool, AssetError> {
        let S3Assets { client, bucket, .. } = &self.assets;
        let request = client.copy_object().bucket(bucket).key(to.path());
        let request = request
            .copy_source(format!("{bucket}/{}", key.path()))
            .copy_source_if_match(tag)
            // Not what the sender said of it.
            .metadata_directive(MetadataDirective::Replace)
            .content_type(to.content_type())
            .cache_control(to.cache_control());
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_one_of(&error, &["NoSuchKey", "PreconditionFailed"]) => Ok(false),
            Err(error) => Err(S3Assets::failed("keep", key.path())(error)),
        }
    }

    fn origin(&self) -> &str {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
    use aws_types::region::Region;

    /// As on an instance of AWS: a region and a role's credentials, no endpoint. Signing sends nothing.
    async fn slots_in(region: &'static str) -> S3Slots {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let assets = S3Assets::with(&config, false, "someone-pictures", "http://d1.cloudfront.net");
        S3Slots::of(assets).await.expect("an address can be signed")
    }

    #[tokio::test]
    async fn addresses_name_the_bucket_in_its_region() {
        for (region, ending) in [
            ("us-east-1", "us-east-1.amazonaws.com"),
            ("eu-central-1", "eu-central-1.amazonaws.com"),
            ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
        ] {
            let origin = format!("https://someone-pictures.s3.{ending}");
            assert_eq!(slots_in(region).await.origin(), origin);
        }
    }

    #[tokio::test]
    async fn size_and_type_are_signed() {
        let slots = slots_in("eu-central-1").await;
        let key = AssetKey::Upload { author: UserId(7), id: UploadId::default() };
        let slot = slots.open(&key, 12_345, "image/png").await.expect("an address can be signed");
        assert!(slot.url.starts_with(&format!("{}/{}?", slots.origin(), key.path())), "{slot:?}");
        let signed = "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost";
        assert!(slot.url.contains(signed), "{slot:?}");
        assert!(slot.url.contains("X-Amz-Expires=600"), "{slot:?}");
        assert_eq!(slot.headers, [("content-type".to_owned(), "image/png".to_owned())]);
    }
}
