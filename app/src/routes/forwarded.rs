//! What a balancer in front of this server says of the browser behind it: whether it came by HTTPS, and from where.
//!
//! Balancers write the same thing in many forms, and each adds to what it was given: `X-Forwarded-Proto: https, http`,
//! `X-Forwarded-For: 203.0.113.7:4711, [2001:db8::1]:443`. `Forwarded` (RFC 7239) is not read: behind a balancer that writes the X- headers
//! it would be whatever the client makes of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::config::ClientAddress;
use crate::error::AppError;
use crate::state::AppState;

/// Whether the person's browser came by HTTPS: the first of a list is the browser's own hop. Behind a balancer that ends TLS this
/// header says so; a client that forges it harms only itself.
pub fn is_https(headers: &HeaderMap) -> bool {
    first(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

/// The name under which the browser knows this site, where a balancer has put another one into Host.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    first(headers, "x-forwarded-host")
}

/// The first element of a header that is a list.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get(name)?.to_str().ok()?;
    line.split(',').next().map(|value| value.trim().trim_matches('"'))
}

/// Whose login attempts these are.
pub struct Client(pub IpAddr);

impl FromRequestParts<AppState> for Client {
    type Rejection = AppError;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|peer| peer.0.ip().to_canonical());
        let address = match state.config.client_address {
            ClientAddress::Forwarded => last_hop(&parts.headers).or(peer),
            ClientAddress::Peer => peer,
        };
        Ok(Self(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// The address that the balancer next to this server added: the last one, for all before it may be the client's own words. None when it
/// says none ("unknown"): then the balancer's own address has to do.
fn last_hop(headers: &HeaderMap) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let last = hops.find(|hop| !hop.trim_ascii().is_empty())?;
    address(std::str::from_utf8(last).ok()?)
}

/// An address with or without port, brackets, quotes and zone. An IPv4 address in the form of an IPv6 one is the IPv4 address.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let host = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            if port.is_empty() { host } else { without_port(host, port.strip_prefix(':')?)? }
        }
        None => match text.split_once(':') {
            // More colons than one: IPv6, whose last group is no port.
            Some((host, port)) if !port.contains(':') => without_port(host, port)?,
            _ => text,
        },
    };
    // The zone is a network card of the balancer's.
    let (host, _zone) = host.split_once('%').unwrap_or((host, ""));
    Some(host.parse::<IpAddr>().ok()?.to_canonical())
}

fn without_port<'a>(host: &'a str, port: &str) -> Option<&'a str> {
    port.parse::<u16>().is_ok().then_some(host)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn https_is_what_the_first_hop_says() {
        let says = |line: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-proto", HeaderValue::from_static(line));
            is_https(&headers)
        };
        for line in ["https", "HTTPS", "https, http", "https,https", " https ", "\"https\""] {
            assert!(says(line), "{line}");
        }
        for line in ["http", "http, https", "", ",https", "httpsx", "wss"] {
            assert!(!says(line), "{line}");
        }
        assert!(!is_https(&HeaderMap::new()));
    }

    fn hop(lines: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        last_hop(&headers).map(|address| address.to_string())
    }

    #[test]
    fn addresses_are_read_in_every_form_that_balancers_write() {
        for (line, address) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("\"203.0.113.7:80\"", "203.0.113.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:9", "203.0.113.7"),
            ("unknown, 203.0.113.7", "203.0.113.7"),
            ("10.0.0.1, 203.0.113.7 ,", "203.0.113.7"),
        ] {
            assert_eq!(hop(&[line]).as_deref(), Some(address), "{line}");
        }
        assert_eq!(hop(&["10.0.0.1", "203.0.113.7"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(hop(&["203.0.113.7", ""]).as_deref(), Some("203.0.113.7"));
    }

    #[test]
    fn what_the_client_may_have_written_never_takes_the_last_ones_place() {
        for line in [
            "10.0.0.1, unknown",
            "10.0.0.1, _hidden",
            "10.0.0.1, [2001:db8::1",
            "10.0.0.1, [2001:db8::1]x",
            "10.0.0.1, 203.0.113.7:port",
            "10.0.0.1, 203.0.113.7:99999",
            "10.0.0.1, 1.2.3",
            "",
            ",",
        ] {
            assert_eq!(hop(&[line]), None, "{line}");
        }
        assert_eq!(hop(&[]), None);
    }
}
