//! Times what the users do: from the moment a user turns to a request to the first and to the last byte of its answer,
//! every body read to its end. A body left unread would cost a connection per request, and its time would be lost.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use goose::prelude::*;
use rand::Rng;
use reqwest::Url;

use super::ASSETS_VARIABLE;
use super::hosts::Hosts;
use super::known::Known;
use crate::driver::{PictureSize, UploadForms};
use crate::record::Clock;
use crate::record_io::{HistogramSet, IntervalHistograms, RecordError};
use crate::recorder::{Moments, Recorder};

/// What all users share: what is known, and the record.
pub(super) struct Shared {
    pub(super) known: Known,
    pub(super) hosts: Hosts,
    books: Mutex<Books>,
    forms: Mutex<UploadForms>,
    origin: Instant,
    started_at_us: u64,
}

#[derive(Default)]
struct Books {
    recorder: Recorder,
    errors: BTreeMap<String, u64>,
    skipped: Option<Skipped>,
}

/// The body of a post.
pub(super) struct Form {
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// One request to make.
pub(super) struct Visit<'a> {
    /// The operation in the record; the name in goose's own tables.
    pub(super) operation: &'static str,
    pub(super) path: &'a str,
    /// None for a GET.
    pub(super) form: Option<Form>,
    /// A session from the manifest; others live in the user's cookie jar.
    pub(super) cookie: Option<String>,
}

/// A page as a user has read it.
pub(super) struct Page {
    /// The path after redirects.
    pub(super) path: String,
    pub(super) body: Bytes,
}

/// Everything recorded.
pub(super) struct Recorded {
    pub(super) intervals: IntervalHistograms,
    pub(super) started_at_us: u64,
    errors: BTreeMap<String, u64>,
    skipped: Option<Skipped>,
}

impl Shared {
    pub(super) fn new(known: Known, hosts: Hosts) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started_at_us = now.map_or(0, |time| time.as_micros() as u64);
        let (books, forms) = (Mutex::default(), Mutex::default());
        Self { known, hosts, books, forms, origin: Instant::now(), started_at_us }
    }

    /// An upload of one of a few small pictures, painted when the first of a filter is sent.
    pub(super) fn upload_form(&self, filter: &str) -> Option<Bytes> {
        let mut forms = self.forms.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        forms.prepare(PictureSize::Small, filter);
        forms.get(PictureSize::Small, filter, rand::rng().random())
    }

    /// Makes a request, reads the answer to its end and records it. None when it failed: that is counted, and goose
    /// knows of it; the user goes on. None as well for an address outside the stack, which is not asked but counted.
    pub(super) async fn visit(
        &self,
        user: &mut GooseUser,
        visit: Visit<'_>,
    ) -> Result<Option<Page>, Box<TransactionError>> {
        let Visit { operation, path, form, cookie } = visit;
        let url = user.build_url(path)?;
        if !Url::parse(&url).is_ok_and(|url| self.hosts.allow(&url)) {
            self.skip(url);
            return Ok(None);
        }
        let method = if form.is_some() { GooseMethod::Post } else { GooseMethod::Get };
        let mut request = user.get_request_builder(&method, path)?;
        if let Some(form) = form {
            request = request.header("content-type", form.content_type).body(form.body);
        }
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let request = GooseRequest::builder()
            .method(method)
            .path(path)
            .name(operation)
            .set_request_builder(request)
            .build();
        let planned = self.origin.elapsed();
        let mut goose = user.request(request).await?;
        let first_byte = self.origin.elapsed();
        // Only goose knows when its throttle let the request pass: its own time ends at the head.
        let metric = &goose.request;
        let until_head = Duration::from_millis(metric.response_time)
            + Duration::from_micros(metric.response_time_fraction_us.into());
        let sent = first_byte.saturating_sub(until_head).max(planned);
        let response = match goose.response {
            Ok(response) => response,
            Err(error) => {
                self.count_error(operation, if error.is_timeout() { "timeout" } else { "connect" });
                return Ok(None);
            }
        };
        let (status, final_path) = (response.status(), response.url().path().to_owned());
        let body = response.bytes().await;
        let last_byte = self.origin.elapsed();
        let problem = match &body {
            Err(_) => Some("incomplete body".to_owned()),
            Ok(_) if !status.is_success() => Some(format!("status {}", status.as_u16())),
            Ok(_) if final_path == "/login" && operation != "login" => {
                Some("not logged in".to_owned())
            }
            Ok(_) => None,
        };
        if let Some(problem) = problem {
            self.count_error(operation, &problem);
            if goose.request.success {
                // An answer that goose took for a success; its error is no reason to stop the user.
                let _ = user.set_failure(&problem, &mut goose.request, None, None);
            }
            return Ok(None);
        }
        let mut books = self.books();
        let key = books.recorder.operation(operation);
        // The wait for goose's throttle is the generator's, not the server's.
        books.recorder.record(key, &Moments { planned: sent, sent, first_byte, last_byte });
        Ok(body.ok().map(|body| Page { path: final_path, body }))
    }

    /// Counts an answer that came but was not what was asked for.
    pub(super) fn count_error(&self, operation: &str, kind: &str) {
        *self.books().errors.entry(format!("{operation}: {kind}")).or_default() += 1;
    }

    /// Counts an address that is not asked; the first one is kept, to be told.
    fn skip(&self, url: String) {
        let mut books = self.books();
        books.skipped.get_or_insert(Skipped { count: 0, first: url }).count += 1;
    }

    /// Ends the record.
    pub(super) fn finish(&self) -> Result<Recorded, RecordError> {
        let books = std::mem::take(&mut *self.books());
        let recorded = books.recorder.finish()?;
        let mut errors = books.errors;
        for (operation, count) in recorded.saturated {
            errors.insert(format!("{operation}: beyond ten minutes"), count);
        }
        let (intervals, skipped) = (recorded.intervals, books.skipped);
        Ok(Recorded { intervals, started_at_us: self.started_at_us, errors, skipped })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The figures of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryLine {
    /// The operation.
    pub operation: String,
    /// Correct answers.
    pub count: u64,
    /// Quantiles 0.5, 0.95, 0.99 until the first byte, in milliseconds.
    pub first_byte_ms: [f64; 3],
    /// The same until the last byte.
    pub last_byte_ms: [f64; 3],
}

/// Addresses that pages link to and that no user asked, because they are outside the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// How often one was met.
    pub count: u64,
    /// The first of them.
    pub first: String,
}

