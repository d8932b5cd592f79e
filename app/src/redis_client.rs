//! One way to name a Redis or Valkey, for the shared cache and the shared sessions: `redis://host:port` on loopback or a private
//! network, `rediss://host:port` with TLS, as ElastiCache wants it when encryption in transit is on.
//!
//! TLS needs the cargo feature `aws-tls`, as AWS itself does (`aws`). Certificates are checked against those that the system
//! trusts; there is no way to skip the check. The clients connect in `cache::redis` and in `session`.

use redis::Client;

/// The beginning of an address without TLS.
const PLAIN: &str = "redis://";
/// The beginning of an address with TLS.
const TLS: &str = "rediss://";

/// Why there is no client. All are mistakes in the settings, found at start.
#[derive(Debug, thiserror::Error)]
pub enum RedisClientError {
    /// An address with TLS, and a binary without.
    #[error(
        "a rediss:// address needs TLS, which this binary was built without: rebuild with \
         `--features photo-app/aws-tls`, or give a redis:// address"
    )]
    TlsNotBuilt,
    /// The library's word for taking any certificate.
    #[error(
        "a Redis address may not end in `#insecure`: certificates are always checked, leave it out"
    )]
    Unchecked,
    /// The address cannot be read; it is not shown, because it may hold a password.
    #[error("the Redis address cannot be used: give redis://host:port or rediss://host:port")]
    Address(#[source] redis::RedisError),
}

/// Whether an address begins as one must.
pub fn is_redis_url(url: &str) -> bool {
    url.starts_with(PLAIN) || is_tls(url)
}

/// Whether an address asks for TLS.
pub fn is_tls(url: &str) -> bool {
    url.starts_with(TLS)
}

/// A client for the address. Nothing is connected yet.
pub fn open(url: &str) -> Result<Client, RedisClientError> {
    if is_tls(url) && !cfg!(feature = "aws-tls") {
        return Err(RedisClientError::TlsNotBuilt);
    }
    // The library would accept it here, and fail at each connection.
    if is_tls(url) && url.ends_with("#insecure") {
        return Err(RedisClientError::Unchecked);
    }
    Client::open(url).map_err(RedisClientError::Address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_tls_needs_a_binary_with_tls() {
        assert!(open("redis://127.0.0.1:6379/3").is_ok());
        let tls = open("rediss://cache.example.internal:6379");
        if cfg!(feature = "aws-tls") {
            assert!(tls.is_ok());
        } else {
            let said = tls.expect_err("no TLS in this binary").to_string();
            assert!(said.contains("--features photo-app/aws-tls"), "{said}");
        }
    }

    #[test]
    fn the_check_of_certificates_cannot_be_skipped() {
        let error = open("rediss://127.0.0.1:6379/#insecure").expect_err("refused");
        let (said, tls) = (error.to_string(), cfg!(feature = "aws-tls"));
        assert_eq!(said.contains("certificates are always checked"), tls, "{said}");
    }

    #[test]
    fn a_mistaken_address_is_told_and_not_shown() {
        let error = open("redis://:secret@").expect_err("no host");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(is_redis_url("rediss://h:1") && !is_redis_url("http://h:1"));
    }
}
