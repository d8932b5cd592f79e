//! One HTTP request and its answer, read to the last byte, with the moments in between.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use http::{HeaderMap, Request, StatusCode, response};
use http_body_util::BodyExt;

use super::pool::{Body, Pool};

/// A body that is kept is cut beyond this: pages have some tens of KB, 16 MiB is a defect of the server.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No connection could be opened.
    Connect,
    /// No complete answer in time.
    Timeout,
    /// The connection ended before the head of the answer.
    Lost,
    /// The body ended before its announced length.
    Incomplete,
    /// Another status than the operation expects.
    Status(u16),
    /// The server sent the person to the login page.
    NotLoggedIn,
    /// A body that is not what was asked for; in a few words.
    WrongBody(&'static str),
    /// An upload whose photo was not finished when the trial ended.
    NotFinished,
    /// An upload whose photo the server gave up on.
    NotRendered,
    /// An address (of an image, say) that cannot be requested.
    BadAddress,
    /// The population has nobody or nothing to do this with.
    Population,
}

impl Fault {
    /// The kind, as errors are counted by.
    pub(super) fn kind(self) -> String {
        match self {
            Fault::Connect => "connect".to_owned(),
            Fault::Timeout => "timeout".to_owned(),
            Fault::Lost => "connection lost".to_owned(),
            Fault::Incomplete => "incomplete body".to_owned(),
            Fault::Status(status) => format!("status {status}"),
            Fault::NotLoggedIn => "not logged in".to_owned(),
            Fault::WrongBody(_) => "wrong body".to_owned(),
            Fault::NotFinished => "not finished".to_owned(),
            Fault::NotRendered => "not rendered".to_owned(),
            Fault::BadAddress => "bad address".to_owned(),
            Fault::Population => "empty population".to_owned(),
        }
    }
}

/// How much of a body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Only its length.
    Length,
    /// All of it.
    Whole,
}

/// An answer, complete.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) first_byte: Instant,
    pub(super) last_byte: Instant,
    pub(super) length: u64,
    /// The first and the last two bytes: enough to tell a whole JPEG.
    pub(super) ends: [u8; 4],
    /// Empty unless it was to be kept.
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn new(head: response::Parts, first_byte: Instant) -> Self {
        Self {
            status: head.status,
            headers: head.headers,
            first_byte,
            last_byte: first_byte,
            length: 0,
            ends: [0; 4],
            body: Vec::new(),
        }
    }

    /// The `Location` header.
    pub(super) fn location(&self) -> Option<&str> {
        self.headers.get(http::header::LOCATION)?.to_str().ok()
    }

    /// Fails unless the status is the expected one and, after a form, the person is still logged in.
    pub(super) fn expect(&self, status: StatusCode) -> Result<(), Fault> {
        if self.status.is_redirection() && self.location().is_some_and(is_login) {
            return Err(Fault::NotLoggedIn);
        }
        if self.status == status { Ok(()) } else { Err(Fault::Status(self.status.as_u16())) }
    }
}

fn is_login(location: &str) -> bool {
    location == "/login" || location.starts_with("/login?")
}

/// What one operation has caused so far; survives the operation's timeout.
#[derive(Default)]
pub(super) struct Tally {
    /// When its first request was given to a connection.
    pub(super) sent: Cell<Option<Instant>>,
    /// Requests given to a connection.
    pub(super) http_count: Cell<u64>,
    /// Body bytes received.
    pub(super) body_bytes: Cell<u64>,
}

/// Answers by the server's route label, over the whole trial.
pub(super) type Routes = RefCell<BTreeMap<&'static str, u64>>;

/// Where a request goes and how its answer is counted.
pub(super) struct Way<'a> {
    pub(super) pool: &'a Rc<Pool>,
    /// The server's label for the route.
    pub(super) route: &'static str,
    pub(super) routes: &'a Routes,
    pub(super) tally: &'a Tally,
}

/// Sends a request on a free connection and reads the whole answer. A connection that the server closed while it
/// was idle is replaced; a request that was already written is not repeated.
pub(super) async fn exchange(
    way: &Way<'_>,
    mut request: Request<Body>,
    keep: Keep,
) -> Result<Answer, Fault> {
    let tally = way.tally;
    let (mut connection, response) = loop {
        let mut connection = way.pool.acquire().await?;
        let sent_before = tally.sent.get();
        tally.sent.set(Some(sent_before.unwrap_or_else(Instant::now)));
        tally.http_count.set(tally.http_count.get() + 1);
        match connection.send(request).await {
            Ok(response) => break (connection, response),
            Err(Some(unsent)) if connection.used => {
                request = unsent;
                tally.sent.set(sent_before);
                tally.http_count.set(tally.http_count.get() - 1);
            }
            Err(_) => return Err(Fault::Lost),
        }
    };
    *way.routes.borrow_mut().entry(way.route).or_default() += 1;
    let (head, mut incoming) = response.into_parts();
    let mut answer = Answer::new(head, Instant::now());
    while let Some(frame) = connection.drive(incoming.frame()).await {
        let frame = frame.map_err(|_| Fault::Incomplete)?;
        let Some(data) = frame.data_ref() else { continue };
        answer.take_in(data, keep);
        tally.body_bytes.set(tally.body_bytes.get() + data.len() as u64);
    }
    answer.last_byte = Instant::now();
    connection.release();
    Ok(answer)
}

impl Answer {
    fn take_in(&mut self, data: &[u8], keep: Keep) {
        let head = usize::try_from(self.length.min(2)).unwrap_or(2);
        for (place, byte) in self.ends[head..2].iter_mut().zip(data) {
            *place = *byte;
        }
        for byte in &data[data.len().saturating_sub(2)..] {
            self.ends[2] = self.ends[3];
            self.ends[3] = *byte;
        }
        self.length += data.len() as u64;
        if keep == Keep::Whole && self.body.len() < BODY_BYTES_MAX {
            self.body.extend_from_slice(data);
        }
    }

    /// Whether the body begins and ends as a JPEG does.
    pub(super) fn is_whole_jpeg(&self) -> bool {
        self.length > 4 && self.ends == [0xff, 0xd8, 0xff, 0xd9]
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[test]
    fn the_ends_of_a_body_do_not_depend_on_how_it_is_cut() {
        let body = [0xff, 0xd8, 1, 2, 3, 0xff, 0xd9];
        for size in 1..=body.len() {
            let head = Response::new(()).into_parts().0;
            let mut answer = Answer::new(head, Instant::now());
            for part in body.chunks(size) {
                answer.take_in(part, Keep::Whole);
            }
            assert!(answer.is_whole_jpeg(), "cut into {size}");
            assert_eq!(answer.body, body);
        }
    }
}
