//! Which hosts the users ask: the one of `--host`, and the one that pictures come from, where it is named. A page may link to any other;
//! the users leave that alone, because whoever loads a stack has no right to load a stranger's server.

use std::io;
use std::time::Duration;

use goose::config::GooseConfiguration;
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};

use super::{ASSETS_VARIABLE, UsersError};
use crate::causes::causes;

/// goose's own, which a client of ours would otherwise lose.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Redirects of one request; reqwest's own bound.
const REDIRECTS_MAX: usize = 10;
/// How long the first connection may take, before any user begins.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);
/// goose's option.
const HOST_OPTION: &str = "--host";

/// The hosts that may be asked, each as scheme, name and port.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    stack: Option<Url>,
    assets: Option<Url>,
}

impl Hosts {
    /// `stack` as goose was given it, `assets` as the environment names it.
    pub(super) fn new(stack: Option<&str>, assets: Option<&str>) -> Result<Self, UsersError> {
        let stack = stack.map(|given| {
            let url = address(HOST_OPTION, given, "http://127.0.0.1:8080")?;
            // Every path of the users begins at the root: goose would drop this one without a word.
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                let root = url.origin().ascii_serialization();
                let problem = format!(
                    "the users ask for pages at the root of a host; leave out what follows {root}"
                );
                return Err(refused(HOST_OPTION, given, problem));
            }
            Ok(url)
        });
        let assets =
            assets.map(|given| address(ASSETS_VARIABLE, given, "http://d1.cloudfront.net"));
        Ok(Self { stack: stack.transpose()?, assets: assets.transpose()? })
    }

    /// Connects to the stack before any user does, so that a mistaken address or a stack that is not there is told at once instead
    /// of once per request. What it answers is the users' matter; that it takes a connection is what is asked.
    pub(super) async fn reach(&self, configuration: &GooseConfiguration) -> Result<(), UsersError> {
        let Some(stack) = &self.stack else { return Ok(()) };
        let client = self.client(configuration).redirect(Policy::none()).timeout(REACH_TIMEOUT);
        let asked = match client.connect_timeout(REACH_TIMEOUT).build() {
            Ok(client) => client.get(stack.clone()).send().await.map(drop),
            Err(error) => Err(error),
        };
        match asked {
            Err(error) if error.is_connect() || error.is_builder() => {
                let given = stack.origin().ascii_serialization();
                Err(refused(HOST_OPTION, &given, unreachable(stack, &error)))
            }
            _ => Ok(()),
        }
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

fn refused(name: &'static str, given: &str, problem: String) -> UsersError {
    UsersError::Address { name, given: given.to_owned(), problem }
}

/// An address of a web server, or what is wrong with it and what one looks like.
fn address(name: &'static str, given: &str, example: &str) -> Result<Url, UsersError> {
    let expected = format!("use an address such as {example}");
    match Url::parse(given) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => Ok(url),
        // `localhost:8080` reads as a scheme of that name.
        Ok(url) if !given.contains("://") => {
            let problem = format!("`{}:` is no scheme; {expected}", url.scheme());
            Err(refused(name, given, problem))
        }
        Ok(url) => {
            let problem = format!("{}:// cannot be asked for pages; {expected}", url.scheme());
            Err(refused(name, given, problem))
        }
        Err(error) if given.contains("://") => {
            Err(refused(name, given, format!("{error}; {expected}")))
        }
        Err(_) => {
            let problem = format!("it lacks http:// or https:// in front; {expected}");
            Err(refused(name, given, problem))
        }
    }
}

/// Why no connection came about, and what to do.
fn unreachable(stack: &Url, error: &reqwest::Error) -> String {
    let mut of_system = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    let cause = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
    if of_system.any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused) {
        "nothing listens there; start the stack first, or correct the address".to_owned()
    } else if stack.scheme() == "https" {
        format!("no secured connection ({cause}); if the stack speaks plain HTTP, use http://")
    } else if error.is_timeout() {
        let seconds = REACH_TIMEOUT.as_secs();
        format!("no connection within {seconds} s; is the address right, and the way to it open?")
    } else {
        format!("no connection ({cause}); correct the address")
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
        for given in [
            "d1.cloudfront.net",
            "ftp://d1.cloudfront.net",
            "http://",
            "127.0.0.1:8080",
            "localhost:8080",
            "http://127.0.0.1:99999",
            "",
        ] {
            for hosts in [Hosts::new(None, Some(given)), Hosts::new(Some(given), None)] {
                let refused = hosts.expect_err("no address").to_string();
                assert!(
                    refused.contains(given) && refused.contains("such as http://"),
                    "{refused}"
                );
            }
        }
    }

    #[test]
    fn a_host_with_a_path_is_refused_because_goose_would_drop_it() {
        for rest in ["/app", "/?a=1", "/#a", "//"] {
            let given = format!("http://127.0.0.1:8080{rest}");
            let refused = Hosts::new(Some(&given), None).expect_err("a path").to_string();
            assert!(refused.contains("leave out what follows http://127.0.0.1:8080"), "{refused}");
        }
        for given in ["http://127.0.0.1:8080", "https://photos.example/", " http://127.0.0.1 "] {
            Hosts::new(Some(given), None).expect("a host");
        }
        Hosts::new(None, Some("http://d1.cloudfront.net/renditions/"))
            .expect("pictures may lie deeper");
    }
}
