//! Which hosts the users ask: the one of `--host`, and the one that pictures come from, where it is named. A page may link to any other;
//! the users leave that alone, because whoever loads a stack has no right to load a stranger's server.

use std::time::Duration;

use goose::config::GooseConfiguration;
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};

use super::UsersError;

/// goose's own, which a client of ours would otherwise lose.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Redirects of one request; reqwest's own bound.
const REDIRECTS_MAX: usize = 10;

/// The hosts that may be asked, each as scheme, name and port.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    stack: Option<Url>,
    assets: Option<Url>,
}

impl Hosts {
    /// `stack` as goose has it (it refuses what is no address), `assets` as the environment names it.
    pub(super) fn new(stack: Option<&str>, assets: Option<&str>) -> Result<Self, UsersError> {
        let address = |text: &str| {
            Url::parse(text).ok().filter(|url| url.has_host() && url.scheme().starts_with("http"))
        };
        let assets = assets.map(|given| {
            address(given).ok_or_else(|| UsersError::AssetsUrl { given: given.to_owned() })
        });
        Ok(Self { stack: stack.and_then(address), assets: assets.transpose()? })
    }

    /// Whether this address may be asked.
    pub(super) fn allow(&self, url: &Url) -> bool {
        let known = [&self.stack, &self.assets];
        known.into_iter().flatten().any(|known| known.origin() == url.origin())
    }

    /// goose's client for one user, but that it goes nowhere else when it is redirected: it takes the redirect for the answer.
    pub(super) fn client(&self, configuration: &GooseConfiguration) -> ClientBuilder {
        let hosts = self.clone();
        let timeout = configuration.timeout.as_deref().and_then(|text| text.parse().ok());
        let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        ClientBuilder::new()
            .user_agent(concat!("lightmeter-loadgen/", env!("CARGO_PKG_VERSION")))
            .cookie_store(true)
            .timeout(timeout.unwrap_or(TIMEOUT_DEFAULT))
            .gzip(!configuration.no_gzip)
            .danger_accept_invalid_certs(configuration.accept_invalid_certs)
            .redirect(Policy::custom(move |attempt| {
                if attempt.previous().len() > REDIRECTS_MAX {
                    attempt.error("too many redirects")
                } else if hosts.allow(attempt.url()) {
                    attempt.follow()
                } else {
                    attempt.stop()
                }
            }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_and_its_pictures_may_be_asked_and_nobody_else() {
        let hosts = Hosts::new(Some("http://10.20.0.9:8080/"), Some("http://d1.cloudfront.net"));
        let hosts = hosts.expect("two addresses");
        let allowed = |text: &str| hosts.allow(&Url::parse(text).expect("an address"));
        assert!(allowed("http://10.20.0.9:8080/explore"));
        assert!(allowed("http://d1.cloudfront.net/renditions/a.jpg"));
        assert!(allowed("http://D1.CloudFront.net:80/renditions/a.jpg"));
        for stranger in [
            "http://10.20.0.9/explore",
            "https://d1.cloudfront.net/renditions/a.jpg",
            "http://d1.cloudfront.net.example/a.jpg",
            "http://d1.cloudfront.net@example.com/a.jpg",
            "http://d1.cloudfront.net:8080/a.jpg",
            "http://d2.cloudfront.net/a.jpg",
        ] {
            assert!(!allowed(stranger), "{stranger}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for given in ["d1.cloudfront.net", "ftp://d1.cloudfront.net", "http://"] {
            let refused = Hosts::new(None, Some(given)).expect_err("no address").to_string();
            assert!(refused.contains(given) && refused.contains("http://"), "{refused}");
        }
    }
}