/// What our recorder saw, for people to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// By operation.
    pub lines: Vec<SummaryLine>,
    /// `operation: kind` -> how often.
    pub errors: BTreeMap<String, u64>,
    /// What lay outside the stack, if anything did.
    pub skipped: Option<Skipped>,
}

impl Summary {
    pub(super) fn new(recorded: &Recorded) -> Self {
        let set: HistogramSet = recorded.intervals.merged();
        let quantiles = |operation: &str, clock| {
            let histogram = set.get(&(operation.to_owned(), clock));
            let value = |quantile| {
                histogram.map_or(0.0, |known| known.value_at_quantile(quantile) as f64 / 1_000.0)
            };
            [0.5, 0.95, 0.99].map(value)
        };
        let operations = set.iter().filter(|((_, clock), _)| *clock == Clock::SentLast);
        let lines = operations.map(|((operation, _), histogram)| SummaryLine {
            operation: operation.clone(),
            count: histogram.len(),
            first_byte_ms: quantiles(operation, Clock::SentFirst),
            last_byte_ms: quantiles(operation, Clock::SentLast),
        });
        let (errors, skipped) = (recorded.errors.clone(), recorded.skipped.clone());
        Self { lines: lines.collect(), errors, skipped }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Latency in milliseconds, as Lightmeter recorded it (closed loop: see docs)")?;
        writeln!(
            f,
            "{:<12} {:>8}   first byte {:>8} {:>8} {:>8}   last byte {:>8} {:>8} {:>8}",
            "operation", "answers", "p50", "p95", "p99", "p50", "p95", "p99"
        )?;
        for line in &self.lines {
            let (first, last) = (line.first_byte_ms, line.last_byte_ms);
            writeln!(
                f,
                "{:<12} {:>8}              {:>8.1} {:>8.1} {:>8.1}             {:>8.1} {:>8.1} {:>8.1}",
                line.operation, line.count, first[0], first[1], first[2], last[0], last[1], last[2]
            )?;
        }
        for (what, count) in &self.errors {
            writeln!(f, "error  {what}: {count}")?;
        }
        if let Some(Skipped { count, first }) = &self.skipped {
            writeln!(
                f,
                "skipped  {count} addresses outside the stack, the first {first}: \
                 {ASSETS_VARIABLE} names the host of the stack's pictures"
            )?;
        }
        Ok(())
    }
}
