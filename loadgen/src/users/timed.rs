//! Times what the users do: from the moment a user turns to a request to the first and to the last byte of its answer,
//! every body read to its end. A body left unread would cost a connection per request, and its time would be lost.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use goose::prelude::*;
use rand::Rng;
use reqwest::Url;

use super::answers::{Answer, Expected, fault, fault_of_body, problem};
use super::hosts::Hosts;
use super::known::Known;
use super::summary::Skipped;
use crate::driver::{PictureSize, UploadForms};
use crate::record_io::{IntervalHistograms, RecordError};
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
    pub(super) expected: Expected,
}

/// Everything recorded.
pub(super) struct Recorded {
    pub(super) intervals: IntervalHistograms,
    pub(super) started_at_us: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) skipped: Option<Skipped>,
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

    /// Makes a request, reads the answer to its end and records it; gives the body of a right one. None when it failed or is not what
    /// was asked for: that is counted, and goose knows of it; the user goes on. None as well for an address outside the stack, which
    /// is not asked but counted.
    pub(super) async fn visit(
        &self,
        user: &mut GooseUser,
        visit: Visit<'_>,
    ) -> Result<Option<Bytes>, Box<TransactionError>> {
        let Visit { operation, path, form, cookie, expected } = visit;
        let url = user.build_url(path)?;
        if !Url::parse(&url).is_ok_and(|url| self.hosts.allow(&url)) {
            self.skip(url);
            return Ok(None);
        }
        let request = request(user, operation, path, form, cookie)?;
        let planned = self.origin.elapsed();
        let asked = user.request(request).await;
        let first_byte = self.origin.elapsed();
        let mut goose = asked.inspect_err(|error| self.count_unasked(operation, error))?;
        // Only goose knows when its throttle let the request pass: its own time ends at the head.
        let metric = &goose.request;
        let until_head = Duration::from_millis(metric.response_time)
            + Duration::from_micros(metric.response_time_fraction_us.into());
        let sent = first_byte.saturating_sub(until_head).max(planned);
        let response = match goose.response {
            Ok(response) => response,
            Err(error) => {
                self.count_error(operation, fault(&error));
                return Ok(None);
            }
        };
        let (status, final_path) = (response.status(), response.url().path().to_owned());
        let read = response.bytes().await;
        let last_byte = self.origin.elapsed();
        let judged = match read {
            Err(error) => Err(fault_of_body(&error).to_owned()),
            Ok(body) => {
                let answer = Answer { status, path: final_path, body };
                problem(expected, path, &answer).map_or(Ok(answer.body), Err)
            }
        };
        match judged {
            Err(problem) => {
                self.count_error(operation, &problem);
                if goose.request.success {
                    // An answer that goose took for a success; its error is no reason to stop the user.
                    let _ = user.set_failure(&problem, &mut goose.request, None, None);
                }
                Ok(None)
            }
            Ok(body) => {
                let mut books = self.books();
                let key = books.recorder.operation(operation);
                // The wait for goose's throttle is the generator's, not the server's.
                books.recorder.record(key, &Moments { planned: sent, sent, first_byte, last_byte });
                Ok(Some(body))
            }
        }
    }

    /// Counts a request that goose did not make. What its throttle lets nobody send at the end of a run was never due.
    fn count_unasked(&self, operation: &str, error: &TransactionError) {
        if !matches!(error, TransactionError::RequestCanceled { .. }) {
            self.count_error(operation, "not asked");
        }
    }

    fn count_error(&self, operation: &str, kind: &str) {
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

/// The request as goose takes it.
fn request<'r>(
    user: &mut GooseUser,
    operation: &'r str,
    path: &'r str,
    form: Option<Form>,
    cookie: Option<String>,
) -> Result<GooseRequest<'r>, Box<TransactionError>> {
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
    Ok(request)
}
