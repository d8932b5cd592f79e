//! One way to reach AWS for all three clients (DynamoDB, S3, SQS): HTTP client, credentials, region, retries, timeouts.
//!
//! Two addresses exist. A URL means an endpoint of ours on loopback or in a private network: plain HTTP, the fixed
//! credentials `test`/`test`, region `us-east-1`. No URL means AWS itself: the SDK's default chain finds region and
//! credentials, over TLS - that needs the cargo feature `aws-tls`, because TLS costs minutes of build time that no
//! experiment on one machine needs. The service-specific parts follow in `store::dynamodb`, `assets::s3`, `jobs::sqs`.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

/// The region that requests to an endpoint of ours are signed for; stand-ins do not check it.
pub const LOOPBACK_REGION: &str = "us-east-1";
/// Access key and secret for an endpoint of ours; both are public knowledge.
pub const LOOPBACK_KEY: &str = "test";
/// Idle connections kept per endpoint: one per request that a small server has in flight at once.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// An idle connection is given back after this long, well before a load balancer's usual 60 s.
const IDLE_CONNECTION_LIFETIME: Duration = Duration::from_secs(30);

/// Why no client can be built. Both are mistakes in the settings, found at start.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The endpoint cannot be used as it is.
    #[error("the endpoint `{endpoint}` cannot be used: {why}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What to give instead.
        why: &'static str,
    },
    /// AWS itself was asked for, by a binary without TLS.
    #[error(
        "AWS itself needs TLS, which this binary was built without: rebuild with \
         `--features photo-app/aws-tls`, or give an http:// endpoint"
    )]
    TlsNotBuilt,
}

/// How long one call may take and how often it is tried.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// To open a connection.
    pub connect: Duration,
    /// One attempt, from sending to the last byte of the answer.
    pub attempt: Duration,
    /// All attempts and the pauses between them.
    pub operation: Duration,
    /// Attempts in total; 1 means no retry.
    pub attempts_max: u32,
    /// The upper bound of the first pause; it doubles, with full jitter.
    pub backoff: Duration,
}

impl CallLimits {
    /// For small requests that answer in milliseconds (DynamoDB, SQS without long polling).
    pub const SMALL: Self = Self {
        connect: Duration::from_secs(1),
        attempt: Duration::from_secs(2),
        operation: Duration::from_secs(5),
        attempts_max: 4,
        backoff: Duration::from_millis(50),
    };
    /// For bodies of megabytes and for long polling, which legitimately last many seconds.
    pub const LARGE: Self = Self {
        connect: Duration::from_secs(1),
        attempt: Duration::from_secs(30),
        operation: Duration::from_secs(60),
        attempts_max: 4,
        backoff: Duration::from_millis(50),
    };

    fn retry(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts_max)
            .with_initial_backoff(self.backoff)
            .with_max_backoff(Duration::from_secs(2))
    }

    fn timeout(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }
}

/// The settings shared by every AWS client: hand them to `aws_sdk_X::config::Builder::from(&config)`.
/// `endpoint` is an `http://host:port` of ours, or none for AWS itself.
pub async fn sdk_config(endpoint: Option<&str>, limits: CallLimits) -> Result<SdkConfig, AwsError> {
    match endpoint {
        Some(endpoint) => endpoint_config(endpoint, limits),
        None => aws_config_of_account(limits).await,
    }
}

/// A client without TLS and without a proxy, keeping its connections alive.
pub fn http_client_without_tls() -> SharedHttpClient {
    HttpClientBuilder::new()
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE_CONNECTION_LIFETIME)
        .build_http()
}

fn endpoint_config(endpoint: &str, limits: CallLimits) -> Result<SdkConfig, AwsError> {
    let refused = |why| AwsError::Endpoint { endpoint: endpoint.to_owned(), why };
    let uri: http::Uri =
        endpoint.parse().map_err(|_| refused("give a URL such as http://127.0.0.1:8000"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http"), Some(_)) => {}
        (Some("https"), _) => {
            return Err(refused("endpoints are plain http; say `aws` for AWS over TLS"));
        }
        _ => return Err(refused("give a URL such as http://127.0.0.1:8000")),
    }
    let credentials = Credentials::new(LOOPBACK_KEY, LOOPBACK_KEY, None, None, "loopback");
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::from_static(LOOPBACK_REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_without_tls())
        .retry_config(limits.retry())
        .timeout_config(limits.timeout())
        .build())
}

#[cfg(feature = "aws-tls")]
async fn aws_config_of_account(limits: CallLimits) -> Result<SdkConfig, AwsError> {
    use aws_smithy_http_client::tls;
    let http_client = HttpClientBuilder::new()
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE_CONNECTION_LIFETIME)
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    Ok(aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .retry_config(limits.retry())
        .timeout_config(limits.timeout())
        .load()
        .await)
}

#[cfg(not(feature = "aws-tls"))]
async fn aws_config_of_account(_limits: CallLimits) -> Result<SdkConfig, AwsError> {
    Err(AwsError::TlsNotBuilt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_endpoint_of_ours_needs_nothing_else() {
        let config = sdk_config(Some("http://127.0.0.1:8000"), CallLimits::SMALL).await;
        let config = config.expect("the endpoint is sound");
        assert_eq!(config.region().map(Region::as_ref), Some(LOOPBACK_REGION));
        assert!(config.credentials_provider().is_some());
    }

    #[tokio::test]
    async fn a_mistaken_endpoint_is_named() {
        for endpoint in ["127.0.0.1:8000", "https://127.0.0.1", "not a url", "/path"] {
            let refused = sdk_config(Some(endpoint), CallLimits::SMALL).await;
            assert!(refused.expect_err("refused").to_string().contains(endpoint));
        }
    }

    #[cfg(not(feature = "aws-tls"))]
    #[tokio::test]
    async fn without_the_feature_the_message_names_it() {
        let error = sdk_config(None, CallLimits::SMALL).await.expect_err("refused");
        assert!(error.to_string().contains("aws-tls"));
    }
}
