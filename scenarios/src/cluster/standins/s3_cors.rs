//! CORS of the S3 stand-in: which pages' scripts may talk to a bucket, as the service's user guide says ("How CORS works").
//!
//! A bucket has no rules until PutBucketCors gives it some; then the first rule counts that fits origin, method and headers. A preflight that
//! none fits is refused with 403; any other request is answered as ever, and only without the headers that would let a script see the
//! answer. A restart forgets the rules.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use s3s::Body;
use s3s::dto::CORSRule;

/// The rules of all buckets.
#[derive(Default)]
pub(super) struct Cors {
    rules: RwLock<HashMap<String, Vec<CORSRule>>>,
}

/// One `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

/// The names in `Access-Control-Request-Headers`, in small letters.
fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

fn allows(rule: &CORSRule, origin: &str, method: &str, asked: &[String]) -> bool {
    let header = |name: &String| {
        let allowed = rule.allowed_headers.as_deref().unwrap_or_default();
        allowed.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), name))
    };
    rule.allowed_origins.iter().any(|pattern| fits(pattern, origin))
        && rule.allowed_methods.iter().any(|allowed| allowed == method)
        && asked.iter().all(header)
}

/// The bucket of a path-style request.
fn bucket_of(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

impl Cors {
    /// Gives the bucket these rules; none takes them away.
    pub(super) fn set(&self, bucket: &str, rules: Option<Vec<CORSRule>>) {
        let mut all = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        match rules {
            Some(rules) => all.insert(bucket.to_owned(), rules),
            None => all.remove(bucket),
        };
    }

    /// The bucket's rules.
    pub(super) fn get(&self, bucket: &str) -> Option<Vec<CORSRule>> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned()
    }

    /// The answer to a browser that asks whether it may; none when this is no such question.
    pub(super) fn preflight(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        if *method != Method::OPTIONS {
            return None;
        }
        let origin = text(headers, &header::ORIGIN)?;
        let wanted = text(headers, &header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let asked = text(headers, &header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let asked = names(asked);
        let rules = self.get(bucket_of(path)).unwrap_or_default();
        let mut answer = Response::new(Body::empty());
        let Some(rule) = rules.iter().find(|rule| allows(rule, origin, wanted, &asked)) else {
            let refusal = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessForbidden</Code>\
                           <Message>CORSResponse: This CORS request is not allowed.</Message></Error>";
            *answer.body_mut() = Body::from(refusal.to_owned());
            *answer.status_mut() = StatusCode::FORBIDDEN;
            return Some(answer);
        };
        let given = answer.headers_mut();
        put_rule(given, rule, origin);
        put(given, header::ACCESS_CONTROL_ALLOW_HEADERS, &asked.join(", "));
        if let Some(seconds) = rule.max_age_seconds {
            put(given, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        Some(answer)
    }

    /// Lets the page's script see the answer to its request, if a rule allows it.
    pub(super) fn let_see(
        &self,
        (method, path, origin): (&Method, &str, &str),
        answer: &mut HeaderMap,
    ) {
        let rules = self.get(bucket_of(path)).unwrap_or_default();
        if let Some(rule) = rules.iter().find(|rule| allows(rule, origin, method.as_str(), &[])) {
            put_rule(answer, rule, origin);
            let exposed = rule.expose_headers.as_deref().unwrap_or_default();
            put(answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
        }
    }
}

fn put_rule(headers: &mut HeaderMap, rule: &CORSRule, origin: &str) {
    if rule.allowed_origins.iter().any(|allowed| allowed == "*") {
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        put(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    put(headers, header::VARY, vary);
}

/// Sets the header; one without a value, or with one that no header can hold, is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !value.is_empty()
        && let Ok(value) = HeaderValue::try_from(value)
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> CORSRule {
        CORSRule {
            allowed_headers: Some(vec!["Content-Type".to_owned(), "x-amz-*".to_owned()]),
            allowed_methods: vec!["PUT".to_owned()],
            allowed_origins: vec![
                "http://photos.test:8080".to_owned(),
                "https://*.ours.test".to_owned(),
            ],
            expose_headers: None,
            id: None,
            max_age_seconds: Some(600),
        }
    }

    #[test]
    fn a_rule_fits_in_origin_method_and_every_header() {
        let rule = rule();
        let fits = |origin: &str, method: &str, headers: &str| {
            allows(&rule, origin, method, &names(headers))
        };
        assert!(fits("http://photos.test:8080", "PUT", ""));
        assert!(fits("http://photos.test:8080", "PUT", "content-type, X-Amz-Date"));
        assert!(fits("https://a.ours.test", "PUT", "content-type"));
        assert!(!fits("http://photos.test", "PUT", ""), "another port");
        assert!(!fits("https://ours.test", "PUT", ""), "the star stands for something else");
        assert!(!fits("http://photos.test:8080", "GET", ""));
        assert!(!fits("http://photos.test:8080", "PUT", "content-type, authorization"));
    }
}
